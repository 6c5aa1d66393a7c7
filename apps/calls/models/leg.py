"""One party's channel in a call."""

import secrets

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.calls.models.call import Call
from apps.calls.models.number import Carrier
from apps.calls.states import LIVE, LegState, Outcome


class Party(models.TextChoices):
    CUSTOMER = "customer", _("customer")
    AGENT = "agent", _("agent")
    TARGET = "target", _("who the call was passed on to")


def new_token() -> str:
    return secrets.token_urlsafe(24)


class LegQuerySet(models.QuerySet["Leg"]):
    def live(self) -> "LegQuerySet":
        return self.filter(state__in=LIVE)


class Leg(models.Model):
    """token stands in every URL given to the carrier for this leg; media_token opens its media socket, once."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="legs", verbose_name=_("call"))
    party = models.CharField(_("party"), max_length=8, choices=Party.choices, default=Party.CUSTOMER)
    carrier = models.CharField(_("carrier"), max_length=16, choices=Carrier.choices)
    carrier_call_id = models.CharField(_("carrier's call id"), max_length=120, null=True, blank=True)  # noqa: DJ001 - null: several legs wait for theirs, and the constraint must let them
    from_number = models.CharField(_("from"), max_length=16)
    to_number = models.CharField(_("to"), max_length=16)
    state = models.CharField(_("state"), max_length=10, choices=LegState.choices, default=LegState.CREATED)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices, blank=True)
    answered_by = models.CharField(_("answered by"), max_length=24, blank=True, help_text=_("The carrier's verdict."))
    sip_code = models.PositiveSmallIntegerField(_("SIP code"), null=True, blank=True)
    carrier_error = models.CharField(_("carrier error"), max_length=200, blank=True)
    token = models.CharField(max_length=43, unique=True, default=new_token, editable=False)
    media_token = models.CharField(max_length=43, unique=True, default=new_token, editable=False)
    media_token_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    media_opened_at = models.DateTimeField(_("audio since"), null=True, blank=True)
    media_heartbeat_at = models.DateTimeField(null=True, blank=True, editable=False)
    n_media_sessions = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    expires_at = models.DateTimeField(_("not dialled after"), null=True, blank=True)
    requested_at = models.DateTimeField(_("requested at"), null=True, blank=True)
    ringing_at = models.DateTimeField(_("ringing at"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = LegQuerySet.as_manager()

    class Meta:
        verbose_name = _("leg")
        verbose_name_plural = _("legs")
        ordering = ["pk"]
        indexes = [models.Index(name="leg_live", fields=["updated_at"], condition=~Q(state="ended"))]
        constraints = [
            models.UniqueConstraint(
                name="leg_carrier_call",
                fields=["carrier", "carrier_call_id"],
                condition=Q(carrier_call_id__isnull=False),
            ),
            models.CheckConstraint(
                name="leg_ended_has_time",
                condition=Q(state="ended", ended_at__isnull=False) | (~Q(state="ended") & Q(ended_at__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_party_display()} #{self.pk}"
