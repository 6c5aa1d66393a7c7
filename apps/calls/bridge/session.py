"""One conversation: a line and a voice AI, until one of them, a limit or the AI's own decision ends it.

The first pump to return says why; the others are cancelled, and both ends are closed whatever happens.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

import structlog

from apps.calls.bridge import metrics
from apps.calls.bridge.limits import Flood, InboundBudget
from apps.calls.bridge.listening import CallerTurns
from apps.calls.bridge.plan import CallPlan, farewell_prompt, greeting_prompt, resume_prompt
from apps.calls.bridge.sink import Cause, SessionEnd, Sink
from apps.calls.bridge.transcript import Transcript
from apps.calls.bridge.turns import Playback
from apps.calls.media.frames import (
    AiEvent,
    AiTranscript,
    Audio,
    CallerTranscript,
    Clear,
    Dtmf,
    Failed,
    HangUp,
    LineFrame,
    Mark,
    MarkReached,
    MediaProtocolError,
    Ready,
    SpeechStarted,
    SpeechStopped,
    StreamStopped,
    ToLine,
    ToolCall,
    TurnDone,
)
from apps.calls.voice_ai.base import PastTurn, VoiceAI, VoiceAIError

log = structlog.get_logger(__name__)

_MAX_FAILED_RESPONSES = 3
# A caller who speaks into the goodbye is heard out, but not for ever.
_MAX_GOODBYES = 3
_HEALTHY_AFTER_S = 10.0


class Line(Protocol):
    """The carrier's end. frames() ends when the socket does; it raises MediaProtocolError."""

    def frames(self) -> AsyncIterator[LineFrame]: ...

    async def send(self, frame: ToLine) -> None: ...


