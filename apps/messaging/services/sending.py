"""Send text messages: the legal gate, the row, and then, by one worker per message, the request to the carrier."""

from datetime import datetime, timedelta

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.calls.adapters import CarrierNotConfigured
from apps.calls.carriers.base import CarrierError, Fault
from apps.calls.events import EventKind
from apps.calls.models import Call, CallEvent, Direction, Number
from apps.contacts import consent
from apps.contacts.models import Channel, Contact, DncSource
from apps.contacts.services import opt_out, person_of
from apps.core.breaker import CircuitOpen, guard
from apps.core.errors import DomainError
from apps.core.queue import enqueue
from apps.core.rate import held_s, hold
from apps.messaging import adapters
from apps.messaging.channels.base import OPTED_OUT, TextRequest
from apps.messaging.metrics import MESSAGES_CREATED, MESSAGES_REFUSED, MESSAGES_UNKNOWN
from apps.messaging.models import Message
from apps.messaging.services.progress import message_progressed, settle
from apps.messaging.states import MessageState

log = structlog.get_logger(__name__)

MAX_BODY = 1600
TRY_FOR = timedelta(hours=1)  # a text that could not be given to the carrier so long is worth nothing any more
_AGAIN_S = 5.0
_SHORT_HOLD_S = 20.0  # after a longer one the periodic check wakes whoever still waits


class NoTextNumber(DomainError):
    code = "cannot_text"
    status = 409


class EmptyText(DomainError):
    code = "empty_text"


def send_text(
    *,
    to: str,
    body: str,
    contact: Contact | None = None,
    call: Call | None = None,
    number: Number | None = None,
    by: User | None = None,
    key: str = "",
) -> Message:
    """Have a text sent; the carrier is asked after commit. Where the gate says no, the refusal is what is kept.

    to: E.164. number: one of ours that can text, None for the most fitting. key: asked twice under the same key it is
    one message. Raises EmptyText, NoTextNumber.
    """
    text = body.replace("\x00", "").strip()[:MAX_BODY]
    if not text:
        raise EmptyText(_("The message has no text."))
    if (known := _known(key)) is not None:
        return known
    person = contact or person_of(to)
    chosen = number or fitting_number(call)
    now = timezone.now()
    verdict = consent.check(person, channel=Channel.SMS, at=now, is_ai=by is None)
    brief = call.brief if call is not None else {}
    message = Message(
        direction=Direction.OUTBOUND,
        channel=Channel.SMS,
        carrier=chosen.carrier,
        number=chosen,
        remote_phone=to,
        body=text,
        state=MessageState.CREATED if verdict.allowed else MessageState.REFUSED,
        reason=verdict.reason,
        contact=None if person._state.adding else person,
        call=call,
        campaign_id=brief.get("campaign_id"),
        campaign_name=str(brief.get("campaign_name") or "")[:120],
        consent_id=verdict.consent_id,
        rule_version=verdict.rule_version,
        key=key,
        created_by=by,
        created_at=now,
        expires_at=now + TRY_FOR,
        finished_at=None if verdict.allowed else now,
    )
    try:
        with transaction.atomic():
            message.save()
            if verdict.allowed:
                enqueue("messaging.hand_over", message.pk, expires_s=TRY_FOR.total_seconds())
    except IntegrityError:
        if (known := _known(key)) is not None:  # somebody else was faster with the same key
            return known
        raise
    MESSAGES_CREATED.labels(message.channel).inc()
    if not verdict.allowed:
        MESSAGES_REFUSED.labels(verdict.reason).inc()
    log.info("message_created", message_id=message.pk, state=message.state, reason=verdict.reason)
    return message


def send_for_event(event_id: int) -> Message | None:
    """Do what a line of a call's story asks for; None if it is no such line, or no number of ours can text."""
    event = (
        CallEvent.objects.select_related("call__contact", "call__number")
        .filter(pk=event_id, kind=EventKind.TEXT_REQUESTED)
        .first()
    )
    if event is None:
        return None
    by = User.objects.filter(pk=event.data["by_id"]).first() if event.data.get("by_id") else None
    try:
        return send_text(
            to=event.call.remote_phone,
            body=str(event.data.get("text") or ""),
            contact=event.call.contact,
            call=event.call,
            by=by,
            key=key_of(event_id),
        )
    except (NoTextNumber, EmptyText) as error:
        log.error("message_not_created", event_id=event_id, code=error.code)
        return None


def key_of(event_id: int) -> str:
    """The key of a message that a line of a call's story asked for."""
    return f"event:{event_id}"


def fitting_number(call: Call | None) -> Number:
    """The number of the call, another one of its carrier, or any of ours that can text. Raises NoTextNumber."""
    numbers = Number.objects.filter(is_active=True, can_text=True).order_by("e164")
    if call is not None:
        mine = sorted(numbers, key=lambda row: (row.pk != call.number_id, row.carrier != call.number.carrier))
        found = mine[0] if mine else None
    else:
        found = numbers.first()
    if found is None:
        raise NoTextNumber(_("None of our numbers can send texts."))
    return found


