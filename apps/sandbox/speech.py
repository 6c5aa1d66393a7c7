"""Spoken sentences as 8 kHz μ-law, synthesised with espeak-ng at run time.

The same text, language and voice give the same bytes in every process on a machine, so a server may recognise a clip
by comparing it with its own rendering of the sentence.
"""

from __future__ import annotations

import _ctypes
import ctypes
import math
import threading
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import espeakng_loader
import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # in the standard library up to 3.12, audioop-lts from 3.13
    import audioop

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 8000
FRAME_BYTES = 160  # 20 ms of 8 kHz μ-law
SILENCE_BYTE = b"\xff"  # μ-law zero; 0x00 would be a full-scale click
SILENCE_FRAME = SILENCE_BYTE * FRAME_BYTES

_ESPEAK_RATE_HZ = 22050
_PEAK = 20000  # of 32767: loud, but well away from clipping
_RMS = 3400.0  # of active speech, about -20 dBFS
_WORDS_PER_MINUTE = 165

_LANGUAGES = {"en": "en-us", "es": "es", "cs": "cs"}
_VARIANTS = {"a": ("m3", 42), "b": ("Annie", 50)}  # espeak voice variant and pitch 0–100

_AUDIO_OUTPUT_RETRIEVAL = 1
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_PARAMETER_RATE = 1
_PARAMETER_PITCH = 3

_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class SpeechError(RuntimeError):
    """espeak-ng could not be loaded or refused a voice or a text."""


def _render(text: str, voice: str, pitch: int) -> NDArray[np.int16]:
    """22050 Hz samples from a freshly loaded espeak-ng.

    Its oscillators and pitch flutter live in static variables that run on from one sentence to the next and that no
    call resets; unloading the library does (about 1 ms), so a sentence sounds the same whatever was said before it.
    """
    try:
        library: Any = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    except OSError as error:
        raise SpeechError(f"espeak-ng does not load: {error}") from error
    chunks: list[bytes] = []

    def collect(samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, count * 2))
        return 0

    callback = _SynthCallback(collect)
    try:
        rate = library.espeak_Initialize(_AUDIO_OUTPUT_RETRIEVAL, 0, str(espeakng_loader.get_data_path()).encode(), 0)
        if rate != _ESPEAK_RATE_HZ:
            raise SpeechError(f"espeak-ng answers with {rate} Hz instead of {_ESPEAK_RATE_HZ} Hz")
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechError(f"espeak-ng has no voice {voice!r}")
        library.espeak_SetParameter(_PARAMETER_RATE, _WORDS_PER_MINUTE, 0)
        library.espeak_SetParameter(_PARAMETER_PITCH, pitch, 0)
        buffer = ctypes.create_string_buffer(text.encode())
        size, flags = ctypes.c_size_t(len(buffer)), ctypes.c_uint(_CHARS_UTF8)
        if library.espeak_Synth(buffer, size, 0, _POS_CHARACTER, 0, flags, None, None) != 0:
            raise SpeechError(f"espeak-ng could not say {text!r}")
        library.espeak_Synchronize()
    finally:
        library.espeak_Terminate()
        _ctypes.dlclose(library._handle)
    return np.frombuffer(b"".join(chunks), dtype="<i2")


_lock = threading.Lock()


_UP, _DOWN = 160, 441  # 22050 × 160 / 441 = 8000
_PASS_HZ, _STOP_HZ = 3500.0, 3950.0


def _to_8_khz(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Resample the whole sentence in the frequency domain: flat to 3.5 kHz, nothing above 3.95 kHz to fold back."""
    n_blocks = (
        math.ceil(len(samples) / _DOWN) + 4
    )  # silence behind it, so that its end does not wrap into its beginning
    n_blocks += -n_blocks % 16  # a length without large prime factors transforms quickly
    padded = np.zeros(n_blocks * _DOWN)
    padded[: len(samples)] = samples
    spectrum = np.fft.rfft(padded)
    hz = np.fft.rfftfreq(len(padded), 1 / _ESPEAK_RATE_HZ)
    slope = np.clip((_STOP_HZ - hz) / (_STOP_HZ - _PASS_HZ), 0.0, 1.0)
    n_out = n_blocks * _UP
    kept = (spectrum * (0.5 - 0.5 * np.cos(np.pi * slope)))[: n_out // 2 + 1]
    return np.asarray(np.fft.irfft(kept, n_out) * (_UP / _DOWN))[: math.ceil(len(samples) * _UP / _DOWN)]


def _levelled(samples: NDArray[np.float64]) -> NDArray[np.int16]:
    """Bring active speech to one loudness; peaks are softly bent under the ceiling rather than clipped."""
    active = samples[np.abs(samples) > 100]
    if active.size == 0:
        return np.zeros(len(samples), dtype=np.int16)
    scaled = samples * (_RMS / math.sqrt(float(np.mean(active**2))))
    return np.asarray(np.rint(_PEAK * np.tanh(scaled / _PEAK)), dtype=np.int16)


def to_mulaw(samples: NDArray[np.int16]) -> bytes:
    """8 kHz PCM16 → μ-law, padded with silence to whole 20 ms frames."""
    encoded = audioop.lin2ulaw(samples.astype("<i2").tobytes(), 2)
    return encoded + SILENCE_BYTE * (-len(encoded) % FRAME_BYTES)


@lru_cache(maxsize=4096)
def synthesise(text: str, language: str, voice: str = "a") -> bytes:
    """The sentence as 8 kHz mono μ-law in whole 160-byte frames.

    language: "en", "es" or "cs"; voice: "a" (a callee) or "b" (the AI). Raises ValueError for another of either,
    SpeechError if espeak-ng fails. The first call for a sentence takes a few milliseconds, later ones nothing.
    """
    if language not in _LANGUAGES:
        raise ValueError(f"no voice for language {language!r}; there are {', '.join(_LANGUAGES)}")
    if voice not in _VARIANTS:
        raise ValueError(f"no voice {voice!r}; there are {', '.join(_VARIANTS)}")
    variant, pitch = _VARIANTS[voice]
    with _lock:
        raw = _render(text, f"{_LANGUAGES[language]}+{variant}", pitch)
    return to_mulaw(_levelled(_to_8_khz(raw)))


@lru_cache(maxsize=32)
def tone(hz: float, duration_s: float) -> bytes:
    """A sine of half amplitude as 8 kHz μ-law in whole frames: beeps and ringing."""
    k = np.arange(int(duration_s * RATE_HZ))
    wave = 12000 * np.sin(2 * np.pi * hz * k / RATE_HZ)
    return to_mulaw(np.asarray(np.rint(wave), dtype=np.int16))


def silence(duration_s: float) -> bytes:
    """Whole frames of μ-law silence, rounded up."""
    return SILENCE_FRAME * math.ceil(duration_s * RATE_HZ / FRAME_BYTES)


def loudness(mulaw: bytes) -> int:
    """RMS of μ-law audio on the 16-bit scale; speech here is about 1000–6000, silence 0."""
    return audioop.rms(audioop.ulaw2lin(mulaw, 2), 2) if mulaw else 0
