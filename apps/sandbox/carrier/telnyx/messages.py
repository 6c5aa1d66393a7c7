"""Text messages at Telnyx: `/v2/messages` and the message.* events."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Final

from apps.sandbox.carrier.messages import MessageDesk, MessageRecord, OptOut, n_segments
from apps.sandbox.carrier.numbers import NumberBook
from apps.sandbox.carrier.records import iso8601
from apps.sandbox.carrier.telnyx import errors
from apps.sandbox.carrier.telnyx.account import TelnyxAccount
from apps.sandbox.carrier.telnyx.errors import TelnyxError
from apps.sandbox.carrier.telnyx.events import Route
from apps.sandbox.carrier.telnyx.requests import Body
from apps.sandbox.personas import persona_for
from apps.sandbox.personas.texts import Fate

# Status of the recipient and code of the error.
_FATES: Final[dict[Fate, tuple[str, str]]] = {
    "delivered": ("delivered", ""),
    "unreachable": ("delivery_failed", "40008"),
    "landline": ("delivery_failed", "40001"),
    "unconfirmed": ("delivery_unconfirmed", ""),
    "filtered": ("sending_failed", "40002"),
}
_TITLES: Final = {
    "40001": ("Not routable", "The destination number is either a landline or a non-routable wireless number."),
    "40002": ("Blocked as spam - temporary", "The message was flagged by a SPAM filter and was not delivered."),
    "40008": ("Undeliverable", "The recipient carrier did not accept the message."),
}
_FINAL: Final = frozenset(status for status, _ in _FATES.values())


class TelnyxMessages(MessageDesk):
    """The account's messages."""

    carrier = "telnyx"

    def __init__(self, account: TelnyxAccount, numbers: NumberBook) -> None:
        super().__init__(account.exchange)
        self._account, self._numbers = account, numbers
        self._routes: dict[str, Route] = {}
        self._by_key: dict[str, str] = {}

    def create(self, body: Body, idempotency_key: str = "") -> MessageRecord:
        """`POST /v2/messages`; raises TelnyxError. A key seen before sends nothing: its message is returned."""
        if idempotency_key and (sid := self._by_key.get(idempotency_key)) in self.messages:
            return self.messages[sid]
        to = body.number_e164("to")
        text, profile = body.text("text"), body.text("messaging_profile_id")
        media = body.data.get("media_urls") or []
        if not isinstance(media, list):
            raise errors.bad("media_urls", "media_urls must be a list.")
        if not text and not media:
            raise errors.missing("text")
        if persona_for(to).fault == "rest_invalid_to":
            raise errors.not_e164("to", to)
        from_ = self._sender(body, profile)
        scope = profile or self._numbers.find(from_, "telnyx").messaging_profile_id or from_
        if self.is_blocked(scope, to):
            detail = f"Messages cannot be sent from '{from_}' to '{to}' due to an existing block rule."
            raise TelnyxError(409, "40300", "Blocked due to STOP message", detail)
        own = self._numbers.find(from_, "telnyx")
        message = MessageRecord(
            str(uuid.uuid4()), "telnyx", to, from_, text, "outbound", "queued", scope, media_urls=tuple(map(str, media))
        )
        self._routes[message.sid] = Route(body.url("webhook_url") or own.sms_webhook_url)
        if idempotency_key:
            self._by_key[idempotency_key] = message.sid
        self.send(message)
        return message

    def _sender(self, body: Body, profile: str) -> str:
        if not body.text("from"):
            own = [own.number for own in self._numbers.all() if profile and own.messaging_profile_id == profile]
            if not own:
                raise errors.missing("from")
            return own[0]
        from_, owned = body.number_e164("from"), self._account.owned_numbers
        if owned and from_ not in owned:
            detail = "The 'from' address should be a valid number associated with the sending messaging profile."
            raise TelnyxError(400, "40305", "Invalid 'from' address", detail, "/from")
        return from_

    def find(self, message_id: str) -> MessageRecord:
        """Raises TelnyxError 10005."""
        if message_id not in self.messages:
            raise errors.not_found(f"/messages/{message_id}")
        return self.messages[message_id]

    def as_json(self, message: MessageRecord) -> dict[str, object]:
        """Both as the API shows it and as the events carry it."""
        is_outbound = message.direction == "outbound"
        problems = []
        if message.error_code:
            title, detail = _TITLES[message.error_code]
            problems = [{"code": message.error_code, "title": title, "detail": detail}]
        status = message.status if is_outbound else "webhook_delivered"
        return {
            "record_type": "message",
            "id": message.sid,
            "direction": message.direction,
            "type": "MMS" if message.media_urls else "SMS",
            "messaging_profile_id": message.scope if not message.scope.startswith("+") else None,
            "organization_id": self._account.user_id,
            "from": {"phone_number": message.from_, "carrier": "Sandbox", "line_type": "Wireless"},
            "to": [
                {"phone_number": message.to, "status": status, "carrier": "Sandbox", "line_type": "Wireless"},
            ],
            "cc": [],
            "text": message.body,
            "media": [{"url": url} for url in message.media_urls],
            "webhook_url": self._routes[message.sid].url or None if message.sid in self._routes else None,
            "encoding": "GSM-7" if message.body.isascii() else "UCS-2",
            "parts": n_segments(message.body),
            "tags": [],
            "cost": {"amount": "0.0000", "currency": "USD"} if is_outbound else None,
            "received_at": iso8601(message.created_at),
            "sent_at": iso8601(message.sent_at),
            "completed_at": iso8601(message.updated_at) if message.status in _FINAL else None,
            "valid_until": None,
            "errors": problems,
        }

    # ---- on its way

    def _new_sid(self) -> str:
        return str(uuid.uuid4())

    def _tell_sent(self, message: MessageRecord) -> None:
        self._tell(message, "message.sent")

    def _settle(self, message: MessageRecord, fate: Fate) -> None:
        message.set_status(*_FATES[fate])
        self._tell(message, "message.finalized")

    def _tell(self, message: MessageRecord, event_type: str) -> None:
        self._account.events.tell(message, self._routes[message.sid], event_type, self.as_json(message))

    def _tell_received(self, message: MessageRecord, keyword: OptOut | None) -> None:
        own = self._numbers.find(message.to, "telnyx")
        if not own.sms_webhook_url:
            message.note("debugger", code=11200, message=f"no sms_webhook_url is set up for {message.to}")
        payload = self.as_json(message) | {"received_at": iso8601(datetime.now(UTC))}
        if keyword is not None:
            payload["autoresponse_type"] = keyword
        self._account.events.tell(message, Route(own.sms_webhook_url), "message.received", payload)

    def _forget(self) -> None:
        super()._forget()
        self._by_key.clear()
