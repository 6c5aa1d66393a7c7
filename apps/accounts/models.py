"""Who may log in."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    ADMIN = "admin", _("Admin")
    SUPERVISOR = "supervisor", _("Supervisor")
    AGENT = "agent", _("Agent")


class Language(models.TextChoices):
    """Languages of the interface and of conversations; each name is written in its own language."""

    ENGLISH = "en", "English"
    SPANISH = "es", "Español"
    CZECH = "cs", "Čeština"


class User(AbstractUser):
    """A person who logs in. What they may do follows from the role alone (see roles.py)."""

    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.AGENT)
    language = models.CharField(
        _("language"),
        max_length=8,
        choices=Language.choices,
        default=Language.ENGLISH,
        help_text=_("The language of pages, mail and reports for this person."),
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(name="user_role_known", condition=models.Q(role__in=["admin", "supervisor", "agent"]))
        ]

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username
