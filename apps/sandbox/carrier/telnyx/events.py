"""Telnyx's events: signed JSON, unordered, delivered at least once."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.sandbox.carrier.clock import Clock
from apps.sandbox.carrier.courier import Courier, Reply, Subject, Timeouts
from apps.sandbox.carrier.faults import FaultPlan
from apps.sandbox.carrier.records import iso8601
from apps.sandbox.carrier.telnyx.signing import signature

_TIMEOUTS: Final = Timeouts(connect_s=2.0, read_s=2.0, total_s=2.0)  # a voice application's default
_RETRIES_MS: Final = (500, 1500)

# An event's kind, and its name among the faults, the same as the other carrier's where there is one.
_NAMES: Final[dict[str, tuple[str, str]]] = {
    "call.initiated": ("status", "initiated"),
    "call.answered": ("status", "answered"),
    "call.bridged": ("status", "bridged"),
    "call.hangup": ("status", "completed"),
    "call.dtmf.received": ("dtmf", "dtmf"),
    "message.received": ("message", "inbound"),
}
_FAMILIES: Final[dict[str, str]] = {
    "call.machine": "amd",
    "call.recording": "recording",
    "call.playback": "playback",
    "call.speak": "playback",
    "streaming": "stream",
    "message": "message",
}


def fault_name(event_type: str) -> tuple[str, str]:
    """Kind and fault name of an event type."""
    if event_type in _NAMES:
        return _NAMES[event_type]
    family = next((name for prefix, name in _FAMILIES.items() if event_type.startswith(prefix)), "other")
    return family, family


@dataclass(frozen=True, slots=True)
class Route:
    """Where the events of a leg or a message go.

    by_event: addresses for single event types instead of `url`. retries_ms: waits before each new attempt, by type.
    """

    url: str = ""
    by_event: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retries_ms: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def urls(self, event_type: str) -> tuple[str, ...]:
        return self.by_event.get(event_type) or ((self.url,) if self.url else ())


class TelnyxEvents(Courier):
    """Delivers events. Time-outs are real, the waits between attempts are the sandbox's."""

    def __init__(self, key: Ed25519PrivateKey, clock: Clock, faults: FaultPlan) -> None:
        super().__init__(clock, faults, {"User-Agent": "telnyx-webhooks", "Accept": "*/*"})
        self._key = key

    def tell(self, subject: Subject, route: Route, event_type: str, payload: dict[str, object]) -> None:
        """Send an event that happens now; without an address it is only noted."""
        subject.note("told", event_type=event_type)
        data: dict[str, object] = {
            "record_type": "event",
            "event_type": event_type,
            "id": str(uuid.uuid4()),
            "occurred_at": iso8601(datetime.now(UTC)),
            "payload": payload,
        }
        kind, name = fault_name(event_type)
        retries_ms = route.retries_ms.get(event_type, _RETRIES_MS)
        for url in route.urls(event_type):
            self._tell(subject, url, data, retries_ms, kind=kind, name=name, event_type=event_type)

    def _tell(
        self,
        subject: Subject,
        url: str,
        data: dict[str, object],
        retries_ms: tuple[int, ...],
        *,
        kind: str,
        name: str,
        event_type: str,
    ) -> None:
        async def deliver() -> Reply:
            return await self._deliver(subject, url, data, retries_ms, kind)

        self.dispatch(subject, deliver, kind=kind, event=name, aliases=(event_type,))

    async def _deliver(
        self, subject: Subject, url: str, data: dict[str, object], retries_ms: tuple[int, ...], kind: str
    ) -> Reply:
        attempt = 1
        while True:
            envelope = {"data": data, "meta": {"attempt": attempt, "delivered_to": url}}
            body = json.dumps(envelope, separators=(",", ":")).encode()
            timestamp = str(int(time.time()))
            headers = {
                "Content-Type": "application/json",
                "Telnyx-Timestamp": timestamp,
                "Telnyx-Signature-Ed25519": signature(self._key, timestamp, body),
            }
            reply = await self.http(url, "POST", headers, body, _TIMEOUTS, follows=False)
            subject.webhooks.append(
                {
                    "request": {
                        "url": url,
                        "method": "POST",
                        "parameters": envelope,
                        "kind": kind,
                        "attempt": attempt - 1,
                    },
                    "response": {"response_code": reply.status, "failure": reply.failure},
                }
            )
            if reply.is_ok or not _is_retried(reply) or attempt > len(retries_ms):
                return reply
            await self._clock.sleep(retries_ms[attempt - 1] / 1000)
            attempt += 1


def _is_retried(reply: Reply) -> bool:
    return reply.status in {0, 408, 429} or reply.status >= 500
