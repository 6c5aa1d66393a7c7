"""What every carrier can do, and the words they all share. Plain Python."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Protocol


class LineStatus(StrEnum):
    """Where a call stands, as the line tells it; from ``over`` on they are final."""

    QUEUED = "queued"
    RINGING = "ringing"
    ANSWERED = "answered"
    OVER = "over"  # is over, and the carrier does not say how it went
    COMPLETED = "completed"  # was answered and is over
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_LONGEST_WAIT_S = 100_000  # more is no number of seconds, but a time counted otherwise
_FINAL = frozenset(list(LineStatus)[list(LineStatus).index(LineStatus.OVER) :])


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


def seconds_of(retry_after: str | None) -> float | None:
    """A Retry-After header in seconds from now, whether it counts them or names a time; None for anything else."""
    text = (retry_after or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = ((at.replace(tzinfo=UTC) if at.tzinfo is None else at) - datetime.now(UTC)).total_seconds()
    return seconds if 0 < seconds < _LONGEST_WAIT_S else None


def proves_service_is_up(error: BaseException) -> bool:
    """Whether the error is an answer with a reason, which must not open the carrier's breaker."""
    return isinstance(error, CarrierError) and error.fault is not Fault.OUTAGE


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a carrier does, where carriers differ; services ask here, never for a carrier's name.

    takes_documents: it asks what to do by webhook and obeys the answer, media stream included; otherwise it is told by
    commands (see Commanded). hangs_up_after_stream: a call whose media stream we close ends by itself. finds_ended:
    ``find`` shows calls that are over, too; where it does not, a call that was never confirmed and is not live is
    settled by time-out. sends_dtmf: it can play keys into a call that is in conversation with us.
    """

    takes_documents: bool
    hangs_up_after_stream: bool
    finds_ended: bool
    sends_dtmf: bool


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Where the carrier asks and tells, as whole URLs that bear the leg's token.

    A carrier that sends all it has to tell to one address uses ``status``.
    """

    status: str
    answer: str = ""
    machine: str = ""
    stream: str = ""
    after_stream: str = ""
    recording: str = ""
    transferred: str = ""


@dataclass(frozen=True, slots=True)
class MediaTarget:
    """Where the carrier opens a call's media socket. secret: what it shows there, if it does not sign the request."""

    url: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """token: the leg's own; the same request sent twice under it dials once, where the carrier can tell.

    media: for carriers that open the media socket by themselves as soon as the call is answered. before_send: called
    in the sending thread at the last moment before the request leaves; it may block.
    """

    to: str  # E.164
    from_: str  # E.164, a number of ours at this carrier
    token: str
    webhooks: Webhooks
    ring_timeout_s: int
    max_duration_s: int
    detect_machine: bool
    media: MediaTarget | None = None
    before_send: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Join a call's far end with another number; we are out of it from then on.

    webhooks: of the call's own leg; its ``transferred`` is where a carrier that takes documents asks on. target: the
    webhooks of the new leg. token: the new leg's.
    """

    to: str  # E.164
    from_: str  # E.164, shown to who is called
    token: str
    webhooks: Webhooks
    target: Webhooks
    ring_timeout_s: int
    max_duration_s: int


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
    signed fields; "" for news that may be told again (a fetch). answered_by, cause (of the end): the carrier's own
    words, "" if none.
    """

    carrier_call_id: str
    status: LineStatus
    at: datetime | None = None
    key: str = ""
    answered_by: str = ""
    verdict: Verdict = Verdict.NONE
    sip_code: int | None = None
    duration_s: int | None = None
    cause: str = ""


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
    """A media stream began, stopped or failed. event: started, stopped, error.

    media_token: of the socket that it is about, "" where the carrier does not say which.
    """

    carrier_call_id: str
    stream_id: str
    event: str
    error: str
    key: str
    at: datetime | None = None
    media_token: str = ""


@dataclass(frozen=True, slots=True)
class RecordingNews:
    """A recording by the carrier is ready to be fetched, or there is none. recording_id: "" where it has none.

    url: where to fetch it, for a short while only with some carriers. error: the carrier's word for why there is none.
    """

    recording_id: str
    url: str
    key: str
    error: str = ""
    started_at: datetime | None = None
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class TransferNews:
    """What became of a transfer, where the call that was transferred is asked on. is_joined: the two have talked."""

    carrier_call_id: str
    status: LineStatus
    is_joined: bool
    key: str


@dataclass(frozen=True, slots=True)
class InboundCall:
    """Somebody calls a number of ours."""

    carrier_call_id: str
    to: str
    from_: str
    key: str
    at: datetime | None = None


class Carrier(Protocol):
    """Phones people. Every method blocks for at most the configured timeout and never retries by itself."""

    name: str
    capabilities: Capabilities

    def place(self, request: PlaceRequest) -> CarrierCall:
        """Ask for a call. Raises CarrierError; if maybe_placed, the phone may ring all the same."""
        ...

    def hang_up(self, carrier_call_id: str) -> None:
        """End a call in whatever state. Raises CarrierError, with Fault.OVER if it is over already."""
        ...

    def fetch(self, carrier_call_id: str) -> LineNews | None:
        """Where a call stands now; None if the carrier knows no such call. Raises CarrierError."""
        ...

    def find(self, *, to: str, from_: str, since: datetime, token: str) -> list[CarrierCall]:
        """Calls between these numbers made at or after ``since``, oldest first. Raises CarrierError.

        token: as it was in the PlaceRequest. A carrier that keeps it shows the very call; one without
        ``capabilities.finds_ended`` shows it only while it is live.
        """
        ...

    def transfer(self, carrier_call_id: str, request: TransferRequest) -> None:
        """Join the call with another number; it ends when either of the two hangs up. Raises CarrierError.

        That the other number is called says its own leg; whether it could be, too: the first call then goes on.
        """
        ...

    def send_dtmf(self, carrier_call_id: str, digits: str) -> None:
        """Play keys into the call. Raises CarrierError; with Fault.CONFIG where ``capabilities.sends_dtmf`` is not."""
        ...

    def start_recording(self, carrier_call_id: str, webhooks: Webhooks, *, token: str) -> str:
        """Record both sides, each in a channel of its own, as WAV. The recording's id, "" where only its end names it.

        token: unique to this recording. Raises CarrierError.
        """
        ...

    def pause_recording(self, carrier_call_id: str, recording_id: str) -> None:
        """What is said from now on is silence in the recording, or left out of it. Raises CarrierError."""
        ...

    def resume_recording(self, carrier_call_id: str, recording_id: str) -> None: ...

    def stop_recording(self, carrier_call_id: str, recording_id: str) -> None:
        """End the recording; it becomes ready after a while, which a webhook tells. Raises CarrierError."""
        ...

    def fetch_recording(self, news: RecordingNews) -> Iterator[bytes]:
        """The recording's file in pieces, as it comes from the network. Raises CarrierError, also in between."""
        ...

    def close(self) -> None:
        """Let the pooled connections go."""
        ...


class Commanded(Protocol):
    """A carrier without documents: it is told what to do with a call after it has told us where the call stands."""

    def answer(self, carrier_call_id: str, webhooks: Webhooks, *, token: str) -> None:
        """Take an incoming call; that it is answered comes by webhook. Safe to repeat. Raises CarrierError."""
        ...

    def reject(self, carrier_call_id: str, *, is_busy: bool) -> None:
        """Refuse an incoming call before it is answered. Raises CarrierError."""
        ...

    def start_stream(self, carrier_call_id: str, media: MediaTarget) -> None:
        """Open the media socket of an answered call. Raises CarrierError."""
        ...
