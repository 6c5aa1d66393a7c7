"""One call's audio over a WebSocket to the product, whichever carrier's messages it is written in."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from apps.sandbox.carrier.media_socket import HandshakeFailed, MediaSocket
from apps.sandbox.carrier.playback import Playback
from apps.sandbox.carrier.records import CallRecord
from apps.sandbox.speech import FRAME_BYTES, SILENCE_FRAME

_CONNECT_S = 5.0
SILENCE_B64: Final = base64.b64encode(SILENCE_FRAME)
TRACKS: Final = {
    "inbound_track": ("inbound",),
    "outbound_track": ("outbound",),
    "both_tracks": ("inbound", "outbound"),
}


class MediaStream(ABC):
    """A stream from `open` to `stop`; `over` is done when it has ended, from whichever side."""

    def __init__(self, call: CallRecord, sid: str, url: str, track: str) -> None:
        self.sid, self.url = sid, url
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.n_frames_sent = 0
        self.n_bytes_received = 0
        self._call = call
        self._socket: MediaSocket | None = None
        self._playback = Playback()
        self._tracks = TRACKS.get(track, ("inbound",))
        self._chunks = dict.fromkeys(self._tracks, 0)
        self._sequence = 0
        self._has_warned: set[int] = set()
        self._has_stopped = False
        self._timed: list[tuple[int, Callable[[], None]]] = []

    # ---- what the carriers do differently

    allows_query: ClassVar[bool] = False

    @abstractmethod
    def _handshake_headers(self) -> Mapping[str, str]: ...

    @abstractmethod
    def _say_hello(self) -> None:
        """`connected` and `start`."""

    @abstractmethod
    def _say_stop(self) -> None: ...

    @abstractmethod
    def _media_text(self, track: str, chunk: int, payload: bytes) -> bytes:
        """A `media` message; payload is base64."""

    @abstractmethod
    def _send_mark(self, name: str) -> None: ...

    @abstractmethod
    def send_dtmf(self, digit: str) -> None:
        """The far party pressed a key."""

    @abstractmethod
    def _on_message(self, text: bytes) -> None: ...

    @abstractmethod
    def _report(self, event: str, error: str = "") -> None:
        """Tell the product's webhooks of "started", "stopped" or "failed"."""

    @abstractmethod
    def _garbage(self, variant: str) -> bytes:
        """A broken message of a variant that needs the carrier's own words."""

    # ---- what they share

    async def open(self) -> bool:
        """Shake hands and say `connected` and `start`. False: it failed, and `over` is done."""
        try:
            self._socket = await MediaSocket.connect(
                self.url,
                self._handshake_headers(),
                self._on_message,
                timeout_s=_CONNECT_S,
                allows_query=self.allows_query,
            )
        except HandshakeFailed as error:
            return self._fail(error.code, str(error))
        self._say_hello()
        self._socket.watch(self._on_close)
        self._call.note("stream_started", stream=self.sid, url=self.url)
        self._report("started")
        return not self.over.done()

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something `seconds` into the stream's audio."""
        self._timed.append((self.n_frames_sent + round(seconds / 0.02), action))

    def stop(self) -> None:
        """End the stream from the carrier's side: `stop`, then close."""
        if self._has_stopped or self.over.done():
            return
        self._has_stopped = True
        self._say_stop()
        if self._socket is not None:
            self._socket.close()
        self._end()

    def abort(self) -> None:
        """Cut the socket, as a failing network does."""
        if self._socket is not None:
            self._socket.abort()

    def next_frame(self) -> bytes:
        """What the far party hears of a two-way stream."""
        frame, marks = self._playback.next_frame()
        for name in marks:
            self._send_mark(name)
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

    def send_garbage(self, variant: str) -> None:
        """A message that breaks the protocol; the variants are listed in faults.py."""
        if self._socket is None:
            return
        self._call.note("media_garbage", variant=variant)
        if variant == "binary":
            self._socket.send_binary(b"\x00\x01\x02\x03")
        else:
            self._send(self._garbage(variant))

    def _send_frame(self, track: str, frame: bytes) -> None:
        self._sequence += 1
        chunk = self._chunks[track] = self._chunks[track] + 1
        payload = SILENCE_B64 if frame is SILENCE_FRAME else binascii.b2a_base64(frame, newline=False)
        self._send_media(self._media_text(track, chunk, payload))

    def _send_media(self, text: bytes) -> None:
        if self._socket is not None and not self._socket.send(text) and not self.over.done():
            self._warn(31930, "the server reads too slowly, audio is discarded")

    def _send_json(self, message: dict[str, object]) -> None:
        self._send(json.dumps(message, separators=(",", ":")).encode())

    def _send(self, text: bytes) -> None:
        if self._socket is not None:
            self._socket.send(text)

    def _feed(self, mulaw: bytes) -> None:
        self.n_bytes_received += len(mulaw)
        self._playback.feed(mulaw)

    def _mark(self, name: str) -> None:
        self._echo(self._playback.mark(name))

    def _clear(self) -> None:
        self._call.note("cleared", stream=self.sid, waiting_ms=round(self._playback.waiting_ms))
        self._echo(self._playback.clear())

    def _echo(self, marks: list[str]) -> None:
        for name in marks:
            self._send_mark(name)

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
        self._report("stopped")

    def _fail(self, code: int, message: str) -> bool:
        self._call.note("debugger", code=code, message=message, stream=self.sid)
        self._report("failed", error=f"{code}: {message}")
        self.over.set_result(None)
        return False

    def _warn(self, code: int, message: str) -> None:
        if code not in self._has_warned:
            self._has_warned.add(code)
            self._call.note("debugger", code=code, message=message, stream=self.sid)
