"""Twilio's messages through its own SDK."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance

from apps.calls.carriers.base import CarrierError, Fault
from apps.calls.carriers.twilio.rest import HttpClient, operation
from apps.calls.carriers.twilio.words import whole_number
from apps.messaging.channels.base import OPTED_OUT, TextNews, TextRequest
from apps.messaging.channels.twilio.webhooks import STATUSES

# Asked for in a fragment that Twilio neither sends nor signs: three tries in all, after our errors too.
_TRY_AGAIN: Final = "#rc=2&rp=5xx,ct,rt"
# Nothing wrong with us: this number cannot be texted.
_NUMBER_FAULTS: Final = OPTED_OUT | {"21211", "21408", "21612", "21614", "21635"}


class TwilioTexts:
    """One account. Safe to share between threads; make it after a fork, not before."""

    name = "twilio"
    finds = True

    def __init__(self, *, account_sid: str, auth_token: str, api_base: str, timeout_s: float) -> None:
        self._http = HttpClient(api_base, timeout_s)
        self._client = Client(account_sid, auth_token, http_client=self._http)

    def close(self) -> None:
        """Let the pooled connections go."""
        self._http.session.close()

    def send(self, request: TextRequest) -> TextNews:
        try:
            with operation("send_text", maybe_placed=True):
                message = self._client.messages.create(
                    to=request.to,
                    from_=request.from_,
                    body=request.body,
                    status_callback=request.status_url + _TRY_AGAIN,
                )
                return _shown(message)
        except CarrierError as error:
            if error.code in _NUMBER_FAULTS:
                error.fault = Fault.NUMBER
            raise

    def fetch(self, carrier_message_id: str) -> TextNews | None:
        try:
            with operation("fetch_text"):
                return _shown(self._client.messages(carrier_message_id).fetch())
        except CarrierError as error:
            if error.fault is Fault.OVER:
                return None
            raise

    def find(self, request: TextRequest, *, since: datetime) -> list[TextNews]:
        # By day as Twilio filters, and then to the second; a message that waits has no time of sending at all.
        with operation("find_text"):
            messages = self._client.messages.list(to=request.to, from_=request.from_, limit=50, page_size=50)
            young = [
                message
                for message in messages
                if message.body == request.body and (made := _utc(message.date_created)) is not None and made >= since
            ]
            return [_shown(message) for message in sorted(young, key=lambda message: str(message.date_created))]


def _shown(message: MessageInstance) -> TextNews:
    """Raises KeyError or TypeError where the answer is not a message."""
    if not isinstance(message.sid, str) or not message.sid:
        raise TypeError("an answer without sid")
    return TextNews(
        carrier_message_id=message.sid,
        status=STATUSES[str(message.status)],
        at=_utc(message.date_sent),
        error_code=str(message.error_code or "")[:16],
        error=str(message.error_message or "")[:200],
        cost=_cost(message.price, message.price_unit),
        n_parts=whole_number(str(message.num_segments or "")) or None,
    )


def _cost(price: Any, unit: Any) -> Decimal | None:
    """Twilio writes what it takes as a negative number, some time after the message was sent."""
    if price is None or str(unit or "USD").upper() != "USD":
        return None
    try:
        cost = abs(Decimal(str(price)))
    except InvalidOperation:
        return None
    return cost if cost.is_finite() and cost < 1000 else None


def _utc(at: object) -> datetime | None:
    """The SDK gives a time, or the very text it could not read."""
    if not isinstance(at, datetime):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
