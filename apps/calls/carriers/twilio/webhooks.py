"""Twilio's webhooks: is it really Twilio, what does it say, and what do we answer."""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol
from urllib.parse import urlparse

from twilio.request_validator import RequestValidator, add_port, remove_port
from twilio.twiml.voice_response import VoiceResponse

from apps.calls.carriers.base import (
    InboundCall,
    LineNews,
    LineStatus,
    MachineNews,
    RecordingNews,
    StreamNews,
    TransferNews,
)
from apps.calls.carriers.twilio.words import STATUSES, moment, verdict_of, whole_number
from apps.calls.carriers.unusable import UnusableWebhook, plain

_STREAM_EVENTS = {"stream-started": "started", "stream-stopped": "stopped", "stream-error": "error"}


_MAX_FIELD = 4000
_LONGEST_S = 7 * 24 * 3600  # of a call; more is no duration


class FormData(Protocol):
    """A decoded form, names possibly repeated; Django's QueryDict is one."""

    def getlist(self, key: str, /) -> list[str]: ...
    def __iter__(self) -> Iterator[str]: ...


def is_signed(url: str, form: FormData | None, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of the secrets signed this URL and form; compared in constant time.

    url: exactly as Twilio was told it, scheme included (a media handshake is signed as ``wss://…``, with no form).
    secrets: several while a new one takes over from the old.
    """
    parsed = urlparse(url)
    spellings = {url, remove_port(parsed), add_port(parsed)}  # Twilio is not consistent about the default port
    given = signature.encode()
    is_good = False
    for secret in secrets:
        validator = RequestValidator(secret)
        for spelling in spellings:
            expected = validator.compute_signature(spelling, form or {})
            is_good |= hmac.compare_digest(expected.encode(), given)
    return is_good and bool(signature)


def signed_at(form: FormData) -> datetime | None:
    """When the event happened, from the signed Timestamp; None if this kind of webhook bears none."""
    return moment(_field(form, "Timestamp"))


def read_answer(form: FormData) -> LineNews:
    """The request for the first document: the call was answered. It bears no time of its own."""
    sid = _call_sid(form)
    status = STATUSES.get(_field(form, "CallStatus"), LineStatus.ANSWERED)
    answered_by = _field(form, "AnsweredBy")
    return LineNews(
        carrier_call_id=sid,
        status=status,
        key=f"twilio:{sid}:answer",
        answered_by=answered_by,
        verdict=verdict_of(answered_by),
    )


def read_status(form: FormData) -> LineNews:
    """Call progress. Raises UnusableWebhook."""
    sid = _call_sid(form)
    word = _field(form, "CallStatus")
    status = STATUSES.get(word)
    if status is None:
        raise UnusableWebhook("CallStatus")
    number = _field(form, "SequenceNumber")
    answered_by = _field(form, "AnsweredBy")
    return LineNews(
        carrier_call_id=sid,
        status=status,
        at=moment(_field(form, "Timestamp")),
        key=f"twilio:{sid}:{number or word}"[:120],
        answered_by=answered_by,
        verdict=verdict_of(answered_by),
        sip_code=whole_number(_field(form, "SipResponseCode"), at_most=999),
        duration_s=whole_number(_field(form, "CallDuration"), at_most=_LONGEST_S),
    )


def read_machine(form: FormData) -> MachineNews:
    """The verdict of answering machine detection. Raises UnusableWebhook."""
    sid = _call_sid(form)
    answered_by = _field(form, "AnsweredBy")
    if not answered_by:
        raise UnusableWebhook("AnsweredBy")
    return MachineNews(
        carrier_call_id=sid,
        answered_by=answered_by[:24],
        verdict=verdict_of(answered_by),
        key=f"twilio:{sid}:amd:{answered_by}"[:120],
        took_ms=whole_number(_field(form, "MachineDetectionDuration")),
    )


def read_stream(form: FormData) -> StreamNews:
    """A media stream began, stopped or failed. Raises UnusableWebhook."""
    sid = _call_sid(form)
    stream_id = _field(form, "StreamSid")
    event = _STREAM_EVENTS.get(_field(form, "StreamEvent"))
    if event is None:
        raise UnusableWebhook("StreamEvent")
    return StreamNews(
        carrier_call_id=sid,
        stream_id=stream_id,
        event=event,
        error=_field(form, "StreamError")[:200],
        key=f"twilio:{stream_id or sid}:stream-{event}"[:120],
        at=moment(_field(form, "Timestamp")),
    )


def read_after_stream(form: FormData) -> LineNews:
    """The document's media stream ended; CallStatus says whether the call goes on. Raises UnusableWebhook."""
    sid = _call_sid(form)
    status = STATUSES.get(_field(form, "CallStatus"))
    if status is None:
        raise UnusableWebhook("CallStatus")
    return LineNews(carrier_call_id=sid, status=status)


def read_recording(form: FormData) -> RecordingNews | None:
    """A recording is ready, or there is none; None while it is neither. Raises UnusableWebhook."""
    recording_id = _field(form, "RecordingSid")
    status = _field(form, "RecordingStatus")
    if not recording_id.isalnum() or not recording_id.isascii() or len(recording_id) > 64:
        raise UnusableWebhook("RecordingSid")
    if status not in {"completed", "absent"}:
        return None
    return RecordingNews(
        recording_id=recording_id,
        url=_field(form, "RecordingUrl"),
        key=f"twilio:{recording_id}:recording-{status}",
        error=(_field(form, "ErrorCode") or "absent") if status == "absent" else "",
        started_at=moment(_field(form, "RecordingStartTime")),
        duration_ms=1000 * (whole_number(_field(form, "RecordingDuration"), at_most=_LONGEST_S) or 0),
    )


def read_transferred(form: FormData) -> TransferNews:
    """The number that the call was transferred to was not reached, or has hung up. Raises UnusableWebhook."""
    sid = _call_sid(form)
    dialled = _field(form, "DialCallStatus")
    status = STATUSES.get(_field(form, "CallStatus"))
    if not dialled or status is None:
        raise UnusableWebhook("DialCallStatus" if not dialled else "CallStatus")
    key = f"twilio:{sid}:transferred:{_field(form, 'DialCallSid') or dialled}"
    return TransferNews(sid, status, is_joined=dialled in {"completed", "answered"}, key=key[:120])


def read_inbound(form: FormData) -> InboundCall:
    """Somebody calls a number of ours. Raises UnusableWebhook."""
    sid = _call_sid(form)
    return InboundCall(
        carrier_call_id=sid, to=_field(form, "To"), from_=_field(form, "From"), key=f"twilio:{sid}:inbound"
    )


def transfer_document(
    *, to: str, caller_id: str, done_url: str, status_url: str, ring_timeout_s: int, max_duration_s: int
) -> str:
    """TwiML that joins the call with another number, and asks us what to do when that is over."""
    document = VoiceResponse()
    dial = document.dial(
        caller_id=caller_id,
        timeout=ring_timeout_s,
        time_limit=max_duration_s,
        action=done_url,
        method="POST",
        answer_on_bridge=True,
    )
    dial.number(
        to,
        status_callback=status_url,
        status_callback_method="POST",
        status_callback_event="initiated ringing answered completed",
    )
    return str(document)


def stream_document(
    *, media_url: str, after_url: str, status_url: str, parameters: Mapping[str, str], pause_s: int = 0
) -> str:
    """TwiML that joins the call to our media socket, and asks us what to do once that socket is gone."""
    document = VoiceResponse()
    if pause_s:
        document.pause(length=pause_s)
    stream = document.connect(action=after_url, method="POST").stream(
        url=media_url, status_callback=status_url, status_callback_method="POST"
    )
    for name, value in parameters.items():
        stream.parameter(name=name, value=value)
    document.redirect(after_url, method="POST")  # where <Connect> goes on below instead of asking its action
    return str(document)


def wait_document(*, url: str, pause_s: int) -> str:
    """TwiML that keeps the line quiet for a while, and then asks again."""
    document = VoiceResponse()
    document.pause(length=pause_s)
    document.redirect(url, method="POST")
    return str(document)


def hang_up_document() -> str:
    document = VoiceResponse()
    document.hangup()
    return str(document)


def reject_document(*, reason: str) -> str:
    """Refuse an inbound call before it is answered, at no cost to the caller. reason: rejected or busy."""
    document = VoiceResponse()
    document.reject(reason=reason)
    return str(document)


def _field(form: FormData, name: str) -> str:
    values = form.getlist(name)
    return plain(values[-1], at_most=_MAX_FIELD) if values else ""


def _call_sid(form: FormData) -> str:
    sid = _field(form, "CallSid")
    if not 3 <= len(sid) <= 64 or not sid.isascii() or not sid.isalnum():
        raise UnusableWebhook("CallSid")
    return sid
