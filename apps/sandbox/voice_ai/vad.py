"""Server VAD: where in the received audio someone speaks, judged by energy, in audio time only.

Pure: no clock, no I/O. All positions are milliseconds since the first byte the client ever appended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from .g711 import BYTES_PER_MS, FRAME_BYTES, MULAW, SILENCE

FRAME_MS: Final = 20
_LEVEL_AT_FULL_THRESHOLD: Final = 1600  # of 32124; threshold 0.5 asks for peaks above -32 dBFS
_LOUD_SAMPLES: Final = 20  # of a frame's 160
_WINDOW: Final = 0b11111  # speech has begun when three of the last five frames are loud: clicks do not count
_LOUD_FRAMES: Final = 3
_KEEP_MS: Final = 2000


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    at_ms: int
    """Includes the prefix padding."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    at_ms: int
    """Includes the silence that ended the speech."""
    audio: bytes
    """μ-law from the start, padding included."""


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    start_ms: int
    at_ms: int
    audio: bytes


@dataclass(frozen=True, slots=True)
class VadSettings:
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    idle_timeout_ms: int | None = None


Heard = SpeechStarted | SpeechStopped | IdleTimeout


@cache
def _loudness_table(level: int) -> bytes:
    return bytes((np.abs(MULAW.astype(np.int32)) > level).astype(np.uint8))


def loud_frames(audio: bytes, threshold: float = 0.5) -> list[bool]:
    """Which of the audio's whole 20 ms frames carry sound."""
    table = _loudness_table(int(threshold * _LEVEL_AT_FULL_THRESHOLD))
    marks = audio.translate(table)
    return [
        marks.count(1, at, at + FRAME_BYTES) >= _LOUD_SAMPLES
        for at in range(0, len(audio) - FRAME_BYTES + 1, FRAME_BYTES)
    ]


class AudioBuffer:
    """The input audio buffer: what was appended and not yet committed, with VAD over it when switched on."""

    def __init__(self) -> None:
        self.settings: VadSettings | None = VadSettings()
        self.speaking = False
        self._audio = bytearray()
        self._dropped = 0  # bytes that were once before self._audio
        self._judged = 0  # bytes since the beginning that VAD has looked at
        self._recent = 0
        self._silent_ms = 0
        self._start = 0
        self._idle_from_ms: int | None = None

    @property
    def now_ms(self) -> int:
        return (self._dropped + len(self._audio)) // BYTES_PER_MS

    @property
    def held_ms(self) -> float:
        return len(self._audio) / BYTES_PER_MS

    def wait_for_speech_from(self, at_ms: int) -> None:
        """Start the idle clock at that moment of the audio, which may lie ahead."""
        self._idle_from_ms = at_ms

    def stop_waiting(self) -> None:
        self._idle_from_ms = None

    def configure(self, settings: VadSettings | None) -> None:
        self.settings = settings
        if settings is None:
            self.speaking, self._recent, self._silent_ms = False, 0, 0
            self._judged = self._dropped + len(self._audio)

    def clear(self) -> None:
        self._forget(self._dropped + len(self._audio))
        self._judged = self._dropped
        self.speaking, self._recent, self._silent_ms = False, 0, 0

    @property
    def spoken(self) -> bytes:
        """What has come of the speech that is going on."""
        return bytes(self._audio[self._start - self._dropped :]) if self.speaking else b""

    @property
    def silent_ms(self) -> int:
        """How long it has been silent since the last sound of the speech that is going on."""
        return self._silent_ms

    def take(self) -> bytes:
        """Everything held, for a commit; the buffer is empty afterwards."""
        held = bytes(self._audio)
        self.clear()
        return held

    def append(self, mulaw: bytes) -> Iterator[Heard]:
        """Yields what was noticed; consume it wholly before the next append."""
        self._audio += mulaw
        if self.settings is None:
            return
        settings = self.settings
        table = _loudness_table(int(settings.threshold * _LEVEL_AT_FULL_THRESHOLD))
        end = self._dropped + len(self._audio)
        while self._judged + FRAME_BYTES <= end:
            at = self._judged - self._dropped
            loud = self._audio[at : at + FRAME_BYTES].translate(table).count(1) >= _LOUD_SAMPLES
            self._judged += FRAME_BYTES
            heard = self._while_speaking(loud, settings) if self.speaking else self._while_quiet(loud, settings)
            if heard is not None:
                yield heard

    def _while_quiet(self, loud: bool, settings: VadSettings) -> Heard | None:
        self._recent = (self._recent << 1 | loud) & _WINDOW
        if loud and self._recent.bit_count() >= _LOUD_FRAMES:
            first_loud = self._judged - self._recent.bit_length() * FRAME_BYTES
            self._start = max(self._dropped, first_loud - settings.prefix_padding_ms * BYTES_PER_MS)
            self.speaking, self._silent_ms, self._recent = True, 0, 0
            self._idle_from_ms = None
            return SpeechStarted(self._start // BYTES_PER_MS)
        if self._is_idle(settings):
            idle_from, self._idle_from_ms = self._idle_from_ms or 0, None
            now_ms = self._judged // BYTES_PER_MS
            self._forget(self._judged)
            return IdleTimeout(idle_from, now_ms, bytes([SILENCE]) * (now_ms - idle_from) * BYTES_PER_MS)
        if len(self._audio) > 2 * _KEEP_MS * BYTES_PER_MS:
            keep_ms = max(_KEEP_MS, settings.prefix_padding_ms + 200)
            self._forget(max(self._dropped, self._judged - keep_ms * BYTES_PER_MS))
        return None

    def _is_idle(self, settings: VadSettings) -> bool:
        if settings.idle_timeout_ms is None or self._idle_from_ms is None or self._recent:
            return False
        return self._judged // BYTES_PER_MS >= self._idle_from_ms + settings.idle_timeout_ms

    def _while_speaking(self, loud: bool, settings: VadSettings) -> Heard | None:
        self._silent_ms = 0 if loud else self._silent_ms + FRAME_MS
        if self._silent_ms < settings.silence_duration_ms:
            return None
        audio = bytes(self._audio[self._start - self._dropped : self._judged - self._dropped])
        self.speaking, self._silent_ms = False, 0
        self._forget(self._judged)
        return SpeechStopped(self._judged // BYTES_PER_MS, audio)

    def _forget(self, upto: int) -> None:
        del self._audio[: upto - self._dropped]
        self._dropped = upto
