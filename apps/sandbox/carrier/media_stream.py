"""Media Streams: one call's audio over a WebSocket, `<Connect><Stream>` (both ways) or `<Start><Stream>` (a copy)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apps.sandbox.carrier.media_socket import HandshakeFailed, MediaSocket
from apps.sandbox.carrier.playback import Playback
from apps.sandbox.carrier.records import CallRecord, new_sid
from apps.sandbox.carrier.requests import Hook
from apps.sandbox.carrier.signing import signature
from apps.sandbox.carrier.webhooks import Webhooks
from apps.sandbox.speech import FRAME_BYTES, SILENCE_FRAME

_CONNECT_S = 5.0
_SILENCE_B64 = base64.b64encode(SILENCE_FRAME)
_TRACKS = {"inbound_track": ("inbound",), "outbound_track": ("outbound",), "both_tracks": ("inbound", "outbound")}


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A `<Stream>` element or a `POST Streams.json`."""

    url: str
    name: str = ""
    track: str = "inbound_track"
    is_bidirectional: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    status_hook: Hook | None = None


class MediaStream:
    """A stream from `open` to `stop`; `over` is done when it has ended, from whichever side."""

    def __init__(self, call: CallRecord, request: StreamRequest, webhooks: Webhooks, auth_token: str) -> None:
        self.sid = new_sid("MZ")
        self.request = request
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.n_frames_sent = 0
        self.n_bytes_received = 0
        self._call, self._webhooks, self._auth_token = call, webhooks, auth_token
        self._socket: MediaSocket | None = None
        self._playback = Playback()
        self._tracks = _TRACKS.get(request.track, ("inbound",))
        self._chunks = dict.fromkeys(self._tracks, 0)
        self._sequence = 1
        self._has_warned: set[int] = set()
        self._has_stopped = False
        self._timed: list[tuple[int, Callable[[], None]]] = []

    async def open(self) -> bool:
        """Shake hands and say `connected` and `start`. False: it failed, and `over` is done."""
        headers = {
            "X-Twilio-Signature": signature(self._auth_token, self.request.url, {}),
            "User-Agent": "Twilio.TmeWs/1.0",
        }
        if self.request.is_bidirectional and self.request.track != "inbound_track":
            return self._fail(31941, f"track {self.request.track} is not for <Connect>")
        try:
            self._socket = await MediaSocket.connect(self.request.url, headers, self._on_message, timeout_s=_CONNECT_S)
        except HandshakeFailed as error:
            return self._fail(error.code, str(error))
        self._send(b'{"event":"connected","protocol":"Call","version":"1.0.0"}')
        self._send_event(
            "start",
            {
                "accountSid": self._call.account_sid,
                "streamSid": self.sid,
                "callSid": self._call.sid,
                "tracks": list(self._tracks),
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": self.request.parameters,
            },
        )
        self._socket.watch(self._on_close)
        self._call.note("stream_started", stream=self.sid, url=self.request.url)
        self._report("stream-started")
        return not self.over.done()

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something `seconds` into the stream's audio."""
        self._timed.append((round(seconds / 0.02), action))

    def stop(self) -> None:
        """End the stream from the carrier's side: `stop`, then close."""
        if self._has_stopped or self.over.done():
            return
        self._has_stopped = True
        self._send_event("stop", {"accountSid": self._call.account_sid, "callSid": self._call.sid})
        if self._socket is not None:
            self._socket.close()
        self._end()

    def abort(self) -> None:
        """Cut the socket, as a failing network does."""
        if self._socket is not None:
            self._socket.abort()

    def next_frame(self) -> bytes:
        """What the callee hears of a two-way stream."""
        frame, marks = self._playback.next_frame()
        for name in marks:
            self._send_event("mark", {"name": name})
        return frame

    def take(self, far: bytes, near: bytes) -> None:
        """Send 20 ms of the call on."""
        for track in self._tracks:
            self._send_frame(track, far if track == "inbound" else near)
        self.n_frames_sent += 1
        if self._timed:
            due = [action for frames, action in self._timed if frames <= self.n_frames_sent]
            self._timed = [(frames, action) for frames, action in self._timed if frames > self.n_frames_sent]
            for action in due:
                action()

    def send_dtmf(self, digit: str) -> None:
        if self.request.is_bidirectional:
            self._send_event("dtmf", {"track": "inbound_track", "digit": digit})

    def send_garbage(self, variant: str) -> None:
        """A message that breaks the protocol; the variants are listed in faults.py."""
        if self._socket is None:
            return
        self._call.note("media_garbage", variant=variant)
        sid = self.sid
        match variant:
            case "bad_base64":
                media: dict[str, object] = {
                    "track": "inbound",
                    "chunk": "1",
                    "timestamp": "20",
                    "payload": "***not base64***",
                }
                self._send_event("media", media)
            case "missing_fields":
                self._send(json.dumps({"event": "media", "streamSid": sid}).encode())
            case "oversized":
                self._send_event("media", {"track": "inbound", "chunk": "1", "payload": "/" * 900_000})
            case "binary":
                self._socket.send_binary(b"\x00\x01\x02\x03")
            case "out_of_order":
                payload = {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": _SILENCE_B64.decode()}
                text = {"event": "media", "sequenceNumber": "2", "streamSid": sid, "media": payload}
                self._send(json.dumps(text).encode())
            case _:
                self._send(b'{"event":"media","streamSid":"' + sid.encode() + b'","media":{"payl')

    def _send_frame(self, track: str, frame: bytes) -> None:
        self._sequence += 1
        chunk = self._chunks[track] = self._chunks[track] + 1
        payload = _SILENCE_B64 if frame is SILENCE_FRAME else binascii.b2a_base64(frame, newline=False)
        text = (
            b'{"event":"media","sequenceNumber":"%d","streamSid":"%s","media":'
            b'{"track":"%s","chunk":"%d","timestamp":"%d","payload":"%s"}}'
        ) % (self._sequence, self.sid.encode(), track.encode(), chunk, chunk * 20, payload)
        if self._socket is not None and not self._socket.send(text) and not self.over.done():
            self._warn(31930, "the server reads too slowly, audio is discarded")

    def _send_event(self, event: str, content: dict[str, object]) -> None:
        if event != "start":  # its number is 1
            self._sequence += 1
        message = {"event": event, "sequenceNumber": str(self._sequence), "streamSid": self.sid, event: content}
        self._send(json.dumps(message, separators=(",", ":")).encode())

    def _send(self, text: bytes) -> None:
        if self._socket is not None:
            self._socket.send(text)

    def _on_message(self, text: bytes) -> None:
        if not self.request.is_bidirectional:
            self._warn(31924, "data on a one-way stream")
            self.abort()
            return
        try:
            message = json.loads(text)
        except ValueError:
            self._warn(31951, "not JSON")
            return
        if not isinstance(message, dict) or message.get("streamSid") != self.sid:
            self._warn(31951, "unknown streamSid")
            return
        match message:
            case {"event": "media", "media": {"payload": str(payload)}}:
                try:
                    mulaw = base64.b64decode(payload, validate=True)
                except ValueError:
                    self._warn(31951, "payload is not base64")
                    return
                self.n_bytes_received += len(mulaw)
                self._playback.feed(mulaw)
            case {"event": "mark", "mark": {"name": str(name)}}:
                self._echo(self._playback.mark(name))
            case {"event": "clear"}:
                self._call.note("cleared", stream=self.sid, waiting_ms=round(self._playback.waiting_ms))
                self._echo(self._playback.clear())
            case _:
                self._warn(31951, f"unknown event {message.get('event')!r}")

    def _echo(self, marks: list[str]) -> None:
        for name in marks:
            self._send_event("mark", {"name": name})

    def _on_close(self) -> None:
        if not self._has_stopped and not self.over.done():
            self._call.note("debugger", code=31921, message="stream closed by server", stream=self.sid)
            self._end()

    def _end(self) -> None:
        self.over.set_result(None)
        self._call.note(
            "stream_stopped",
            stream=self.sid,
            n_frames_sent=self.n_frames_sent,
            received_ms=self.n_bytes_received * 20 // FRAME_BYTES,
        )
        self._report("stream-stopped")

    def _fail(self, code: int, message: str) -> bool:
        self._call.note("debugger", code=code, message=message, stream=self.sid)
        self._report("stream-error", error=f"{code}: {message}")
        self.over.set_result(None)
        return False

    def _warn(self, code: int, message: str) -> None:
        if code not in self._has_warned:
            self._has_warned.add(code)
            self._call.note("debugger", code=code, message=message, stream=self.sid)

    def _report(self, event: str, error: str = "") -> None:
        if self.request.status_hook is None:
            return
        params = {
            "AccountSid": self._call.account_sid,
            "CallSid": self._call.sid,
            "StreamSid": self.sid,
            "StreamName": self.request.name or self.sid,
            "StreamEvent": event,
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if error:
            params["StreamError"] = error
        self._webhooks.notify(self._call, self.request.status_hook, params, kind="stream", event="stream")
