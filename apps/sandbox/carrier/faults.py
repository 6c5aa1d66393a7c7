"""What goes wrong on demand: an ordered list of faults, each used up or standing until reset."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

KINDS: Final[dict[str, str]] = {
    "rest_429": "a REST request is refused with 429 / 20429, unprocessed",
    "rest_500": "a REST request is refused with 500 / 20500, unprocessed",
    "rest_error": "a REST request is refused with the given status, code and message",
    "rest_timeout": "the request is processed, its answer withheld for hold_s real seconds (default 60)",
    "rest_reset": "the connection is reset; processed first unless processed is false",
    "callback_duplicate": "a callback is sent copies more times (default 1)",
    "callback_delay": "a callback is sent delay_s late (default 5)",
    "callback_reorder": "a callback is held back until the call's next one has been delivered",
    "callback_drop": "a callback is never sent",
    "media_drop": "the media socket is cut after_s into the stream (default 3)",
    "media_reorder": "Telnyx only: every nth media message is overtaken by the next one (every: default 10)",
    "media_garbage": "a broken message is sent after_s into the stream (default 3); variant says how it is broken",
}
GARBAGE_VARIANTS: Final = ("not_json", "bad_base64", "missing_fields", "oversized", "binary", "out_of_order")


class FaultError(ValueError):
    """The control interface was asked for a fault that does not exist."""


@dataclass(slots=True)
class Fault:
    """One thing to go wrong.

    remaining: how often still, None without end. to: only for this number. events: only these callbacks
    ("initiated", "ringing", "answered", "completed", "amd", "recording", "stream"). method: only this HTTP method.
    """

    kind: str
    remaining: int | None = None
    to: str | None = None
    events: frozenset[str] = frozenset()
    method: str | None = "POST"
    options: dict[str, object] = field(default_factory=dict)

    def number(self, name: str, default: float) -> float:
        value = self.options.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def text(self, name: str, default: str) -> str:
        value = self.options.get(name, default)
        return value if isinstance(value, str) else default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.options.get(name, default)
        return value if isinstance(value, bool) else default

    def as_json(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "times": self.remaining,
            "to": self.to,
            "events": sorted(self.events),
            "method": self.method,
            **self.options,
        }


def parse_fault(data: Mapping[str, object]) -> Fault:
    """A fault from the control interface's JSON; raises FaultError with what is wrong."""
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise FaultError(f"kind must be one of {', '.join(KINDS)}")
    times = data.get("times")
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        raise FaultError("times must be a whole number above 0, or null for without end")
    to = data.get("to")
    if to is not None and not isinstance(to, str):
        raise FaultError("to must be a number as text")
    events = data.get("events", [])
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise FaultError("events must be a list of names")
    variant = data.get("variant")
    if variant is not None and variant not in GARBAGE_VARIANTS:
        raise FaultError(f"variant must be one of {', '.join(GARBAGE_VARIANTS)}")
    method = data.get("method", "POST")
    if method is not None and not isinstance(method, str):
        raise FaultError("method must be text, or null for any")
    known = {"kind", "times", "to", "events", "method"}
    return Fault(kind, times, to, frozenset(events), method, {k: v for k, v in data.items() if k not in known})


class FaultPlan:
    """The faults in force, asked in the order they were set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._numbers_refused: set[tuple[str, str]] = set()

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def reset(self) -> None:
        self._faults.clear()
        self._numbers_refused.clear()

    def as_json(self) -> list[dict[str, object]]:
        return [fault.as_json() for fault in self._faults]

    def take_rest(self, *, method: str, to: str | None) -> Fault | None:
        """The fault of this REST request, if any."""
        for fault in self._faults:
            if not fault.kind.startswith("rest_") or (fault.method is not None and fault.method != method):
                continue
            if fault.to is None or fault.to == to:
                return self._use(fault)
        return None

    def take(self, kind: str, *, to: str, events: Collection[str] = ()) -> Fault | None:
        """A fault of this kind for a call or message to `to`; `events` are the names the callback goes by."""
        for fault in self._faults:
            if fault.kind != kind or (fault.to is not None and fault.to != to):
                continue
            if not fault.events or not fault.events.isdisjoint(events):
                return self._use(fault)
        return None

    def first_time(self, kind: str, number: str) -> bool:
        """Whether a number that brings its own fault does so now: only the first request to it suffers."""
        key = (kind, number)
        if key in self._numbers_refused:
            return False
        self._numbers_refused.add(key)
        return True

    def _use(self, fault: Fault) -> Fault:
        if fault.remaining is not None:
            fault.remaining -= 1
            if fault.remaining == 0:
                self._faults.remove(fault)
        return fault
