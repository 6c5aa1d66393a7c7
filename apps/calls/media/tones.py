"""Key tones (DTMF, ITU-T Q.23) as 8 kHz μ-law, to be played into the line. Pure."""

import math
from functools import cache
from typing import Final

from apps.calls.media.audio import PCMU_SILENCE, encode_pcmu
from apps.calls.media.frames import PCMU_8K, Audio

_RATE_HZ: Final = 8000
_TONE_MS: Final = 100
_PAUSE_MS: Final = 60
_PEAK: Final = 8000  # of 32767, for each of the two tones
_LOW_HZ: Final = (697, 770, 852, 941)
_HIGH_HZ: Final = (1209, 1336, 1477, 1633)
_KEYS: Final = ("123A", "456B", "789C", "*0#D")
KEYS: Final = frozenset("".join(_KEYS))


def keys(digits: str) -> Audio:
    """One tone after another; a "w" or "," waits half a second. Raises ValueError for what is no key."""
    pieces = []
    for digit in digits.upper():
        if digit in "W,":
            pieces.append(PCMU_SILENCE * (_RATE_HZ // 2))
        elif digit in KEYS:
            pieces.append(_tone(digit) + PCMU_SILENCE * (_RATE_HZ * _PAUSE_MS // 1000))
        else:
            raise ValueError(f"not a key: {digit!r}")
    return Audio.of(b"".join(pieces), PCMU_8K)


@cache
def _tone(digit: str) -> bytes:
    row = next(n for n, line in enumerate(_KEYS) if digit in line)
    low, high = _LOW_HZ[row], _HIGH_HZ[_KEYS[row].index(digit)]
    turn = 2 * math.pi / _RATE_HZ
    wave = (
        round(_PEAK * (math.sin(turn * low * n) + math.sin(turn * high * n)))
        for n in range(_RATE_HZ * _TONE_MS // 1000)
    )
    return encode_pcmu(b"".join(sample.to_bytes(2, "little", signed=True) for sample in wave))
