"""Telnyx's messages through its own SDK, and its webhooks about them, read from the plain JSON."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

import httpx
from telnyx import Telnyx

from apps.calls.carriers.base import CarrierError, Fault
from apps.calls.carriers.telnyx.rest import operation
from apps.calls.carriers.telnyx.webhooks import Event
from apps.calls.carriers.telnyx.words import moment
from apps.calls.carriers.unusable import UnusableWebhook
from apps.messaging.channels.base import OPTED_OUT, InboundText, TextNews, TextRequest, TextStatus

_POOL: Final = httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=60)
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
_NUMBER_FAULTS: Final = OPTED_OUT | {"10015", "10016", "40310"}
_KEYWORDS: Final[dict[str, Literal["stop", "start", "help"]]] = {"STOP": "stop", "START": "start", "HELP": "help"}
MAX_BODY: Final = 1600


class TelnyxTexts:
    """One account. Safe to share between threads."""

    name = "telnyx"
    finds = False  # there is no list of messages: a lost one is known by its webhooks, or not at all

    def __init__(self, *, api_key: str, api_base: str, timeout_s: float) -> None:
        self._http = httpx.Client(
            base_url=api_base, timeout=httpx.Timeout(timeout_s, pool=1.0), limits=_POOL, follow_redirects=False
        )
        # The SDK would repeat a POST by itself after 5xx, 429 and lost connections.
        self._client = Telnyx(api_key=api_key, base_url=api_base, http_client=self._http, max_retries=0)

    def close(self) -> None:
        self._client.close()

    def send(self, request: TextRequest) -> TextNews:
        try:
            with operation("send_text", is_write=True):
                answer = self._client.messages.send(
                    to=request.to,
                    from_=request.from_,
                    text=request.body,
                    webhook_url=request.status_url,
                    use_profile_webhooks=False,
                    idempotency_key=request.token,
                )
                return _shown(answer.data.to_dict(mode="json") if answer.data is not None else {})
        except CarrierError as error:
            if error.code in _NUMBER_FAULTS:
                error.fault = Fault.NUMBER
            raise

    def fetch(self, carrier_message_id: str) -> TextNews | None:
        try:
            with operation("fetch_text"):
                answer = self._client.messages.retrieve(carrier_message_id)
                return _shown(answer.data.to_dict(mode="json") if answer.data is not None else {})
        except CarrierError as error:
            if error.fault is Fault.OVER:
                return None
            raise

    def find(self, request: TextRequest, *, since: datetime) -> list[TextNews]:
        return []


def read_status(event: Event) -> TextNews:
    """message.sent or message.finalized. Raises UnusableWebhook."""
    try:
        news = _shown(event.payload)
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


def _shown(payload: Mapping[str, Any]) -> TextNews:
    """Raises KeyError, TypeError or ValueError where the payload is not a message."""
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
    if not isinstance(cost, Mapping) or str(cost.get("currency") or "USD") != "USD":
        return None
    try:
        amount = Decimal(str(cost.get("amount")))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < 1000 else None


def _text(where: object, name: str, shortest: int, longest: int) -> str:
    value = where.get(name) if isinstance(where, Mapping) else None
    if not isinstance(value, str) or not shortest <= len(value.strip()) <= longest:
        raise UnusableWebhook(name)
    return value.strip()
