"""Twilio's webhooks about texts. No SDK: the web process reads them."""

from typing import Final, Literal

from apps.calls.carriers.twilio.webhooks import FormData
from apps.calls.carriers.twilio.words import whole_number
from apps.calls.carriers.unusable import UnusableWebhook
from apps.messaging.channels.base import InboundText, TextNews, TextStatus

STATUSES: Final = {
    "accepted": TextStatus.QUEUED,
    "scheduled": TextStatus.QUEUED,
    "queued": TextStatus.QUEUED,
    "sending": TextStatus.QUEUED,
    "sent": TextStatus.SENT,
    "delivered": TextStatus.DELIVERED,
    "read": TextStatus.DELIVERED,
    "partially_delivered": TextStatus.DELIVERED,
    "undelivered": TextStatus.UNDELIVERED,
    "failed": TextStatus.FAILED,
    "canceled": TextStatus.FAILED,
}
_KEYWORDS: Final[dict[str, Literal["stop", "start", "help"]]] = {"STOP": "stop", "START": "start", "HELP": "help"}
MAX_BODY: Final = 1600


def read_status(form: FormData) -> TextNews:
    """A status callback. It bears no time of its own. Raises UnusableWebhook."""
    sid = _sid(form)
    word = _field(form, "MessageStatus") or _field(form, "SmsStatus")
    status = STATUSES.get(word)
    if status is None:
        raise UnusableWebhook("MessageStatus")
    return TextNews(
        carrier_message_id=sid,
        status=status,
        error_code=_field(form, "ErrorCode")[:16],
        error=_field(form, "ErrorMessage")[:200],
        key=f"{sid}:{word}"[:120],
    )


def read_inbound(form: FormData) -> InboundText:
    """Somebody has written to us. Raises UnusableWebhook."""
    sid = _sid(form)
    return InboundText(
        carrier_message_id=sid,
        from_=_phone(form, "From"),
        to=_phone(form, "To"),
        body=_field(form, "Body")[:MAX_BODY],
        keyword=_KEYWORDS.get(_field(form, "OptOutType").upper(), ""),
        n_media=min(whole_number(_field(form, "NumMedia")) or 0, 99),
        n_parts=whole_number(_field(form, "NumSegments")),
        key=f"{sid}:received",
    )


def _field(form: FormData, name: str) -> str:
    values = form.getlist(name)
    return values[-1].replace("\x00", "") if values else ""


def _sid(form: FormData) -> str:
    sid = _field(form, "MessageSid") or _field(form, "SmsSid")
    if not 3 <= len(sid) <= 64 or not sid.isascii() or not sid.isalnum():
        raise UnusableWebhook("MessageSid")
    return sid


def _phone(form: FormData, name: str) -> str:
    value = _field(form, name).strip()
    if not 3 <= len(value) <= 16:
        raise UnusableWebhook(name)
    return value
