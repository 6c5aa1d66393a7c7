"""Telnyx media streaming in RTP mode: JSON text frames in, frames of ours out, and back.

The codec holds no credential and no socket. What it sends is μ-law, as we ask for it; what comes is what the call has
negotiated, μ-law where Telnyx could see to it and A-law otherwise.
"""

import hashlib
import hmac
from base64 import b64encode
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

from apps.calls.media.audio import PCMU_FRAME, PCMU_SILENCE, decode_pcma, encode_pcmu
from apps.calls.media.frames import (
    PCMU_8K,
    Audio,
    Clear,
    Dtmf,
    HangUp,
    LineFrame,
    Mark,
    MarkReached,
    MediaProtocolError,
    StreamStarted,
    StreamStopped,
    ToLine,
)

TOKEN_HEADER: Final = b"x-telnyx-streaming-auth-token"
MAX_MESSAGE_CHARS: Final = 16_384
_MAX_NAME: Final = 200
_MAX_HELD: Final = 3  # frames; then what is missing counts as lost
_CLEAR: Final = '{"event":"clear"}'


def socket_secret(media_token: str, key: str) -> str:
    """What Telnyx shows when it opens the media socket of this token (``stream_auth_token``)."""
    return hmac.new(key.encode(), b"telnyx-media:" + media_token.encode(), hashlib.sha256).hexdigest()


class TelnyxMediaCodec:
    """One stream's codec. decode() raises MediaProtocolError for whatever the protocol does not allow.

    Frames are numbered, and may overtake each other on their way: what comes early waits, for at most _MAX_HELD frames,
    and leaves together with what it waited for. What never came is counted in n_missing.
    """

    def __init__(self) -> None:
        self.stream_id = ""
        self.n_missing = 0
        self._next_chunk = 0
        self._held: dict[int, str] = {}
        self._is_pcma = False
        self._is_stopped = False

    def decode(self, message: str) -> LineFrame | None:
        """A frame, or None for a message that says nothing to us yet."""
        if len(message) > MAX_MESSAGE_CHARS:
            raise MediaProtocolError("oversized")
        try:
            parsed: dict[str, Any] = orjson.loads(message)
            event = parsed["event"]
            if event == "media":
                return self._media(parsed)
            if event == "connected":
                if self.stream_id:
                    raise MediaProtocolError("out_of_order")
                return None
            if event == "start":
                return self._start(parsed)
            if event == "mark":
                self._check(parsed)
                return MarkReached(_text(parsed["mark"]["name"]))
            if event == "dtmf":
                self._check(parsed)
                return Dtmf(_text(parsed["dtmf"]["digit"])[:1])
            if event == "stop":
                self._check(parsed)
                self._is_stopped = True
                return StreamStopped()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MediaProtocolError("malformed") from error
        return None  # an error report, or a kind of message that did not exist when this was written

    def encode(self, frame: ToLine) -> str | None:
        """The message for a frame; None for HangUp, which is the closing of the socket."""
        if type(frame) is Audio:
            text = frame.text if frame.n_bytes >= PCMU_FRAME else _padded(frame)
            return f'{{"event":"media","media":{{"payload":"{text}"}}}}'
        if type(frame) is Mark:
            return orjson.dumps({"event": "mark", "mark": {"name": frame.name}}).decode()
        if type(frame) is Clear:
            return _CLEAR
        if type(frame) is HangUp:
            return None
        raise TypeError(f"not a frame for the line: {type(frame).__name__}")

    def _media(self, parsed: Mapping[str, Any]) -> LineFrame | None:
        self._check(parsed)
        media = parsed["media"]
        if media["track"] != "inbound":
            return None
        payload: str = media["payload"]
        chunk = int(media["chunk"])
        if chunk == self._next_chunk and not self._held:
            self._next_chunk += 1
            # The text goes on into other JSON as it is: it must be base64 and nothing else.
            data = _decoded(payload)
            return self._audio(payload, data) if data else None
        return self._out_of_order(chunk, payload)

    def _out_of_order(self, chunk: int, payload: str) -> Audio | None:
        if not self._next_chunk:  # the first of all
            self._next_chunk = chunk
        if chunk < self._next_chunk or chunk in self._held:
            return None  # too late, or a second time
        self._held[chunk] = payload
        if len(self._held) > _MAX_HELD:
            oldest = min(self._held)
            self.n_missing += oldest - self._next_chunk
            self._next_chunk = oldest
        ready = b""
        while self._next_chunk in self._held:
            ready += _decoded(self._held.pop(self._next_chunk))
            self._next_chunk += 1
        return self._audio(b64encode(ready).decode(), ready) if ready else None

    def _audio(self, text: str, data: bytes) -> Audio:
        if self._is_pcma:
            return Audio.of(encode_pcmu(decode_pcma(data)))
        return Audio(text, len(data))

    def _check(self, parsed: Mapping[str, Any]) -> None:
        """Every message after start: of this stream, before its end."""
        if not self.stream_id or self._is_stopped:
            raise MediaProtocolError("out_of_order")
        if parsed["stream_id"] != self.stream_id:
            raise MediaProtocolError("wrong_stream")

    def _start(self, parsed: Mapping[str, Any]) -> StreamStarted:
        if self.stream_id:
            raise MediaProtocolError("out_of_order")
        start = parsed["start"]
        wire_format = start["media_format"]
        encoding = wire_format["encoding"]
        if encoding not in {"PCMU", "PCMA"} or int(wire_format["sample_rate"]) != PCMU_8K.rate_hz:
            raise MediaProtocolError("unknown_format")
        stream_id = _text(parsed["stream_id"])
        if not stream_id:
            raise MediaProtocolError("malformed")
        self.stream_id = stream_id
        self._is_pcma = encoding == "PCMA"
        return StreamStarted(
            stream_id=stream_id,
            carrier_call_id=_text(start["call_control_id"]),
            account_id=_text(start.get("user_id") or ""),
            format=PCMU_8K,
        )


def _padded(frame: Audio) -> str:
    """Telnyx plays nothing shorter than 20 ms: the rest is silence."""
    return b64encode(frame.data.ljust(PCMU_FRAME, PCMU_SILENCE)).decode()


def _decoded(payload: str) -> bytes:
    try:
        return a2b_base64(payload, strict_mode=True)
    except Base64Error as error:
        raise MediaProtocolError("bad_payload") from error


def _text(value: object) -> str:
    """A string of decent length. Raises ValueError for anything else."""
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        raise ValueError("not a short string")
    return value
