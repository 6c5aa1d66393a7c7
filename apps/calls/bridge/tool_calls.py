"""Tools the AI uses: one after another, answered whatever happens, beside the sound."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from apps.calls.bridge.background import Background
from apps.calls.bridge.limits import Limits
from apps.calls.bridge.link import AiLink
from apps.calls.bridge.recording import Recorder
from apps.calls.bridge.sink import Cause, SessionEnd, Sink, ToolResult
from apps.calls.media import tones
from apps.calls.media.frames import ToolCall

if TYPE_CHECKING:
    from apps.calls.bridge.conversation import Conversation


class ToolCalls:
    def __init__(
        self,
        *,
        talk: "Conversation",
        link: AiLink,
        sink: Sink,
        recorder: Recorder,
        limits: Limits,
        background: Background,
        now_ms: Callable[[], int],
    ) -> None:
        self._talk = talk
        self._link = link
        self._sink = sink
        self._recorder = recorder
        self._limits = limits
        self._background = background
        self._now_ms = now_ms
        self._n_open = 0
        self.in_turn = asyncio.Lock()
        """Held while a tool runs: who takes it comes after what was asked for before."""

    @property
    def is_busy(self) -> bool:
        return self._n_open > 0

    def use(self, call: ToolCall) -> None:
        self._n_open += 1
        self._background.start(self._use(call, self._talk.playback.connection))

    async def _use(self, call: ToolCall, connection: int) -> None:
        try:
            async with self.in_turn:
                try:
                    async with asyncio.timeout(self._limits.tool_s):
                        result = await self._sink.run_tool(call)
                except TimeoutError:
                    result = ToolResult("Failed: this took too long. Say that you could not do it right now.")
                await self._act(result)
                await self._tell(call, connection, result.text)
        finally:
            self._n_open -= 1

    async def _act(self, result: ToolResult) -> None:
        if result.recording == "pause":
            self._recorder.pause("card", self._now_ms())
        elif result.recording == "resume":
            self._recorder.resume(self._now_ms())
        elif result.recording == "stop":
            self._recorder.stop("refused")
        if result.digits:
            await self._talk.play_ours([tones.keys(result.digits)], "")
        if result.transfer_to:
            self._talk.goodbye.after_next_turn(SessionEnd(Cause.TRANSFERRED, result.transfer_to), is_firm=True)
        elif result.ends_call:
            self._talk.goodbye.after_next_turn(SessionEnd(Cause.AI_ENDED, "tool"))

    async def _tell(self, call: ToolCall, connection: int, text: str) -> None:
        if self._link.is_open and self._talk.playback.connection == connection:
            await self._link.ai.answer_tool(call.id, text)
        else:  # who asked is gone; who came, or will come, is told what came of it
            await self._talk.note(f"{call.name}: {text}")
