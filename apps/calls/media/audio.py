"""G.711 and 16-bit PCM: coding, changing the rate in a stream, cutting what comes into whole frames.

Resampling is a windowed-sinc filter in whole blocks of two milliseconds, each a product with one small matrix that all
streams share: flat to 3.4 kHz, images and aliases of it below -80 dB, 3 ms of delay, and nothing held back beyond a
block.
"""

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # in the standard library up to 3.12, audioop-lts from 3.13
    import audioop

if TYPE_CHECKING:
    from numpy.typing import NDArray

PCMU_RATE_HZ: Final = 8000
FRAME_MS: Final = 20
PCMU_FRAME: Final = 160
"""Bytes of 20 ms."""
PCMU_SILENCE: Final = b"\xff"  # 0x00 would be a full-scale click
_BLOCK_MS: Final = 2
_TAPS: Final = 48
"""Per phase at 8 kHz: 6 ms in all."""
_BETA: Final = 8.0
_PASSBAND: Final = 0.94
"""Of the lower rate's half: where the filter begins to fall."""


def decode_pcmu(data: bytes) -> bytes:
    """μ-law → PCM16 of the same rate."""
    return audioop.ulaw2lin(data, 2)


def encode_pcmu(pcm: bytes) -> bytes:
    """PCM16 → μ-law of the same rate. pcm: whole samples."""
    return audioop.lin2ulaw(pcm, 2)


def decode_pcma(data: bytes) -> bytes:
    """A-law → PCM16 of the same rate."""
    return audioop.alaw2lin(data, 2)


def encode_pcma(pcm: bytes) -> bytes:
    """PCM16 → A-law of the same rate. pcm: whole samples."""
    return audioop.lin2alaw(pcm, 2)


def loudness(pcm: bytes) -> int:
    """Root mean square, 0–32767; speech on a line is some 500–6000."""
    return audioop.rms(pcm, 2)


@lru_cache
def _matrix(up: int, down: int) -> "NDArray[np.float32]":
    """(samples a block depends on) × (samples it becomes). Read only: all streams of these rates share it."""
    taps = _TAPS * down  # each output sample's reach, in input samples
    impulse = _half_band(taps) if up == 2 else _low_pass(taps, down)
    block = _block(down)
    matrix = np.zeros((block + taps - 1, block * up // down), np.float32)
    for column in range(matrix.shape[1]):
        first, phase = divmod(column * down, up)
        matrix[first : first + taps, column] = impulse[phase::up][::-1]
    matrix.flags.writeable = False
    return matrix


def _low_pass(taps: int, down: int) -> "NDArray[np.float64]":
    k = np.arange(taps) - (taps - 1) / 2
    cutoff = _PASSBAND / down
    impulse = cutoff * np.sinc(cutoff * k) * np.kaiser(taps, _BETA)
    return np.asarray(impulse / impulse.sum())


def _half_band(taps: int) -> "NDArray[np.float64]":
    """Doubles the rate: every other sample is one that came in, untouched, and only those between are computed."""
    n = 2 * taps - 1
    k = np.arange(n) - (n - 1) // 2
    impulse = np.sinc(k / 2) * np.kaiser(n, _BETA)
    impulse[k % 2 == 0] = 0.0
    impulse /= impulse.sum()
    impulse[k == 0] = 1.0
    return np.append(impulse, 0.0)


def _block(down: int) -> int:
    """Input samples of a block: the lower rate is always 8 kHz."""
    return PCMU_RATE_HZ // 1000 * _BLOCK_MS * down


class Resampler:
    """One direction of one stream, between 8 kHz and a multiple of it: up=2 is 8 → 16 kHz, down=3 is 24 → 8 kHz.

    Chunks may have any length, even split a sample; what makes no whole block waits for the next chunk.
    """

    def __init__(self, *, up: int = 1, down: int = 1) -> None:
        self._matrix = _matrix(up, down)
        self._block = _block(down)
        self._n_before = self._matrix.shape[0] - self._block
        self.reset()

    def reset(self) -> None:
        """Forget the sound so far: what comes next belongs to something else."""
        self._before: NDArray[np.float32] = np.zeros(self._n_before, np.float32)
        self._rest = b""

    def __call__(self, pcm: bytes) -> bytes:
        """PCM16 in, PCM16 out."""
        if self._rest:
            pcm = self._rest + pcm
        n_blocks = len(pcm) // (2 * self._block)
        n = n_blocks * self._block
        self._rest = pcm[2 * n :]
        if not n:
            return b""
        n_before = self._n_before
        signal = np.empty(n_before + n, np.float32)
        signal[:n_before] = self._before
        signal[n_before:] = np.frombuffer(pcm, "<i2", n)
        self._before = signal[n:]
        windows = np.ndarray((n_blocks, n_before + self._block), np.float32, signal, 0, (4 * self._block, 4))
        # Overlapping rows are not what BLAS takes; copied into rows of their own they are multiplied at once.
        out = windows.copy() @ self._matrix
        np.rint(out, out=out)
        np.maximum(out, -32768, out=out)  # numpy would wrap round in silence
        np.minimum(out, 32767, out=out)
        return out.astype("<i2").tobytes()


class ToLine:
    """PCM16 from a voice AI, in chunks of any length, as whole frames of 20 ms of 8 kHz μ-law."""

    def __init__(self, rate_hz: int) -> None:
        """rate_hz: a multiple of 8000."""
        self.rate_hz = rate_hz
        self._resample = Resampler(down=rate_hz // PCMU_RATE_HZ)
        self._rest = b""

    def __call__(self, pcm: bytes) -> bytes:
        """All frames that are complete by now; may be empty."""
        data = self._rest + encode_pcmu(self._resample(pcm))
        n = len(data) // PCMU_FRAME * PCMU_FRAME
        self._rest = data[n:]
        return data[:n]

    def flush(self) -> bytes:
        """The end of an utterance: what was held back, with silence up to a whole frame. Begins anew."""
        per_ms = self.rate_hz // 1000
        tail = self(bytes(2 * per_ms * (2 * _BLOCK_MS + _TAPS * 1000 // PCMU_RATE_HZ)))
        tail += self._rest + PCMU_SILENCE * (-len(self._rest) % PCMU_FRAME)
        self.reset()
        return tail

    def reset(self) -> None:
        """Forget what was held back: nobody is to hear it."""
        self._resample.reset()
        self._rest = b""
