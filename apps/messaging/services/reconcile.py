"""What a crash, a lost message or a silent carrier left behind is found here, and ends somehow."""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from apps.calls.adapters import CarrierNotConfigured, longest_request_s
from apps.calls.carriers.base import CarrierError
from apps.calls.events import EventKind
from apps.calls.models import CallEvent
from apps.core.breaker import CircuitOpen, guard
from apps.core.queue import enqueue
from apps.messaging import adapters
from apps.messaging.channels.base import TextNews, TextRequest
from apps.messaging.models import Message
from apps.messaging.services.progress import message_progressed, settle
from apps.messaging.services.sending import TRY_FOR, key_of, mark_unknown, send_for_event
from apps.messaging.states import MessageState

log = structlog.get_logger(__name__)

_FORGOTTEN = timedelta(seconds=30)  # a task that has not begun by then was lost
_SILENT = timedelta(minutes=10)  # accepted, and not a word since
_OLDEST = timedelta(hours=72)  # later, no carrier has anything new to tell
_MARGIN = timedelta(seconds=2)  # between our clock and the carrier's
_AT_ONCE = 200


def reconcile_messages() -> None:
    """Wake whoever is to look at each message that stands still. Safe to run at any time, also twice."""
    now = timezone.now()
    lines = CallEvent.objects.filter(
        kind=EventKind.TEXT_REQUESTED, at__gt=now - TRY_FOR, at__lt=now - _FORGOTTEN
    ).values_list("pk", flat=True)[:_AT_ONCE]
    keys = {key_of(pk): pk for pk in lines}
    for key in set(keys) - set(Message.objects.filter(key__in=keys).values_list("key", flat=True)):
        log.warning("message_request_found", event_id=keys[key])
        send_for_event(keys[key])
    messages = Message.objects.order_by("updated_at")
    for pk in messages.filter(state=MessageState.CREATED, updated_at__lt=now - _FORGOTTEN).values_list("pk", flat=True)[
        :_AT_ONCE
    ]:
        Message.objects.filter(pk=pk).update(updated_at=now)
        enqueue("messaging.hand_over", pk)
    dead_since = now - timedelta(seconds=longest_request_s() + 5)
    for message in messages.filter(state=MessageState.REQUESTED, updated_at__lt=dead_since)[:_AT_ONCE]:
        mark_unknown(message, "lost while it was being given to the carrier")
    unknown = Q(state=MessageState.UNKNOWN, updated_at__lt=now - timedelta(seconds=settings.RECONCILE_EVERY_S))
    silent = Q(
        state__in=[MessageState.QUEUED, MessageState.SENT],
        updated_at__lt=now - _SILENT,
        created_at__gt=now - _OLDEST,
    )
    for pk in messages.filter(unknown | silent).values_list("pk", flat=True)[:_AT_ONCE]:
        enqueue("messaging.reconcile_message", pk)


def reconcile_message(message_id: int) -> None:
    """Ask the carrier what became of a message; one that nobody knows of for long enough has not been sent."""
    message = Message.objects.select_related("number").get(pk=message_id)
    try:
        channel = adapters.channel_for(message.carrier)
        with guard(adapters.circuit_of(message.carrier)):
            if message.carrier_message_id:
                news = channel.fetch(message.carrier_message_id)
            else:
                news = _found(message) if message.state == MessageState.UNKNOWN else None
    except (CarrierError, CarrierNotConfigured, CircuitOpen) as error:
        log.warning("message_not_reconciled", message_id=message_id, error=str(error)[:180])
        return  # the periodic check comes back to it
    now = timezone.now()
    if news is not None:
        message_progressed(message_id, news)
    else:
        why = "the carrier knows no such message" if channel.finds else "the carrier never confirmed it"
        long_ago = now - timedelta(seconds=settings.MESSAGE_UNKNOWN_S)
        too_late = Q(state=MessageState.UNKNOWN, requested_at__lt=long_ago)
        settle(message_id, MessageState.FAILED, only_if=too_late, error_code="unknown", error=why)
    Message.objects.filter(pk=message_id).update(updated_at=now)


def _found(message: Message) -> TextNews | None:
    """The carrier's message that is this one: same numbers, same text, young enough, and nobody else's."""
    if message.number is None or message.requested_at is None:
        return None
    request = TextRequest(
        to=message.remote_phone, from_=message.number.e164, body=message.body, token=message.token, status_url=""
    )
    channel = adapters.channel_for(message.carrier)
    candidates = channel.find(request, since=message.requested_at - _MARGIN)
    ids = [news.carrier_message_id for news in candidates]
    taken = set(
        Message.objects.filter(carrier=message.carrier, carrier_message_id__in=ids).values_list(
            "carrier_message_id", flat=True
        )
    )
    return next((news for news in candidates if news.carrier_message_id not in taken), None)
