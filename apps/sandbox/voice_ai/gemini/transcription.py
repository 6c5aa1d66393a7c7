"""What is told of the caller's words: in two pieces, and not always that it is all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..hearing import Utterance

_REGIONS: Final = {"en": "en-US", "es": "es-ES", "cs": "cs-CZ"}


def transcription_messages(heard: Utterance, *, says_when_done: bool) -> Iterator[dict[str, Any]]:
    language = _REGIONS.get(heard.language or "")
    half = heard.text.find(" ", len(heard.text) // 2) + 1
    pieces = [piece for piece in (heard.text[:half], heard.text[half:]) if piece]
    for n, piece in enumerate(pieces):
        told: dict[str, Any] = {"text": piece} | ({"languageCode": language} if language else {})
        if n == len(pieces) - 1 and says_when_done:
            told["finished"] = True
        yield {"serverContent": {"inputTranscription": told}}
