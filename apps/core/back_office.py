"""What the lists and forms of the back office have in common."""

from collections.abc import Iterable
from typing import Any, ClassVar, Generic, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from apps.core.admin_site import Group

M = TypeVar("M", bound=Model)
P = TypeVar("P", bound=Model)


class BackOfficeAdmin(admin.ModelAdmin[M], Generic[M]):
    """A list and a form of the back office. position: its place in the group."""

    group: ClassVar[Group] = Group.SYSTEM
    position: ClassVar[int] = 50
    list_per_page = 50
    show_full_result_count = False  # counting a million rows to say how many the filter left out
    # What stands beside the title of the list: words and the name of an admin page.
    list_links: ClassVar[Iterable[tuple[Any, str]]] = ()
    change_list_template = "admin/back_office/change_list.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        links = [{"label": label, "url": reverse(name)} for label, name in self.list_links]
        return super().changelist_view(request, {**(extra_context or {}), "list_links": links})


class ReadOnlyAdmin(BackOfficeAdmin[M], Generic[M]):
    """What the system itself writes: to be read, never edited, whoever asks."""

    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline[M, P], Generic[M, P]):
    """Rows the system wrote, beneath what they belong to."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: P | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
