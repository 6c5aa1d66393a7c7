"""Our own phone numbers."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.calls.models.transfer_target import TransferTarget
from apps.calls.models.virtual_agent import VirtualAgent


class Carrier(models.TextChoices):
    TWILIO = "twilio", "Twilio"
    TELNYX = "telnyx", "Telnyx"


class Route(models.TextChoices):
    """What becomes of a call to one of our numbers."""

    REFUSE = "refuse", _("is refused as busy")
    VIRTUAL_AGENT = "virtual_agent", _("is answered by a virtual agent")
    TARGET = "target", _("is passed on to a transfer target")


class Number(models.Model):
    """A number of ours at a carrier: shown as caller ID, and dialled by those who call us."""

    e164 = models.CharField(_("number"), max_length=16, unique=True, help_text=_("E.164, for example +12025550123."))
    carrier = models.CharField(_("carrier"), max_length=16, choices=Carrier.choices)
    label = models.CharField(_("label"), max_length=80, blank=True)
    can_text = models.BooleanField(
        _("can send texts"), default=True, help_text=_("Whether the carrier lets this number send and receive SMS.")
    )
    is_active = models.BooleanField(_("in use"), default=True)
    route = models.CharField(
        _("who calls it"),
        max_length=16,
        choices=Route.choices,
        default=Route.REFUSE,
        help_text=_("The carrier must send this number's calls here: docs/production.md says what to enter there."),
    )
    virtual_agent = models.ForeignKey(
        VirtualAgent,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="numbers",
        verbose_name=_("virtual agent"),
        help_text=_("Who answers, if a virtual agent does."),
    )
    target = models.ForeignKey(
        TransferTarget,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="numbers",
        verbose_name=_("transfer target"),
        help_text=_("Who is rung, if calls are passed on. Outside its hours they are refused."),
    )
    language = models.CharField(
        _("language"),
        max_length=8,
        choices=Language.choices,
        blank=True,
        help_text=_("Of those who call it, where the contact's own is not known; empty: the virtual agent's."),
    )

    class Meta:
        verbose_name = _("number")
        verbose_name_plural = _("numbers")
        ordering = ["e164"]
        constraints = [
            models.CheckConstraint(name="number_e164", condition=Q(e164__regex=r"^\+[1-9][0-9]{6,14}$")),
            models.CheckConstraint(
                name="number_route_has_its_end",
                condition=(~Q(route="virtual_agent") | Q(virtual_agent__isnull=False))
                & (~Q(route="target") | Q(target__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.e164} ({self.label})" if self.label else self.e164

    def clean(self) -> None:
        if self.route == Route.VIRTUAL_AGENT and self.virtual_agent_id is None:
            raise ValidationError({"virtual_agent": _("Choose who answers.")})
        if self.route == Route.TARGET and self.target_id is None:
            raise ValidationError({"target": _("Choose who is rung.")})