def hand_over(message_id: int) -> None:
    """Ask the carrier to send. Whoever moves a message from created to requested does it, nobody else."""
    now = timezone.now()
    carrier = Message.objects.values_list("carrier", flat=True).get(pk=message_id)
    if held_for_s := held_s([adapters.pace_key(carrier)])[0]:
        if held_for_s < _SHORT_HOLD_S:
            enqueue("messaging.hand_over", message_id, countdown_s=held_for_s)
        return
    mine = Message.objects.filter(Q(expires_at__gt=now) | Q(expires_at__isnull=True), state=MessageState.CREATED)
    if not mine.filter(pk=message_id).update(state=MessageState.REQUESTED, requested_at=now, updated_at=now):
        too_late = Q(expires_at__lte=now, state=MessageState.CREATED)
        settle(message_id, MessageState.FAILED, only_if=too_late, error="not sent in time")
        return
    message = Message.objects.select_related("contact", "number").get(pk=message_id)
    with structlog.contextvars.bound_contextvars(message_id=message_id, call_id=message.call_id):
        if _may_send(message, now):
            _send(message)


def _may_send(message: Message, now: datetime) -> bool:
    """The gate once more, right before sending. What confirms a person's own STOP or HELP must not ask it again.

    An automatic answer exists only once for a message that the person sent (see services.replies).
    """
    if message.answers_id is not None:
        return True
    person = message.contact or person_of(message.remote_phone)
    verdict = consent.check(person, channel=Channel.SMS, at=now, is_ai=message.created_by_id is None)
    if verdict.allowed:
        return True
    MESSAGES_REFUSED.labels(verdict.reason).inc()
    settle(message.pk, MessageState.REFUSED, reason=verdict.reason)
    return False


def _send(message: Message) -> None:
    assert message.number is not None  # noqa: S101 - outbound messages have one
    request = TextRequest(
        to=message.remote_phone,
        from_=message.number.e164,
        body=message.body,
        token=message.token,
        status_url=adapters.status_url(message.carrier, message.token),
    )
    try:
        channel = adapters.channel_for(message.carrier)
        with guard(adapters.circuit_of(message.carrier)):
            news = channel.send(request)
    except CarrierNotConfigured as error:
        log.error("carrier_not_configured", carrier=message.carrier)
        settle(message.pk, MessageState.FAILED, error_code=error.code, error=str(error))
    except CircuitOpen:
        _put_back(message, after_s=_AGAIN_S)
    except CarrierError as error:
        _not_accepted(message, error)
    else:
        message_progressed(message.pk, news)


def _not_accepted(message: Message, error: CarrierError) -> None:
    facts = {"fault": error.fault.value, "code": error.code, "request_id": error.request_id}
    if error.maybe_placed:
        log.warning("message_unknown", error=str(error), **facts)
        MESSAGES_UNKNOWN.labels(message.carrier).inc()
        mark_unknown(message, str(error))
    elif error.retryable:
        log.warning("message_put_back", **facts)
        if error.fault is Fault.LIMIT and error.retry_after_s:
            hold(adapters.pace_key(message.carrier), error.retry_after_s)  # what one worker was told holds for all
        _put_back(message, after_s=error.retry_after_s or _AGAIN_S)
    else:
        level = log.info if error.fault is Fault.NUMBER else log.error
        level("message_refused_by_carrier", error=str(error), **facts)
        with transaction.atomic():
            settle(message.pk, MessageState.FAILED, error_code=error.code, error=str(error))
            if error.code in OPTED_OUT:  # they told the carrier; now we know it as well
                note = f"{message.carrier} {error.code}"
                opt_out(phone=message.remote_phone, channels=[Channel.SMS], source=DncSource.TEXT, note=note)


def mark_unknown(message: Message, error: str) -> None:
    """The text may have been sent: nobody sends it again; the carrier is asked, or tells us itself."""
    mine = Message.objects.filter(pk=message.pk, state=MessageState.REQUESTED, requested_at=message.requested_at)
    with transaction.atomic():
        if mine.update(state=MessageState.UNKNOWN, error=error[:200], updated_at=timezone.now()):
            enqueue("messaging.reconcile_message", message.pk, countdown_s=3)


def _put_back(message: Message, *, after_s: float) -> None:
    """Nothing was sent: the message waits to be sent again, until it expires."""
    mine = Message.objects.filter(pk=message.pk, state=MessageState.REQUESTED, requested_at=message.requested_at)
    with transaction.atomic():
        if mine.update(state=MessageState.CREATED, requested_at=None, updated_at=timezone.now()):
            enqueue("messaging.hand_over", message.pk, countdown_s=after_s)


def _known(key: str) -> Message | None:
    return Message.objects.filter(key=key).first() if key else None
