"""To whom a virtual agent may give a call."""

from datetime import time
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.contacts.hours import OpeningHours


class TargetKind(models.TextChoices):
    QUEUE = "queue", _("queue")
    PERSON = "person", _("person")
    NUMBER = "number", _("number")


class Weekday(models.IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


def every_day() -> list[int]:
    return [int(day) for day in Weekday.values]


class TransferTarget(models.Model):
    """Somewhere a call can be handed to. A virtual agent reaches only those it was given, by their code.

    open_days: weekdays, Monday 0. opens_at, closes_at: local time in time_zone; both empty: always open.
    """

    code = models.SlugField(
        _("code"), max_length=40, unique=True, help_text=_("How the AI names it, for example billing.")
    )
    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(
        _("when to hand over"), blank=True, help_text=_("The AI reads this to choose: what these people can do.")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=TargetKind.choices, default=TargetKind.QUEUE)
    e164 = models.CharField(
        _("phone"),
        max_length=16,
        help_text=_("The number that rings, E.164, for example +12025550123."),
        validators=[RegexValidator(r"^\+[1-9][0-9]{6,14}$", _("Write it in full with country code."))],
    )
    open_days = models.JSONField(_("open on"), default=every_day, blank=True)
    opens_at = models.TimeField(_("opens at"), null=True, blank=True)
    closes_at = models.TimeField(_("closes at"), null=True, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("Of these hours, for example Europe/Prague.")
    )
    is_active = models.BooleanField(_("in use"), default=True)

    objects: ClassVar[models.Manager["TransferTarget"]] = models.Manager()

    class Meta:
        verbose_name = _("transfer target")
        verbose_name_plural = _("transfer targets")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(name="transfer_target_e164", condition=Q(e164__regex=r"^\+[1-9][0-9]{6,14}$")),
            models.CheckConstraint(
                name="transfer_target_hours",
                condition=Q(opens_at__isnull=True, closes_at__isnull=True) | Q(closes_at__gt=F("opens_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.code

    def clean(self) -> None:
        if (self.opens_at is None) != (self.closes_at is None):
            raise ValidationError({"closes_at": _("Give both, or neither: then it is always open.")})
        if self.opens_at is not None and self.closes_at is not None and self.closes_at <= self.opens_at:
            raise ValidationError({"closes_at": _("It must close after it opens, on the same day.")})

    @property
    def hours(self) -> list[tuple[OpeningHours, str]]:
        """For contacts.hours: when it may be rung; [] for always."""
        if self.opens_at is None or self.closes_at is None:
            days, span = set(self.open_days), (time.min, time.max)
            if not days or len(days) == len(Weekday):
                return []
        else:
            days, span = set(self.open_days or every_day()), (self.opens_at, self.closes_at)
        weekdays = tuple((span,) if day in days else () for day in Weekday.values)
        return [(OpeningHours(weekdays), self.time_zone or settings.TIME_ZONE)]
