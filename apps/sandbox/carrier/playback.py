"""What the media server has sent and the callee has yet to hear, with its marks."""

from __future__ import annotations

from collections import deque

from apps.sandbox.speech import FRAME_BYTES, SILENCE_BYTE, SILENCE_FRAME


class Playback:
    """μ-law waiting to be played in real time, 20 ms at a time.

    A mark is reached when everything sent before it has been played. Counters are bytes, 8 to the millisecond.
    """

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._marks: deque[tuple[int, str]] = deque()
        self._n_received = 0

    @property
    def waiting_ms(self) -> float:
        return len(self._waiting) / 8

    def feed(self, mulaw: bytes) -> None:
        self._waiting += mulaw
        self._n_received += len(mulaw)

    def mark(self, name: str) -> list[str]:
        """Queue a mark; returns the marks reached at once, which is this one when nothing waits."""
        self._marks.append((self._n_received, name))
        return self._reached()

    def clear(self) -> list[str]:
        """Drop what waits; returns every pending mark, oldest first."""
        self._waiting.clear()
        return self._reached()

    def next_frame(self) -> tuple[bytes, list[str]]:
        """The next 20 ms (silence if nothing waits) and the marks reached with it."""
        if not self._waiting:
            return SILENCE_FRAME, []
        frame = bytes(self._waiting[:FRAME_BYTES])
        del self._waiting[:FRAME_BYTES]
        if len(frame) < FRAME_BYTES:
            frame += SILENCE_BYTE * (FRAME_BYTES - len(frame))
        return frame, self._reached() if self._marks else []

    def _reached(self) -> list[str]:
        n_played = self._n_received - len(self._waiting)
        names = []
        while self._marks and self._marks[0][0] <= n_played:
            names.append(self._marks.popleft()[1])
        return names
