"""People who log in, their API log-ins, and what was tried and changed."""

from typing import Any

from axes.models import AccessAttempt, AccessLog
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserChangeForm, UserCreationForm
from django.contrib.auth.models import Group as AuthGroup
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, ngettext

from apps.accounts import services
from apps.accounts.models import TokenFamily, User
from apps.core.admin_site import Group
from apps.core.back_office import BackOfficeAdmin, ReadOnlyAdmin

admin.site.unregister(AuthGroup)  # rights follow from the role


class NewUserForm(UserCreationForm[User]):
    class Meta:
        model = User
        fields = ("username", "role", "language")


class UserForm(UserChangeForm[User]):
    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class UserAdmin(BackOfficeAdmin[User], DjangoUserAdmin[Any]):
    group = Group.SYSTEM
    position = 1
    form = UserForm
    add_form = NewUserForm
    list_display = ("username", "full_name", "role", "language", "last_login", "is_active")
    list_filter = ("role", "is_active", "language")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    actions = ("sign_out_everywhere",)
    fieldsets = (
        (None, {"fields": ("username", "password", "is_active")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (
            _("Rights"),
            {
                "fields": ("role",),
                "description": _("Everything a person may do follows from the role; there are no single rights."),
            },
        ),
        (_("Preferences"), {"fields": ("language", "theme")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "role", "language", "password1", "password2")}),
    )

    @admin.display(description=_("name"), ordering="last_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody deletes themselves: the last admin would lock everybody out."""
        return obj != request.user and super().has_delete_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Nobody takes their own rights either."""
        own = ("role", "is_active") if obj is not None and obj == request.user else ()
        return (*super().get_readonly_fields(request, obj), *own)

    @admin.action(description=_("Sign out everywhere"), permissions=["change"])
    def sign_out_everywhere(self, request: HttpRequest, people: QuerySet[User]) -> None:
        for person in people:
            services.sign_out_everywhere(person)
            self.log_change(request, person, "signed out everywhere")
        n = len(people)
        words = ngettext(
            "%(n)d person has been signed out of all sessions and API log-ins.",
            "%(n)d people have been signed out of all sessions and API log-ins.",
            n,
        )
        self.message_user(request, words % {"n": n}, messages.SUCCESS)


@admin.register(TokenFamily)
class TokenFamilyAdmin(ReadOnlyAdmin[TokenFamily]):
    group = Group.SYSTEM
    position = 2
    list_display = ("user", "created_at", "refreshed_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("user__username",)
    list_select_related = ("user",)
    fields = ("user", "created_at", "refreshed_at", "expires_at", "revoked_at")
    actions = ("end_log_ins",)

    @admin.action(description=_("End these API log-ins"), permissions=["view"])
    def end_log_ins(self, request: HttpRequest, families: QuerySet[TokenFamily]) -> None:
        n = 0
        for family in families.filter(revoked_at=None):
            services.end_family(family)
            n += 1
        words = ngettext("%(n)d API log-in has been ended.", "%(n)d API log-ins have been ended.", n)
        self.message_user(request, words % {"n": n}, messages.SUCCESS)


# django-axes brings neither Spanish nor Czech: its words are translated with ours.
_WORDS_OF_AXES = (
    gettext_noop("access attempt"),
    gettext_noop("access attempts"),
    gettext_noop("access log"),
    gettext_noop("access logs"),
    gettext_noop("User Agent"),
    gettext_noop("IP Address"),
    gettext_noop("Username"),
    gettext_noop("HTTP Accept"),
    gettext_noop("Path"),
    gettext_noop("Attempt Time"),
    gettext_noop("Logout Time"),
    gettext_noop("GET Data"),
    gettext_noop("POST Data"),
    gettext_noop("Failed Logins"),
    gettext_noop("Session key hash (sha256)"),
)


@admin.register(AccessAttempt)
class AccessAttemptAdmin(BackOfficeAdmin[AccessAttempt]):
    """Deleting one opens the door before the wait is over."""

    group = Group.SYSTEM
    position = 3
    list_display = ("username", "ip_address", "failures_since_start", "attempt_time", "user_agent")
    search_fields = ("username", "ip_address")
    fields = ("username", "ip_address", "failures_since_start", "attempt_time", "user_agent", "path_info")
    readonly_fields = fields


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin[AccessLog]):
    group = Group.SYSTEM
    position = 4
    list_display = ("attempt_time", "username", "ip_address", "logout_time", "user_agent")
    search_fields = ("username", "ip_address")
    date_hierarchy = "attempt_time"
    fields = ("attempt_time", "logout_time", "username", "ip_address", "user_agent", "path_info")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    group = Group.SYSTEM
    position = 5
    list_display = ("action_time", "user", "action_flag", "content_type", "object_repr")
    list_filter = ("action_flag", "content_type")
    search_fields = ("object_repr", "user__username")
    date_hierarchy = "action_time"
    list_select_related = ("user", "content_type")
    fields = ("action_time", "user", "action_flag", "content_type", "object_repr", "change_message")
