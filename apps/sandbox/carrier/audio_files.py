"""Audio to be played: WAV (PCM of any usual rate) and raw μ-law, to 8 kHz μ-law."""

from __future__ import annotations

import io
import warnings
import wave

from apps.sandbox.speech import RATE_HZ

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # in the standard library up to 3.12, audioop-lts from 3.13
    import audioop

_MULAW_TYPES = frozenset({"audio/basic", "audio/x-mulaw", "audio/pcmu", "audio/ulaw"})


class UnknownAudio(ValueError):
    """Not a kind of audio the sandbox can play."""


def decode(data: bytes, content_type: str) -> bytes:
    """8 kHz mono μ-law. Raises UnknownAudio for anything but PCM WAV and raw μ-law."""
    if content_type in _MULAW_TYPES:
        return data
    try:
        with wave.open(io.BytesIO(data)) as wav:
            channels, width, rate = wav.getnchannels(), wav.getsampwidth(), wav.getframerate()
            pcm = wav.readframes(wav.getnframes())
    except (wave.Error, EOFError) as error:
        raise UnknownAudio(f"cannot play {content_type}: {error}") from error
    if width == 1:
        pcm = audioop.bias(pcm, 1, -128)  # WAV keeps 8 bits unsigned
    pcm = audioop.lin2lin(pcm, width, 2)
    if channels == 2:
        pcm = audioop.tomono(pcm, 2, 0.5, 0.5)
    if rate != RATE_HZ:
        pcm, _ = audioop.ratecv(pcm, 2, 1, rate, RATE_HZ, None)
    return audioop.lin2ulaw(pcm, 2)
