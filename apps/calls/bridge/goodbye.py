"""How a conversation ends on purpose: the last words are heard first, and who speaks into them is listened to."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from apps.calls.bridge.background import Background
from apps.calls.bridge.limits import Limits
from apps.calls.bridge.link import AiLink, Sleep
from apps.calls.bridge.plan import farewell_prompt
from apps.calls.bridge.sink import Cause, SessionEnd
from apps.calls.media.frames import ToolCall

if TYPE_CHECKING:
    from apps.calls.bridge.conversation import Conversation
    from apps.calls.bridge.tool_calls import ToolCalls

log = structlog.get_logger(__name__)

# A caller who speaks into the goodbye is heard out, but not for ever.
_MAX_GOODBYES = 3
_LOOK_EVERY_S = 0.05


class Goodbye:
    """end: ends the session. asked_by: the AI's wish to hang up, until its response is done."""

    def __init__(
        self,
        *,
        talk: "Conversation",
        link: AiLink,
        tools: "ToolCalls",
        background: Background,
        limits: Limits,
        end: Callable[[SessionEnd], None],
        sleep: Sleep,
    ) -> None:
        self._talk = talk
        self._link = link
        self._tools = tools
        self._background = background
        self._limits = limits
        self._end = end
        self._sleep = sleep
        self._ending: asyncio.Task[None] | None = None
        self._is_firm = False
        self._n_goodbyes = 0
        self._is_next_turn_to_come = False
        self.asked_by: ToolCall | None = None

    @property
    def is_near(self) -> bool:
        return self._ending is not None

    async def turn_done(self, *, has_speech: bool) -> None:
        """Let the goodbye be heard; where the AI has said none to the caller's last words, ask for one."""
        if self._is_next_turn_to_come:  # this was the response that called the tool
            self._is_next_turn_to_come = False
            self._talk.is_responding = True
        call = self.asked_by
        if call is None or self._ending is not None:
            return
        if not has_speech and self._talk.caller.spoke_last and self._n_goodbyes < _MAX_GOODBYES:
            self._n_goodbyes += 1
            self._talk.is_responding = True
            await self._link.ai.answer_tool(call.id, "Say goodbye in one short sentence; the call ends after it.")
        self.when_heard(SessionEnd(Cause.AI_ENDED, "end_call"))

    async def farewell(self, reason: str, end: SessionEnd) -> None:
        """Have the AI say goodbye. reason: silence or time_limit."""
        if self._ending is None:
            log.info("farewell_asked", reason=reason)
            await self._talk.say(farewell_prompt(self._link.language, reason))
            self.when_heard(end)

    def after_next_turn(self, end: SessionEnd, *, is_firm: bool = False) -> None:
        """End once what the AI is about to say has been heard. is_firm: also if the caller speaks into it."""
        if self._ending is None:
            self._is_next_turn_to_come = self._talk.is_asking
            self._talk.is_responding = True
            self.when_heard(end, is_firm=is_firm)

    def when_heard(self, end: SessionEnd, *, is_firm: bool = False) -> None:
        """End once what is being said has been heard."""
        self._is_firm = is_firm
        self._ending = self._background.start(self._end_when_heard(end))

    async def stay(self) -> None:
        """The caller speaks into the goodbye: listen, the call goes on."""
        if (self._ending is None and self.asked_by is None) or self._is_firm or self._n_goodbyes >= _MAX_GOODBYES:
            return
        self._n_goodbyes += 1
        self._is_next_turn_to_come = False
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        call, self.asked_by = self.asked_by, None
        if call is not None and self._link.is_open:
            result = "The call has not ended: the person is speaking. Answer them, then call end_call again."
            await self._link.ai.answer_tool(call.id, result, respond=False)

    async def _end_when_heard(self, end: SessionEnd) -> None:
        for _ in range(max(1, round(self._limits.goodbye_s / _LOOK_EVERY_S))):
            await self._sleep(_LOOK_EVERY_S)
            if not self._talk.is_responding and self._talk.is_heard:
                break
        async with self._tools.in_turn:  # what was asked for before is done first
            pass
        self._end(end)
