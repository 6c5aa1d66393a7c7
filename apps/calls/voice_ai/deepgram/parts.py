"""What the pipeline asks of its three parts: who listens, who thinks and who speaks; and how each of them is lost."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from apps.calls.media.frames import Usage
from apps.calls.voice_ai.base import ToolSpec
from apps.calls.voice_ai.deepgram.dialogue import Dialogue, ToolUse

# Refusals of a moment: asking again soon is reasonable.
RETRYABLE_STATUS: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 529})

# Numbers stretches of speech, so that sound of one voice is never taken for another's.
new_stretch: Final = count(1).__next__


# ── Listening ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Began:
    """First words of a turn of the caller's. at_ms: on the clock of the audio given since the part was opened."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    """All of the turn so far. sure: how many of its characters will not change any more."""

    text: str
    sure: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The turn is over. text: "" if nothing could be made of it. language: ISO 639-1, "" if unknown."""

    text: str
    language: str
    at_ms: int


Listened = Began | Heard | Ended


class Listener(Protocol):
    @property
    def model(self) -> str: ...

    @property
    def sent_ms(self) -> int:
        """Audio given since it was opened: what is billed."""
        ...

    async def open(self) -> None:
        """Raises VoiceAIError."""
        ...

    def send(self, mulaw: bytes) -> bool:
        """Give sound; False if it cannot be taken now."""
        ...

    async def stay_awake(self) -> None:
        """Called now and then: keeps the connection open while there is no sound."""
        ...

    async def finish(self) -> None:
        """No more sound comes: make words of what is there."""
        ...

    def events(self) -> AsyncIterator[Listened]:
        """Ends with our own close; raises VoiceAIError when the part is lost."""
        ...

    async def close(self) -> None: ...


# ── Thinking ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Task:
    """What the language model is asked. told: a request for this one answer only, "" for none."""

    instructions: str
    dialogue: Dialogue
    tools: Sequence[ToolSpec]
    told: str = ""
    caller_id: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A further piece of what is to be said."""

    text: str


Thought = Words | ToolUse | Usage


class Thinker(Protocol):
    def think(self, task: Task) -> AsyncIterator[Thought]:
        """One answer as it comes; close the iterator to abort it. Raises VoiceAIError."""
        ...


# ── Speaking ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Sound:
    """μ-law of 8 kHz in whole frames of 160 bytes, of the stretch it was said in."""

    stretch: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Spoken:
    """All sound of a stretch has come."""

    stretch: int


class Speaker(Protocol):
    @property
    def service(self) -> str: ...

    @property
    def model(self) -> str: ...

    async def open(self) -> None:
        """Raises VoiceAIError."""
        ...

    def next_stretch(self) -> int:
        """Which stretch the next sentence will belong to; several may share one."""
        ...

    async def say(self, text: str) -> None:
        """Speak one sentence. Raises VoiceAIError."""
        ...

    async def finish(self) -> None:
        """The answer is complete: hold nothing back. Raises VoiceAIError."""
        ...

    async def clear(self) -> None:
        """Be silent: of all that was given nothing more comes."""
        ...

    def events(self) -> AsyncIterator[Sound | Spoken]:
        """Ends with our own close; raises VoiceAIError when the part is lost while it has something to say."""
        ...

    async def close(self) -> None: ...
