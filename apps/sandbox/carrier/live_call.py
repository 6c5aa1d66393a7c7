"""One call from its queueing to its end: ringing, answer, conversation, hang-up."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apps.sandbox.carrier.amd import amd_verdict
from apps.sandbox.carrier.callee import CalleeActor
from apps.sandbox.carrier.interpreter import Interpreter, Source
from apps.sandbox.carrier.line import ClipPlayer, Line
from apps.sandbox.carrier.media_stream import MediaStream, StreamRequest
from apps.sandbox.carrier.recorder import Recorder
from apps.sandbox.carrier.records import CallRecord, RecordingRecord, new_sid, now, rfc2822
from apps.sandbox.carrier.requests import CallRequest, RecordingOptions
from apps.sandbox.carrier.status_reports import StatusReports, voice_params
from apps.sandbox.personas import CalleeScript
from apps.sandbox.personas import Line as SpokenLine
from apps.sandbox.personas.scripts import Menu, Say
from apps.sandbox.speech import FRAME_BYTES, synthesise

if TYPE_CHECKING:
    from apps.sandbox.carrier.exchange import Exchange

log = logging.getLogger(__name__)

_POST_DIAL_S = 0.4  # from dialling to the first ring
_SIP_CODES = {"completed": 200, "busy": 486, "no-answer": 480, "failed": 503, "canceled": 487}


@dataclass(frozen=True, slots=True)
class Input:
    """What a far party did that a `<Gather>` may take: pressed a key, or said something for `duration_s`."""

    kind: str  # "key" or "speech"
    text: str
    duration_s: float = 0.0


class LiveCall:
    """Drives one call. `over` is done when nothing more will happen to it."""

    def __init__(
        self,
        exchange: Exchange,
        record: CallRecord,
        request: CallRequest,
        script: CalleeScript,
        *,
        is_child: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.exchange, self.record, self.request, self.script = exchange, record, request, script
        self.is_child = is_child
        self.line: Line | None = None
        self.streams: list[MediaStream] = []
        self.inputs: asyncio.Queue[Input] = asyncio.Queue()
        self.reached: asyncio.Future[bool] = loop.create_future()  # a child leg: answered (True) or never
        self.over: asyncio.Future[None] = loop.create_future()
        self.reports = StatusReports(self.record, exchange.webhooks, request.status_hook, request.status_events)
        self._hang_up_requested: asyncio.Future[str] = loop.create_future()
        self._replacement: asyncio.Future[Source] = loop.create_future()
        self._source = Source(hook=request.document, twiml=request.twiml, fallback=request.fallback)
        self._answered_at: float | None = None
        self._rejected_with: str | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # ---- what others ask of it

    @property
    def is_answered(self) -> bool:
        return self._answered_at is not None

    def hang_up(self, by: str) -> None:
        """End the call; by: callee, api, document, time_limit, parent or fault."""
        if not self._hang_up_requested.done():
            self._hang_up_requested.set_result(by)

    def reject(self, reason: str) -> None:
        """An inbound call's `<Reject>`."""
        self._rejected_with = "busy" if reason == "busy" else "no-answer"
        self.hang_up("document")

    def redirect(self, source: Source) -> None:
        """Put new TwiML in the place of what runs, or of what will run after the answer."""
        self._source = source
        if not self._replacement.done():
            self._replacement.set_result(source)

    def limit_time(self, seconds: float) -> None:
        self._tasks.append(asyncio.create_task(self._cut_after(seconds)))

    # ---- life

    async def run(self) -> None:
        """From dialling to the last callback."""
        try:
            outcome = await (self._receive() if self.record.direction == "inbound" else self._place())
        except Exception:
            log.exception("a call failed in the carrier itself")
            outcome = "completed" if self.is_answered else "failed"
        await self._finish(outcome)

    async def _place(self) -> str:
        self.record.started_at = now()
        self.progress("initiated", status="initiated")
        voices = asyncio.create_task(asyncio.to_thread(_prepare_voice, self.script))
        outcome = await self._ring()
        await voices
        if outcome != "answered":
            return outcome
        self.answer()
        if self.request.amd:
            detection = asyncio.create_task(self._detect_machine())
            self._tasks.append(detection)
            if not self.request.is_amd_async:
                first: set[asyncio.Future[Any]] = {detection, self._hang_up_requested}
                await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        await self._converse()
        return "completed"

    async def _receive(self) -> str:
        self.record.started_at = now()
        self.record.set_status("ringing")
        await asyncio.to_thread(_prepare_voice, self.script)
        await self._converse()
        if self._rejected_with is not None:
            return self._rejected_with
        return "completed" if self.is_answered else "no-answer"

    async def _ring(self) -> str:
        answer = self.script.persona.answer
        timeout_s = self.request.ring_timeout_s
        if answer.outcome == "failed":
            return await self._unless_cancelled(self.script.ring_s, "failed")
        if (ended := await self._unless_cancelled(_POST_DIAL_S, "")) != "":
            return ended
        self.record.set_status("ringing")
        self.progress("ringing")
        if answer.outcome == "no-answer" or self.script.ring_s > timeout_s:
            return await self._unless_cancelled(timeout_s, "no-answer")
        return await self._unless_cancelled(self.script.ring_s, answer.outcome)

    async def _unless_cancelled(self, seconds: float, then: str) -> str:
        """`then` after so many seconds, or "canceled" as soon as somebody gives up on the call."""
        wait_s = self.exchange.clock.real(seconds)
        done, _ = await asyncio.wait({self._hang_up_requested}, timeout=wait_s)
        return "canceled" if done else then

    def answer(self) -> None:
        """The far party picks up: audio flows from here on."""
        self._answered_at = self.exchange.clock.monotonic()
        actor = CalleeActor(
            self.script,
            on_line=self._on_line,
            on_heard=lambda: self.record.note("callee_heard"),
            on_key=self._on_key,
            on_hang_up=lambda: self.hang_up("callee"),
        )
        self.line = Line(actor)
        self.record.set_status("in-progress")
        self.exchange.pacer.add(self.line, lambda: self.hang_up("fault"))
        self.progress("answered")
        self.limit_time(self.request.time_limit_s)
        if self.request.recording is not None:
            self.start_recording(self.request.recording)
        if self.request.send_digits:
            self._tasks.append(asyncio.create_task(self.send_digits(self.request.send_digits)))

    async def _converse(self) -> None:
        """Run the documents until the last one ends, somebody hangs up or a child leg's parent is done with it."""
        while not self._hang_up_requested.done():
            self._replacement = asyncio.get_running_loop().create_future()
            reading = asyncio.create_task(self._read(self._source))
            waiting: set[asyncio.Future[Any]] = {reading, self._replacement, self._hang_up_requested}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
            await asyncio.wait({reading})
            if self._hang_up_requested.done():
                return
            if self._replacement.done():
                self._source = self._replacement.result()
                continue
            await reading  # a failure of the carrier itself surfaces here
            self.hang_up("document")

    async def _read(self, source: Source) -> None:
        if not source.is_empty:
            await Interpreter(self).run(source)
        if self.is_child and not self.reached.done():
            self.reached.set_result(True)
            await asyncio.shield(self._hang_up_requested)

    async def _finish(self, outcome: str) -> None:
        for task in self._tasks:
            task.cancel()
        for stream in list(self.streams):
            stream.stop()
        if self.line is not None:
            self.exchange.pacer.remove(self.line)
            for recorder in list(self.line.recorders):
                self.finish_recording(recorder)
        if not self.reached.done():
            self.reached.set_result(False)
        record = self.record
        record.ended_at = now()
        record.duration_s = 0
        if self._answered_at is not None:
            record.duration_s = max(1, round(self.exchange.clock.monotonic() - self._answered_at))
        own = self.script.persona.answer
        record.sip_code = own.sip_code if outcome == own.outcome else _SIP_CODES[outcome]
        if self._hang_up_requested.done():
            record.note("hung_up", by=self._hang_up_requested.result())
        record.set_status(outcome)
        self.progress("completed")
        self.over.set_result(None)

    async def _cut_after(self, seconds: float) -> None:
        await self.exchange.clock.sleep(seconds)
        self.record.note("debugger", code=32015, message="time limit reached")
        self.hang_up("time_limit")

    async def _detect_machine(self) -> None:
        request = self.request
        verdict = amd_verdict(
            self.script, request.amd, timeout_s=request.amd_timeout_s, silence_s=request.amd_silence_s
        )
        await self.exchange.clock.sleep(verdict.after_s)
        self.record.answered_by = verdict.answered_by
        self.record.note("amd", answered_by=verdict.answered_by)
        params = {
            "CallSid": self.record.sid,
            "AccountSid": self.record.account_sid,
            "AnsweredBy": verdict.answered_by,
            "MachineDetectionDuration": str(round(verdict.after_s * 1000)),
        }
        if request.is_amd_async:
            if request.amd_hook is not None:
                self.exchange.webhooks.notify(self.record, request.amd_hook, params, kind="amd", event="amd")
        else:
            self._source = self._source.adding(
                {name: params[name] for name in ("AnsweredBy", "MachineDetectionDuration")}
            )

    # ---- audio

    async def play(self, mulaw: bytes) -> None:
        """Let the far party hear a clip to its end."""
        line = self._live_line()
        clip = ClipPlayer(mulaw)
        line.player = clip
        try:
            await clip.finished
        finally:
            if line.player is clip:
                line.player = None

    async def send_digits(self, digits: str) -> None:
        """DTMF towards the far party; w waits half a second, W a whole one."""
        for digit in digits:
            await self.exchange.clock.sleep({"w": 0.5, "W": 1.0}.get(digit, 0.25))
            if digit not in "wW":
                self.record.note("digit_sent", digit=digit)
                self._live_line().callee.hear_key(digit)

    async def open_stream(self, request: StreamRequest) -> MediaStream | None:
        """A stream that gets this call's audio from now on, or None if its server did not accept it."""
        stream = MediaStream(self.record, request, self.exchange.webhooks, self.exchange.config.auth_token)
        if not await stream.open():
            return None
        self.streams.append(stream)
        self._live_line().taps.append(stream)
        stream.over.add_done_callback(lambda _: self._drop_stream(stream))
        self.exchange.spoil_stream(self, stream)
        return stream

    def _drop_stream(self, stream: MediaStream) -> None:
        self.streams.remove(stream)
        if self.line is not None:
            self.line.taps.remove(stream)

    def _live_line(self) -> Line:
        if self.line is None:
            raise RuntimeError("the call has not been answered")
        return self.line

    def _on_line(self, line: SpokenLine) -> None:
        self.record.note("callee_said", text=line.text, intent=line.intent, language=line.language)
        seconds = len(synthesise(line.text, line.language)) / FRAME_BYTES * 0.02
        self.inputs.put_nowait(Input("speech", line.text, seconds))

    def _on_key(self, digit: str) -> None:
        self.record.note("callee_pressed", digit=digit)
        self.inputs.put_nowait(Input("key", digit))
        for stream in self.streams:
            stream.send_dtmf(digit)

    # ---- recordings

    def start_recording(self, options: RecordingOptions) -> Recorder:
        """Record from now on."""
        record = RecordingRecord(
            new_sid("RE"), self.record.account_sid, self.record.sid, options.source, options.channels, options.track
        )
        recorder = Recorder(record, options, self.exchange.recordings_dir)
        self.exchange.recordings[record.sid] = recorder
        self._live_line().recorders.append(recorder)
        self.record.note("recording_started", recording=record.sid)
        self.report_recording(recorder, "in-progress")
        return recorder

    def finish_recording(self, recorder: Recorder) -> None:
        """Stop recording; its file can be downloaded from now on."""
        if self.line is not None and recorder in self.line.recorders:
            self.line.recorders.remove(recorder)
            recorder.finish()
            self.report_recording(recorder, recorder.record.status)

    def report_recording(self, recorder: Recorder, event: str) -> None:
        hook, record = recorder.options.hook, recorder.record
        if hook is None or event not in recorder.options.events:
            return
        params = {
            "AccountSid": record.account_sid,
            "CallSid": record.call_sid,
            "RecordingSid": record.sid,
            "RecordingUrl": self.exchange.media_origin + record.path,
            "RecordingStatus": event,
            "RecordingChannels": str(record.channels),
            "RecordingTrack": record.track,
            "RecordingSource": record.source,
            "RecordingStartTime": rfc2822(record.created_at) or "",
            "ErrorCode": str(record.error_code),
        }
        if record.duration_s is not None:
            params["RecordingDuration"] = str(record.duration_s)
        self.exchange.webhooks.notify(self.record, hook, params, kind="recording", event="recording")

    # ---- what the product is told

    def progress(self, event: str, *, status: str | None = None) -> None:
        """The status callback of this event, if it was asked for."""
        recordings = [r.record for r in self.exchange.recordings.values() if r.record.call_sid == self.record.sid]
        self.reports.send(event, status=status, recordings=recordings, media_origin=self.exchange.media_origin)

    def voice_params(self) -> dict[str, str]:
        """What every request about this call carries."""
        return voice_params(self.record)


def _prepare_voice(script: CalleeScript) -> None:
    """Synthesise what the callee may say before they pick up, off the pacing loop."""
    keys = ["still_there"]
    for step in script.persona.steps:
        if isinstance(step, Say):
            keys.append(step.key)
        elif isinstance(step, Menu):
            keys += [step.key, step.invalid_key, "ivr_goodbye"]
    for key in keys:
        line = script.line(key)
        synthesise(line.text, line.language)
