"""A leg at Telnyx: its events, and what commands do to it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apps.sandbox.carrier.call import Bridge, PhoneCall
from apps.sandbox.carrier.recorder import Recorder
from apps.sandbox.carrier.records import CallRecord, RecordingRecord, iso8601, now
from apps.sandbox.carrier.telnyx.amd import detections
from apps.sandbox.carrier.telnyx.endings import call_quality, ending_of
from apps.sandbox.carrier.telnyx.events import Route
from apps.sandbox.carrier.telnyx.requests import LegRequest, RecordOptions, StreamOptions
from apps.sandbox.carrier.telnyx.stream import TelnyxStream
from apps.sandbox.personas import CalleeScript
from apps.sandbox.personas import Line as SpokenLine
from apps.sandbox.speech import tone

if TYPE_CHECKING:
    from apps.sandbox.carrier.telnyx.account import TelnyxAccount

_COMMAND_ID_S = 60.0  # within which a repeated command_id is ignored
_CALLER_PATIENCE_S = 60.0  # a caller hangs up if nobody answers


class TelnyxCall(PhoneCall):
    """Drives one leg. `link`: the leg it is to be bridged with when it is answered."""

    def __init__(
        self,
        account: TelnyxAccount,
        record: CallRecord,
        request: LegRequest,
        script: CalleeScript,
        *,
        session_id: str = "",
        link: TelnyxCall | None = None,
        is_refused: bool = False,
    ) -> None:
        super().__init__(account.exchange, record, script, ring_timeout_s=request.ring_timeout_s)
        self.account, self.request = account, request
        self.leg_id = str(uuid.uuid4())
        self.session_id = session_id or str(uuid.uuid4())
        self.client_state = request.client_state
        self.route: Route = request.route
        self.began_at: datetime | None = None
        self._link, self._is_refused = link, is_refused
        if link is not None:
            link._targets.append(self)
        self._stream_options = request.stream
        self._recording_options = request.recording
        self._answer_requested: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rejected_with = ""
        self._commands: dict[str, float] = {}
        self._bridge: Bridge | None = None
        self._targets: list[TelnyxCall] = []  # legs dialled for a transfer
        self.peer: TelnyxCall | None = None
        self._playback: asyncio.Task[None] | None = None

    # ---- what commands ask of it

    @property
    def is_incoming(self) -> bool:
        return self.record.direction == "inbound"

    @property
    def is_alive(self) -> bool:
        return not self.record.is_over and self.record.started_at is not None

    @property
    def stream(self) -> TelnyxStream | None:
        return next((stream for stream in self.streams if isinstance(stream, TelnyxStream)), None)

    def is_repeated(self, command_id: str) -> bool:
        """Whether a command of this id was carried out on the call within the last minute; remembers it."""
        at = self.exchange.clock.monotonic()
        earlier = self._commands.get(command_id)
        self._commands[command_id] = at
        return earlier is not None and at - earlier < _COMMAND_ID_S

    def take(self, *, stream: StreamOptions | None, recording: RecordOptions | None) -> None:
        """Answer an incoming call."""
        self._stream_options, self._recording_options = stream, recording
        if not self._answer_requested.done():
            self._answer_requested.set_result(None)

    @property
    def is_taken(self) -> bool:
        """The answer command came, or the far party picked up."""
        return self.is_answered or self._answer_requested.done()

    def reject(self, cause: str) -> None:
        self._rejected_with = cause
        self.hang_up("api")

    def start_stream(self, options: StreamOptions) -> None:
        """Open a stream; streaming.started or streaming.failed tells how it went."""
        self._stream_options = options
        self._spawn(self._open_stream(options))

    @property
    def has_stream(self) -> bool:
        """One is open, or is being opened."""
        return self._stream_options is not None

    def bridge_with(self, other: TelnyxCall) -> None:
        """Connect two answered legs; when one of them ends, the other does."""
        for leg in (self, other):
            leg.unbridge()
        bridge = Bridge(self, other)
        for leg, peer in ((self, other), (other, self)):
            leg._bridge, leg.peer = bridge, peer
            leg.session_id = self.session_id
            if (stream := leg.stream) is not None and stream.options.legs != "self":
                stream.play_on(peer.live_line())
            leg.tell("call.bridged")

    def unbridge(self) -> None:
        """Part from the other leg, which stays up."""
        peer, bridge = self.peer, self._bridge
        if peer is None or bridge is None:
            return
        bridge.close()
        for leg, other in ((self, peer), (peer, self)):
            leg.peer = leg._bridge = None
            if (stream := leg.stream) is not None and other.line is not None:
                stream.leave(other.line)

    def start_playback(self, coroutine: Coroutine[object, object, None]) -> None:
        """Play in place of what is being played."""
        self.stop_playback()
        self._playback = asyncio.create_task(coroutine)
        self._tasks.append(self._playback)

    def start_digits(self, digits: str) -> None:
        """DTMF towards the far party, in its own time."""
        self._spawn(self.send_digits(digits))

    def stop_playback(self) -> None:
        if self._playback is not None:
            self._playback.cancel()
            self._playback = None

    # ---- life

    async def _live(self) -> str:
        self.record.started_at = now()
        self.began_at = datetime.now(UTC)
        return await (self._receive() if self.is_incoming else self._place())

    async def _place(self) -> str:
        if self._link is not None:
            self._link.let_wait(rings=True)
        self.tell("call.initiated", {"direction": "outgoing", "state": "bridging", "start_time": self._start_time})
        if self._is_refused:
            return await self._unless_cancelled(0.3, "failed")
        voices = asyncio.create_task(self._prepare_voice())
        outcome = await self._ring()
        await voices
        if outcome != "answered":
            return outcome
        self.answer()
        await asyncio.shield(self._hang_up_requested)
        return "completed"

    async def _receive(self) -> str:
        self.record.set_status("ringing")
        await self._prepare_voice()
        self.tell(
            "call.initiated",
            {
                "direction": "incoming",
                "state": "parked",
                "start_time": self._start_time,
                "caller_id_name": "",
                "connection_codecs": "PCMU,PCMA",
                "offered_codecs": "PCMU,PCMA",
                "shaken_stir_attestation": "A",
                "shaken_stir_validated": True,
            },
        )
        waiting: set[asyncio.Future[Any]] = {self._answer_requested, self._hang_up_requested}
        patience_s = self.exchange.clock.real(_CALLER_PATIENCE_S)
        await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        if self._hang_up_requested.done() or not self._answer_requested.done():
            if not self._hang_up_requested.done():
                self.hang_up("callee")
            return "busy" if self._rejected_with == "USER_BUSY" else "no-answer"
        self.answer()
        await asyncio.shield(self._hang_up_requested)
        return "completed"

    def _on_ringing(self) -> None:
        """Telnyx tells nothing of ringing."""

    def _on_answered(self) -> None:
        answered: dict[str, object] = {"state": "answered", "start_time": self._start_time}
        self.tell("call.answered", answered | {"codec": self._negotiated, "sampling_rate": 8000})
        self.limit_time(self.request.time_limit_s)
        if self._stream_options is not None:
            self._spawn(self._open_stream(self._stream_options))
        if self._recording_options is not None:
            self.start_recording(self._recording_options)
        if self.request.amd != "disabled" and not self.is_incoming:
            self._spawn(self._detect_machine())
        if self.request.digits:
            self._spawn(self.send_digits(self.request.digits))
        if self._link is not None:
            self._link.let_wait(rings=False)
            if self._link.is_alive and self._link.is_answered:
                self.bridge_with(self._link)
            else:
                self.hang_up("parent")

    async def _detect_machine(self) -> None:
        request, at_s = self.request, 0.0
        for detection in detections(
            self.script, request.amd, total_s=request.amd_total_s, silence_s=request.amd_silence_s
        ):
            await self.exchange.clock.sleep(detection.after_s - at_s)
            at_s = detection.after_s
            self.record.answered_by = detection.result or self.record.answered_by
            self.record.note("amd", event_type=detection.event_type, result=detection.result)
            self.tell(detection.event_type, {"result": detection.result} if detection.result else {})

    def _on_ended(self) -> None:
        self.stop_playback()
        if self._link is not None:
            self._link.let_wait(rings=False)
        peer = self.peer
        self.unbridge()
        if peer is not None:
            peer.hang_up("peer")
        for target in self._targets:
            if not target.is_answered:
                target.hang_up("parent")
        ending = ending_of(
            status=self.record.status,
            by=self.hung_up_by,
            is_incoming=self.is_incoming,
            rejected_with=self._rejected_with,
            timeout_cause=self.request.timeout_cause,
            sip_code=403 if self._is_refused else self.record.sip_code,
        )
        self.record.note("hangup_cause", cause=ending.cause, source=ending.source, sip=ending.sip)
        self.tell(
            "call.hangup",
            {
                "state": "hangup",
                "hangup_cause": ending.cause,
                "hangup_source": ending.source,
                "sip_hangup_cause": ending.sip,
                "start_time": self._start_time,
                "end_time": iso8601(datetime.now(UTC)),
                "call_quality_stats": call_quality(self.line.n_frames) if self.line is not None else None,
            },
        )

    # ---- audio

    async def _open_stream(self, options: StreamOptions) -> None:
        stream = TelnyxStream(
            self.record,
            options,
            session_id=self.session_id,
            client_state=lambda: self.client_state,
            codec=self._negotiated if options.codec == "default" else options.codec,
            tell=self._tell_of_stream,
        )
        stream.over.add_done_callback(lambda _: self._forget_stream(options))
        if not await stream.open():
            return
        self.adopt_stream(stream)
        if options.legs != "opposite":
            stream.play_on(self.live_line())
        if options.legs != "self" and self.peer is not None:
            stream.play_on(self.peer.live_line())
        if fault := self.exchange.faults.take("media_reorder", to=self.record.to):
            stream.swap_frames(int(fault.number("every", 10)))

    def _forget_stream(self, options: StreamOptions) -> None:
        if self._stream_options is options:
            self._stream_options = None

    @property
    def _negotiated(self) -> str:
        """European calls negotiate A-law."""
        far = self.record.from_ if self.is_incoming else self.record.to
        return "PCMU" if far.startswith("+1") else "PCMA"

    def _on_line(self, line: SpokenLine) -> None:
        """What is said is heard on the line only."""

    def _on_key(self, digit: str) -> None:
        self.tell("call.dtmf.received", {"digit": digit})

    # ---- recordings

    def start_recording(self, options: RecordOptions) -> Recorder:
        """Record from now on."""
        record = RecordingRecord(
            str(uuid.uuid4()),
            self.record.account_sid,
            self.record.sid,
            "StartCallRecordingAPI",
            options.channels,
            options.track,
        )
        if options.beeps:
            self._spawn(self.play(tone(1000.0, 0.3)))
        recorder = self.record_line(record, trims=options.trims, on_event=self._report_recording)
        if options.max_s:
            self._spawn(self._end_recording(recorder, options.max_s))
        return recorder

    def recorders(self, recording_id: str = "") -> list[Recorder]:
        """Those under way, or the one of them that is meant."""
        under_way = self.line.recorders if self.line is not None else []
        return [recorder for recorder in under_way if recording_id in {"", recorder.record.sid}]

    async def _end_recording(self, recorder: Recorder, after_s: float) -> None:
        await self.exchange.clock.sleep(after_s)
        self.finish_recording(recorder)

    def _report_recording(self, recorder: Recorder, event: str) -> None:
        record = recorder.record
        if event == "absent":
            self.tell("call.recording.error", {"reason": "recording is empty"})
        elif event == "completed":
            common = self._common()
            for name in ("call_control_id", "from", "to"):  # this event has none of them
                del common[name]
            payload = common | {
                "recording_id": record.sid,
                "channels": "dual" if record.channels == 2 else "single",
                "recording_started_at": iso8601(record.created_at),
                "recording_ended_at": iso8601(record.updated_at),
                "recording_urls": {"wav": self.account.recordings.url(record)},
                "public_recording_urls": {},
            }
            self.account.events.tell(self.record, self.route, "call.recording.saved", payload)

    # ---- what the product is told

    @property
    def _start_time(self) -> str | None:
        return iso8601(self.began_at)

    def _common(self) -> dict[str, object]:
        return {
            "call_control_id": self.record.sid,
            "call_leg_id": self.leg_id,
            "call_session_id": self.session_id,
            "connection_id": self.request.connection_id,
            "client_state": self.client_state,
            "from": self.record.from_,
            "to": self.record.to,
        }

    def tell(self, event_type: str, extra: dict[str, object] | None = None) -> None:
        """Send an event about this leg."""
        self.account.events.tell(self.record, self.route, event_type, self._common() | (extra or {}))

    def _tell_of_stream(self, event_type: str, extra: dict[str, object]) -> None:
        common = self._common()
        del common["from"], common["to"]
        self.account.events.tell(self.record, self.route, event_type, common | extra)

    def as_json(self) -> dict[str, object]:
        """As `GET /v2/calls/{id}` shows it."""
        data: dict[str, object] = {
            "record_type": "call",
            "call_control_id": self.record.sid,
            "call_leg_id": self.leg_id,
            "call_session_id": self.session_id,
            "is_alive": self.is_alive,
            "client_state": self.client_state,
            "start_time": self._start_time,
        }
        if self.record.is_over:
            data["call_duration"] = self.record.duration_s or 0
            data["end_time"] = iso8601(self.record.ended_at)
        else:
            data["call_duration"] = round(self.answered_s)
        return data
