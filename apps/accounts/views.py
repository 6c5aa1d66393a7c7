"""Sign in and out, and what a person sets for themselves."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django.views.i18n import set_language as django_set_language

from apps.accounts import services
from apps.accounts.models import Role, Theme, User

YEAR_S = 365 * 24 * 3600
THEME_COOKIE = "theme"
# What each demo person is there to show: an icon, and words.
_DEMO_ROLES = {
    "admin": ("settings", _("everything, with the back office")),
    "supervisor": ("broadcast", _("live calls, campaigns, transcripts")),
    "agent": ("user-circle", _("what a person without further rights sees")),
}


class LoginView(auth_views.LoginView):
    """Signing in. The browser keeps the person's language and colours, for the pages before the next log-in."""

    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "demo_people": demo_people()}

    def form_valid(self, form: object) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[arg-type]  # the form Django itself made
        user = self.request.user
        if isinstance(user, User):
            _remember(response, "django_language", user.language)
            _remember(response, THEME_COOKIE, user.theme)
        return response


def demo_people() -> list[dict[str, object]]:
    """The demo logins that the sign-in page offers: only where DEMO_LOGINS_FILE names them, as `make run` does."""
    path = Path(settings.DEMO_LOGINS_FILE)
    if not path.is_file():
        return []
    logins: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return [
        {
            "username": username,
            "password": login["password"],
            "role_label": Role(login["role"]).label,
            "icon": _DEMO_ROLES[login["role"]][0],
            "what": _DEMO_ROLES[login["role"]][1],
        }
        for username, login in logins.items()
    ]


class PasswordChangeView(auth_views.PasswordChangeView):
    """A new password ends all other sessions and all API tokens of the person."""

    template_name = "accounts/password_change.html"
    success_url = reverse_lazy("accounts:password_change_done")


@require_POST
def set_language(request: HttpRequest) -> HttpResponseBase:
    """``language``, ``next``: Django's own view, and remembered with the person."""
    if isinstance(request.user, User):
        services.choose_language(request.user, request.POST.get("language", ""))
    return django_set_language(request)


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """``theme`` (auto, light, dark), ``next``. 204 for a script, back to the page for a form."""
    theme = request.POST.get("theme") or Theme.AUTO
    if theme not in Theme.values:
        return HttpResponse(status=400)
    if isinstance(request.user, User):
        services.choose_theme(request.user, theme)
    response: HttpResponse
    if request.headers.get("X-Requested-With") == "fetch" or "HX-Request" in request.headers:
        response = HttpResponse(status=204)
    else:
        response = HttpResponseRedirect(_safe_next(request))
    _remember(response, THEME_COOKIE, theme)
    return response


def _safe_next(request: HttpRequest) -> str:
    for target in (request.POST.get("next", ""), request.headers.get("Referer", "")):
        if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
            return target
    return "/"


def _remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=YEAR_S, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
