"""What the product asks of Call Control, checked as Telnyx checks it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from apps.sandbox.carrier.telnyx import errors
from apps.sandbox.carrier.telnyx.events import Route

_E164 = re.compile(r"\+[1-9]\d{6,14}")
AMD_MODES: Final = frozenset(
    {
        "disabled",
        "detect",
        "detect_beep",
        "detect_words",
        "greeting_end",
        "premium",
        "premium_ios_call_screening_detection",
    }
)
_TRACKS: Final = ("inbound_track", "outbound_track", "both_tracks")
_CODECS: Final = ("PCMU", "PCMA")
_EVENT_TYPE = re.compile(r"(call|streaming|conference)\.[a-z_.]+")


class Body:
    """A JSON object read field by field; a wrong type is refused with its name."""

    def __init__(self, data: Mapping[str, object]) -> None:
        self.data = data

    def text(self, name: str, default: str = "") -> str:
        value = self.data.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise errors.bad(name, f"{name} must be a string.")
        return value

    def required(self, name: str) -> str:
        if not (text := self.text(name)):
            raise errors.missing(name)
        return text

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        value = self.data.get(name)
        if value is None:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise errors.bad(name, f"{name} must be a number between {least:g} and {most:g}.")
        return float(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.data.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise errors.bad(name, f"{name} must be true or false.")
        return value

    def choice(self, name: str, allowed: tuple[str, ...] | frozenset[str], default: str) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise errors.bad(name, f"{name} must be one of {', '.join(sorted(allowed))}.")
        return value

    def number_e164(self, name: str) -> str:
        number = self.required(name)
        if not is_e164(number):
            raise errors.not_e164(name, number)
        return number

    def url(self, name: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
        """Empty if it is not given."""
        url = self.text(name)
        if url:
            parts = urlsplit(url)
            if parts.scheme not in schemes or not parts.hostname or " " in url or len(url) > 2000:
                raise errors.bad_url(name, url)
        return url

    def client_state(self, name: str = "client_state") -> str | None:
        state = self.text(name)
        if not state:
            return None
        try:
            base64.b64decode(state, validate=True)
        except (binascii.Error, ValueError):
            raise errors.bad_client_state() from None
        return state

    def object(self, name: str) -> Body:
        value = self.data.get(name)
        if value is None:
            return Body({})
        if not isinstance(value, dict):
            raise errors.bad(name, f"{name} must be an object.")
        return Body(value)

    def pairs(self, name: str) -> dict[str, str]:
        """`[{"name": …, "value": …}]`."""
        value = self.data.get(name) or []
        if not isinstance(value, list):
            raise errors.bad(name, f"{name} must be a list of names and values.")
        pairs: dict[str, str] = {}
        for item in value:
            match item:
                case {"name": str(key), "value": str(text)}:
                    pairs[key] = text
                case _:
                    raise errors.bad(name, f"{name} must be a list of names and values.")
        return pairs


def is_e164(number: str) -> bool:
    return _E164.fullmatch(number) is not None


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Media streaming as asked for. codec: what the product gets ("default": what the call negotiated);
    codec_back: what it sends. legs: who hears that."""

    url: str
    track: str = "inbound_track"
    codec: str = "default"
    is_rtp: bool = False
    codec_back: str = "PCMU"
    legs: str = "opposite"
    auth_token: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """A recording as asked for; max_s 0 is without end."""

    channels: int
    track: str = "both"
    max_s: float = 0.0
    trims: bool = False
    beeps: bool = False


@dataclass(frozen=True, slots=True)
class LegRequest:
    """A leg to be dialled. Times in seconds."""

    to: str
    from_: str
    connection_id: str
    route: Route
    client_state: str | None = None
    ring_timeout_s: float = 30.0
    timeout_cause: str = "timeout"
    time_limit_s: float = 14400.0
    amd: str = "disabled"
    amd_silence_s: float = 3.5
    amd_total_s: float = 3.5
    stream: StreamOptions | None = None
    recording: RecordOptions | None = None
    digits: str = ""


def parse_stream(body: Body) -> StreamOptions | None:
    """The stream_* fields of dial, answer and streaming_start; None without a stream_url."""
    url = body.url("stream_url", ("ws", "wss"))
    mode = body.choice("stream_bidirectional_mode", ("mp3", "rtp"), "mp3")
    codec_back = body.text("stream_bidirectional_codec", "PCMU")
    if mode == "rtp" and codec_back not in _CODECS:
        raise errors.bad("stream_bidirectional_codec", f"The sandbox takes {' and '.join(_CODECS)} only.")
    codec = body.text("stream_codec", "default")
    if codec not in ("default", *_CODECS):
        raise errors.bad("stream_codec", f"The sandbox speaks {' and '.join(_CODECS)} only.")
    token = body.text("stream_auth_token")
    if len(token) > 4000:
        raise errors.bad("stream_auth_token", "stream_auth_token may have 4000 characters.")
    if body.data.get("stream_bidirectional_sampling_rate") not in {None, 8000}:
        raise errors.bad("stream_bidirectional_sampling_rate", "PCMU and PCMA have 8000 samples a second.")
    options = StreamOptions(
        url=url,
        track=body.choice("stream_track", _TRACKS, "inbound_track"),
        codec=codec,
        is_rtp=mode == "rtp",
        codec_back=codec_back,
        legs=body.choice("stream_bidirectional_target_legs", ("self", "opposite", "both"), "opposite"),
        auth_token=token,
        parameters=body.pairs("custom_parameters"),
    )
    return options if url else None


