"""Telnyx's webhooks about texts, read from the plain JSON. No SDK: the web process reads them."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from apps.calls.carriers.telnyx.webhooks import Event
from apps.calls.carriers.telnyx.words import moment
from apps.calls.carriers.unusable import UnusableWebhook
from apps.messaging.channels.base import InboundText, TextNews, TextStatus

_STATUSES: Final = {
    "queued": TextStatus.QUEUED,
    "sending": TextStatus.QUEUED,
    "sent": TextStatus.SENT,
    "delivered": TextStatus.DELIVERED,
    "delivery_unconfirmed": TextStatus.UNDELIVERED,
    "sending_failed": TextStatus.FAILED,
    "delivery_failed": TextStatus.UNDELIVERED,
    "expired": TextStatus.UNDELIVERED,
}
_KEYWORDS: Final[dict[str, Literal["stop", "start", "help"]]] = {"STOP": "stop", "START": "start", "HELP": "help"}
MAX_BODY: Final = 1600


def read_status(event: Event) -> TextNews:
    """message.sent or message.finalized. Raises UnusableWebhook."""
    try:
        news = read_message(event.payload)
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableWebhook("payload") from error
    return TextNews(
        carrier_message_id=news.carrier_message_id,
        status=news.status,
        at=news.at or event.at,
        error_code=news.error_code,
        error=news.error,
        cost=news.cost,
        n_parts=news.n_parts,
        key=event.key,
    )


def read_inbound(event: Event) -> InboundText:
    """message.received. Raises UnusableWebhook."""
    payload = event.payload
    sender = payload.get("from")
    receivers = payload.get("to")
    first = receivers[0] if isinstance(receivers, list) and receivers else {}
    media = payload.get("media")
    parts = payload.get("parts")
    return InboundText(
        carrier_message_id=_text(payload, "id", 3, 64),
        from_=_text(sender, "phone_number", 3, 16),
        to=_text(first, "phone_number", 3, 16),
        body=str(payload.get("text") or "").replace("\x00", "")[:MAX_BODY],
        at=moment(payload.get("received_at")) or event.at,
        keyword=_KEYWORDS.get(str(payload.get("autoresponse_type") or "").upper(), ""),
        n_media=len(media) if isinstance(media, list) else 0,
        n_parts=parts if type(parts) is int and 0 < parts < 100 else None,
        key=event.key,
    )


def read_message(payload: Mapping[str, Any]) -> TextNews:
    """A message as webhooks and REST show it. Raises KeyError, TypeError or ValueError for what is none."""
    message_id = payload["id"]
    if not isinstance(message_id, str) or not 3 <= len(message_id) <= 64:
        raise TypeError("an answer without id")
    [receiver, *_others] = payload["to"]
    errors = payload.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    parts = payload.get("parts")
    return TextNews(
        carrier_message_id=message_id,
        status=_STATUSES[str(receiver["status"])],
        at=moment(payload.get("completed_at")) or moment(payload.get("sent_at")),
        error_code=str(first.get("code") or "")[:16],
        error=str(first.get("detail") or first.get("title") or "")[:200],
        cost=_cost(payload.get("cost")),
        n_parts=parts if type(parts) is int and 0 < parts < 100 else None,
    )


def _cost(cost: object) -> Decimal | None:
    """Nothing, until Telnyx knows it."""
    if not isinstance(cost, Mapping) or str(cost.get("currency") or "USD") != "USD":
        return None
    try:
        amount = Decimal(str(cost.get("amount")))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 < amount < 1000 else None


def _text(where: object, name: str, shortest: int, longest: int) -> str:
    value = where.get(name) if isinstance(where, Mapping) else None
    if not isinstance(value, str) or not shortest <= len(value.strip()) <= longest:
        raise UnusableWebhook(name)
    return value.strip()