class Session:
    """line, voice_ai, plan and sink are all it knows. clock: monotonic seconds."""

    def __init__(
        self, *, line: Line, voice_ai: VoiceAI, plan: CallPlan, sink: Sink, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._line = line
        self._ai = voice_ai
        self._plan = plan
        self._limits = plan.limits
        self._sink = sink
        self._clock = clock
        self._started_at = clock()
        self._playback = Playback()
        self._caller = CallerTurns(offset_ms=plan.offset_ms)
        self._transcript = Transcript(
            sink=sink,
            playback=self._playback,
            caller=self._caller,
            language=plan.language,
            clock=clock,
            now_ms=self.now_ms,
        )
        self._ended: asyncio.Future[SessionEnd] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._goodbye_call: ToolCall | None = None
        self._n_goodbyes = 0
        self._tool_tasks: set[asyncio.Task[None]] = set()
        self._tool_lock = asyncio.Lock()
        self._has_begun = bool(plan.history)  # the person has been greeted
        self._is_ready = False
        self._is_responding = False
        self._item_now = ""
        self._n_failed = 0
        self._last_frame_at = self._started_at
        self._last_voice_at = self._started_at
        self._waiting_since: float | None = None  # the caller has finished, the AI has not begun
        self._is_wrapping_up = False
        self._n_from_caller = 0
        self._n_from_ai = 0
        self._n_ai_dropped = 0

    def now_ms(self) -> int:
        """The clock of the call, in whole milliseconds since its audio began."""
        return self._plan.offset_ms + int((self._clock() - self._started_at) * 1000)

    async def run(self) -> SessionEnd:
        metrics.SESSIONS_ACTIVE.labels(self._ai.name).inc()
        self._ended = asyncio.get_running_loop().create_future()
        caller = asyncio.create_task(self._hear_line())
        ai = asyncio.create_task(self._hear_ai())
        watch = asyncio.create_task(self._watch())
        pumps: set[asyncio.Future[SessionEnd]] = {caller, ai, watch, self._ended}
        end = SessionEnd(Cause.CARRIER_FAILED, "cancelled")
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            end = next(pump.result() for pump in (self._ended, caller, ai, watch) if pump in done)
            if end.cause is Cause.CALLER_HUNG_UP:
                await self._linger(ai)
        except asyncio.CancelledError:
            end = SessionEnd(Cause.MEDIA_LOST, "shutdown")
            raise
        except Exception:
            log.exception("session_failed")
            end = SessionEnd(Cause.AI_FAILED, "internal")
        finally:
            await self._finish(end, [task for task in (caller, ai, watch, self._ending) if task is not None])
        return end

    # ── From the line ───────────────────────────────────────────────────────────────────────────────────────
    async def _hear_line(self) -> SessionEnd:
        send_audio = self._ai.send_audio
        clock = self._clock
        budget = InboundBudget(clock(), self._limits.burst_s)
        try:
            async for frame in self._line.frames():
                now = self._last_frame_at = clock()
                if type(frame) is Audio:
                    budget.take(now=now, audio_ms=frame.n_bytes / frame.format.bytes_per_ms)
                    self._n_from_caller += 1
                    await send_audio(frame)
                    continue
                budget.take(now=now, audio_ms=0.0)
                if type(frame) is MarkReached:
                    self._playback.reached(frame.name, now=now)
                elif type(frame) is Dtmf:
                    self._sink.event("dtmf", {"digit": frame.digit})
                elif type(frame) is StreamStopped:
                    return SessionEnd(Cause.CALLER_HUNG_UP, "stream_stopped")
        except MediaProtocolError as error:
            return SessionEnd(Cause.CARRIER_FAILED, error.code)
        except Flood as error:
            return SessionEnd(Cause.CARRIER_FAILED, f"flood_{error.code}")
        return SessionEnd(Cause.MEDIA_LOST, "socket_closed")

    # ── From the AI ─────────────────────────────────────────────────────────────────────────────────────────
    async def _hear_ai(self) -> SessionEnd:
        history = list(self._plan.history)
        n_lost = 0
        opened_at = 0.0
        while True:
            try:
                await self._open(history)
                opened_at = self._clock()
                async for event in self._ai.events():
                    if type(event) is Audio:
                        await self._play(event)
                    else:
                        await self._take(event)
                return SessionEnd(Cause.AI_FAILED, "closed")
            except VoiceAIError as error:
                if opened_at and self._clock() - opened_at > _HEALTHY_AFTER_S:
                    n_lost = 0
                self._is_ready = False
                metrics.VOICE_AI_LOST.labels(self._ai.name, error.code).inc()
                log.warning("voice_ai_lost", code=error.code, retryable=error.retryable, n_lost=n_lost)
                self._sink.event("ai_failed", {"error": error.code, "is_lost": True})
                if not error.retryable or n_lost >= len(self._limits.reconnect_delays_s):
                    return SessionEnd(Cause.AI_FAILED, error.code)
                await asyncio.sleep(self._limits.reconnect_delays_s[n_lost])
                n_lost += 1
                history = [*self._plan.history, *self._transcript.so_far()]

    async def _open(self, history: list[PastTurn]) -> None:
        began = self._clock()
        await self._ai.open(self._plan.brief, history)
        metrics.VOICE_AI_OPEN_SECONDS.labels(self._ai.name).observe(self._clock() - began)
        was_responding, self._is_responding = self._is_responding, False
        self._goodbye_call = None
        self._caller.reopened(self.now_ms())
        self._is_ready = True
        if not self._has_begun:
            await self._speak(greeting_prompt(self._plan.greeting, self._plan.language))
        elif was_responding or self._waiting_since is not None or not self._playback.utterances:
            await self._speak(resume_prompt(self._plan.language))

    async def _play(self, audio: Audio) -> None:
        playback, item_id = self._playback, audio.item_id
        if playback.is_cut(item_id):
            return
        now = self._clock()
        if self._waiting_since is not None:
            metrics.TURN_RESPONSE_SECONDS.labels(self._ai.name).observe(now - self._waiting_since)
            self._waiting_since = None
        if playback.lead_ms(now) > self._limits.max_lead_ms:
            self._n_ai_dropped += 1
            return
        self._n_from_ai += 1
        self._has_begun = self._is_responding = True
        self._item_now = item_id
        await self._line.send(audio)
        mark = playback.sent(item_id, audio.n_bytes / audio.format.bytes_per_ms, now=now, call_ms=self.now_ms())
        if mark is not None:
            await self._line.send(Mark(mark))

    async def _take(self, event: AiEvent) -> None:
        if type(event) is SpeechStarted:
            await self._caller_began(event)
        elif type(event) is SpeechStopped:
            self._last_voice_at = self._waiting_since = self._clock()
            self._caller.stopped(event)
        elif type(event) is CallerTranscript:
            self._last_voice_at = self._clock()
            self._transcript.caller_said(event)
        elif type(event) is AiTranscript:
            if not self._playback.is_cut(event.item_id):
                self._item_now = "" if event.is_final else event.item_id
                self._is_responding = self._is_responding or not event.is_final
                self._transcript.ai_said(event)
        elif type(event) is ToolCall:
            self._is_responding = True
            if event.name == "end_call":
                self._sink.event("tool_called", {"name": event.name})
                self._goodbye_call = event  # acted on when its response is done
            else:
                self._start(self._use_tool(event))
        elif type(event) is TurnDone:
            await self._turn_done(event)
        elif type(event) is Failed:
            metrics.VOICE_AI_ERRORS.labels(self._ai.name).inc()
            log.warning("voice_ai_error", code=event.code, message=event.message)
            if event.is_fatal:
                raise VoiceAIError(event.code, event.message, retryable=False)
        elif type(event) is Ready:
            log.info("voice_ai_ready", voice_ai=self._ai.name)

    async def _caller_began(self, event: SpeechStarted) -> None:
        """Be silent first, account for it afterwards."""
        noticed_at = self._clock()
        self._waiting_since = None
        self._last_voice_at = noticed_at
        if self._is_responding or not self._playback.is_drained(noticed_at):
            await self._line.send(Clear())
            metrics.INTERRUPTION_SECONDS.labels(self._ai.name).observe(self._clock() - noticed_at)
            cuts = self._playback.clear(noticed_at, generating=self._item_now if self._is_responding else "")
            for cut in cuts:
                await self._ai.cut(cut.utterance.item_id, cut.heard_ms)
                self._transcript.cut(cut)
            await self._stay()
        self._is_responding = False
        self._caller.started(event)

    async def _turn_done(self, event: TurnDone) -> None:
        self._is_responding = False
        self._item_now = ""
        if event.usage is not None:
            self._sink.usage(event.usage)
        if (mark := self._playback.mark()) is not None:
            await self._line.send(Mark(mark))
        if event.status == "failed":
            self._n_failed += 1
            self._sink.event("ai_failed", {"error": event.error_code})
            if self._n_failed >= _MAX_FAILED_RESPONSES:
                raise VoiceAIError(event.error_code or "response_failed", retryable=False)
            await self._speak(resume_prompt(self._plan.language))
        else:
            self._n_failed = 0
        if self._goodbye_call is not None and self._ending is None:
            await self._say_goodbye(self._goodbye_call, event.has_speech)

    # ── Tools and the end ───────────────────────────────────────────────────────────────────────────────────
    async def _use_tool(self, call: ToolCall) -> None:
        """One after another, in the order the AI asked."""
        async with self._tool_lock:
            try:
                async with asyncio.timeout(self._limits.tool_s):
                    result = await self._sink.run_tool(call)
            except TimeoutError:
                result = "Failed: this took too long. Say that you could not do it right now."
            await self._ai.answer_tool(call.id, result)

    async def _say_goodbye(self, call: ToolCall, has_speech: bool) -> None:
        """Let the goodbye be heard; where the AI has said none to the caller's last words, ask for one."""
        if not has_speech and self._caller.spoke_last and self._n_goodbyes < _MAX_GOODBYES:
            self._n_goodbyes += 1
            self._is_responding = True
            await self._ai.answer_tool(call.id, "Say goodbye in one short sentence; the call ends after it.")
        self._ending = self._start(self._end_when_heard(SessionEnd(Cause.AI_ENDED, "end_call")))

    async def _stay(self) -> None:
        """The caller speaks into the goodbye: listen, the call goes on."""
        if (self._ending is None and self._goodbye_call is None) or self._n_goodbyes >= _MAX_GOODBYES:
            return
        self._n_goodbyes += 1
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        call, self._goodbye_call = self._goodbye_call, None
        if call is not None:
            result = "The call has not ended: the person is speaking. Answer them, then call end_call again."
            await self._ai.answer_tool(call.id, result, respond=False)

    async def _end_when_heard(self, end: SessionEnd) -> None:
        give_up_at = self._clock() + self._limits.goodbye_s
        while self._clock() < give_up_at:
            await asyncio.sleep(0.05)
            if not self._is_responding and self._playback.is_drained(self._clock()):
                break
        async with self._tool_lock:  # what was asked for before is done first
            pass
        assert self._ended is not None  # noqa: S101 - run() made it
        if not self._ended.done():
            self._ended.set_result(end)

    async def _farewell(self, reason: str, end: SessionEnd) -> None:
        if self._ending is None:
            log.info("farewell_asked", reason=reason)
            await self._speak(farewell_prompt(self._plan.language, reason))
            self._ending = self._start(self._end_when_heard(end))

    async def _speak(self, prompt: str) -> None:
        self._is_responding = True
        await self._ai.speak(prompt)

    async def _watch(self) -> SessionEnd:
        """The limits, looked at once in a while rather than timed frame by frame."""
        limits = self._limits
        while True:
            await asyncio.sleep(limits.tick_s)
            now = self._clock()
            if now - self._last_frame_at > limits.media_idle_s:
                return SessionEnd(Cause.MEDIA_LOST, "idle")
            running_s = now - self._started_at + self._plan.offset_ms / 1000
            if running_s > limits.max_call_s:
                return SessionEnd(Cause.TIME_LIMIT)
            if not self._is_ready:
                continue
            if running_s > limits.max_call_s - limits.wrap_up_s and not self._is_wrapping_up:
                self._is_wrapping_up = True
                await self._farewell("time_limit", SessionEnd(Cause.TIME_LIMIT))
            if not self._playback.is_drained(now):
                self._last_voice_at = now
            if now - self._last_voice_at > limits.silence_s:
                self._last_voice_at = now
                await self._farewell("silence", SessionEnd(Cause.AI_ENDED, "silence"))
            if self._waiting_since is not None and now - self._waiting_since > limits.ai_answer_s:
                self._waiting_since = now
                self._sink.event("ai_failed", {"error": "silent"})
                await self._speak(resume_prompt(self._plan.language))

    async def _linger(self, ai: asyncio.Task[SessionEnd]) -> None:
        """The line is gone; the last words may still be on their way to becoming text, and tools may still run."""
        if self._is_ready and self._caller.is_speaking:
            await self._ai.end_of_caller_audio()
        give_up_at = self._clock() + self._limits.linger_s
        while (self._caller.n_waiting or self._tool_tasks) and not ai.done() and self._clock() < give_up_at:  # noqa: ASYNC110 - several things may come, in any order
            await asyncio.sleep(0.05)

    async def _finish(self, end: SessionEnd, tasks: list[asyncio.Task[Any]]) -> None:
        """Stop everything, tell what was heard, close both ends."""
        tasks += self._tool_tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for cut in self._playback.clear(self._clock(), generating=self._item_now):
            self._transcript.cut(cut)
        self._count(end)
        try:
            await self._ai.close()
        finally:
            try:
                await self._sink.close(end)
            finally:
                await self._line.send(HangUp(is_abrupt=end.detail.startswith("flood")))

    # ── Small things ────────────────────────────────────────────────────────────────────────────────────────
    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tool_tasks.add(task)
        task.add_done_callback(self._worked)
        return task

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._tool_tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("session_task_failed", exc_info=error)

    def _count(self, end: SessionEnd) -> None:
        name = self._ai.name
        metrics.SESSIONS_ACTIVE.labels(name).dec()
        metrics.SESSIONS_ENDED.labels(name, end.cause).inc()
        metrics.FRAMES.labels("caller").inc(self._n_from_caller)
        metrics.FRAMES.labels("ai").inc(self._n_from_ai)
        metrics.FRAMES_DROPPED.labels("caller").inc(self._ai.n_dropped)
        metrics.FRAMES_DROPPED.labels("ai").inc(self._n_ai_dropped)
