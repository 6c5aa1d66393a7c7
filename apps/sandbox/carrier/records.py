"""The facts of calls and recordings, whichever carrier's they are."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal

Carrier = Literal["twilio", "telnyx"]
TERMINAL: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


def new_sid(prefix: str) -> str:
    """Two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


def rfc2822(at: datetime | None) -> str | None:
    """As in Twilio's resources and callbacks: `Sun, 01 Nov 2026 09:53:19 +0000`."""
    return format_datetime(at) if at is not None else None


def iso8601(at: datetime | None) -> str | None:
    """As in Telnyx's resources and events: `2026-11-01T09:53:19.000000Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at is not None else None


def now() -> datetime:
    """Whole seconds UTC, the resolution of Twilio's interface."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(slots=True)
class CallRecord:
    """The facts of one call. Times are UTC; duration_s and queue_ms are in sandbox time.

    sid: Twilio's CallSid or Telnyx's call_control_id. status is in Twilio's words for both carriers.
    """

    sid: str
    carrier: Carrier
    account_sid: str
    to: str
    from_: str
    direction: str
    status: str = "queued"
    parent_sid: str | None = None
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: int | None = None
    queue_ms: int = 0
    answered_by: str | None = None
    sip_code: int | None = None
    history: list[dict[str, object]] = field(default_factory=list)
    webhooks: list[dict[str, object]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.status in TERMINAL

    def note(self, event: str, **facts: object) -> None:
        """Leave a line in the true history: `at` is this machine's monotonic clock in seconds."""
        self.history.append({"at": time.monotonic(), "event": event, **facts})

    def set_status(self, status: str) -> None:
        self.status = status
        self.updated_at = now()
        self.note("status", status=status)


@dataclass(slots=True)
class RecordingRecord:
    """The facts of one recording; the audio itself is in a file."""

    sid: str
    account_sid: str
    call_sid: str
    source: str
    channels: int
    track: str = "both"
    status: str = "in-progress"
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    duration_s: int | None = None
    error_code: int = 0

    def set_status(self, status: str) -> None:
        self.status = status
        self.updated_at = now()
