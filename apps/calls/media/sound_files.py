"""A recording that somebody uploads, as the sound of a telephone line: WAV in, 8 kHz mono μ-law out.

What is read: integers of 8 to 32 bits, floats, and G.711, at any usual rate, with one channel or several. The file
comes from outside: nothing in it is believed before it was looked at, and no more is computed than what may be kept.
"""

import struct
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from apps.calls.media.audio import PCMU_RATE_HZ, decode_pcma, decode_pcmu, encode_pcmu

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INTEGERS, _FLOATS, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_FORMAT: Final = struct.Struct("<HHIIHH")
_SUBFORMAT_AT: Final = 24
_HEAD_BYTES: Final = 4096
"""Within so many the samples begin, in what carriers write."""
_RATES_HZ: Final = range(4_000, 192_001)
_MAX_CHANNELS: Final = 8
_EDGE_S: Final = 0.05
_PASSBAND: Final = 0.9
"""Of the lower rate's half: where what is kept of the sound begins to fade."""
_WINDOW: Final = PCMU_RATE_HZ // 10
_QUIETEST: Final = 100.0
"""RMS of the loudest tenth of a second, of 32767; speech on a line is some 500–6000."""


class BadSound(Exception):
    """code: not_wav, coding, damaged, empty, too_long or silent."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Layout:
    coding: int
    channels: int
    rate_hz: int
    bits: int

    @property
    def bytes_per_frame(self) -> int:
        return self.channels * self.bits // 8


def for_line(wav: bytes, *, longest_s: float) -> bytes:
    """The sound of a WAV file as μ-law at 8 kHz, mono. Raises BadSound."""
    layout, body = _parts(wav)
    n_frames = len(body) // layout.bytes_per_frame
    if not n_frames:
        raise BadSound("empty")
    if n_frames > longest_s * layout.rate_hz:
        raise BadSound("too_long")
    pcm = _samples(layout, body[: n_frames * layout.bytes_per_frame])
    sound = pcm.reshape(-1, layout.channels).mean(axis=1, dtype=np.float32) if layout.channels > 1 else pcm
    if not np.isfinite(sound).all():
        raise BadSound("damaged")
    sound = np.clip(at_rate(np.clip(sound, -1.0, 1.0), layout.rate_hz, PCMU_RATE_HZ) * 32767.0, -32768.0, 32767.0)
    if not len(sound):
        raise BadSound("empty")
    if _loudest(sound) < _QUIETEST:
        raise BadSound("silent")
    return encode_pcmu(np.rint(sound).astype("<i2").tobytes())


def at_rate(sound: "NDArray[np.float32]", from_hz: int, to_hz: int) -> "NDArray[np.float32]":
    """A whole piece of sound at another rate, by way of its spectrum: any two rates will do."""
    if from_hz == to_hz or not len(sound):
        return sound
    # A spectrum goes round in a circle: silence at both edges keeps the end of the sound out of its beginning.
    edge = int(_EDGE_S * from_hz) + 1
    step = from_hz // gcd(from_hz, to_hz)  # lengths that are whole at both rates
    n = -(-(len(sound) + 2 * edge) // step) * step
    m = n // step * (to_hz // gcd(from_hz, to_hz))
    padded = np.zeros(n, np.float32)
    padded[edge : edge + len(sound)] = sound
    spectrum = np.fft.rfft(padded)
    n_kept = min(n, m) // 2 + 1
    n_flat = int(n_kept * _PASSBAND)
    kept = np.zeros(m // 2 + 1, spectrum.dtype)
    kept[:n_kept] = spectrum[:n_kept]
    if to_hz < from_hz:  # cut off at once it would ring
        kept[n_flat:n_kept] *= 0.5 + 0.5 * np.cos(np.linspace(0.0, np.pi, n_kept - n_flat))
    out = np.fft.irfft(kept, m) * (m / n)
    start = round(edge * to_hz / from_hz)
    return out[start : start + round(len(sound) * to_hz / from_hz)].astype(np.float32)


def sides(path: Path) -> "list[NDArray[np.int16]]":
    """Each channel of a WAV file of 16-bit samples, as it stands on the disk: nothing is read yet. Raises BadSound."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    layout, body = _parts(head)
    if (layout.coding, layout.bits) != (_INTEGERS, 16):
        raise BadSound("coding")
    begin = len(head) - len(body)
    n_frames = (path.stat().st_size - begin) // layout.bytes_per_frame
    if not n_frames:
        raise BadSound("empty")
    samples = np.memmap(path, "<i2", "r", begin, (n_frames, layout.channels))
    return [samples[:, channel] for channel in range(layout.channels)]


