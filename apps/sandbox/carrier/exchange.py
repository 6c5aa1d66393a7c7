"""The exchange: takes calls in, dials them at its pace, and knows all there have been."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path

from apps.sandbox.carrier.clock import Clock
from apps.sandbox.carrier.config import CarrierConfig
from apps.sandbox.carrier.errors import ApiError
from apps.sandbox.carrier.faults import Fault, FaultPlan
from apps.sandbox.carrier.line import Pacer
from apps.sandbox.carrier.live_call import LiveCall
from apps.sandbox.carrier.media_stream import MediaStream
from apps.sandbox.carrier.recorder import Recorder
from apps.sandbox.carrier.records import CallRecord, new_sid
from apps.sandbox.carrier.requests import CallRequest
from apps.sandbox.carrier.webhooks import Webhooks
from apps.sandbox.personas import CalleeScript, persona_for

log = logging.getLogger(__name__)

# A number that brings its own fault: which callbacks it concerns and how many of them.
_CALLBACK_FAULTS: dict[str, tuple[frozenset[str], int]] = {
    "callback_duplicate": (frozenset({"initiated", "ringing", "answered", "completed"}), 4),
    "callback_reorder": (frozenset({"ringing", "answered"}), 2),
    "callback_drop": (frozenset({"completed"}), 1),
}


class Exchange:
    """All calls of one account. `open` before, `close` after use."""

    def __init__(self, config: CarrierConfig) -> None:
        self.config = config
        self.clock = Clock(config.speed)
        self.faults = FaultPlan()
        self.webhooks = Webhooks(config.auth_token, self.clock, self.faults)
        self.pacer = Pacer(self.clock)
        self.calls: dict[str, LiveCall] = {}
        self.recordings: dict[str, Recorder] = {}
        self.creates: list[dict[str, object]] = []
        self.media_origin = f"http://{config.host}:{config.port}"
        self._queue: asyncio.Queue[tuple[LiveCall, float]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._directory = tempfile.TemporaryDirectory(prefix="sandbox-recordings-")
        self.recordings_dir = Path(self._directory.name)

    async def open(self) -> None:
        await self.webhooks.open()
        self._spawn(self.pacer.run())
        self._spawn(self._dial_queue())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for call in self.calls.values():
            for stream in list(call.streams):
                stream.abort()
        await self.webhooks.close()
        self._directory.cleanup()

    async def reset(self) -> None:
        """Forget everything: hang up every call, drop queue, history, recordings and faults."""
        self.faults.reset()
        while not self._queue.empty():
            self._queue.get_nowait()
        running = [call for call in self.calls.values() if not call.record.is_over]
        for call in running:
            if call.record.started_at is None:
                call.record.set_status("canceled")  # the dialling loop may hold it already
            else:
                call.hang_up("api")
        dialled = [call.over for call in running if call.record.started_at is not None]
        if dialled:
            await asyncio.wait(dialled)
        await self.webhooks.settle(timeout_s=2.0)
        self.calls.clear()
        self.creates.clear()
        self.recordings.clear()
        for path in self.recordings_dir.iterdir():
            path.unlink()

    def log_create(self, *, to: str, from_: str, sid: str | None, code: int | None) -> None:
        """Every `POST Calls.json` that arrived: `at` on the monotonic clock, accepted (sid) or refused (code)."""
        self.creates.append({"at": time.monotonic(), "to": to, "from": from_, "sid": sid, "code": code})

    def times_dialled(self) -> dict[str, int]:
        """How many calls each number has had placed to it through the REST interface."""
        return dict(Counter(str(entry["to"]) for entry in self.creates if entry["sid"]))

    def place(self, request: CallRequest) -> LiveCall:
        """Queue a call; it is dialled when its turn comes."""
        call = self._new_call(request, direction="outbound-api", script=persona_for(request.to))
        self._queue.put_nowait((call, self.clock.monotonic()))
        return call

    def receive(self, request: CallRequest, script: CalleeScript) -> LiveCall:
        """Start a call from outside to a number of the product."""
        call = self._new_call(request, direction="inbound", script=script)
        self._spawn(call.run())
        return call

    def dial_leg(self, parent: LiveCall, request: CallRequest) -> LiveCall:
        """The second leg of a `<Dial>`; dialled at once."""
        call = self._new_call(request, direction="outbound-dial", script=persona_for(request.to), parent=parent)
        self._spawn(call.run())
        return call

    def _new_call(
        self, request: CallRequest, *, direction: str, script: CalleeScript, parent: LiveCall | None = None
    ) -> LiveCall:
        record = CallRecord(new_sid("CA"), self.config.account_sid, request.to, request.from_, direction)
        record.parent_sid = parent.record.sid if parent else None
        record.note("created", persona=script.persona.key, language=script.language)
        call = LiveCall(self, record, request, script, is_child=parent is not None)
        self.calls[record.sid] = call
        if script.fault in _CALLBACK_FAULTS:
            events, times = _CALLBACK_FAULTS[script.fault]
            self.faults.add(Fault(script.fault, times, request.to, events))
        return call

    async def _dial_queue(self) -> None:
        gap_s = 1 / self.config.cps
        last_at = self.clock.monotonic() - gap_s
        while True:
            call, queued_at = await self._queue.get()
            wait_s = last_at + gap_s - self.clock.monotonic()
            if wait_s > 0:
                await self.clock.sleep(wait_s)
            if call.record.is_over:
                continue
            last_at = self.clock.monotonic()
            call.record.queue_ms = round((last_at - queued_at) * 1000)
            call.record.note("dialled", queue_ms=call.record.queue_ms)
            self._spawn(call.run())

    def cancel_queued(self, call: LiveCall) -> None:
        """Take back a call that has not been dialled."""
        call.record.sip_code = 487
        call.record.duration_s = 0
        call.record.set_status("canceled")
        call.progress("completed")
        call.over.set_result(None)

    def live_call(self, sid: str) -> LiveCall:
        """A call by its sid; raises ApiError 20404."""
        try:
            return self.calls[sid]
        except KeyError:
            raise ApiError(404, 20404, f"The requested resource /Calls/{sid} was not found") from None

    def spoil_stream(self, call: LiveCall, stream: MediaStream) -> None:
        """Arrange what is to go wrong with a stream that has just opened."""
        to, own = call.record.to, call.script.fault
        drop, garbage = self.faults.take("media_drop", to=to), self.faults.take("media_garbage", to=to)
        if drop or own == "media_drop":
            stream.at(drop.number("after_s", 3) if drop else 3, stream.abort)
        if garbage or own == "media_garbage":
            variant = garbage.text("variant", "not_json") if garbage else "not_json"
            stream.at(garbage.number("after_s", 3) if garbage else 3, lambda: stream.send_garbage(variant))

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("the exchange lost a task", exc_info=error)
