"""The exchange: the calls of all carriers, their audio's one clock, and all there has been."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path

from apps.sandbox.carrier.call import PhoneCall
from apps.sandbox.carrier.clock import Clock
from apps.sandbox.carrier.config import CarrierConfig
from apps.sandbox.carrier.courier import Courier
from apps.sandbox.carrier.faults import Fault, FaultPlan
from apps.sandbox.carrier.line import Pacer
from apps.sandbox.carrier.media_stream import MediaStream
from apps.sandbox.carrier.recorder import Recorder
from apps.sandbox.carrier.records import Carrier

log = logging.getLogger(__name__)

# A number that brings its own fault: which callbacks it concerns and how many of them.
_CALLBACK_FAULTS: dict[str, tuple[frozenset[str], int]] = {
    "callback_duplicate": (frozenset({"initiated", "ringing", "answered", "completed"}), 4),
    "callback_reorder": (frozenset({"ringing", "answered"}), 2),
    "callback_drop": (frozenset({"completed"}), 1),
}


class Exchange:
    """What the carriers' accounts share. `open` before, `close` after use."""

    def __init__(self, config: CarrierConfig) -> None:
        self.config = config
        self.clock = Clock(config.speed)
        self.faults = FaultPlan()
        self.pacer = Pacer(self.clock)
        self.calls: dict[str, PhoneCall] = {}
        self.recordings: dict[str, Recorder] = {}
        self.creates: list[dict[str, object]] = []
        self._couriers: list[Courier] = []
        self._services: list[Coroutine[object, object, None]] = [self.pacer.run()]
        self._on_reset: list[Callable[[], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._directory = tempfile.TemporaryDirectory(prefix="sandbox-recordings-")
        self.recordings_dir = Path(self._directory.name)

    def join(
        self, courier: Courier, *services: Coroutine[object, object, None], on_reset: Callable[[], None] | None = None
    ) -> None:
        """An account's courier and whatever of it runs as long as the exchange is open."""
        self._couriers.append(courier)
        self._services += services
        if on_reset is not None:
            self._on_reset.append(on_reset)

    def forget_with(self, forget: Callable[[], None]) -> None:
        """Call `forget` whenever everything is to be forgotten."""
        self._on_reset.append(forget)

    async def open(self) -> None:
        for courier in self._couriers:
            await courier.open()
        while self._services:
            self.spawn(self._services.pop())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for call in self.calls.values():
            for stream in list(call.streams):
                stream.abort()
        for courier in self._couriers:
            await courier.close()
        self._directory.cleanup()

    async def reset(self) -> None:
        """Forget everything: hang up every call, drop queue, history, recordings and faults."""
        self.faults.reset()
        for forget in self._on_reset:
            forget()
        running = [call for call in self.calls.values() if not call.record.is_over]
        for call in running:
            if call.record.started_at is None:
                call.record.set_status("canceled")  # the dialling loop may hold it already
            else:
                call.hang_up("api")
        dialled = [call.over for call in running if call.record.started_at is not None]
        if dialled:
            await asyncio.wait(dialled)
        for courier in self._couriers:
            await courier.settle(timeout_s=2.0)
        self.calls.clear()
        self.creates.clear()
        self.recordings.clear()
        for path in self.recordings_dir.iterdir():
            path.unlink()

    def log_create(self, carrier: Carrier, *, to: str, from_: str, sid: str | None, code: int | None) -> None:
        """Every request for a call that arrived: `at` on the monotonic clock, accepted (sid) or refused (code)."""
        self.creates.append(
            {"at": time.monotonic(), "carrier": carrier, "to": to, "from": from_, "sid": sid, "code": code}
        )

    def times_dialled(self) -> dict[str, int]:
        """How many calls each number has had placed to it through the REST interfaces."""
        return dict(Counter(str(entry["to"]) for entry in self.creates if entry["sid"]))

    def adopt(self, call: PhoneCall) -> None:
        """Know a call from now on; its number may bring a fault."""
        script = call.script
        call.record.note("created", persona=script.persona.key, language=script.language)
        self.calls[call.record.sid] = call
        if script.fault in _CALLBACK_FAULTS:
            events, times = _CALLBACK_FAULTS[script.fault]
            self.faults.add(Fault(script.fault, times, call.record.to, events))

    def start(self, call: PhoneCall) -> None:
        self.spawn(call.run())

    def spoil_stream(self, call: PhoneCall, stream: MediaStream) -> None:
        """Arrange what is to go wrong with a stream that has just opened."""
        to, own = call.record.to, call.script.fault
        drop, garbage = self.faults.take("media_drop", to=to), self.faults.take("media_garbage", to=to)
        if drop or own == "media_drop":
            stream.at(drop.number("after_s", 3) if drop else 3, stream.abort)
        if garbage or own == "media_garbage":
            variant = garbage.text("variant", "not_json") if garbage else "not_json"
            stream.at(garbage.number("after_s", 3) if garbage else 3, lambda: stream.send_garbage(variant))

    def spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        """Run something beside all else, until the exchange closes at the latest."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("the exchange lost a task", exc_info=error)
