"""The audio of one call, advanced 20 ms at a time, and the one loop that advances them all."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Protocol

from apps.sandbox.carrier.callee import CalleeActor
from apps.sandbox.carrier.clock import Clock
from apps.sandbox.carrier.recorder import Recorder
from apps.sandbox.speech import FRAME_BYTES, SILENCE_FRAME

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # in the standard library up to 3.12, audioop-lts from 3.13
    import audioop

log = logging.getLogger(__name__)

_FRAME_S = 0.02
_MIN_SLEEP_S = 0.002
_MAX_BEHIND_FRAMES = 25  # beyond half a second the time is given up rather than rushed through


class Player(Protocol):
    """What the callee hears."""

    def next_frame(self) -> bytes: ...


class Tap(Protocol):
    """Somebody who gets both directions of a call's audio."""

    def take(self, far: bytes, near: bytes) -> None: ...


class ClipPlayer:
    """Plays μ-law to its end; `finished` is done then."""

    def __init__(self, mulaw: bytes) -> None:
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._frames: Iterator[bytes] = iter(
            [mulaw[i : i + FRAME_BYTES].ljust(FRAME_BYTES, b"\xff") for i in range(0, len(mulaw), FRAME_BYTES)]
        )

    def next_frame(self) -> bytes:
        frame = next(self._frames, None)
        if frame is None:
            if not self.finished.done():
                self.finished.set_result(None)
            return SILENCE_FRAME
        return frame


class BridgePlayer:
    """What the party at the end of another line says."""

    def __init__(self, other: Line) -> None:
        self._other = other

    def next_frame(self) -> bytes:
        return self._other.last_said


def mixed(one: bytes, other: bytes) -> bytes:
    """Two frames of μ-law heard at once."""
    return audioop.lin2ulaw(audioop.add(audioop.ulaw2lin(one, 2), audioop.ulaw2lin(other, 2), 2), 2)


class Line:
    """The audio between one far party and the carrier."""

    def __init__(self, callee: CalleeActor) -> None:
        self.callee = callee
        self.sources: list[Player] = []  # the far party hears them mixed
        self.taps: list[Tap] = []
        self.recorders: list[Recorder] = []
        self.last_said = SILENCE_FRAME
        self.n_frames = 0

    def tick(self) -> None:
        near = self._near()
        far = self.callee.tick(near)
        self.last_said = far
        self.n_frames += 1
        for recorder in self.recorders:
            recorder.add(far, near)
        for tap in self.taps:
            tap.take(far, near)

    def _near(self) -> bytes:
        near = SILENCE_FRAME
        for source in self.sources:
            frame = source.next_frame()
            if frame is not SILENCE_FRAME:
                near = frame if near is SILENCE_FRAME else mixed(near, frame)
        return near


class Pacer:
    """Advances every live line in step with the clock: one loop for all calls instead of a timer for each."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[Line, Callable[[], None]] = {}
        self._has_lines = asyncio.Event()
        self.n_frames_given_up = 0

    @property
    def n_lines(self) -> int:
        return len(self._lines)

    def add(self, line: Line, on_broken: Callable[[], None]) -> None:
        """on_broken ends the one call whose audio could not be advanced."""
        self._lines[line] = on_broken
        self._has_lines.set()

    def remove(self, line: Line) -> None:
        self._lines.pop(line, None)
        if not self._lines:
            self._has_lines.clear()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        frame_s = self._clock.real(_FRAME_S)
        while True:
            await self._has_lines.wait()
            next_at = loop.time() + frame_s
            while self._lines:
                await asyncio.sleep(max(next_at - loop.time(), _MIN_SLEEP_S))
                n_due = int((loop.time() - next_at) / frame_s) + 1
                if n_due > _MAX_BEHIND_FRAMES:
                    self.n_frames_given_up += n_due - _MAX_BEHIND_FRAMES
                    next_at += (n_due - _MAX_BEHIND_FRAMES) * frame_s
                    n_due = _MAX_BEHIND_FRAMES
                for _ in range(n_due):
                    self._tick_all()
                next_at += n_due * frame_s

    def _tick_all(self) -> None:
        for line, on_broken in list(self._lines.items()):
            try:
                line.tick()
            except Exception:
                log.exception("a call's audio could not be advanced")
                self.remove(line)
                on_broken()
