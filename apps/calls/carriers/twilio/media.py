"""Twilio Media Streams, bidirectional: JSON text frames in, frames of ours out, and back.

The wire: protocols of Twilio, "Media Streams WebSocket". The codec holds no credential and no socket.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, Final

import orjson

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

# A frame is 20 ms, about 330 characters; more than a second of sound in one message is no phone.
MAX_MESSAGE_CHARS: Final = 16_384
_MAX_NAME: Final = 200


class TwilioMediaCodec:
    """One stream's codec. decode() raises MediaProtocolError for whatever the protocol does not allow.

    Messages are numbered by the carrier: a number that does not grow means a broken or forged stream; numbers left
    out are frames lost on the way, counted in n_missing.
    """

    def __init__(self) -> None:
        self.stream_id = ""
        self.n_missing = 0
        self._last_number = 0
        self._before_payload = ""
        self._clear = ""
        self._is_stopped = False

    def decode(self, message: str) -> LineFrame | None:
        """A frame, or None for a message that says nothing to us."""
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
        return None  # a kind of message that did not exist when this was written

    def encode(self, frame: ToLine) -> str | None:
        """The message for a frame; None for HangUp, which is the closing of the socket."""
        if type(frame) is Audio:
            return f'{self._before_payload}{frame.text}"}}}}'
        if type(frame) is Mark:
            return orjson.dumps({"event": "mark", "streamSid": self.stream_id, "mark": {"name": frame.name}}).decode()
        if type(frame) is Clear:
            return self._clear
        if type(frame) is HangUp:
            return None
        raise TypeError(f"not a frame for the line: {type(frame).__name__}")

    def _media(self, parsed: Mapping[str, Any]) -> LineFrame | None:
        self._check(parsed)
        media = parsed["media"]
        if media["track"] != "inbound":
            return None
        payload = media["payload"]
        # The text goes on into other JSON as it is: it must be base64 and nothing else.
        try:
            data = a2b_base64(payload, strict_mode=True)
        except Base64Error as error:
            raise MediaProtocolError("bad_payload") from error
        return Audio(payload, len(data)) if data else None

    def _check(self, parsed: Mapping[str, Any]) -> None:
        """Every message after start: of this stream, numbered upward."""
        if not self.stream_id or self._is_stopped:
            raise MediaProtocolError("out_of_order")
        if parsed["streamSid"] != self.stream_id:
            raise MediaProtocolError("wrong_stream")
        number = int(parsed["sequenceNumber"])
        step = number - self._last_number
        if step != 1:
            if step < 1:
                raise MediaProtocolError("out_of_order")
            self.n_missing += step - 1
        self._last_number = number

    def _start(self, parsed: Mapping[str, Any]) -> StreamStarted:
        if self.stream_id:
            raise MediaProtocolError("out_of_order")
        start = parsed["start"]
        wire_format = start["mediaFormat"]
        if wire_format["encoding"] != "audio/x-mulaw" or int(wire_format["sampleRate"]) != PCMU_8K.rate_hz:
            raise MediaProtocolError("unknown_format")
        stream_id = _text(parsed["streamSid"])
        if not stream_id:
            raise MediaProtocolError("malformed")
        self._last_number = int(parsed["sequenceNumber"])
        self.stream_id = stream_id
        sid = orjson.dumps(stream_id).decode()
        self._before_payload = f'{{"event":"media","streamSid":{sid},"media":{{"payload":"'
        self._clear = f'{{"event":"clear","streamSid":{sid}}}'
        given = start.get("customParameters") or {}
        return StreamStarted(
            stream_id=stream_id,
            carrier_call_id=_text(start["callSid"]),
            account_id=_text(start["accountSid"]),
            format=PCMU_8K,
            parameters={_text(name): _text(value) for name, value in given.items()},
        )


def _text(value: object) -> str:
    """A string of decent length. Raises ValueError for anything else."""
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        raise ValueError("not a short string")
    return value
