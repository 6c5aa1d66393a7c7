"""One conversation: a line and a voice AI, until one of them, a limit or somebody's decision ends it.

The first pump to return says why; the others are cancelled, and both ends are closed whatever happens.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import structlog

from apps.calls.bridge import metrics
from apps.calls.bridge.background import Background
from apps.calls.bridge.caller_sound import CallerSound
from apps.calls.bridge.commands import Command
from apps.calls.bridge.conversation import Conversation
from apps.calls.bridge.limits import Flood, InboundBudget
from apps.calls.bridge.line import Line
from apps.calls.bridge.link import AiLink, Sleep, VoiceAIFor
from apps.calls.bridge.phrase_book import NO_PHRASES, PhraseBook
from apps.calls.bridge.plan import CallPlan
from apps.calls.bridge.recording import NO_RECORDER, Recorder
from apps.calls.bridge.sink import Cause, SessionEnd, Sink
from apps.calls.bridge.watching import NoWatcher, Watcher
from apps.calls.media.frames import Audio, Dtmf, HangUp, MarkReached, MediaProtocolError, StreamStopped, ToolCall

log = structlog.get_logger(__name__)


class Session:
    """line, voice_ai_for, plan, sink, recorder and watcher are all it knows.

    voice_ai_for: a new conversation with a provider, by its code; raises VoiceAIError. clock: monotonic seconds.
    sleep and jitter: as asyncio.sleep and random.random.
    """

    def __init__(
        self,
        *,
        line: Line,
        voice_ai_for: VoiceAIFor,
        plan: CallPlan,
        sink: Sink,
        recorder: Recorder = NO_RECORDER,
        watcher: Watcher | None = None,
        phrases: PhraseBook = NO_PHRASES,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._line = line
        self._plan = plan
        self._limits = plan.limits
        self._sink = sink
        self._recorder = recorder
        self._watcher = watcher or NoWatcher()
        self._phrases = phrases
        self._clock = clock
        self._sleep = sleep
        self._started_at = clock()
        self._sound = CallerSound()
        self._background = Background()
        self._link = AiLink(
            plan=plan,
            voice_ai_for=voice_ai_for,
            sink=sink,
            sound=self._sound,
            clock=clock,
            sleep=sleep,
            jitter=jitter,
        )
        self._talk = Conversation(
            line=line,
            link=self._link,
            plan=plan,
            sink=sink,
            recorder=recorder,
            watcher=self._watcher,
            sound=self._sound,
            phrases=phrases,
            background=self._background,
            end=self.end,
            clock=clock,
            sleep=sleep,
            now_ms=self.now_ms,
        )
        self._ended: asyncio.Future[SessionEnd] | None = None
        self._listener: Callable[[Audio], None] | None = None
        self._keys = ""
        self._last_frame_at = self._started_at
        self._is_wrapping_up = False
        self._n_from_caller = 0

    def now_ms(self) -> int:
        """The clock of the call, in whole milliseconds since its audio began."""
        return self._plan.offset_ms + int((self._clock() - self._started_at) * 1000)

    @property
    def unheard_s(self) -> float:
        """Sound of the caller that waits for a provider."""
        return self._sound.missed_ms / 1000.0

    async def run(self) -> SessionEnd:
        self._ended = asyncio.get_running_loop().create_future()
        caller = asyncio.create_task(self._hear_line())
        ai = asyncio.create_task(self._link.run(self._talk))
        watch = asyncio.create_task(self._watch())
        pumps: set[asyncio.Future[SessionEnd]] = {caller, ai, watch, self._ended}
        end = SessionEnd(Cause.CARRIER_FAILED, "cancelled")
        try:
            self._watcher.began(self)
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            end = next(pump.result() for pump in (self._ended, caller, ai, watch) if pump in done)
            if end.cause is Cause.CALLER_HUNG_UP:
                await self._linger(ai)
            elif ai in done and end.cause is Cause.AI_FAILED:
                if self._watcher.goes_on_alone():
                    end = await self._without_ai(caller, watch, self._ended)
                else:
                    end = await self._give_up(end, caller)
        except asyncio.CancelledError:
            end = SessionEnd(Cause.MEDIA_LOST, "shutdown")
            raise
        except Exception:
            log.exception("session_failed")
            end = SessionEnd(Cause.AI_FAILED, "internal")
        finally:
            await self._finish(end, [caller, ai, watch])
        return end

    # ── From the line ───────────────────────────────────────────────────────────────────────────────────────
    async def _hear_line(self) -> SessionEnd:
        link, clock = self._link, self._clock
        sound = self._sound
        keep = sound.keep
        record = None if self._recorder is NO_RECORDER else self._recorder.caller
        budget = InboundBudget(clock(), self._limits.burst_s)
        try:
            async for frame in self._line.frames():
                now = self._last_frame_at = clock()
                if type(frame) is Audio:
                    budget.take(now=now, audio_ms=frame.n_bytes / frame.format.bytes_per_ms)
                    self._n_from_caller += 1
                    sound.heard_ms = budget.audio_ms
                    keep(frame)
                    if record is not None:
                        record(frame, self.now_ms())
                    if self._listener is not None:
                        self._listener(frame)
                    await link.hear(frame)
                    continue
                budget.take(now=now, audio_ms=0.0)
                if type(frame) is MarkReached:
                    self._talk.playback.reached(frame.name, now=now)
                elif type(frame) is Dtmf:
                    self._key_pressed(frame.digit)
                elif type(frame) is StreamStopped:
                    return SessionEnd(Cause.CALLER_HUNG_UP, "stream_stopped")
        except MediaProtocolError as error:
            return SessionEnd(Cause.CARRIER_FAILED, error.code)
        except Flood as error:
            return SessionEnd(Cause.CARRIER_FAILED, f"flood_{error.code}")
        return SessionEnd(Cause.MEDIA_LOST, "socket_closed")

    def _key_pressed(self, digit: str) -> None:
        self._sink.event("dtmf", {"digit": digit})
        if not self._keys:
            self._background.start(self._tell_keys())
        self._keys += digit

    async def _tell_keys(self) -> None:
        """Once no further key has come for a moment."""
        n_told = 0
        while n_told < len(self._keys):
            n_told = len(self._keys)
            await self._sleep(self._limits.keys_s)
        keys, self._keys = self._keys, ""
        if self._recorder.is_paused:  # a card number, perhaps: nobody's business, the provider's neither
            await self.note(f"The caller pressed {len(keys)} keys, which are kept secret.")
        else:
            await self.note(f"The caller pressed {keys}.")

    # ── What others ask of it ───────────────────────────────────────────────────────────────────────────────
    def command(self, command: Command) -> None:
        """Do what somebody outside asks. On the event loop; returns at once."""
        log.info("session_commanded", kind=command.kind)
        if self._watcher.commanded(command):
            return
        if command.kind == "pause_recording":
            self._recorder.pause(command.text("reason"), self.now_ms())
        elif command.kind == "resume_recording":
            self._recorder.resume(self.now_ms())
        elif command.kind == "stop_recording":
            self._recorder.stop(command.text("reason"))
        elif command.kind == "change_language" and command.text("language") in self._link.engine.briefs:
            self.start(self.change_language(command.text("language")))
        elif command.kind == "note":
            self.start(self.note(command.text("text")))
        elif command.kind == "leave":
            self.end(SessionEnd(Cause.LEFT))

    @property
    def language(self) -> str:
        return self._link.language

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._background.start(work)

    def event(self, kind: str, data: Mapping[str, object]) -> None:
        self._sink.event(kind, data)

    def listen_in(self, hear: Callable[[Audio], None] | None) -> None:
        self._listener = hear

    async def greet(self) -> None:
        await self._talk.greet()

    async def say(self, prompt: str) -> None:
        await self._talk.say(prompt)

    async def note(self, text: str) -> None:
        await self._talk.note(text)

    async def answer_tool(self, call: ToolCall, result: str) -> None:
        if self._link.is_open:
            await self._link.ai.answer_tool(call.id, result)

    async def play(self, pieces: Sequence[Audio], text: str, *, is_wording: bool = True) -> bool:
        return await self._talk.ours.play_to_end(pieces, text, is_wording=is_wording)

    async def hush(self) -> None:
        await self._talk.hush()

    def mute(self, is_muted: bool) -> None:
        self._talk.is_muted = is_muted

    async def change_language(self, language: str) -> None:
        await self._talk.change_language(language)

    def end_when_heard(self, end: SessionEnd) -> None:
        self._talk.goodbye.when_heard(end)

    def end(self, end: SessionEnd) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(end)

    # ── The limits ──────────────────────────────────────────────────────────────────────────────────────────
    async def _watch(self) -> SessionEnd:
        """The limits, looked at once in a while rather than timed frame by frame."""
        limits, talk, link = self._limits, self._talk, self._link
        while True:
            await self._sleep(limits.tick_s)
            now = self._clock()
            if now - self._last_frame_at > limits.media_idle_s:
                return SessionEnd(Cause.MEDIA_LOST, "idle")
            running_s = now - self._started_at + self._plan.offset_ms / 1000
            if running_s > limits.max_call_s:
                return SessionEnd(Cause.TIME_LIMIT)
            self._watcher.ticked()
            if not link.is_open:
                continue
            link.check_hearing(now)
            if running_s > limits.max_call_s - limits.wrap_up_s and not self._is_wrapping_up:
                self._is_wrapping_up = True
                await talk.goodbye.farewell("time_limit", SessionEnd(Cause.TIME_LIMIT))
            if not talk.is_heard:
                talk.last_voice_at = now
            if now - talk.last_voice_at > limits.silence_s:
                talk.last_voice_at = now
                await talk.goodbye.farewell("silence", SessionEnd(Cause.AI_ENDED, "silence"))
            await talk.be_owed(now)
            is_time = talk.is_quiet or (link.renew_by is not None and now >= link.renew_by - limits.renew_s)
            if link.renew_by is not None and is_time and not talk.goodbye.is_near:
                link.renew()

    @staticmethod
    async def _without_ai(*pumps: asyncio.Future[SessionEnd]) -> SessionEnd:
        """No provider can go on, and none is needed any more: what is left to be done is the watcher's."""
        done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        return next(pump.result() for pump in reversed(pumps) if pump in done)

    async def _give_up(self, end: SessionEnd, caller: asyncio.Task[SessionEnd]) -> SessionEnd:
        """No provider can go on: say so, and leave it to a person, or have the caller called back."""
        metrics.GIVEN_UP.inc()
        self._talk.holding.end()
        to = self._plan.last_resort_transfer_to
        self._sink.event("gave_up", {"is_transferred": bool(to)})
        spoken = (self._phrases.transfer if to else self._phrases.apology).get(self._link.language)
        arranging = None if to else self._background.start(self._sink.give_up())
        if spoken is not None:
            await self._talk.play_ours(spoken.pieces, spoken.text)
        give_up_at = self._clock() + self._limits.goodbye_s
        while not self._talk.is_heard and not caller.done() and self._clock() < give_up_at:
            await self._sleep(0.1)
        if arranging is not None:
            await arranging
        return SessionEnd(Cause.TRANSFERRED, to) if to and not caller.done() else end

    # ── The end ─────────────────────────────────────────────────────────────────────────────────────────────
    async def _linger(self, ai: asyncio.Task[SessionEnd]) -> None:
        """The line is gone; the last words may still be on their way to becoming text, and tools may still run."""
        talk = self._talk
        if self._link.is_open and talk.caller.is_speaking:
            await self._link.ai.end_of_caller_audio()
        give_up_at = self._clock() + self._limits.linger_s
        while (talk.caller.n_waiting or talk.tools.is_busy) and not ai.done() and self._clock() < give_up_at:
            await self._sleep(0.05)

    async def _finish(self, end: SessionEnd, tasks: list[asyncio.Task[Any]]) -> None:
        """Stop everything, tell what was heard, close both ends."""
        tasks += self._background.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._talk.broke_off()
        metrics.SESSIONS_ENDED.labels(self._link.provider, end.cause).inc()
        metrics.FRAMES.labels("caller").inc(self._n_from_caller)
        metrics.FRAMES.labels("ai").inc(self._talk.n_from_ai)
        metrics.FRAMES_DROPPED.labels("caller").inc(self._link.n_dropped)
        metrics.FRAMES_DROPPED.labels("ai").inc(self._talk.n_dropped)
        try:
            await self._link.close()
        finally:
            try:
                await self._recorder.close()
            finally:
                try:
                    await self._sink.close(end)
                finally:
                    await self._line.send(HangUp(is_abrupt=end.detail.startswith("flood")))