def _parts(wav: bytes) -> tuple[_Layout, bytes]:
    """How the samples are written, and the samples."""
    if wav[:4] != b"RIFF" or wav[8:12] != b"WAVE":
        raise BadSound("not_wav")
    layout: _Layout | None = None
    at = 12
    while at + 8 <= len(wav):
        name, size = wav[at : at + 4], int.from_bytes(wav[at + 4 : at + 8], "little")
        begin = at + 8
        if name == b"fmt ":
            layout = _layout(wav[begin : begin + size])
        elif name == b"data":
            if layout is None:
                raise BadSound("damaged")
            return layout, wav[begin : begin + size]  # who writes to a pipe does not know the size: it is the rest
        at = begin + size + size % 2
    raise BadSound("damaged" if layout is None else "empty")


def _layout(chunk: bytes) -> _Layout:
    if len(chunk) < _FORMAT.size:
        raise BadSound("damaged")
    coding, channels, rate_hz, _bytes_per_s, bytes_per_frame, bits = _FORMAT.unpack_from(chunk)
    if coding == _EXTENSIBLE:
        if len(chunk) < _SUBFORMAT_AT + 2:
            raise BadSound("damaged")
        coding = int.from_bytes(chunk[_SUBFORMAT_AT : _SUBFORMAT_AT + 2], "little")
    known = {_INTEGERS: (8, 16, 24, 32), _FLOATS: (32, 64), _A_LAW: (8,), _MU_LAW: (8,)}
    if bits not in known.get(coding, ()) or not 1 <= channels <= _MAX_CHANNELS or rate_hz not in _RATES_HZ:
        raise BadSound("coding")
    layout = _Layout(coding, channels, rate_hz, bits)
    if bytes_per_frame != layout.bytes_per_frame:
        raise BadSound("coding")
    return layout


def _samples(layout: _Layout, body: bytes) -> "NDArray[np.float32]":
    """From -1 to 1, channel by channel in turn."""
    if layout.coding in {_A_LAW, _MU_LAW}:
        decode = decode_pcma if layout.coding == _A_LAW else decode_pcmu
        return np.frombuffer(decode(body), "<i2").astype(np.float32) / 32768.0
    if layout.coding == _FLOATS:
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is no sound, and refused as such
            return np.frombuffer(body, f"<f{layout.bits // 8}").astype(np.float32)
    if layout.bits == 8:  # the only one without a sign
        return (np.frombuffer(body, np.uint8).astype(np.float32) - 128.0) / 128.0
    if layout.bits == 24:
        whole = np.zeros((len(body) // 3, 4), np.uint8)
        whole[:, 1:] = np.frombuffer(body, np.uint8).reshape(-1, 3)
        return whole.view("<i4")[:, 0].astype(np.float32) / float(1 << 31)
    return np.frombuffer(body, f"<i{layout.bits // 8}").astype(np.float32) / float(1 << (layout.bits - 1))


def _loudest(sound: "NDArray[np.float32]") -> float:
    """RMS of the loudest tenth of a second; of all of it where it is shorter."""
    whole = sound[: len(sound) // _WINDOW * _WINDOW].reshape(-1, _WINDOW) if len(sound) >= _WINDOW else sound[None, :]
    return float(np.sqrt(np.mean(np.square(whole, dtype=np.float64), axis=1)).max())
