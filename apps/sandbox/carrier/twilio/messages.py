"""Text messages at Twilio: status callbacks, inbound webhooks and their TwiML answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree

from apps.sandbox.carrier.courier import Hook
from apps.sandbox.carrier.messages import MessageDesk, MessageRecord, OptOut, n_segments
from apps.sandbox.carrier.numbers import NumberBook
from apps.sandbox.carrier.records import new_sid, rfc2822
from apps.sandbox.carrier.twilio.account import TwilioAccount
from apps.sandbox.carrier.twilio.errors import ApiError
from apps.sandbox.carrier.twilio.interpreter import DocumentError, parse_twiml
from apps.sandbox.carrier.twilio.requests import Form, check_url, is_callable_number
from apps.sandbox.carrier.twilio.resources import API
from apps.sandbox.personas import persona_for
from apps.sandbox.personas.texts import Fate

_MAX_CHARS = 1600
# Status and error code of a message that was sent, or was not let through.
_FATES: Final[dict[Fate, tuple[str, str]]] = {
    "delivered": ("delivered", ""),
    "unreachable": ("undelivered", "30003"),
    "landline": ("undelivered", "30006"),
    "unconfirmed": ("undelivered", "30008"),
    "filtered": ("failed", "30007"),
}


class TwilioMessages(MessageDesk):
    """The account's messages."""

    carrier = "twilio"
    start_words = frozenset({"START", "YES", "UNSTOP"})

    def __init__(self, account: TwilioAccount, numbers: NumberBook) -> None:
        super().__init__(account.exchange)
        self._account, self._numbers = account, numbers
        self._hooks: dict[str, Hook] = {}

    def create(self, form: Form) -> MessageRecord:
        """`POST Messages.json`; raises ApiError with Twilio's code for the first thing wrong."""
        to, body, service = form.get("To").strip(), form.get("Body"), form.get("MessagingServiceSid")
        media = tuple(form.getall("MediaUrl"))
        if not to:
            raise ApiError(400, 21604, "A 'To' phone number is required.")
        if not form.get("From") and not service:
            raise ApiError(400, 21603, "A 'From' phone number is required.")
        if not body and not media:
            raise ApiError(400, 21602, "Message body is required.")
        if len(body) > _MAX_CHARS:
            raise ApiError(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
        if not is_callable_number(to) or persona_for(to).fault == "rest_invalid_to":
            raise ApiError(400, 21211, f"Invalid 'To' Phone Number: {to}")
        from_ = self._sender(form.get("From").strip(), service)
        if self.is_blocked(service or from_, to):
            raise ApiError(400, 21610, "Attempt to send to unsubscribed recipient")
        hook_url = form.get("StatusCallback")
        status = "accepted" if service else "queued"
        message = MessageRecord(
            new_sid("SM"), "twilio", to, from_, body, "outbound-api", status, service or from_, media_urls=media
        )
        if hook_url:
            self._hooks[message.sid] = Hook(check_url(hook_url, 21609, "StatusCallback"))
        self.send(message)
        return message

    def _sender(self, from_: str, service: str) -> str:
        if not from_:  # the service picks one of its numbers
            own = [own.number for own in self._numbers.all() if own.messaging_profile_id == service]
            return own[0] if own else "+15550100500"
        if not is_callable_number(from_):
            raise ApiError(400, 21212, f"Invalid 'From' Phone Number: {from_}")
        owned = self._account.owned_numbers
        if owned and from_ not in owned:
            raise ApiError(400, 21606, f"The 'From' phone number {from_} is not a valid message-capable number.")
        return from_

    def find(self, sid: str) -> MessageRecord:
        """Raises ApiError 20404."""
        if sid not in self.messages:
            raise ApiError(404, 20404, f"The requested resource /Messages/{sid} was not found")
        return self.messages[sid]

    def as_json(self, message: MessageRecord) -> dict[str, object]:
        uri = f"{API}/Accounts/{self._account.sid}/Messages/{message.sid}"
        service = message.scope if message.scope.startswith("MG") else None
        return {
            "sid": message.sid,
            "account_sid": self._account.sid,
            "api_version": "2010-04-01",
            "messaging_service_sid": service,
            "to": message.to,
            "from": message.from_,
            "body": message.body,
            "status": message.status,
            "direction": message.direction,
            "num_segments": str(n_segments(message.body)),
            "num_media": str(len(message.media_urls)),
            "error_code": int(message.error_code) if message.error_code else None,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "date_created": rfc2822(message.created_at),
            "date_sent": rfc2822(message.sent_at),
            "date_updated": rfc2822(message.updated_at),
            "uri": uri + ".json",
            "subresource_uris": {"media": uri + "/Media.json"},
        }

    # ---- on its way

    def _new_sid(self) -> str:
        return new_sid("SM")

    def _tell_sent(self, message: MessageRecord) -> None:
        self._tell(message)

    def _settle(self, message: MessageRecord, fate: Fate) -> None:
        message.set_status(*_FATES[fate])
        self._tell(message)

    def _tell(self, message: MessageRecord) -> None:
        hook = self._hooks.get(message.sid)
        if hook is None:
            return
        params = self._common(message) | {"MessageStatus": message.status, "SmsStatus": message.status}
        if message.error_code:
            params["ErrorCode"] = message.error_code
        if message.status == "delivered":
            params["RawDlrDoneDate"] = f"{datetime.now(UTC):%y%m%d%H%M}"
        self._account.webhooks.notify(message, hook, params, kind="message", event="message", aliases=(message.status,))

    def _common(self, message: MessageRecord) -> dict[str, str]:
        params = {
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "AccountSid": self._account.sid,
            "From": message.from_,
            "To": message.to,
            "ApiVersion": "2010-04-01",
        }
        if message.scope.startswith("MG"):
            params["MessagingServiceSid"] = message.scope
        return params

    # ---- coming in

    def _tell_received(self, message: MessageRecord, keyword: OptOut | None) -> None:
        own = self._numbers.find(message.to, "twilio")
        if not own.sms_url:
            message.note("debugger", code=11200, message=f"no sms_url is set up for {message.to}")
            return
        params = self._common(message) | {
            "SmsMessageSid": message.sid,
            "SmsStatus": "received",
            "Body": message.body,
            "NumMedia": "0",
            "NumSegments": str(n_segments(message.body)),
        }
        for side in ("From", "To"):
            params |= {f"{side}{part}": "" for part in ("City", "State", "Zip", "Country")}
        if keyword is not None:
            params["OptOutType"] = keyword
        self._account.webhooks.fetch(
            message,
            Hook(own.sms_url, own.method),
            params,
            kind="message",
            event="inbound",
            on_reply=lambda body: self._reply(message, body),
        )

    def _reply(self, received: MessageRecord, document: bytes) -> None:
        """Send what the product's TwiML says in answer to a message."""
        try:
            verbs = parse_twiml(document) if document.strip() else []
        except DocumentError as error:
            received.note("debugger", code=error.code, message=str(error))
            return
        for verb in verbs:
            element = verb.find("Body")
            text = "".join((element if element is not None else verb).itertext()).strip()
            if verb.tag != "Message" or not text:
                received.note("debugger", code=12200, message=f"the sandbox has no verb <{verb.tag}> for messages")
                continue
            reply = MessageRecord(
                new_sid("SM"), "twilio", received.from_, received.to, text, "outbound-reply", "queued", received.scope
            )
            self._send_reply(received, verb, reply)

    def _send_reply(self, received: MessageRecord, verb: ElementTree.Element, reply: MessageRecord) -> None:
        if self.is_blocked(reply.scope, reply.to):
            received.note("debugger", code=21610, message="attempt to reply to an unsubscribed recipient")
            return
        if url := verb.get("statusCallback"):
            self._hooks[reply.sid] = Hook(url)
        self.send(reply)
