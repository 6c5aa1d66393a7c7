"""Words with times, as the listen sockets print them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from ..hearing import UNCLEAR, Utterance

_EDGE: Final = re.compile(r"^\W+|\W+$")
_TOO_EARLY_MS: Final = 1200


def so_far(heard: Utterance, ms: int) -> Utterance:
    """What to tell of speech that goes on: a beginning that could yet be anything is not told at all."""
    return Utterance("") if heard.text == UNCLEAR and ms < _TOO_EARLY_MS else heard


def timed_words(words: Sequence[str], start_s: float, end_s: float, language: str | None) -> list[dict[str, Any]]:
    """Each word with the time it takes by its letters."""
    total = sum(len(word) for word in words) or 1
    at, timed = start_s, []
    for word in words:
        until = at + (end_s - start_s) * len(word) / total
        plain = _EDGE.sub("", word).casefold() or word
        one: dict[str, Any] = {
            "word": plain,
            "start": round(at, 3),
            "end": round(until, 3),
            "confidence": 0.98,
            "punctuated_word": word,
        }
        timed.append(one | ({"language": language} if language else {}))
        at = until
    return timed


def languages_of(heard: Utterance) -> list[str]:
    """Codes by the number of words, most first."""
    counted: Counter[str] = Counter()
    for line in heard.lines:
        counted[line.language] += len(line.text.split())
    return [code for code, _ in counted.most_common()]
