"""What the brain is shown, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Say:
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: dict[str, Any]


Reply = tuple[Say | Call, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that happened. who: caller, silence, ai, note (system message), call, result."""

    who: str
    text: str = ""
    intents: tuple[str, ...] = ()
    language: str | None = None
    tone_ms: int = 0
    was_cut: bool = False
    """Of the AI: the contact did not hear it to the end."""
    name: str = ""
    call_id: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a reply depends on."""

    instructions: str
    tools: Sequence[Mapping[str, Any]]
    history: Sequence[Turn]
    now: datetime
    """Used if the instructions name no time of their own."""
    tool_choice: str | Mapping[str, Any] = "auto"
    may_call_in_parallel: bool = True
    told: str = ""
    """The instructions of this one response.create."""
    is_out_of_band: bool = False
