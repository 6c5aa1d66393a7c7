"""The beep after which an answering machine records: one steady tone, and then nothing."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.calls.media.audio import decode_pcmu
from apps.calls.media.frames import Audio

_RATE_HZ: Final = 8000
_WINDOW: Final = 320  # 40 ms: bins of 25 Hz
_LOWEST_HZ, _HIGHEST_HZ = 350, 2500
_PURITY: Final = 0.75  # of the energy in one line of the spectrum; speech stays well under it
_LEVEL: Final = 200.0  # RMS of a 16-bit sample
_SHORTEST_MS, _LONGEST_MS = 120, 3000
_WINDOW_MS: Final = _WINDOW * 1000 // _RATE_HZ
_HANN: Final = np.hanning(_WINDOW).astype(np.float32)


class BeepEar:
    """Give it the caller's frames, in order; it says when a beep has ended. 30 µs a frame: not for whole calls."""

    def __init__(self) -> None:
        self._samples: NDArray[np.int16] = np.empty(0, np.int16)
        self._tone_bin = -1
        self._tone_ms = 0

    def hear(self, audio: Audio) -> bool:
        pcm = np.frombuffer(decode_pcmu(audio.data), "<i2")
        self._samples = np.concatenate([self._samples, pcm])
        has_ended = False
        while len(self._samples) >= _WINDOW:
            window, self._samples = self._samples[:_WINDOW], self._samples[_WINDOW:]
            has_ended = self._take(window.astype(np.float32)) or has_ended
        return has_ended

    def _take(self, window: NDArray[np.float32]) -> bool:
        power = np.abs(np.fft.rfft(window * _HANN)) ** 2
        peak = int(np.argmax(power))
        total = float(power.sum())
        line = float(power[max(0, peak - 2) : peak + 3].sum())
        is_tone = (
            float(np.sqrt(np.mean(window**2))) > _LEVEL
            and line > _PURITY * total
            and _LOWEST_HZ <= peak * _RATE_HZ / _WINDOW <= _HIGHEST_HZ
        )
        if is_tone and (self._tone_bin < 0 or abs(peak - self._tone_bin) <= 1):
            self._tone_bin = peak
            self._tone_ms += _WINDOW_MS
            return False
        was_beep = _SHORTEST_MS <= self._tone_ms <= _LONGEST_MS
        self._tone_bin, self._tone_ms = (peak, _WINDOW_MS) if is_tone else (-1, 0)
        return was_beep and not is_tone
