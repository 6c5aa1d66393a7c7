"""Who looks on while a conversation runs, and may steer it: who picked up, which language is spoken."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from apps.calls.bridge.commands import Command
from apps.calls.bridge.sink import SessionEnd, SpokenTurn
from apps.calls.media.frames import Audio, ToolCall


class Acts(Protocol):
    """What a watcher may ask of the session. Times are milliseconds on the clock of the call."""

    @property
    def language(self) -> str: ...

    def now_ms(self) -> int: ...

    def start(self, work: Coroutine[Any, Any, None]) -> object:
        """Run something beside the conversation; it ends with the session at the latest."""
        ...

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        """Put a line into the call's story."""
        ...

    def listen_in(self, hear: Callable[[Audio], None] | None) -> None:
        """Give every frame of the caller's sound to ``hear`` as well, until told None."""
        ...

    async def greet(self) -> None:
        """Have the AI say the greeting, once it is there; for a watcher that did not let it begin by itself."""
        ...

    async def say(self, prompt: str) -> None:
        """Have the AI say something now, as the prompt tells it."""
        ...

    async def note(self, text: str) -> None:
        """Tell the AI something without having it speak."""
        ...

    async def answer_tool(self, call: ToolCall, result: str) -> None:
        """Tell the AI what came of a tool that the watcher took upon itself; it goes on speaking."""
        ...

    async def play(self, pieces: Sequence[Audio], text: str, *, is_wording: bool = True) -> bool:
        """Give finished sound to the line, and wait until it was heard; False: the caller spoke into it.

        text: what it says, for the transcript; where is_wording is not, just a name for it.
        """
        ...

    async def hush(self) -> None:
        """Stop what is being said."""
        ...

    def mute(self, is_muted: bool) -> None:
        """Keep what the AI says from the line, or let it be heard again from its next utterance on."""
        ...

    async def change_language(self, language: str) -> None:
        """Go on in another language: instructions, and the voice where the provider can."""
        ...

    def end_when_heard(self, end: SessionEnd) -> None:
        """End the session once what is being said has been heard."""
        ...

    def end(self, end: SessionEnd) -> None:
        """End the session now."""
        ...


class Watcher(Protocol):
    """All of it is called on the event loop and returns at once."""

    def began(self, acts: Acts) -> None:
        """The session runs; the AI is not there yet."""
        ...

    def may_greet(self) -> bool:
        """Asked when the AI is there: whether it greets at once. Who says no calls ``greet`` or ``say`` later."""
        ...

    def caller_began(self, at_ms: int) -> None: ...

    def caller_stopped(self, at_ms: int) -> None: ...

    def caller_said(self, turn: SpokenTurn, *, is_final: bool) -> None: ...

    def ai_said(self, turn: SpokenTurn) -> None: ...

    def tool_called(self, call: ToolCall) -> bool:
        """True: it is dealt with, and will be answered by ``answer_tool``. Asked before the tool is run."""
        ...

    def commanded(self, command: Command) -> bool:
        """True: it is dealt with. Asked before the session looks at it itself."""
        ...

    def goes_on_alone(self) -> bool:
        """Asked when no voice AI can go on. True: none is needed, and the watcher ends the session itself."""
        ...

    def ticked(self) -> None:
        """About once a second."""
        ...


class NoWatcher:
    """Looks away."""

    def began(self, acts: Acts) -> None: ...

    def may_greet(self) -> bool:
        return True

    def caller_began(self, at_ms: int) -> None: ...

    def caller_stopped(self, at_ms: int) -> None: ...

    def caller_said(self, turn: SpokenTurn, *, is_final: bool) -> None: ...

    def ai_said(self, turn: SpokenTurn) -> None: ...

    def tool_called(self, call: ToolCall) -> bool:
        return False

    def commanded(self, command: Command) -> bool:
        return False

    def goes_on_alone(self) -> bool:
        return False

    def ticked(self) -> None: ...
