"""Texts from people. STOP and START change the do-not-call list in the transaction that keeps the message."""

from datetime import timedelta

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.calls.models import Direction, Number
from apps.contacts.models import Channel, DncEntry, DncSource
from apps.contacts.services import opt_in, opt_out, person_of
from apps.core import phone
from apps.core.queue import enqueue
from apps.messaging import replies
from apps.messaging.channels.base import InboundText
from apps.messaging.metrics import MESSAGES_RECEIVED
from apps.messaging.models import Keyword, Message
from apps.messaging.services.sending import TRY_FOR
from apps.messaging.states import MessageState
from apps.messaging.words import keyword_of

log = structlog.get_logger(__name__)

HELP_EVERY = timedelta(hours=24)


def receive_text(carrier: str, text: InboundText) -> Message | None:
    """Keep a text, and do what its keyword orders; None if it was kept already.

    A number that is not ours (any more), or a sender that is no phone, is kept as well: a STOP is a STOP.
    """
    try:
        with transaction.atomic():
            message = _keep(carrier, text)
            answer = _obey(message, text)
            if answer:
                _reply(message, answer)
    except IntegrityError:
        if Message.objects.filter(carrier=carrier, carrier_message_id=text.carrier_message_id).exists():
            return None
        raise
    MESSAGES_RECEIVED.labels(carrier, message.keyword or "none").inc()
    log.info("message_received", message_id=message.pk, keyword=message.keyword, sender=phone.mask(text.from_))
    return message


def _keep(carrier: str, text: InboundText) -> Message:
    now = timezone.now()
    person = person_of(text.from_)
    found = keyword_of(text.body)
    keyword = text.keyword or (found.meaning if found is not None else "")
    last = (
        Message.objects.filter(remote_phone=text.from_, direction=Direction.OUTBOUND)
        .exclude(state=MessageState.REFUSED)
        .first()
    )
    return Message.objects.create(
        direction=Direction.INBOUND,
        channel=Channel.SMS,
        carrier=carrier,
        number=Number.objects.filter(e164=text.to).first(),
        remote_phone=text.from_,
        body=text.body,
        state=MessageState.RECEIVED,
        keyword=keyword,
        contact=None if person._state.adding else person,
        campaign_id=last.campaign_id if last is not None else None,
        campaign_name=last.campaign_name if last is not None else "",
        carrier_message_id=text.carrier_message_id,
        n_parts=text.n_parts,
        created_at=now,
        sent_at=text.at,
        finished_at=now,
    )


def _obey(message: Message, text: InboundText) -> str:
    """Change the do-not-call list as the keyword says. Returns our answer, "" where none is due.

    The carrier answers its own words, and would refuse an answer of ours to a STOP.
    """
    found = keyword_of(text.body)
    is_answered = bool(text.keyword) or (found is not None and found.is_carriers)
    language = replies.language_of(found, message.contact)
    match message.keyword:
        case Keyword.STOP:
            is_news = _stop(message)
            return "" if is_answered or not is_news else replies.stopped(language)
        case Keyword.START if not _was_stopped_since(message):
            proof = f"{text.body.strip()[:40]!r} by text message #{message.pk}"
            is_news = opt_in(phone=message.remote_phone, channel=Channel.SMS, source=DncSource.TEXT, proof=proof)
            return "" if is_answered or not is_news else replies.started(language)
        case Keyword.HELP:
            return "" if is_answered or _was_helped(message) else replies.helped(language)
    return ""


def _stop(message: Message) -> bool:
    """Whether the number was not on the list before. One that is no phone number cannot be on it."""
    if not phone.is_e164(message.remote_phone):
        return False
    is_news = not DncEntry.objects.filter(phone=message.remote_phone, channel=Channel.SMS).exists()
    opt_out(
        phone=message.remote_phone, channels=[Channel.SMS], source=DncSource.TEXT, note=f"text message #{message.pk}"
    )
    return is_news


def _was_stopped_since(message: Message) -> bool:
    """Whether the person wrote a STOP after it: carriers deliver in no particular order."""
    if message.sent_at is None:
        return False
    return Message.objects.filter(
        remote_phone=message.remote_phone, keyword=Keyword.STOP, sent_at__gt=message.sent_at
    ).exists()


def _was_helped(message: Message) -> bool:
    since = message.created_at - HELP_EVERY
    return Message.objects.filter(
        remote_phone=message.remote_phone, answers__keyword=Keyword.HELP, created_at__gte=since
    ).exists()


def _reply(message: Message, body: str) -> None:
    """One automatic answer; the row is unique for the message it answers."""
    if message.number is None or not message.number.is_active or not message.number.can_text:
        return
    reply = Message.objects.create(
        direction=Direction.OUTBOUND,
        channel=Channel.SMS,
        carrier=message.carrier,
        number=message.number,
        remote_phone=message.remote_phone,
        body=body,
        answers=message,
        contact=message.contact,
        campaign_id=message.campaign_id,
        campaign_name=message.campaign_name,
        created_at=message.created_at,
        expires_at=message.created_at + TRY_FOR,
    )
    enqueue("messaging.hand_over", reply.pk, expires_s=TRY_FOR.total_seconds())
