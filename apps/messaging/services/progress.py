"""What the carrier tells about a message: late, twice and out of order, and still every message moves only on."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.calls import costs
from apps.calls.models.cost import Part
from apps.messaging.channels.base import TextNews, TextStatus
from apps.messaging.metrics import MESSAGES_FINISHED, MESSAGES_SENT
from apps.messaging.models import Message
from apps.messaging.states import MessageState, earlier_than

log = structlog.get_logger(__name__)

_LONGEST = {"reason": 24, "error_code": 16, "error": 200}
_STATES = {
    TextStatus.QUEUED: MessageState.QUEUED,
    TextStatus.SENT: MessageState.SENT,
    TextStatus.DELIVERED: MessageState.DELIVERED,
    TextStatus.UNDELIVERED: MessageState.UNDELIVERED,
    TextStatus.FAILED: MessageState.FAILED,
}


@transaction.atomic
def message_progressed(message_id: int, news: TextNews) -> bool:
    """Move a message to where the carrier says it is; False if that was known. Raises Message.DoesNotExist.

    News of another message of the carrier's than the one we know is none: its token has leaked, or was guessed.
    """
    now = timezone.now()
    message = Message.objects.select_for_update(of=("self",), no_key=True).get(pk=message_id)
    if message.carrier_message_id not in (None, news.carrier_message_id):
        log.warning("message_of_another_id", message_id=message_id)
        return False
    state = _STATES[news.status]
    is_new_name = message.carrier_message_id is None
    facts: dict[str, Any] = {"carrier_message_id": news.carrier_message_id}
    if news.cost is not None:
        facts["cost"] = news.cost
    if news.n_parts:
        facts["n_parts"] = news.n_parts
    if message.state in earlier_than(state):
        facts |= {"state": state, "error_code": news.error_code, "error": news.error}
        facts |= _times(message, state, news.at or now)
    elif not is_new_name and news.cost in (None, message.cost):
        return False
    if is_new_name:
        MESSAGES_SENT.labels(message.carrier).inc()
        facts.setdefault("cost", _charge(message, news.n_parts or 1, now))
    Message.objects.filter(pk=message_id).update(**facts, updated_at=now)
    if "state" in facts:
        if news.status.is_final:
            MESSAGES_FINISHED.labels(message.carrier, state.value).inc()
        log.info("message_progressed", message_id=message_id, state=state.value, error_code=news.error_code)
    return "state" in facts


def settle(message_id: int, state: MessageState, *, only_if: Q | None = None, **facts: str) -> bool:
    """End a message that the carrier has not accepted; False if it has moved on meanwhile.

    facts: reason, error_code, error.
    """
    now = timezone.now()
    waiting = [MessageState.CREATED, MessageState.REQUESTED, MessageState.UNKNOWN]
    mine = Message.objects.filter(only_if or Q(), pk=message_id, state__in=waiting, carrier_message_id__isnull=True)
    facts = {name: value[: _LONGEST[name]] for name, value in facts.items()}
    if not mine.update(state=state, finished_at=now, updated_at=now, **facts):
        return False
    carrier = Message.objects.values_list("carrier", flat=True).get(pk=message_id)
    MESSAGES_FINISHED.labels(carrier, state.value).inc()
    log.info("message_settled", message_id=message_id, state=state.value, **facts)
    return True


def _times(message: Message, state: MessageState, at: datetime) -> dict[str, datetime]:
    times = {}
    if state in {MessageState.SENT, MessageState.DELIVERED, MessageState.UNDELIVERED} and message.sent_at is None:
        times["sent_at"] = at
    if state in {MessageState.DELIVERED, MessageState.UNDELIVERED, MessageState.FAILED}:
        times["finished_at"] = at
    return times


def _charge(message: Message, n_parts: int, now: datetime) -> Decimal | None:
    """What the price table says it costs, added to its call; None without a price. Once for each message."""
    price = costs.prices_for(message.carrier, "", on=now.date()).get(Part.MESSAGE)
    if message.call_id is not None:
        costs.record_usage(message.call_id, service=message.carrier, model="", usage={Part.MESSAGE: n_parts})
    return costs.per_unit(price) * n_parts if price is not None else None
