"""A whole conversation, whoever took part."""

import uuid

from django.db import models
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Language
from apps.calls.models.answering import AnswerVerdict
from apps.calls.models.disposition import Disposition
from apps.calls.models.number import Number
from apps.calls.models.virtual_agent import VirtualAgent
from apps.calls.states import Outcome
from apps.contacts.models import Contact
from apps.core import phone


class Direction(models.TextChoices):
    OUTBOUND = "outbound", _("outbound")
    INBOUND = "inbound", _("inbound")


class EndReason(models.TextChoices):
    """Who or what ended the conversation."""

    CALLER_HUNG_UP = "caller_hung_up", _("the other side hung up")
    AI_ENDED = "ai_ended", _("the AI said goodbye")
    STAFF_ENDED = "staff_ended", _("ended by staff")
    NOT_ANSWERED = "not_answered", _("nobody answered")
    TIME_LIMIT = "time_limit", _("longest duration reached")
    AI_FAILED = "ai_failed", _("the voice AI failed")
    MEDIA_LOST = "media_lost", _("the audio connection was lost")
    CARRIER_FAILED = "carrier_failed", _("the carrier failed")
    NOT_PLACED = "not_placed", _("never reached the carrier")
    TRANSFERRED = "transferred", _("passed on to another number")


class CallQuerySet(models.QuerySet["Call"]):
    def live(self) -> "CallQuerySet":
        return self.filter(ended_at__isnull=True)


class Call(models.Model):
    """brief: what the caller of ``place_call`` knew, as data (see services.placing.CallBrief); never joined on."""

    direction = models.CharField(_("direction"), max_length=8, choices=Direction.choices)
    number = models.ForeignKey(Number, on_delete=models.PROTECT, related_name="calls", verbose_name=_("our number"))
    contact = models.ForeignKey(
        Contact, on_delete=models.SET_NULL, null=True, blank=True, related_name="calls", verbose_name=_("contact")
    )
    virtual_agent = models.ForeignKey(
        VirtualAgent, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("virtual agent")
    )
    language = models.CharField(_("language"), max_length=8, choices=Language.choices)
    remote_phone = models.CharField(_("other side"), max_length=16)
    transferred_to = models.CharField(
        _("passed on to"), max_length=16, blank=True, help_text=_("The number that took the call over from the AI.")
    )
    brief = models.JSONField(default=dict, blank=True)
    correlation_id = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    rule_version = models.CharField(
        _("rule pack"), max_length=40, blank=True, help_text=_("The version of the calling rules that allowed it.")
    )
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices, blank=True)
    end_reason = models.CharField(_("ended by"), max_length=20, choices=EndReason.choices, blank=True)
    answer_verdict = models.CharField(
        _("who picked up"),
        max_length=12,
        choices=AnswerVerdict.choices,
        blank=True,
        help_text=_("See the story for why."),
    )
    disposition = models.ForeignKey(
        Disposition, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("disposition")
    )
    disposition_note = models.TextField(_("note"), blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["-created_at"]),
            models.Index(name="call_live", fields=["created_at"], condition=Q(ended_at__isnull=True)),
            models.Index(fields=["remote_phone"]),
        ]
        constraints = [
            models.CheckConstraint(name="call_ended_has_outcome", condition=Q(ended_at__isnull=True) | ~Q(outcome=""))
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {phone.mask(self.remote_phone)}"

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    @property
    def masked_phone(self) -> str:
        return phone.mask(self.remote_phone)

    @property
    def talk_s(self) -> float:
        """Seconds from answer to end, or to now while it lasts; 0 if never answered."""
        if self.answered_at is None:
            return 0.0
        return ((self.ended_at or timezone.now()) - self.answered_at).total_seconds()

    @property
    def cost(self) -> float:
        """Money so far, in the price table's currency."""
        return float(self.cost_items.aggregate(sum=Sum("amount"))["sum"] or 0)
