"""Token counts as plausible as text lengths and audio durations allow; they move like the bill does.

Caller audio: one token per 100 ms. AI audio: one per 50 ms. Text: one per four characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, Final

_CACHE_BLOCK: Final = 64
_REQUESTS_PER_MINUTE: Final = 20_000
_TOKENS_PER_MINUTE: Final = 2_000_000


def text_tokens(text: str) -> int:
    return ceil(len(text) / 4)


def caller_audio_tokens(ms: float) -> int:
    return ceil(ms / 100)


def ai_audio_tokens(ms: float) -> int:
    return ceil(ms / 50)


@dataclass(frozen=True, slots=True)
class Tokens:
    text: int = 0
    audio: int = 0

    @property
    def total(self) -> int:
        return self.text + self.audio

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio)


def cached_part(now: Tokens, before: Tokens) -> Tokens:
    """What of this prompt the provider has kept from the response before, in whole blocks; text counts first."""
    text = min(now.text, before.text)
    audio = min(now.audio, before.audio)
    whole = (text + audio) // _CACHE_BLOCK * _CACHE_BLOCK
    kept_text = min(text, whole)
    return Tokens(kept_text, whole - kept_text)


def response_usage(prompt: Tokens, cached: Tokens, output: Tokens) -> dict[str, Any]:
    return {
        "total_tokens": prompt.total + output.total,
        "input_tokens": prompt.total,
        "output_tokens": output.total,
        "input_token_details": {
            "text_tokens": prompt.text,
            "audio_tokens": prompt.audio,
            "image_tokens": 0,
            "cached_tokens": cached.total,
            "cached_tokens_details": {"text_tokens": cached.text, "audio_tokens": cached.audio, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": output.text, "audio_tokens": output.audio},
    }


def transcription_usage(model: str, audio_ms: float, transcript: str) -> dict[str, Any]:
    """whisper-1 is billed by the second, its successors by tokens."""
    if model == "whisper-1":
        return {"type": "duration", "seconds": round(audio_ms / 1000, 3)}
    heard, written = caller_audio_tokens(audio_ms), max(1, text_tokens(transcript))
    return {
        "type": "tokens",
        "total_tokens": heard + written,
        "input_tokens": heard,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        "output_tokens": written,
    }


def rate_limits(n_requests: int, n_tokens: int) -> list[dict[str, Any]]:
    """What an account may still use this minute, after so much."""
    return [
        {
            "name": "requests",
            "limit": _REQUESTS_PER_MINUTE,
            "remaining": _REQUESTS_PER_MINUTE - n_requests,
            "reset_seconds": 0.003,
        },
        {
            "name": "tokens",
            "limit": _TOKENS_PER_MINUTE,
            "remaining": max(0, _TOKENS_PER_MINUTE - n_tokens),
            "reset_seconds": round(60 * n_tokens / _TOKENS_PER_MINUTE, 3),
        },
    ]
