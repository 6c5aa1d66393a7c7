"""Keys heard as tones: the two frequencies of DTMF in what the other side plays, and how to play them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from apps.sandbox.speech import FRAME_BYTES, RATE_HZ, SILENCE_FRAME, to_mulaw

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOW_HZ: Final = (697, 770, 852, 941)
_HIGH_HZ: Final = (1209, 1336, 1477, 1633)
_KEYS: Final = ("123A", "456B", "789C", "*0#D")
_MIN_RMS = 300.0  # on the 16-bit scale
_MIN_SHARE = 0.75  # of a frame's energy in the two tones: speech spreads it over many
_MIN_TONE_SHARE = 0.1  # in the weaker of the two
_MIN_FRAMES = 2  # 40 ms, as the standard asks


def _decoded() -> NDArray[np.float32]:
    """Every μ-law byte as a sample."""
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.float32)


_SAMPLES: Final = _decoded()
_PHASES: Final = 2 * np.pi * np.outer(np.array(_LOW_HZ + _HIGH_HZ), np.arange(FRAME_BYTES)) / RATE_HZ
_WAVES: Final = np.concatenate([np.cos(_PHASES), np.sin(_PHASES)]).astype(np.float32)  # 16 × 160


def _key_in(frame: bytes) -> str | None:
    """The key whose tones fill 20 ms of μ-law, if any."""
    samples = _SAMPLES[np.frombuffer(frame, dtype=np.uint8)]
    energy = float(samples @ samples)
    if energy < _MIN_RMS**2 * FRAME_BYTES:
        return None
    parts = _WAVES @ samples
    shares = (parts[:8] ** 2 + parts[8:] ** 2) * (2 / FRAME_BYTES / energy)
    low, high = int(shares[:4].argmax()), int(shares[4:].argmax())
    weaker, stronger = sorted((float(shares[low]), float(shares[4 + high])))
    if weaker < _MIN_TONE_SHARE or weaker + stronger < _MIN_SHARE:
        return None
    return _KEYS[low][high]


class ToneEar:
    """Hears one 20 ms frame after another and knows the keys pressed in it."""

    def __init__(self) -> None:
        self._key: str | None = None
        self._n_frames = 0

    def hear(self, frame: bytes) -> str | None:
        """Take in 20 ms of μ-law; the key, once, when its tones have lasted 40 ms."""
        key = None if frame is SILENCE_FRAME or len(frame) != FRAME_BYTES else _key_in(frame)
        if key != self._key:
            self._key, self._n_frames = key, 0
        if key is None:
            return None
        self._n_frames += 1
        return key if self._n_frames == _MIN_FRAMES else None


@lru_cache(maxsize=64)
def key_tone(key: str, duration_s: float = 0.1) -> bytes:
    """A key's two tones as 8 kHz μ-law in whole frames; ValueError if there is no such key."""
    row = next((i for i, keys in enumerate(_KEYS) if key in keys), None)
    if row is None or len(key) != 1:
        raise ValueError(f"no key {key!r}")
    at = 2 * np.pi * np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    wave = 8000 * (np.sin(at * _LOW_HZ[row]) + np.sin(at * _HIGH_HZ[_KEYS[row].index(key)]))
    return to_mulaw(np.asarray(np.rint(wave), dtype=np.int16))
