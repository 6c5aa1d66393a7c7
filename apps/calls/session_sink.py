"""One session's ear: what it tells goes to the journal, what it asks for is done, what it ends is ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.utils import timezone

from apps.calls.bridge.plan import CallPlan
from apps.calls.bridge.sink import Cause, SessionEnd, SpokenTurn, ToolResult
from apps.calls.journal import EventRecord, Journal, TurnRecord, UsageRecord, moment
from apps.calls.media.frames import ToolCall, Usage
from apps.calls.services.callbacks import schedule_callback
from apps.calls.services.ending import request_end
from apps.calls.services.transfers import begin_transfer
from apps.calls.tools import ToolContext, run_tool
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)
T = TypeVar("T")

# Runs a blocking function in a thread of the process's own.
InThread = Callable[..., Awaitable[Any]]

_FLUSH_S = 5.0
_END_S = 5.0
# After these the call itself is over for us; where only the audio was lost, the carrier asks what to do next.
_ENDS_CALL = frozenset({Cause.AI_ENDED, Cause.TIME_LIMIT, Cause.AI_FAILED, Cause.CARRIER_FAILED})


def _never(from_ms: int, to_ms: int) -> bool:
    return False


class SessionSink:
    """The session's Sink. in_thread: how database work leaves the event loop; in_tool_thread: how tools do."""

    def __init__(
        self, *, plan: CallPlan, journal: Journal, in_thread: InThread, in_tool_thread: InThread | None = None
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._in_thread = in_thread
        self._in_tool_thread = in_tool_thread or in_thread
        offered = frozenset(spec.name for spec in plan.brief.tools)
        self._tools = ToolContext(call_id=plan.call_id, time_zone=plan.time_zone, offered=offered)
        self._provider, self._model = plan.provider, plan.brief.model
        self._audio_began = timezone.now() - timedelta(milliseconds=plan.offset_ms)
        # Whether what was said between two times (ms) is not to be kept as it was said.
        self.is_secret: Callable[[int, int], bool] = _never
        journal.open_leg(plan.leg_id)
        self.event("session_started", {"voice_ai": plan.provider, "model": plan.brief.model})

    def turn(self, turn: SpokenTurn) -> None:
        self._tell(turn, is_kept=True)

    def partial(self, turn: SpokenTurn) -> None:
        self._tell(turn, is_kept=False)

    def _tell(self, turn: SpokenTurn, *, is_kept: bool) -> None:
        at = moment(self._audio_began, turn.started_ms)
        is_secret = self.is_secret(turn.started_ms, turn.ended_ms)
        self._journal.add(TurnRecord(self._plan.call_id, turn, at, is_kept=is_kept, is_secret=is_secret))

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        if kind == "dtmf" and self.is_secret(now_ms := self._now_ms(), now_ms):
            data = {**data, "digit": "•"}
        self._journal.add(EventRecord(self._plan.call_id, self._plan.leg_id, kind, data, timezone.now()))

    def _now_ms(self) -> int:
        return int((timezone.now() - self._audio_began).total_seconds() * 1000)

    def usage(self, usage: Usage) -> None:
        self._journal.add(UsageRecord(self._plan.call_id, usage.service or self._provider, self._model, usage))

    def joined(self, provider: str, model: str) -> None:
        self._provider, self._model = provider, model

    async def run_tool(self, call: ToolCall) -> ToolResult:
        self.event("tool_called", {"name": call.name[:80]})
        try:
            result: ToolResult = await self._in_tool_thread(run_tool, self._tools, call)
        except Exception:
            log.exception("tool_failed", tool=call.name[:80])
            return ToolResult("Failed: something went wrong on our side. Say that it could not be done right now.")
        return result

    async def give_up(self) -> None:
        """Have the person called back, since nobody could talk to them to the end."""
        at = timezone.now() + timedelta(minutes=settings.CALL_BACK_AFTER_FAILURE_MINUTES)
        try:
            async with asyncio.timeout(_END_S):
                await self._in_thread(schedule_callback, self._plan.call_id, at=at)
        except Exception:
            log.exception("callback_not_scheduled")

    async def close(self, end: SessionEnd) -> None:
        """First the records, then the word that ends the call: what follows a call finds its transcript."""
        self._journal.close_leg(self._plan.leg_id)
        self.event("session_ended", {"reason": str(end.cause), "detail": end.detail})
        try:
            async with asyncio.timeout(_FLUSH_S):
                await self._journal.flush(self._plan.call_id)
        except TimeoutError:
            log.warning("journal_is_late", n_waiting=self._journal.n_waiting)
        if end.cause is Cause.TRANSFERRED:
            await self._transfer(end.detail)
        if end.cause in _ENDS_CALL:
            try:
                async with asyncio.timeout(_END_S):
                    await self._in_thread(request_end, self._plan.call_id, reason=str(end.cause))
            except Exception:
                # The audio closes all the same; the carrier asks what to do next, or the periodic check finds the call.
                log.exception("call_end_not_requested")

    async def _transfer(self, to: str) -> None:
        """Before the socket closes: the carrier asks what to do next as soon as it has. A worker asks the carrier."""
        try:
            async with asyncio.timeout(_END_S):
                await self._in_thread(begin_transfer, self._plan.call_id, to=to)
        except DomainError as error:
            log.warning("call_not_transferred", code=error.code)  # the carrier opens another stream, which goes on
        except Exception:
            log.exception("call_not_transferred")
