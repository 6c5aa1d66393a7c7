"""The back office: Django's admin, grouped by what people do. Who may enter, and what for, says the role table."""

from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.db.models import TextChoices
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _


class Group(TextChoices):
    """What people come to the back office for, in the order in which it is shown."""

    CALLING = "calling", _("Calling")
    PEOPLE = "people", _("People to call")
    CONVERSATION = "conversation", _("Conversation")
    MONEY = "money", _("Money")
    SYSTEM = "system", _("System")


def redirect_to_login(target: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': target})}")


class CallCentreAdminConfig(AdminConfig):
    default_site = "apps.core.admin_site.CallCentreAdminSite"


class CallCentreAdminSite(admin.AdminSite):
    site_title = _("Back office")
    site_header = _("Back office")
    index_title = _("What would you like to do?")
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and bool(getattr(request.user, "is_staff", False))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """At the door at once: the sign-in page for strangers, 403 for those whose role does not open it."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            is_leaving = request.path == reverse("admin:logout", current_app=self.name)
            if is_leaving or self.has_permission(request):
                return inner(request, *args, **kwargs)
            if request.user.is_authenticated:
                raise PermissionDenied
            return redirect_to_login(request.get_full_path())

        return guarded

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one sign-in page. Who is signed in and comes here all the same may not enter."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next", reverse("admin:index", current_app=self.name)))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        logout(request)
        return redirect(settings.LOGOUT_REDIRECT_URL)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("accounts:password_change")

    def get_urls(self) -> list[Any]:
        return [
            path("group/<slug:code>/", self.admin_view(self.group_index), name="group"),
            *super().get_urls(),
        ]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """By group instead of by app; models in the order of their ``position``."""
        if app_label is not None:
            return super().get_app_list(request, app_label)
        models: dict[str, list[tuple[int, Any]]] = {code: [] for code in Group.values}
        for app in self._build_app_dict(request).values():
            for entry in app["models"]:
                model_admin = self._registry[entry["model"]]
                group = getattr(model_admin, "group", Group.SYSTEM)
                models[group].append((getattr(model_admin, "position", 99), entry))
        return [self._group(Group(code), entries) for code, entries in models.items() if entries]

    def group_index(self, request: HttpRequest, code: str) -> HttpResponse:
        groups = [group for group in self.get_app_list(request) if group["app_label"] == code]
        if not groups:
            raise Http404
        context = {**self.each_context(request), "title": groups[0]["name"], "app_list": groups, "app_label": code}
        request.current_app = self.name
        return TemplateResponse(request, "admin/app_index.html", context)

    def _group(self, group: Group, entries: list[tuple[int, Any]]) -> dict[str, Any]:
        return {
            "name": group.label,
            "app_label": group.value,
            "app_url": reverse("admin:group", kwargs={"code": group.value}, current_app=self.name),
            "has_module_perms": True,
            "models": [entry for _position, entry in sorted(entries, key=lambda item: item[0])],
        }
