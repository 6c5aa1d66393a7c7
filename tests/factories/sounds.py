"""WAV files as people upload them, and what they hold."""

import struct

import numpy as np


def tone(hz: float, seconds: float, *, rate_hz: int = 8000, loudness: float = 0.5) -> "np.ndarray":
    """From -1 to 1."""
    return loudness * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def wav_file(
    body: bytes, *, coding: int = 1, channels: int = 1, rate_hz: int = 8000, bits: int = 16, is_extensible: bool = False
) -> bytes:
    """A WAV file with these samples, and a chunk before them that players pass over."""
    per_frame = channels * bits // 8
    kind = 0xFFFE if is_extensible else coding
    fmt = struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * per_frame % 2**32, per_frame, bits)
    if is_extensible:
        fmt += struct.pack("<HHIH", 22, bits, 0, coding) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = b"LIST" + struct.pack("<I", 5) + b"hello\0"
    chunks += b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def spoken_wav(seconds: float = 2.0, *, rate_hz: int = 16_000, hz: float = 500.0) -> bytes:
    """A recording of 16 bits that can be used."""
    return wav_file((tone(hz, seconds, rate_hz=rate_hz) * 32767).astype("<i2").tobytes(), rate_hz=rate_hz)
