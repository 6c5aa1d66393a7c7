"""Who may log in, and the API tokens they hold."""

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts import roles


class Role(models.TextChoices):
    ADMIN = "admin", _("Admin")
    SUPERVISOR = "supervisor", _("Supervisor")
    AGENT = "agent", _("Agent")


class Language(models.TextChoices):
    """Languages of the interface and of conversations; each name is written in its own language."""

    ENGLISH = "en", "English"
    SPANISH = "es", "Español"
    CZECH = "cs", "Čeština"


class Theme(models.TextChoices):
    AUTO = "auto", _("as the device")
    LIGHT = "light", _("light")
    DARK = "dark", _("dark")


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, email: str = "", password: str | None = None, **fields: Any) -> "User":
        """password None: the person cannot log in until one is set."""
        user = self.model(username=self.model.normalize_username(username), email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, email: str = "", password: str | None = None, **fields: Any) -> "User":
        """What `manage.py createsuperuser` makes: an admin. There is no way past the permission table."""
        return self.create_user(username, email, password, **{**fields, "role": Role.ADMIN})


class User(AbstractBaseUser):
    """A person who logs in. What they may do follows from the role alone (see roles.py)."""

    username = models.CharField(
        _("user name"),
        max_length=150,
        unique=True,
        help_text=_("Letters, digits and @ . + - _ only."),
        validators=[UnicodeUsernameValidator()],
        error_messages={"unique": _("This user name is taken.")},
    )
    first_name = models.CharField(_("first name"), max_length=150, blank=True)
    last_name = models.CharField(_("last name"), max_length=150, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    is_active = models.BooleanField(
        _("may log in"),
        default=True,
        help_text=_("Clear it instead of deleting a person: it ends their sessions and API tokens at once."),
    )
    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.AGENT)
    language = models.CharField(
        _("language"),
        max_length=8,
        choices=Language.choices,
        default=Language.ENGLISH,
        help_text=_("The language of pages, mail and reports for this person."),
    )
    theme = models.CharField(_("colours"), max_length=8, choices=Theme.choices, default=Theme.AUTO)
    # Part of what sessions and tokens are checked against: counting it up ends all of them.
    token_version = models.PositiveIntegerField(default=0, editable=False)
    date_joined = models.DateTimeField(_("joined at"), default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["username"]
        constraints = [
            models.CheckConstraint(
                name="user_role_known", condition=models.Q(role__in=["admin", "supervisor", "agent"])
            )
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username

    @property
    def is_staff(self) -> bool:
        """Django's name for who may enter the back office."""
        return self.is_active and roles.may(self.role, roles.Permission.BACK_OFFICE)

    @property
    def is_superuser(self) -> bool:
        """Nobody stands above the table; Django and its packages ask all the same."""
        return False

    def get_full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def get_short_name(self) -> str:
        return self.first_name or self.username

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django's permission names (``calls.view_call``), answered from the one table."""
        return self.is_active and roles.may_django(self.role, perm)

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and roles.may_app(self.role, app_label)

    def get_session_auth_hash(self) -> str:
        """What each session and token carries a copy of: it changes with the password and with token_version."""
        return f"{super().get_session_auth_hash()}:{self.token_version}"

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """The same under each older SECRET_KEY that still counts."""
        return (f"{old}:{self.token_version}" for old in super().get_session_auth_fallback_hash())


class TokenFamily(models.Model):
    """One API log-in: a chain of refresh tokens of which only the newest is good.

    An older one used again means that two parties hold the chain, so the whole family ends.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families", verbose_name=_("user"))
    refresh_jti = models.CharField(max_length=32, editable=False)
    created_at = models.DateTimeField(_("logged in at"), default=timezone.now)
    refreshed_at = models.DateTimeField(_("last renewed at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("API log-in")
        verbose_name_plural = _("API log-ins")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["expires_at"])]

    def __str__(self) -> str:
        return f"{self.user.username} {self.created_at:%Y-%m-%d %H:%M}"


class RevokedToken(models.Model):
    """What the deny-list in Redis is filled from when Redis starts anew. jti: of an access token, or a family's id."""

    jti = models.CharField(max_length=32, primary_key=True)
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        verbose_name = _("revoked token")
        verbose_name_plural = _("revoked tokens")
        indexes = [models.Index(fields=["expires_at"])]

    def __str__(self) -> str:
        return self.jti
