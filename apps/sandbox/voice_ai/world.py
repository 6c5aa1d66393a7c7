"""What the sessions of all providers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .hearing import ClipIndex, Line

LineOf = Callable[[str], Line | None]
"""Finds a known line by text that a client sends as text."""


class Synthesise(Protocol):
    """(text, language, voice) to 8 kHz μ-law in whole frames."""

    def __call__(self, text: str, language: str, voice: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class World:
    index: Callable[[], ClipIndex]
    synthesise: Synthesise
    line_of: LineOf
    speed: float = 1.0
    now: Callable[[], datetime] = lambda: datetime.now().astimezone()
