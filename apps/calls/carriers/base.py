"""What every carrier can do, and the words they all share. Plain Python."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class LineStatus(StrEnum):
    """Where a call stands, as the line tells it; the last five are final."""

    QUEUED = "queued"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"  # was answered and is over
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset(
    {LineStatus.COMPLETED, LineStatus.BUSY, LineStatus.NO_ANSWER, LineStatus.FAILED, LineStatus.CANCELED}
)


class Verdict(StrEnum):
    """Who picked up, by the carrier's answering machine detection."""

    HUMAN = "human"
    MACHINE = "machine"
    FAX = "fax"
    UNKNOWN = "unknown"
    NONE = ""


class Fault(StrEnum):
    """Whose fault a refusal is, which decides what to do next."""

    NUMBER = "number"  # this number cannot be called: give it up
    CONFIG = "config"  # our account, our number, our request: someone must look
    LIMIT = "limit"  # too much at once, and not done: later
    OUTAGE = "outage"  # the network or the carrier: later, and perhaps it was done
    OVER = "over"  # the call is not live any more


class CarrierError(Exception):
    """A carrier refused or could not be asked.

    retryable: the same request may be sent again. maybe_placed: the carrier may have acted on it all the same, so do
    not send it again before asking. code: the carrier's own, "" if there is none. request_id: the carrier's name for
    our request, for its support desk.
    """

    def __init__(
        self,
        message: str,
        *,
        fault: Fault,
        code: str = "",
        retryable: bool = False,
        maybe_placed: bool = False,
        retry_after_s: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.code = code
        self.retryable = retryable
        self.maybe_placed = maybe_placed
        self.retry_after_s = retry_after_s
        self.request_id = request_id


def proves_service_is_up(error: BaseException) -> bool:
    """Whether the error is an answer with a reason, which must not open the carrier's breaker."""
    return isinstance(error, CarrierError) and error.fault is not Fault.OUTAGE


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Where the carrier asks and tells, as whole URLs that bear the leg's token."""

    answer: str
    status: str
    machine: str
    stream: str
    after_stream: str


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """before_send: called in the sending thread at the last moment before the request leaves; it may block."""

    to: str  # E.164
    from_: str  # E.164, a number of ours at this carrier
    webhooks: Webhooks
    ring_timeout_s: int
    max_duration_s: int
    detect_machine: bool
    before_send: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class CarrierCall:
    """A call as the carrier's REST interface shows it. Times are UTC; duration_s counts from answer to end."""

    id: str
    status: LineStatus
    to: str
    from_: str
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: int | None = None
    answered_by: str = ""  # the carrier's own word


@dataclass(frozen=True, slots=True)
class LineNews:
    """What happened to a call, from a webhook or a fetch.

    at: when it happened by the carrier's clock, None if it did not say. key: what makes a repeat recognisable, made of
    signed fields; "" for news that may be told again (a fetch). answered_by: the carrier's own word, "" if none.
    """

    carrier_call_id: str
    status: LineStatus
    at: datetime | None = None
    key: str = ""
    answered_by: str = ""
    verdict: Verdict = Verdict.NONE
    sip_code: int | None = None
    duration_s: int | None = None


@dataclass(frozen=True, slots=True)
class MachineNews:
    """The carrier's verdict on who picked up. answered_by: its own word; took_ms: how long it listened."""

    carrier_call_id: str
    answered_by: str
    verdict: Verdict
    key: str
    took_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StreamNews:
    """A media stream began, stopped or failed. event: started, stopped, error."""

    carrier_call_id: str
    stream_id: str
    event: str
    error: str
    key: str
    at: datetime | None = None


class Carrier(Protocol):
    """Phones people. Every method blocks for at most the configured timeout and never retries by itself."""

    name: str

    def place(self, request: PlaceRequest) -> CarrierCall:
        """Ask for a call. Raises CarrierError; if maybe_placed, the phone may ring all the same."""
        ...

    def hang_up(self, carrier_call_id: str) -> None:
        """End a call in whatever state. Raises CarrierError, with Fault.OVER if it is over already."""
        ...

    def fetch(self, carrier_call_id: str) -> LineNews | None:
        """Where a call stands now; None if the carrier knows no such call. Raises CarrierError."""
        ...

    def find(self, *, to: str, from_: str, since: datetime) -> list[CarrierCall]:
        """Calls between these numbers made at or after ``since``, oldest first. Raises CarrierError."""
        ...
