"""Telnyx's media streaming: one call's audio over a WebSocket, snake_case, µ-law or A-law."""

from __future__ import annotations

import base64
import json
import uuid
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final

from apps.sandbox.carrier.line import Line
from apps.sandbox.carrier.media_stream import SILENCE_B64, MediaStream
from apps.sandbox.carrier.records import CallRecord, iso8601
from apps.sandbox.carrier.telnyx.requests import StreamOptions
from apps.sandbox.speech import FRAME_BYTES, SILENCE_FRAME

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # in the standard library up to 3.12, audioop-lts from 3.13
    import audioop

TOKEN_HEADER: Final = "x-telnyx-streaming-auth-token"  # noqa: S105 - a header's name
USER_ID: Final = "3b0c8f7e-5f0a-4a51-8d0e-5a5db0a5b0c5"
_LEAST, _MOST = FRAME_BYTES, 240_000  # 20 ms and 30 s


class TelnyxStream(MediaStream):
    """One stream. `tell(event_type, payload)` sends its webhooks.

    What the product plays is taken 20 ms at a time from the call's own clock, whoever hears it: this leg, the other
    one, both, or, with target legs "opposite" and nobody there, no one.
    """

    allows_query: ClassVar[bool] = True

    def __init__(
        self,
        call: CallRecord,
        options: StreamOptions,
        *,
        session_id: str,
        client_state: Callable[[], str | None],
        codec: str,
        tell: Callable[[str, dict[str, object]], None],
    ) -> None:
        super().__init__(call, str(uuid.uuid4()), options.url, options.track)
        self.options = options
        self._session_id, self._client_state, self._codec, self._tell = session_id, client_state, codec, tell
        self._id_bytes = self.sid.encode()
        self._current = SILENCE_FRAME
        self._audible_on: list[Line] = []
        self._swaps_every = 0
        self._held_back: bytes | None = None

    # ---- who hears it

    def play_on(self, line: Line) -> None:
        """Let the far party of this line hear what the product plays, until the stream is over."""
        if self.options.is_rtp and not self.over.done() and line not in self._audible_on:
            self._audible_on.append(line)
            line.sources.append(self)

    def leave(self, line: Line) -> None:
        if line in self._audible_on:
            self._audible_on.remove(line)
            line.sources.remove(self)

    def next_frame(self) -> bytes:
        return self._current

    def take(self, far: bytes, near: bytes) -> None:
        super().take(far, near)
        self._current = super().next_frame()

    def swap_frames(self, every: int) -> None:
        """From now on every so many media messages two arrive in the wrong order."""
        self._swaps_every = every

    # ---- messages

    def send_dtmf(self, digit: str) -> None:
        occurred_at = iso8601(datetime.now(UTC))
        self._send_numbered({"event": "dtmf", "occurred_at": occurred_at, "dtmf": {"digit": digit}})

    def _handshake_headers(self) -> Mapping[str, str]:
        return {TOKEN_HEADER: self.options.auth_token} if self.options.auth_token else {}

    def _say_hello(self) -> None:
        connected: dict[str, object] = {"event": "connected", "version": "1.0.0"}
        if self.options.auth_token:
            connected[TOKEN_HEADER] = self.options.auth_token
        self._send_json(connected)
        start: dict[str, object] = {
            "user_id": USER_ID,
            "call_control_id": self._call.sid,
            "call_session_id": self._session_id,
            "from": self._call.from_,
            "to": self._call.to,
            "tags": [],
            "client_state": self._client_state(),
            "media_format": {"encoding": self._codec, "sample_rate": 8000, "channels": 1},
        }
        if self.options.parameters:
            start["custom_parameters"] = self.options.parameters
        self._send_numbered({"event": "start", "start": start})

    def _say_stop(self) -> None:
        self._send_numbered({"event": "stop", "stop": {"user_id": USER_ID, "call_control_id": self._call.sid}})

    def _send_mark(self, name: str) -> None:
        self._send_numbered({"event": "mark", "mark": {"name": name}})

    def _send_numbered(self, message: dict[str, object]) -> None:
        self._sequence += 1
        self._send_json(message | {"sequence_number": str(self._sequence), "stream_id": self.sid})

    def _media_text(self, track: str, chunk: int, payload: bytes) -> bytes:
        if self._codec == "PCMA":
            mulaw = SILENCE_FRAME if payload is SILENCE_B64 else base64.b64decode(payload)
            payload = base64.b64encode(audioop.lin2alaw(audioop.ulaw2lin(mulaw, 2), 2))
        return (
            b'{"event":"media","sequence_number":"%d","stream_id":"%s","media":'
            b'{"track":"%s","chunk":"%d","timestamp":"%d","payload":"%s"}}'
        ) % (self._sequence, self._id_bytes, track.encode(), chunk, chunk * 20, payload)

    def _send_media(self, text: bytes) -> None:
        if self._held_back is not None:
            super()._send_media(text)
            text, self._held_back = self._held_back, None
        elif self._swaps_every and self.n_frames_sent % self._swaps_every == 0:
            self._held_back = text
            return
        super()._send_media(text)

    def _garbage(self, variant: str) -> bytes:
        media: dict[str, object] = {"track": "inbound", "chunk": "1", "timestamp": "20"}
        if variant != "out_of_order":
            self._sequence += 1
        number = "2" if variant == "out_of_order" else str(self._sequence)
        message: dict[str, object] = {
            "event": "media",
            "sequence_number": number,
            "stream_id": self.sid,
            "media": media,
        }
        match variant:
            case "bad_base64":
                media["payload"] = "***not base64***"
            case "missing_fields":
                del message["media"], message["sequence_number"]
            case "oversized":
                media["payload"] = "/" * 900_000
            case "out_of_order":
                media["payload"] = SILENCE_B64.decode()
            case _:
                return b'{"event":"media","stream_id":"' + self._id_bytes + b'","media":{"payl'
        return json.dumps(message).encode()

    def _on_message(self, text: bytes) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            self._refuse(100003, "malformed_frame", "The frame is not JSON.")
            return
        match message:
            case {"event": "media", "media": {"payload": str(payload)}}:
                self._take_media(payload)
            case {"event": "mark", "mark": {"name": str(name)}}:
                self._mark(name)
            case {"event": "clear"}:
                self._clear()
            case _:
                self._refuse(100003, "malformed_frame", "The frame has no known event with its content.")

    def _take_media(self, payload: str) -> None:
        if not self.options.is_rtp:
            self._refuse(100004, "invalid_media", "The sandbox plays no mp3: stream_bidirectional_mode is not rtp.")
            return
        try:
            audio = base64.b64decode(payload, validate=True)
        except ValueError:
            self._refuse(100004, "invalid_media", "The payload is not Base64.")
            return
        if not _LEAST <= len(audio) <= _MOST:
            detail = f"A message must hold 20 ms to 30 s of audio, this one has {len(audio) / 8:g} ms."
            self._refuse(100004, "invalid_media", detail)
            return
        if self.options.codec_back == "PCMA":
            audio = audioop.lin2ulaw(audioop.alaw2lin(audio, 2), 2)
        self._feed(audio)

    def _refuse(self, code: int, title: str, detail: str) -> None:
        self._call.note("debugger", code=code, message=detail, stream=self.sid)
        self._send_json(
            {
                "event": "error",
                "stream_id": self.sid,
                "payload": {"code": code, "title": title, "detail": detail},
            }
        )

    def _end(self) -> None:
        for line in list(self._audible_on):
            self.leave(line)
        super()._end()

    def _report(self, event: str, error: str = "") -> None:
        if event == "failed":
            self._tell(
                "streaming.failed",
                {
                    "failure_reason": "connection_failed",
                    "stream_id": self.sid,
                    "stream_params": {"stream_url": self.url, "track": self.options.track},
                    "stream_type": "websocket",
                },
            )
        else:
            self._tell(f"streaming.{event}", {"stream_url": self.url, "stream_id": self.sid})
