"""What the sessions of listen and speak have in common: sending, timers, trouble to order, and the record of it all."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import WSMsgType

from ..faults import Fault, FaultsInForce
from ..outgoing import Outgoing
from ..world import World


@dataclass(slots=True)
class PartRecord:
    """What the control interface tells. turns: what was heard or said."""

    id: str
    part: str
    model: str
    opened_at: float = field(default_factory=time.time)
    closed_at: float | None = None
    close_code: int | None = None
    close_reason: str = ""
    received: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    audio_in_bytes: int = 0
    audio_out_bytes: int = 0
    characters: int = 0
    errors: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)


class Part:
    """One socket. n_responses counts what the part does: turns that were heard, or answers that were spoken."""

    def __init__(self, world: World, part: str, model: str, line: Outgoing, faults: list[Fault]) -> None:
        self.world = world
        self.record = PartRecord(str(uuid4()), part, model)
        self.n_responses = 0
        self._line = line
        self._faults = FaultsInForce()
        self._first_faults = faults
        self._is_stalled = False
        self._timers: set[asyncio.TimerHandle] = set()

    @property
    def id(self) -> str:
        return self.record.id

    def open(self) -> None:
        for fault in self._first_faults:
            self.suffer(fault)

    def emit(self, type_: str, **fields: Any) -> None:
        if not self._is_stalled:
            self.record.sent[type_] += 1
            self._line.send(orjson.dumps({"type": type_, **fields}))

    def emit_audio(self, data: bytes) -> None:
        if not self._is_stalled:
            self.record.audio_out_bytes += len(data)
            self._line.send(data, WSMsgType.BINARY)

    def hang_up(self, code: int | None, reason: str = "") -> None:
        self._line.hang_up(code, reason)

    def close(self, code: int | None, reason: str) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.record.closed_at = time.time()
        self.record.close_code, self.record.close_reason = code, reason

    def later(self, seconds: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        def run() -> None:
            self._timers.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(seconds, run)
        self._timers.add(timer)
        return timer

    def suffer(self, fault: Fault, *, at_once: bool = False) -> None:
        """at_once: the session is under way; what it does next counts as the first."""
        self.record.faults.append(fault.kind)
        kind, settings = fault.kind, fault.settings
        if kind == "disconnect" and (settings.get("now") or at_once):
            self.strike(fault)
        elif kind == "expire":
            self.later(
                settings.get("after_s", 0) / self.world.speed,
                lambda: self.hang_up(1000, "The connection has reached its maximum duration."),
            )
        elif kind == "garbage":
            self._line.send(b'{"type": "Results", "channel": ')
        elif kind == "unknown_event":
            self.emit("Sentiment", mood="curious")
        elif kind == "stall" and at_once:
            self._is_stalled = True
        else:
            self._faults.add(fault, n_responses_before=self.n_responses if at_once else 0)

    def strike(self, fault: Fault) -> None:
        self.hang_up(fault.settings.get("code", 1011), fault.settings.get("reason", ""))

    def trouble(self, kind: str) -> Fault | None:
        """The fault of that kind that strikes what the part is doing now."""
        return self._faults.take(kind, self.n_responses)

    def begin(self) -> float:
        """One more turn or answer. Returns how many seconds it is late."""
        self.n_responses += 1
        self._is_stalled = self._is_stalled or self.trouble("stall") is not None
        slow = self.trouble("slow")
        return slow.settings.get("delay_ms", 5000) / 1000 / self.world.speed if slow is not None else 0.0

    def report(self) -> dict[str, Any]:
        told = {name.name: getattr(self.record, name.name) for name in fields(self.record)}
        return told | {"is_live": self.record.closed_at is None, "tool_calls": []}
