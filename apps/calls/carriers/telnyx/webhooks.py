"""Telnyx's webhooks: is it really Telnyx, and what does it say. All events come to one address, as JSON.

They are read from the plain JSON: the SDK's own models give unknown event types a wrong class.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from apps.calls.carriers.base import (
    InboundCall,
    LineNews,
    LineStatus,
    MachineNews,
    RecordingNews,
    StreamNews,
    Verdict,
)
from apps.calls.carriers.telnyx.words import moment, sip_code_of, status_of, token_of, verdict_of
from apps.calls.carriers.unusable import UnusableWebhook, plain

MAX_AGE_S = 300  # of the signed time; each delivery is signed anew
_MAX_CALL_ID = 120
_STREAMS = {"streaming.started": "started", "streaming.stopped": "stopped", "streaming.failed": "error"}
_VERDICTS = {
    "call.machine.detection.ended",
    "call.machine.premium.detection.ended",
    "call.machine.premium.call_screening.detected",
}
_GREETINGS = {"call.machine.greeting.ended", "call.machine.premium.greeting.ended"}


@dataclass(frozen=True, slots=True)
class Event:
    """One event. id: the same in every delivery of it. payload: as it came, its fields unchecked."""

    id: str
    type: str
    at: datetime | None
    payload: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"telnyx:{self.id}"

    @property
    def call_id(self) -> str:
        """The call control id; "" for an event without one, such as a recording's."""
        value = self.payload.get("call_control_id")
        return value if isinstance(value, str) and len(value) <= _MAX_CALL_ID and _is_name(value) else ""

    @property
    def token(self) -> str:
        """The token of ours that the event's leg carries, "" if none."""
        return token_of(_text(self.payload, "client_state", at_most=400))


def is_signed(body: bytes, timestamp: str, signature: str, public_keys: Iterable[str]) -> bool:
    """Whether one of the keys signed this body at this time.

    timestamp, signature: the two headers as they came. public_keys: base64; several while a new one takes over.
    """
    try:
        given = base64.b64decode(signature, validate=True)
        signed = timestamp.encode("ascii") + b"|" + body
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return False
    if len(given) != 64 or not timestamp:
        return False
    is_good = False
    for key in public_keys:
        try:
            VerifyKey(base64.b64decode(key)).verify(signed, given)
        except BadSignatureError:
            continue
        is_good = True
    return is_good


def signed_at(timestamp: str) -> datetime:
    """The time in the signed header. Raises UnusableWebhook."""
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 11:
        raise UnusableWebhook("Telnyx-Timestamp")
    return datetime.fromtimestamp(int(timestamp), UTC)


def read_event(body: bytes) -> Event:
    """The envelope. Raises UnusableWebhook."""
    try:
        data = orjson.loads(body)["data"]
        event_id, event_type, payload = data["id"], data["event_type"], data["payload"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError) as error:
        raise UnusableWebhook("data") from error
    if not isinstance(event_id, str) or not 8 <= len(event_id) <= 64 or not _is_name(event_id):
        raise UnusableWebhook("id")
    if not isinstance(event_type, str) or not isinstance(payload, dict):
        raise UnusableWebhook("event_type")
    return Event(event_id, event_type[:80], moment(data.get("occurred_at")), payload)


def read_line(event: Event) -> LineNews | None:
    """Call progress; None if the event is about something else. Raises UnusableWebhook.

    Telnyx tells of dialling, answer and end; that it rings it does not tell.
    """
    match event.type:
        case "call.initiated":
            return LineNews(_call_id(event), LineStatus.QUEUED, at=event.at, key=event.key)
        case "call.answered":
            return LineNews(_call_id(event), LineStatus.ANSWERED, at=event.at, key=event.key)
        case "call.hangup":
            sip_code = sip_code_of(event.payload.get("sip_hangup_cause"))
            cause = _text(event.payload, "hangup_cause")
            status = status_of(cause, sip_code)
            return LineNews(_call_id(event), status, at=event.at, key=event.key, sip_code=sip_code, cause=cause)
    return None


def read_machine(event: Event) -> MachineNews | None:
    """The verdict of answering machine detection, or that the machine's greeting is over; None for other events."""
    if event.type not in _VERDICTS and event.type not in _GREETINGS:
        return None
    result = _text(event.payload, "result")
    if not result:
        raise UnusableWebhook("result")
    if event.type in _GREETINGS:
        return MachineNews(_call_id(event), f"machine_{result}"[:24], Verdict.MACHINE, event.key)
    return MachineNews(_call_id(event), result[:24], verdict_of(result), event.key)


def read_stream(event: Event) -> StreamNews | None:
    """A media stream began, stopped or failed; None for other events. Raises UnusableWebhook."""
    kind = _STREAMS.get(event.type)
    if kind is None:
        return None
    return StreamNews(
        carrier_call_id=_call_id(event),
        stream_id=_text(event.payload, "stream_id"),
        event=kind,
        error=_text(event.payload, "failure_reason", at_most=200) or ("failed" if kind == "error" else ""),
        key=event.key,
        at=event.at,
        media_token=_media_token(event),
    )


def read_recording(event: Event) -> RecordingNews | None:
    """A recording is ready, or there is none; None for other events. Such an event names no call: its leg's token does.

    Raises UnusableWebhook.
    """
    if event.type == "call.recording.error":
        return RecordingNews("", "", event.key, error=_text(event.payload, "reason") or "failed")
    if event.type != "call.recording.saved":
        return None
    urls = event.payload.get("recording_urls")
    url = urls.get("wav") or urls.get("mp3") if isinstance(urls, dict) else None
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > 4000:
        raise UnusableWebhook("recording_urls")
    started_at, ended_at = (moment(event.payload.get(f"recording_{name}_at")) for name in ("started", "ended"))
    return RecordingNews(
        recording_id=_text(event.payload, "recording_id"),
        url=url,
        key=event.key,
        started_at=started_at,
        duration_ms=max(0, round((ended_at - started_at).total_seconds() * 1000)) if started_at and ended_at else 0,
    )


def read_inbound(event: Event) -> InboundCall | None:
    """Somebody calls a number of ours; None for other events. Raises UnusableWebhook."""
    if event.type != "call.initiated" or event.payload.get("direction") != "incoming":
        return None
    return InboundCall(
        carrier_call_id=_call_id(event),
        to=_text(event.payload, "to"),
        from_=_text(event.payload, "from"),
        key=event.key,
        at=event.at,
    )


def _is_name(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _call_id(event: Event) -> str:
    if not event.call_id:
        raise UnusableWebhook("call_control_id")
    return event.call_id


def _media_token(event: Event) -> str:
    """The end of the stream's address."""
    told = event.payload.get("stream_params")
    params = told if isinstance(told, Mapping) else {}
    address = _text(event.payload, "stream_url", at_most=500) or _text(params, "stream_url", at_most=500)
    return address.rpartition("/")[2] if "/media/" in address else ""


def _text(payload: Mapping[str, Any], name: str, *, at_most: int = 120) -> str:
    """A field of words; "" where it is missing or something else."""
    value = payload.get(name)
    return plain(value, at_most=at_most) if isinstance(value, str) else ""
