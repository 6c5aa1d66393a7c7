"""Whether somebody speaks, judged by loudness alone, for providers that do not reliably say. Pure: counts frames."""

from enum import Enum
from typing import Final

_FRAME_MS: Final = 20
_WINDOW: Final = (1 << 10) - 1
_LOUD_FRAMES: Final = 6  # of the last ten: a click or a cough of 100 ms is no speech
_SILENT_FRAMES: Final = 25
_LEAST_LEVEL: Final = 300  # of 32767, about -41 dBFS: below it is no voice on a telephone line
_ABOVE_NOISE: Final = 3.0
_NOISE_RISES: Final = 0.01  # per frame
_NOISE_RISES_IN_SPEECH: Final = 0.002  # speech has its gaps; what has none for some four seconds is a hum
_MOST_NOISE: Final = 1500.0


class Change(Enum):
    STARTED = 1
    STOPPED = 2


class VoiceActivity:
    """Takes the loudness of one 20 ms frame after the other; times are milliseconds of audio heard so far."""

    def __init__(self) -> None:
        self.heard_ms = 0.0
        self.is_speaking = False
        self.started_ms = 0
        self.stopped_ms = 0
        """End of the last sound that was speech."""
        self._noise = 0.0
        self._recent = 0
        self._n_silent = 0

    def hear(self, level: int, ms: float = _FRAME_MS) -> Change | None:
        """level: root mean square, 0–32767."""
        self.heard_ms += ms
        is_loud = level > max(_LEAST_LEVEL, self._noise * _ABOVE_NOISE)
        if level < self._noise:
            self._noise = float(level)
        else:
            rises = _NOISE_RISES_IN_SPEECH if self.is_speaking else _NOISE_RISES
            self._noise = min(_MOST_NOISE, self._noise + (level - self._noise) * rises)
        if self.is_speaking:
            return self._while_speaking(is_loud)
        self._recent = (self._recent << 1 | is_loud) & _WINDOW
        if is_loud and self._recent.bit_count() >= _LOUD_FRAMES:
            self.started_ms = max(0, int(self.heard_ms) - self._recent.bit_length() * _FRAME_MS)
            self._begin()
            return Change.STARTED
        return None

    def begin(self) -> None:
        """Somebody who knows says that the person speaks: the silence that ends it is waited for all the same."""
        if not self.is_speaking:
            self.started_ms = int(self.heard_ms)
            self._begin()

    def _begin(self) -> None:
        self.is_speaking, self._recent, self._n_silent = True, 0, 0
        self.stopped_ms = int(self.heard_ms)

    def _while_speaking(self, is_loud: bool) -> Change | None:
        if is_loud:
            self._n_silent, self.stopped_ms = 0, int(self.heard_ms)
            return None
        self._n_silent += 1
        if self._n_silent < _SILENT_FRAMES:
            return None
        self.is_speaking = False
        return Change.STOPPED
