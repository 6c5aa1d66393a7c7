"""What the session asks of a voice AI, whoever provides it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from apps.calls.media.frames import AiEvent, Audio, AudioFormat

ANY_LANGUAGE = "*"


class VoiceAIError(Exception):
    """The provider could not be reached or refused. code: a stable word for logs and metrics.

    retryable: the same request may succeed a moment later.
    """

    def __init__(self, code: str, message: str = "", *, retryable: bool) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, declared rather than guessed.

    formats_in, formats_out: what its wire takes and gives; an adapter converts, so that the session has the line's
    format at both ends. hears, speaks: languages, ISO 639-1. voices: language → voices, the first one the usual;
    ANY_LANGUAGE where each voice speaks every language; empty where any name may be given. models: the usual one first.
    server_turns: it hears when the caller starts and stops to speak. resumable: a lost conversation can be continued
    by a handle. is_told_cuts: it can be told how much of its speech was heard. is_pipeline: speech to text, a language
    model and text to speech, each with a model and a price of its own.
    """

    formats_in: frozenset[AudioFormat]
    formats_out: frozenset[AudioFormat]
    hears: frozenset[str]
    speaks: frozenset[str]
    voices: Mapping[str, Sequence[str]]
    models: Sequence[str]
    server_turns: bool
    tools: bool
    resumable: bool
    is_told_cuts: bool
    is_pipeline: bool = False


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function the model may call. parameters: JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PastTurn:
    speaker: Literal["caller", "ai"]
    text: str


@dataclass(frozen=True, slots=True)
class VoiceBrief:
    """How the AI is to speak: everything it is told before the first word.

    language: ISO 639-1, what it begins in. languages: what callers may answer in. caller_id: a stable pseudonym of
    the person, for the provider's abuse checks. idle_prompt_ms: speak up after so long a silence, None never. model:
    the speech model, of a pipeline the one that listens. llm: of a pipeline, who thinks, as ``service:model``.
    speech: of a pipeline, who speaks this language, as ``service:model``.
    """

    model: str
    voice: str
    instructions: str
    language: str
    languages: Sequence[str]
    tools: Sequence[ToolSpec] = ()
    caller_id: str = ""
    idle_prompt_ms: int | None = None
    llm: str = ""
    speech: str = ""


class VoiceAI(Protocol):
    """One conversation with a provider. After a loss the same object may be opened again."""

    @property
    def name(self) -> str:
        """The provider's code, fit for a metric label."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def open(self, brief: VoiceBrief, history: Sequence[PastTurn] = ()) -> None:
        """Connect and configure; history is what was said before. Raises VoiceAIError."""
        ...

    async def send_audio(self, audio: Audio) -> None:
        """Never waits for a slow provider: audio it cannot take is dropped and counted in n_dropped."""
        ...

    def forget_unsent(self) -> None:
        """Sound that waits to be sent will be given once more, with what went before it."""
        ...

    @property
    def n_dropped(self) -> int:
        """Frames of caller audio thrown away so far because the provider did not take them."""
        ...

    def events(self) -> AsyncIterator[AiEvent]:
        """What the provider says, until it ends the conversation. Raises VoiceAIError when it is lost."""
        ...

    async def speak(self, prompt: str) -> None:
        """Have it say something now, as the prompt tells it."""
        ...

    async def note(self, text: str) -> None:
        """Tell it something without having it speak: a key the caller pressed, a hint."""
        ...

    async def change(self, brief: VoiceBrief) -> None:
        """Go on by another brief: another language, other instructions. The voice changes where the provider can."""
        ...

    async def cut(self, item_id: str, heard_ms: int) -> None:
        """The caller has heard only so much of an utterance; the rest was never said."""
        ...

    async def answer_tool(self, tool_call_id: str, result: str, *, respond: bool = True) -> None:
        """Give a tool's result. respond: have the model go on speaking once all its calls are answered."""
        ...

    async def end_of_caller_audio(self) -> None:
        """No more audio will come: let it finish recognising what it has."""
        ...

    async def close(self) -> None: ...
