"""What a caller of the REST interface asks for, checked as Twilio checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from apps.sandbox.carrier.courier import Hook
from apps.sandbox.carrier.twilio.errors import ApiError

_E164 = re.compile(r"\+[1-9]\d{6,14}")
MAX_TWIML_CHARS = 4000


class Form(Protocol):
    """Form parameters of which some may repeat."""

    def get(self, name: str, default: str = "") -> str: ...

    def getall(self, name: str) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """How to record. `trims`: leading and trailing silence is left out."""

    channels: int = 1
    hook: Hook | None = None
    events: frozenset[str] = frozenset({"completed"})
    trims: bool = False
    source: str = "StartCallRecordingAPI"
    track: str = "both"


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call to be placed. Times in seconds; amd is "", "Enable" or "DetectMessageEnd"."""

    to: str
    from_: str
    document: Hook | None
    twiml: str
    fallback: Hook | None = None
    status_hook: Hook | None = None
    status_events: frozenset[str] = frozenset({"completed"})
    ring_timeout_s: float = 60.0
    time_limit_s: float = 14400.0
    amd: str = ""
    amd_timeout_s: float = 30.0
    amd_silence_s: float = 5.0
    is_amd_async: bool = False
    amd_hook: Hook | None = None
    recording: RecordingOptions | None = None
    send_digits: str = ""


def is_callable_number(number: str) -> bool:
    return _E164.fullmatch(number) is not None


def check_url(url: str, code: int, name: str) -> str:
    """The URL itself if a carrier can call it, else ApiError(code)."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or " " in url:
        raise ApiError(400, code, f"{name} is not a valid URL: {url}")
    return url


def _hook(form: Form, name: str, code: int) -> Hook | None:
    url = form.get(name)
    if not url:
        return None
    method = form.get(f"{name}Method") or "POST"
    return Hook(check_url(url, code, name), method.upper())


def _seconds(form: Form, name: str, default: float, *, most: float, code: int) -> float:
    text = form.get(name)
    if not text:
        return default
    if not text.isdigit() or int(text) > most:
        raise ApiError(400, code, f"{name} must be between 0 and {most:g}")
    return float(text)


def _events(form: Form, name: str, default: str) -> frozenset[str]:
    given = [word for value in form.getall(name) for word in value.split()]
    return frozenset(given or [default])


def _is_true(text: str) -> bool:
    return text.lower() == "true"


def recording_options(form: Form, *, source: str, prefix: str, trim_default: str) -> RecordingOptions:
    """`prefix` is "Recording" for the parameters of a call's creation, empty for the Recordings resource."""
    hook = _hook(form, "RecordingStatusCallback", 21609)
    return RecordingOptions(
        channels=2 if form.get(f"{prefix}Channels", "mono") == "dual" else 1,
        hook=hook,
        events=_events(form, "RecordingStatusCallbackEvent", "completed"),
        trims=(form.get("Trim") or trim_default) == "trim-silence",
        source=source,
        track=form.get(f"{prefix}Track") or "both",
    )


def parse_call(form: Form, owned_numbers: frozenset[str]) -> CallRequest:
    """The parameters of `POST Calls.json`; raises ApiError with Twilio's code for the first thing wrong."""
    to, from_ = form.get("To").strip(), form.get("From").strip()
    if not to:
        raise ApiError(400, 21201, "No 'To' number is specified")
    if not from_:
        raise ApiError(400, 21213, "Phone Number required: 'From'")
    if not is_callable_number(to):
        raise ApiError(400, 21211, f"The phone number you are attempting to call, {to}, is not valid.")
    if not is_callable_number(from_):
        raise ApiError(400, 21212, f"The source phone number provided, {from_}, is not valid.")
    if owned_numbers and from_ not in owned_numbers:
        raise ApiError(400, 21210, f"The source phone number provided, {from_}, is not yet verified for your account.")
    url, twiml = form.get("Url"), form.get("Twiml")
    if not url and not twiml:
        raise ApiError(400, 21200, "One of Url, Twiml or ApplicationSid is required")
    if url:
        check_url(url, 21205, "Url")
        twiml = ""  # both given: the TwiML is ignored
    if len(twiml) > MAX_TWIML_CHARS:
        raise ApiError(400, 32018, f"Twiml is longer than {MAX_TWIML_CHARS} characters")
    status_hook = _hook(form, "StatusCallback", 21609)
    if status_hook and "_" in (urlsplit(status_hook.url).hostname or ""):
        raise ApiError(400, 21609, "StatusCallback: the host may not contain an underscore")
    send_digits = form.get("SendDigits")
    records = _is_true(form.get("Record"))
    return CallRequest(
        to=to,
        from_=from_,
        document=Hook(url, (form.get("Method") or "POST").upper()) if url else None,
        twiml=twiml,
        fallback=_hook_named(form, "FallbackUrl", "FallbackMethod"),
        status_hook=status_hook,
        status_events=_events(form, "StatusCallbackEvent", "completed"),
        ring_timeout_s=_seconds(form, "Timeout", 60.0, most=600, code=21208),
        time_limit_s=_seconds(form, "TimeLimit", 14400.0, most=86400, code=21208),
        amd="" if send_digits else form.get("MachineDetection"),
        amd_timeout_s=_seconds(form, "MachineDetectionTimeout", 30.0, most=59, code=21200),
        amd_silence_s=_seconds(form, "MachineDetectionSilenceTimeout", 5000.0, most=10000, code=21200) / 1000,
        is_amd_async=_is_true(form.get("AsyncAmd")),
        amd_hook=_hook(form, "AsyncAmdStatusCallback", 21609),
        recording=recording_options(form, source="OutboundAPI", prefix="Recording", trim_default="trim-silence")
        if records
        else None,
        send_digits=send_digits,
    )


def _hook_named(form: Form, url_name: str, method_name: str) -> Hook | None:
    url = form.get(url_name)
    return Hook(check_url(url, 21205, url_name), (form.get(method_name) or "POST").upper()) if url else None


def element_hook(attributes: Mapping[str, str], name: str, method_name: str) -> Hook | None:
    """A callback named in a TwiML element's attributes."""
    url = attributes.get(name)
    return Hook(url, (attributes.get(method_name) or "POST").upper()) if url else None
