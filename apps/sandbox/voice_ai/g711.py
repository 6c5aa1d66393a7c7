"""G.711, 16 and 24 kHz PCM, to and from the 8 kHz μ-law everything in here is kept in (ITU-T G.711, 8 bytes = 1 ms)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

FRAME_BYTES: Final = 160
BYTES_PER_MS: Final = 8
SILENCE: Final = 0xFF

Samples = npt.NDArray[np.int16]


def _mulaw_levels() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_levels() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


MULAW: Final[Samples] = _mulaw_levels()
ALAW: Final[Samples] = _alaw_levels()


def _nearest_codes(levels: Samples) -> npt.NDArray[np.uint8]:
    """The code whose level is nearest, for each of the 65,536 int16 values read as uint16."""
    order = np.argsort(levels, kind="stable")
    ladder = levels[order].astype(np.int32)
    wanted = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    above = np.clip(np.searchsorted(ladder, wanted), 1, 255)
    nearer_below = wanted - ladder[above - 1] <= ladder[above] - wanted
    return order[np.where(nearer_below, above - 1, above)].astype(np.uint8)


_TO_MULAW: Final = _nearest_codes(MULAW)
_TO_MULAW[0] = SILENCE  # zero has two codes, 0x7F and 0xFF; everyone writes the second
_TO_ALAW: Final = _nearest_codes(ALAW)
_ALAW_TO_MULAW: Final = _TO_MULAW[ALAW.view(np.uint16)].tobytes()
_MULAW_TO_ALAW: Final = _TO_ALAW[MULAW.view(np.uint16)].tobytes()


def decode(mulaw: bytes) -> Samples:
    return MULAW[np.frombuffer(mulaw, np.uint8)]


def encode(samples: Samples) -> bytes:
    return _TO_MULAW[samples.view(np.uint16)].tobytes()


def alaw_to_mulaw(data: bytes) -> bytes:
    return data.translate(_ALAW_TO_MULAW)


def mulaw_to_alaw(data: bytes) -> bytes:
    return data.translate(_MULAW_TO_ALAW)


def _low_pass(taps: int, ratio: int) -> npt.NDArray[np.float32]:
    """Windowed sinc for the steps between 8 kHz and ratio times as much: flat to 3.4 kHz, unity gain."""
    k = np.arange(taps) - (taps - 1) / 2
    h = (0.94 / ratio) * np.sinc(0.94 / ratio * k) * np.kaiser(taps, 8.0)
    return np.asarray(h / h.sum(), np.float32)


_FIR: Final = _low_pass(144, 3)


def pcm24k_of(mulaw: bytes) -> bytes:
    """A whole utterance as 24 kHz little-endian PCM16: three samples for each μ-law byte."""
    stretched = np.zeros(len(mulaw) * 3, np.float32)
    stretched[::3] = decode(mulaw)
    smooth = np.convolve(stretched, _FIR * 3, mode="same")[: len(stretched)]
    return np.clip(np.rint(smooth), -32768, 32767).astype("<i2").tobytes()


class Pcm24kIn:
    """Streaming 24 kHz PCM16 to 8 kHz μ-law; odd bytes and thirds of a sample wait for the next chunk."""

    def __init__(self) -> None:
        self._rest = b""
        self._history = np.zeros(len(_FIR) - 1, np.float32)

    def __call__(self, pcm: bytes) -> bytes:
        data = self._rest + pcm
        whole = len(data) // 6 * 6
        self._rest = data[whole:]
        if not whole:
            return b""
        signal = np.concatenate([self._history, np.frombuffer(data[:whole], "<i2").astype(np.float32)])
        self._history = signal[-(len(_FIR) - 1) :]
        thirds = np.convolve(signal, _FIR, mode="valid")[::3]
        return encode(np.clip(np.rint(thirds), -32768, 32767).astype(np.int16))


_IS_LEVEL: Final = np.isin(np.arange(65536, dtype=np.uint16).view(np.int16), MULAW)
_HALVING: Final = _low_pass(96, 2)


class Pcm16kIn:
    """Streaming 16 kHz PCM16 to 8 kHz μ-law.

    Where every other sample is one that G.711 knows, as after doubling the rate of a telephone's sound in the usual
    way, those are taken as they are; else the sound is filtered. Odd bytes and samples wait for the next chunk.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._phase = 0
        self._history = np.zeros(len(_HALVING) - 1, np.float32)

    def __call__(self, pcm: bytes) -> bytes:
        data = self._rest + pcm
        whole = len(data) // 4 * 4
        self._rest = data[whole:]
        if not whole:
            return b""
        samples = np.frombuffer(data[:whole], "<i2").astype(np.int16)
        signal = np.concatenate([self._history, samples.astype(np.float32)])
        self._history = signal[-(len(_HALVING) - 1) :]
        for phase in (self._phase, 1 - self._phase):
            found = samples[phase::2]
            if _IS_LEVEL[found.view(np.uint16)].all():
                self._phase = phase
                return encode(np.ascontiguousarray(found))
        halved = np.convolve(signal, _HALVING, mode="valid")[::2]
        return encode(np.clip(np.rint(halved), -32768, 32767).astype(np.int16))


def decoder_of(audio_type: str) -> Callable[[bytes], bytes]:
    """From a format of the Realtime API to μ-law, piece by piece."""
    if audio_type == "audio/pcm":
        return Pcm24kIn()
    return alaw_to_mulaw if audio_type == "audio/pcma" else bytes
