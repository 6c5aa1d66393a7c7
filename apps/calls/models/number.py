"""Our own phone numbers."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Carrier(models.TextChoices):
    TWILIO = "twilio", "Twilio"
    TELNYX = "telnyx", "Telnyx"


class Number(models.Model):
    """A number of ours at a carrier: shown as caller ID, and dialled by those who call us."""

    e164 = models.CharField(_("number"), max_length=16, unique=True, help_text=_("E.164, for example +12025550123."))
    carrier = models.CharField(_("carrier"), max_length=16, choices=Carrier.choices)
    label = models.CharField(_("label"), max_length=80, blank=True)
    can_text = models.BooleanField(
        _("can send texts"), default=True, help_text=_("Whether the carrier lets this number send and receive SMS.")
    )
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("number")
        verbose_name_plural = _("numbers")
        ordering = ["e164"]
        constraints = [models.CheckConstraint(name="number_e164", condition=Q(e164__regex=r"^\+[1-9][0-9]{6,14}$"))]

    def __str__(self) -> str:
        return f"{self.e164} ({self.label})" if self.label else self.e164
