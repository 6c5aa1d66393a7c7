"""A call at Twilio: status callbacks, documents, answering machine detection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apps.sandbox.carrier.call import PhoneCall
from apps.sandbox.carrier.recorder import Recorder
from apps.sandbox.carrier.records import CallRecord, RecordingRecord, new_sid, now, rfc2822
from apps.sandbox.carrier.twilio.amd import amd_verdict
from apps.sandbox.carrier.twilio.interpreter import Interpreter, Source
from apps.sandbox.carrier.twilio.requests import CallRequest, RecordingOptions
from apps.sandbox.carrier.twilio.resources import recording_path
from apps.sandbox.carrier.twilio.status_reports import StatusReports, voice_params
from apps.sandbox.carrier.twilio.stream import StreamRequest, TwilioStream
from apps.sandbox.personas import CalleeScript
from apps.sandbox.personas import Line as SpokenLine
from apps.sandbox.speech import FRAME_BYTES, synthesise

if TYPE_CHECKING:
    from apps.sandbox.carrier.twilio.account import TwilioAccount


@dataclass(frozen=True, slots=True)
class Input:
    """What a far party did that a `<Gather>` may take: pressed a key, or said something for `duration_s`."""

    kind: str  # "key" or "speech"
    text: str
    duration_s: float = 0.0


class TwilioCall(PhoneCall):
    """Drives one call by its documents."""

    def __init__(
        self,
        account: TwilioAccount,
        record: CallRecord,
        request: CallRequest,
        script: CalleeScript,
        *,
        is_child: bool = False,
    ) -> None:
        super().__init__(account.exchange, record, script, ring_timeout_s=request.ring_timeout_s)
        loop = asyncio.get_running_loop()
        self.account, self.request, self.is_child = account, request, is_child
        self.inputs: asyncio.Queue[Input] = asyncio.Queue()
        self.reached: asyncio.Future[bool] = loop.create_future()  # a child leg: answered (True) or never
        self.reports = StatusReports(self.record, account.webhooks, request.status_hook, request.status_events)
        self._replacement: asyncio.Future[Source] = loop.create_future()
        self._source = Source(hook=request.document, twiml=request.twiml, fallback=request.fallback)
        self._rejected_with: str | None = None

    # ---- what others ask of it

    def reject(self, reason: str) -> None:
        """An inbound call's `<Reject>`."""
        self._rejected_with = "busy" if reason == "busy" else "no-answer"
        self.hang_up("document")

    def redirect(self, source: Source) -> None:
        """Put new TwiML in the place of what runs, or of what will run after the answer."""
        self._source = source
        if not self._replacement.done():
            self._replacement.set_result(source)

    # ---- life

    async def _live(self) -> str:
        return await (self._receive() if self.record.direction == "inbound" else self._place())

    async def _place(self) -> str:
        self.record.started_at = now()
        self.progress("initiated", status="initiated")
        voices = asyncio.create_task(self._prepare_voice())
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
        await self._prepare_voice()
        await self._converse()
        if self._rejected_with is not None:
            return self._rejected_with
        return "completed" if self.is_answered else "no-answer"

    def _on_ringing(self) -> None:
        self.progress("ringing")

    def _on_answered(self) -> None:
        self.progress("answered")
        self.limit_time(self.request.time_limit_s)
        if self.request.recording is not None:
            self.start_recording(self.request.recording)
        if self.request.send_digits:
            self._spawn(self.send_digits(self.request.send_digits))

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

    def _on_ended(self) -> None:
        if not self.reached.done():
            self.reached.set_result(False)
        self.progress("completed")

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
                self.account.webhooks.notify(self.record, request.amd_hook, params, kind="amd", event="amd")
        else:
            self._source = self._source.adding(
                {name: params[name] for name in ("AnsweredBy", "MachineDetectionDuration")}
            )

    # ---- audio

    async def open_stream(self, request: StreamRequest) -> TwilioStream | None:
        """A stream that gets this call's audio from now on, or None if its server did not accept it."""
        stream = TwilioStream(self.record, request, self.account.webhooks, self.account.auth_token)
        if not await stream.open():
            return None
        self.adopt_stream(stream)
        return stream

    def stop_streams(self, name: str) -> TwilioStream | None:
        """Stop the first stream of this sid or name; None if there is none."""
        for stream in self.streams:
            if isinstance(stream, TwilioStream) and name in {stream.sid, stream.request.name}:
                stream.stop()
                return stream
        return None

    def _on_line(self, line: SpokenLine) -> None:
        seconds = len(synthesise(line.text, line.language)) / FRAME_BYTES * 0.02
        self.inputs.put_nowait(Input("speech", line.text, seconds))

    def _on_key(self, digit: str) -> None:
        self.inputs.put_nowait(Input("key", digit))

    # ---- recordings

    def start_recording(self, options: RecordingOptions) -> Recorder:
        """Record from now on."""
        record = RecordingRecord(
            new_sid("RE"), self.record.account_sid, self.record.sid, options.source, options.channels, options.track
        )
        return self.record_line(
            record,
            trims=options.trims,
            on_event=lambda recorder, event: self._report_recording(recorder, event, options),
        )

    def _report_recording(self, recorder: Recorder, event: str, options: RecordingOptions) -> None:
        record = recorder.record
        if options.hook is None or event not in options.events:
            return
        params = {
            "AccountSid": record.account_sid,
            "CallSid": record.call_sid,
            "RecordingSid": record.sid,
            "RecordingUrl": self.account.origin + recording_path(record),
            "RecordingStatus": event,
            "RecordingChannels": str(record.channels),
            "RecordingTrack": record.track,
            "RecordingSource": record.source,
            "RecordingStartTime": rfc2822(record.created_at) or "",
            "ErrorCode": str(record.error_code),
        }
        if record.duration_s is not None:
            params["RecordingDuration"] = str(record.duration_s)
        self.account.webhooks.notify(self.record, options.hook, params, kind="recording", event="recording")

    # ---- what the product is told

    def progress(self, event: str, *, status: str | None = None) -> None:
        """The status callback of this event, if it was asked for."""
        recordings = [r.record for r in self.exchange.recordings.values() if r.record.call_sid == self.record.sid]
        self.reports.send(event, status=status, recordings=recordings, media_origin=self.account.origin)

    def voice_params(self) -> dict[str, str]:
        """What every request about this call carries."""
        return voice_params(self.record)
