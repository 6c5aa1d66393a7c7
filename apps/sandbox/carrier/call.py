"""What every call has, whichever carrier places it: ringing, an answer, a line, recordings, an end."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from apps.sandbox.carrier.callee import CalleeActor
from apps.sandbox.carrier.line import BridgePlayer, ClipPlayer, Line
from apps.sandbox.carrier.media_stream import MediaStream
from apps.sandbox.carrier.recorder import Recorder
from apps.sandbox.carrier.records import CallRecord, RecordingRecord, now
from apps.sandbox.personas import CalleeScript
from apps.sandbox.personas import Line as SpokenLine
from apps.sandbox.personas.scripts import Menu, Say, Speak
from apps.sandbox.speech import synthesise

if TYPE_CHECKING:
    from apps.sandbox.carrier.exchange import Exchange

log = logging.getLogger(__name__)

_POST_DIAL_S = 0.4  # from dialling to the first ring
_SIP_CODES = {"completed": 200, "busy": 486, "no-answer": 480, "failed": 503, "canceled": 487}


class PhoneCall(ABC):
    """Drives one call. `over` is done when nothing more will happen to it."""

    def __init__(self, exchange: Exchange, record: CallRecord, script: CalleeScript, *, ring_timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.exchange, self.record, self.script = exchange, record, script
        self.line: Line | None = None
        self.streams: list[MediaStream] = []
        self.over: asyncio.Future[None] = loop.create_future()
        self._ring_timeout_s = ring_timeout_s
        self._hang_up_requested: asyncio.Future[str] = loop.create_future()
        self._answered_at: float | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # ---- what the carriers do differently

    @abstractmethod
    async def _live(self) -> str:
        """From the first ring to the last word; returns the final status."""

    @abstractmethod
    def _on_ringing(self) -> None: ...

    @abstractmethod
    def _on_answered(self) -> None:
        """The line is up: tell the product, begin what begins with the answer."""

    @abstractmethod
    def _on_ended(self) -> None:
        """The record is settled: tell the product."""

    @abstractmethod
    def _on_key(self, digit: str) -> None:
        """The far party pressed a key."""

    @abstractmethod
    def _on_line(self, line: SpokenLine) -> None:
        """The far party begins a sentence."""

    # ---- what others ask of it

    @property
    def is_answered(self) -> bool:
        return self._answered_at is not None

    @property
    def answered_s(self) -> float:
        """Sandbox seconds since the answer."""
        return self.exchange.clock.monotonic() - self._answered_at if self._answered_at is not None else 0.0

    @property
    def hung_up_by(self) -> str:
        return self._hang_up_requested.result() if self._hang_up_requested.done() else ""

    def hang_up(self, by: str) -> None:
        """End the call; by: callee, api, document, time_limit, parent or fault."""
        if not self._hang_up_requested.done():
            self._hang_up_requested.set_result(by)

    def limit_time(self, seconds: float) -> None:
        self._spawn(self._cut_after(seconds))

    # ---- life

    async def run(self) -> None:
        """From dialling to the last callback."""
        try:
            outcome = await self._live()
        except Exception:
            log.exception("a call failed in the carrier itself")
            outcome = "completed" if self.is_answered else "failed"
        self._finish(outcome)

    async def _ring(self) -> str:
        """ "answered", or the status with which nobody did."""
        answer = self.script.persona.answer
        if answer.outcome == "failed":
            return await self._unless_cancelled(self.script.ring_s, "failed")
        if (ended := await self._unless_cancelled(_POST_DIAL_S, "")) != "":
            return ended
        self.record.set_status("ringing")
        self._on_ringing()
        if answer.outcome == "no-answer" or self.script.ring_s > self._ring_timeout_s:
            return await self._unless_cancelled(self._ring_timeout_s, "no-answer")
        return await self._unless_cancelled(self.script.ring_s, answer.outcome)

    async def _unless_cancelled(self, seconds: float, then: str) -> str:
        """`then` after so many seconds, or "canceled" as soon as somebody gives up on the call."""
        wait_s = self.exchange.clock.real(seconds)
        done, _ = await asyncio.wait({self._hang_up_requested}, timeout=wait_s)
        return "canceled" if done else then

    async def _prepare_voice(self) -> None:
        """Synthesise what the callee may say before they pick up, off the pacing loop."""
        await asyncio.to_thread(_synthesise_all, self.script)

    def answer(self) -> None:
        """The far party picks up, or a call from outside is taken: audio flows from here on."""
        self._answered_at = self.exchange.clock.monotonic()
        actor = CalleeActor(
            self.script,
            on_line=self._heard_line,
            on_heard=lambda: self.record.note("callee_heard"),
            on_key=self._pressed,
            on_tone=lambda digit: self.record.note("key_heard", digit=digit, how="tones"),
            on_hang_up=lambda: self.hang_up("callee"),
        )
        self.line = Line(actor)
        self.record.set_status("in-progress")
        self.exchange.pacer.add(self.line, lambda: self.hang_up("fault"))
        self._on_answered()

    def _finish(self, outcome: str) -> None:
        for task in self._tasks:
            task.cancel()
        for stream in list(self.streams):
            stream.stop()
        if self.line is not None:
            self.exchange.pacer.remove(self.line)
            for recorder in list(self.line.recorders):
                self.finish_recording(recorder)
        record = self.record
        record.ended_at = now()
        record.duration_s = max(1, round(self.answered_s)) if self.is_answered else 0
        own = self.script.persona.answer
        record.sip_code = own.sip_code if outcome == own.outcome else _SIP_CODES[outcome]
        if self.hung_up_by:
            record.note("hung_up", by=self.hung_up_by)
        record.set_status(outcome)
        self._on_ended()
        self.over.set_result(None)

    async def _cut_after(self, seconds: float) -> None:
        await self.exchange.clock.sleep(seconds)
        self.record.note("debugger", code=32015, message="time limit reached")
        self.hang_up("time_limit")

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        """A task that ends with the call at the latest."""
        self._tasks.append(asyncio.create_task(coroutine))

    # ---- audio

    async def play(self, mulaw: bytes) -> None:
        """Let the far party hear a clip to its end."""
        line = self.live_line()
        clip = ClipPlayer(mulaw)
        line.sources.append(clip)
        try:
            await clip.finished
        finally:
            line.sources.remove(clip)

    async def send_digits(self, digits: str) -> None:
        """DTMF towards the far party; w waits half a second, W a whole one."""
        for digit in digits:
            await self.exchange.clock.sleep({"w": 0.5, "W": 1.0}.get(digit, 0.25))
            if digit not in "wW":
                self.record.note("digit_sent", digit=digit)
                self.record.note("key_heard", digit=digit, how="signalled")
                self.live_line().callee.hear_key(digit)

    def let_wait(self, *, rings: bool) -> None:
        """The far party hears, or no longer hears, that somebody else is being called for them."""
        if self.line is not None:
            self.line.callee.hears_ringing = rings

    def live_line(self) -> Line:
        if self.line is None:
            raise RuntimeError("the call has not been answered")
        return self.line

    def adopt_stream(self, stream: MediaStream) -> None:
        """Give an open stream this call's audio from now on."""
        self.streams.append(stream)
        self.live_line().taps.append(stream)
        stream.over.add_done_callback(lambda _: self._drop_stream(stream))
        self.exchange.spoil_stream(self, stream)

    def _drop_stream(self, stream: MediaStream) -> None:
        self.streams.remove(stream)
        if self.line is not None:
            self.line.taps.remove(stream)

    def _heard_line(self, line: SpokenLine) -> None:
        self.record.note("callee_said", text=line.text, intent=line.intent, language=line.language)
        self._on_line(line)

    def _pressed(self, digit: str) -> None:
        self.record.note("callee_pressed", digit=digit)
        self._on_key(digit)
        for stream in self.streams:
            stream.send_dtmf(digit)

    # ---- recordings

    def record_line(
        self, record: RecordingRecord, *, trims: bool = False, on_event: Callable[[Recorder, str], None] | None = None
    ) -> Recorder:
        """Record from now on."""
        recorder = Recorder(record, self.exchange.recordings_dir, trims=trims, on_event=on_event)
        self.exchange.recordings[record.sid] = recorder
        self.live_line().recorders.append(recorder)
        self.record.note("recording_started", recording=record.sid)
        recorder.report("in-progress")
        return recorder

    def finish_recording(self, recorder: Recorder) -> None:
        """Stop recording; its file can be downloaded from now on."""
        if self.line is not None and recorder in self.line.recorders:
            self.line.recorders.remove(recorder)
            recorder.finish()
            self.record.note("recording_finished", recording=recorder.record.sid, status=recorder.record.status)
            recorder.report(recorder.record.status)


class Bridge:
    """Two answered calls that hear each other, until `close`."""

    def __init__(self, one: PhoneCall, other: PhoneCall) -> None:
        self._ends = (
            (one.live_line(), BridgePlayer(other.live_line())),
            (other.live_line(), BridgePlayer(one.live_line())),
        )
        for line, player in self._ends:
            line.sources.append(player)
        one.record.note("bridged", with_sid=other.record.sid, to=other.record.to)
        other.record.note("bridged", with_sid=one.record.sid, to=one.record.to)

    def close(self) -> None:
        for line, player in self._ends:
            if player in line.sources:
                line.sources.remove(player)


def _synthesise_all(script: CalleeScript) -> None:
    language = script.language
    lines = [script.line("still_there")]
    for step in script.persona.steps:
        if isinstance(step, Speak):
            language = step.language
            lines.append(script.line("still_there", language))
        elif isinstance(step, Say):
            lines.append(script.line(step.key, language))
        elif isinstance(step, Menu):
            lines += [script.line(key, language) for key in (step.key, step.invalid_key, "ivr_goodbye")]
    for line in lines:
        synthesise(line.text, line.language)
