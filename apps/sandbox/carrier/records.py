"""Calls and recordings as the REST interface shows them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

API = "/2010-04-01"
_SUBRESOURCES: Final = ("Notifications", "Recordings", "Streams", "Payments", "Events", "Siprec", "Transcriptions")
TERMINAL: Final = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


def new_sid(prefix: str) -> str:
    """Two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


def rfc2822(at: datetime | None) -> str | None:
    """As in the REST resources and callbacks: `Sun, 01 Nov 2026 09:53:19 +0000`."""
    return format_datetime(at) if at is not None else None


def now() -> datetime:
    """Whole seconds UTC, the resolution of the REST interface."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(slots=True)
class CallRecord:
    """The facts of one call. Times are UTC; duration_s and queue_ms are in sandbox time."""

    sid: str
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

    @property
    def uri(self) -> str:
        return f"{API}/Accounts/{self.account_sid}/Calls/{self.sid}.json"

    def note(self, event: str, **facts: object) -> None:
        """Leave a line in the true history: `at` is this machine's monotonic clock in seconds."""
        self.history.append({"at": time.monotonic(), "event": event, **facts})

    def set_status(self, status: str) -> None:
        self.status = status
        self.updated_at = now()
        self.note("status", status=status)

    def as_json(self) -> dict[str, object]:
        base = self.uri.removesuffix(".json")
        return {
            "sid": self.sid,
            "parent_call_sid": self.parent_sid,
            "account_sid": self.account_sid,
            "to": self.to,
            "to_formatted": self.to,
            "from": self.from_,
            "from_formatted": self.from_,
            "phone_number_sid": "",
            "status": self.status,
            "start_time": rfc2822(self.started_at),
            "end_time": rfc2822(self.ended_at),
            "duration": None if self.duration_s is None else str(self.duration_s),
            "price": None,
            "price_unit": "USD",
            "direction": self.direction,
            "answered_by": self.answered_by,
            "annotation": None,
            "api_version": "2010-04-01",
            "forwarded_from": None,
            "group_sid": None,
            "caller_name": None,
            "queue_time": str(self.queue_ms),
            "trunk_sid": None,
            "date_created": rfc2822(self.created_at),
            "date_updated": rfc2822(self.updated_at),
            "uri": self.uri,
            "subresource_uris": {name.lower(): f"{base}/{name}.json" for name in _SUBRESOURCES},
        }


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

    @property
    def path(self) -> str:
        return f"{API}/Accounts/{self.account_sid}/Recordings/{self.sid}"

    def as_json(self, *, media_origin: str) -> dict[str, object]:
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "call_sid": self.call_sid,
            "conference_sid": None,
            "status": self.status,
            "source": self.source,
            "channels": self.channels,
            "track": self.track,
            "duration": None if self.duration_s is None else str(self.duration_s),
            "error_code": self.error_code or None,
            "start_time": rfc2822(self.created_at),
            "date_created": rfc2822(self.created_at),
            "date_updated": rfc2822(self.updated_at),
            "price": None,
            "price_unit": "USD",
            "encryption_details": None,
            "api_version": "2010-04-01",
            "media_url": media_origin + self.path,
            "uri": self.path + ".json",
            "subresource_uris": {},
        }