def parse_recording(body: Body) -> RecordOptions:
    """The fields of record_start; MP3 the sandbox cannot make."""
    channels = body.choice("channels", ("single", "dual"), "") if body.required("channels") else ""
    if body.choice("format", ("wav", "mp3"), body.required("format")) == "mp3":
        raise errors.bad("format", "The sandbox records wav only.")
    return RecordOptions(
        channels=2 if channels == "dual" else 1,
        track=body.choice("recording_track", ("both", "inbound", "outbound"), "both"),
        max_s=body.number("max_length", 0, least=0, most=43200),
        trims=body.choice("trim", ("", "trim-silence"), "") != "",
        beeps=body.flag("play_beep"),
    )


def parse_record_from_answer(body: Body) -> RecordOptions | None:
    """The record* fields of dial and answer."""
    if body.choice("record", ("", "record-from-answer"), "") == "":
        return None
    names = {"record_channels": "channels", "record_format": "format", "record_max_length": "max_length"}
    names |= {"record_track": "recording_track", "record_trim": "trim"}
    given = {short: body.data[name] for name, short in names.items() if name in body.data}
    return parse_recording(Body({"channels": "dual", "format": "mp3"} | given))


def parse_route(body: Body, default: Route) -> Route:
    """The webhook fields of a command, over what holds without them."""
    by_event: dict[str, tuple[str, ...]] = {}
    for event_type, urls in body.object("webhook_urls").data.items():
        if not _EVENT_TYPE.fullmatch(event_type) or not isinstance(urls, list):
            detail = f"webhook_urls: {event_type} is not an event with a list of URLs."
            raise errors.TelnyxError(422, "90057", "Invalid webhook_urls", detail, "/webhook_urls")
        by_event[event_type] = tuple(str(url) for url in urls)
    retries: dict[str, tuple[int, ...]] = {}
    for event_type in body.object("webhook_retries_policies").data:
        waits = body.object("webhook_retries_policies").object(event_type).data.get("retries_ms")
        if not isinstance(waits, list) or not all(isinstance(wait, int) and wait >= 0 for wait in waits):
            raise errors.bad_argument("webhook_retries_policies", "retries_ms must be a list of milliseconds.")
        if len(waits) > 5 or sum(waits) > 60000:
            raise errors.bad_argument("webhook_retries_policies", "At most 5 retries within 60000 ms.")
        retries[event_type] = tuple(waits)
    url = body.url("webhook_url")
    if not url and not by_event and not retries:
        return default
    return Route(url or default.url, by_event or default.by_event, retries or default.retries_ms)


def parse_dial(body: Body, default: Route, *, connection_id: str = "", from_: str = "") -> LegRequest:
    """`POST /v2/calls`, or a transfer's target with the connection and caller of the leg it belongs to.

    Raises TelnyxError for the first thing wrong.
    """
    connection_id = connection_id or body.required("connection_id")
    to = body.data.get("to")
    if isinstance(to, list):
        if len(to) != 1:
            raise errors.bad("to", "The sandbox dials one number at a time.")
        body = Body({**body.data, "to": to[0]})
    amd = body.choice("answering_machine_detection", AMD_MODES, "disabled")
    config = body.object("answering_machine_detection_config")
    total_ms = 30000 if amd.startswith("premium") else 3500
    return LegRequest(
        to=body.number_e164("to"),
        from_=body.number_e164("from") if "from" in body.data or not from_ else from_,
        connection_id=connection_id,
        route=parse_route(body, default),
        client_state=body.client_state(),
        ring_timeout_s=body.number("timeout_secs", 30, least=5, most=600),
        timeout_cause="timeout" if body.flag("retry_on_timeout", default=True) else "no_answer",
        time_limit_s=body.number("time_limit_secs", 14400, least=30, most=14400),
        amd=amd,
        amd_silence_s=config.number("initial_silence_millis", 3500, least=0, most=60000) / 1000,
        amd_total_s=config.number("total_analysis_time_millis", total_ms, least=0, most=120000) / 1000,
        stream=parse_stream(body),
        recording=parse_record_from_answer(body),
        digits=body.text("send_digits_on_answer"),
    )
