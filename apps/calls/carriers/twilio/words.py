"""Twilio's words for what the line says, in ours."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from apps.calls.carriers.base import LineStatus, Verdict

# "initiated" stands in webhooks only: taken from Twilio's own queue and dialled, not yet ringing.
STATUSES = {
    "queued": LineStatus.QUEUED,
    "initiated": LineStatus.QUEUED,
    "ringing": LineStatus.RINGING,
    "in-progress": LineStatus.ANSWERED,
    "completed": LineStatus.COMPLETED,
    "busy": LineStatus.BUSY,
    "no-answer": LineStatus.NO_ANSWER,
    "failed": LineStatus.FAILED,
    "canceled": LineStatus.CANCELED,
}


def verdict_of(answered_by: str) -> Verdict:
    """``human``, ``fax``, ``unknown``, or one of several ``machine_…``; a word of tomorrow counts as unknown."""
    if not answered_by:
        return Verdict.NONE
    if answered_by.startswith("machine"):
        return Verdict.MACHINE
    if answered_by in {"human", "fax"}:
        return Verdict(answered_by)
    return Verdict.UNKNOWN


def moment(text: str) -> datetime | None:
    """An aware UTC time from RFC 2822 (call progress) or ISO 8601 (streams); None for anything else."""
    try:
        at = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def whole_number(text: str, *, at_most: int = 999_999_999) -> int | None:
    """A count or a code as Twilio writes it, a decimal string; None if missing, too large or something else."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    return number if number is None or number <= at_most else None
