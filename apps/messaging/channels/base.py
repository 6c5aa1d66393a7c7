"""What every carrier's text service can do, and the words they share. Plain Python."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol


class TextStatus(StrEnum):
    """Where a message stands, as the carrier tells it; the last three are final."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        return self in {TextStatus.DELIVERED, TextStatus.UNDELIVERED, TextStatus.FAILED}


@dataclass(frozen=True, slots=True)
class TextRequest:
    """token: the message's own; the same request sent twice under it sends once, where the carrier can tell."""

    to: str  # E.164
    from_: str  # E.164, a number of ours at this carrier
    body: str
    token: str
    status_url: str


@dataclass(frozen=True, slots=True)
class TextNews:
    """What became of a message, from an answer, a webhook or a fetch.

    at: when, by the carrier's clock, None if it did not say. cost: USD, None if not told. key: what makes a repeat
    recognisable, "" for news that may be told again. error: the carrier's words, for people.
    """

    carrier_message_id: str
    status: TextStatus
    at: datetime | None = None
    error_code: str = ""
    error: str = ""
    cost: Decimal | None = None
    n_parts: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class InboundText:
    """keyword: what the carrier made of it, and has answered by itself; "" if nothing, or if it did not say."""

    carrier_message_id: str
    from_: str
    to: str
    body: str
    at: datetime | None = None
    keyword: Literal["stop", "start", "help", ""] = ""
    n_media: int = 0
    n_parts: int | None = None
    key: str = ""


# Codes of both carriers: the person has stopped messages there, and every further one would be refused.
OPTED_OUT = frozenset({"21610", "40300"})


class TextChannel(Protocol):
    """Sends texts. Every method blocks for at most the configured time-out and never repeats by itself."""

    name: str
    finds: bool  # whether ``find`` looks at all

    def send(self, request: TextRequest) -> TextNews:
        """Raises CarrierError; if maybe_placed, the message may have been sent all the same."""
        ...

    def fetch(self, carrier_message_id: str) -> TextNews | None:
        """Where a message stands now; None if the carrier knows none by that id. Raises CarrierError."""
        ...

    def find(self, request: TextRequest, *, since: datetime) -> list[TextNews]:
        """Messages that may be this one, made at or after ``since``, oldest first; none where there is no search.

        Raises CarrierError.
        """
        ...
