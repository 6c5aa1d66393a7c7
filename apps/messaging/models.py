"""Text messages, in and out."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.calls.models import Call, Carrier, Direction, Number
from apps.contacts.consent import REASONS
from apps.contacts.models import Channel, Contact
from apps.core import phone
from apps.messaging.states import OPEN, MessageState


def new_token() -> str:
    return secrets.token_urlsafe(24)


class Keyword(models.TextChoices):
    STOP = "stop", _("no more messages")
    START = "start", _("messages again")
    HELP = "help", _("asks for help")


class MessageQuerySet(models.QuerySet["Message"]):
    def open(self) -> "MessageQuerySet":
        return self.filter(state__in=OPEN)


class Message(models.Model):
    """One text, one row, and the row is what is claimed: nothing is sent twice.

    token: stands in every URL given to the carrier for this message. key: what it was asked for by, for example the
    line of a call's story; the same key twice is the same message. reason: a code of contacts.consent.REASONS, where
    the gate refused. answers: what an automatic reply answers; one reply each. campaign_id, campaign_name: copied from
    the call, as campaigns stand above.
    """

    direction = models.CharField(_("direction"), max_length=8, choices=Direction.choices)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices, default=Channel.SMS)
    carrier = models.CharField(_("carrier"), max_length=16, choices=Carrier.choices, blank=True)
    number = models.ForeignKey(
        Number,
        on_delete=models.PROTECT,
        related_name="messages",
        null=True,
        blank=True,
        verbose_name=_("our number"),
    )
    remote_phone = models.CharField(_("other side"), max_length=16)
    body = models.TextField(_("text"), max_length=1600)
    state = models.CharField(_("state"), max_length=12, choices=MessageState.choices, default=MessageState.CREATED)
    reason = models.CharField(_("why not"), max_length=24, blank=True)
    keyword = models.CharField(_("keyword"), max_length=8, choices=Keyword.choices, blank=True)
    answers = models.OneToOneField(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="reply", verbose_name=_("answers")
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages", verbose_name=_("contact")
    )
    call = models.ForeignKey(
        Call, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages", verbose_name=_("call")
    )
    campaign_id = models.BigIntegerField(_("campaign"), null=True, blank=True)
    campaign_name = models.CharField(max_length=120, blank=True)
    consent_id = models.BigIntegerField(_("consent"), null=True, blank=True)
    rule_version = models.CharField(_("rule pack"), max_length=40, blank=True)
    carrier_message_id = models.CharField(_("carrier's id"), max_length=64, null=True, blank=True)  # noqa: DJ001 - unique
    token = models.CharField(max_length=43, unique=True, default=new_token, editable=False)
    key = models.CharField(max_length=120, blank=True, editable=False)
    n_parts = models.PositiveSmallIntegerField(_("parts"), null=True, blank=True)
    cost = models.DecimalField(_("cost (USD)"), max_digits=10, decimal_places=6, null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=16, blank=True)
    error = models.CharField(_("error"), max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("sent by")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    expires_at = models.DateTimeField(_("not sent after"), null=True, blank=True)
    requested_at = models.DateTimeField(_("given to the carrier at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(name="message_key_once", fields=["key"], condition=~Q(key="")),
            models.UniqueConstraint(name="message_carrier_id", fields=["carrier", "carrier_message_id"]),
            models.CheckConstraint(
                name="message_refused_has_reason", condition=~Q(state=MessageState.REFUSED) | ~Q(reason="")
            ),
            models.CheckConstraint(
                name="message_received_is_inbound",
                condition=Q(state=MessageState.RECEIVED, direction=Direction.INBOUND)
                | (~Q(state=MessageState.RECEIVED) & Q(direction=Direction.OUTBOUND)),
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at"]),
            models.Index(fields=["remote_phone", "-created_at"]),
            models.Index(name="message_open", fields=["updated_at"], condition=Q(state__in=OPEN)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {phone.mask(self.remote_phone)}"

    @property
    def masked_phone(self) -> str:
        return phone.mask(self.remote_phone)

    @property
    def reason_words(self) -> str:
        """Why the gate refused it, "" if it did not."""
        return str(REASONS.get(self.reason, self.reason))

    @property
    def is_inbound(self) -> bool:
        return self.direction == Direction.INBOUND
