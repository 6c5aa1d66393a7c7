"""Whom the session tells what happened; it knows no database. The journal is the real one, tests bring their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from apps.calls.media.frames import ToolCall, Usage


class Cause(StrEnum):
    """Why a session ended. The same words as the call's end reasons."""

    CALLER_HUNG_UP = "caller_hung_up"
    AI_ENDED = "ai_ended"
    TIME_LIMIT = "time_limit"
    AI_FAILED = "ai_failed"
    MEDIA_LOST = "media_lost"
    CARRIER_FAILED = "carrier_failed"
    TRANSFERRED = "transferred"  # detail: to whom, E.164
    LEFT = "left"  # the AI went, the line stays


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """detail: a stable code that says more."""

    cause: Cause
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """Times in ms on the clock of the call. text of the AI: what was heard of it. system: a recorded phrase of ours."""

    item_id: str
    speaker: Literal["caller", "ai", "system"]
    text: str
    started_ms: int
    ended_ms: int
    was_interrupted: bool = False
    language: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a tool.

    text: a sentence for the model. digits: keys to press for it, as tones on the line; "w" is a pause. transfer_to:
    E.164; the line goes there once the AI's next sentence has been heard. ends_call: the call ends once the AI has said
    goodbye. recording: pause, resume or stop; the line's sound is kept, or not, before the model hears of it.
    """

    text: str
    digits: str = ""
    transfer_to: str = ""
    ends_call: bool = False
    recording: Literal["", "pause", "resume", "stop"] = ""


class Sink(Protocol):
    """All but the coroutines return at once: what is told waits in memory for the database."""

    def turn(self, turn: SpokenTurn) -> None:
        """To be kept. The same item_id again replaces what was told before."""
        ...

    def partial(self, turn: SpokenTurn) -> None:
        """For eyes that watch the call; may be lost."""
        ...

    def event(self, kind: str, data: Mapping[str, object]) -> None: ...

    def usage(self, usage: Usage) -> None: ...

    def joined(self, provider: str, model: str) -> None:
        """Who speaks from now on: usage told after this is theirs."""
        ...

    async def run_tool(self, call: ToolCall) -> ToolResult:
        """Do what the AI asks. Raises nothing the AI could not be told."""
        ...

    async def give_up(self) -> None:
        """No voice AI can be had any more: see to it that the person is called back. Raises nothing."""
        ...

    async def close(self, end: SessionEnd) -> None:
        """Keep everything told so far, then act on the end."""
        ...
