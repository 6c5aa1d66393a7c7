"""Telnyx's words for what the line says, in ours; and the state of ours that it carries along."""

import base64
from datetime import UTC, datetime

from apps.calls.carriers.base import LineStatus, Verdict

# An open set: whatever else it says counts as failed.
_CAUSES = {
    "normal_clearing": LineStatus.COMPLETED,
    "time_limit": LineStatus.COMPLETED,
    "user_busy": LineStatus.BUSY,
    "timeout": LineStatus.NO_ANSWER,
    "no_answer": LineStatus.NO_ANSWER,
    "originator_cancel": LineStatus.CANCELED,
}
# The far end's own answer says more than the cause where a call that was never up was "cleared normally".
_SIP = {486: LineStatus.BUSY, 600: LineStatus.BUSY, 480: LineStatus.NO_ANSWER, 487: LineStatus.CANCELED}
_STATE_MARK = "leg="


def status_of(hangup_cause: str, sip_code: int | None) -> LineStatus:
    """How a call ended. ``normal_clearing`` means a conversation, unless the SIP answer says that there was none."""
    status = _CAUSES.get(hangup_cause, LineStatus.FAILED)
    if status is LineStatus.COMPLETED and sip_code is not None and sip_code >= 400:
        return _SIP.get(sip_code, LineStatus.FAILED)
    return status


def verdict_of(result: str) -> Verdict:
    """``human``, ``human_residence``, ``machine``, ``fax_detected`` …; a word of tomorrow counts as unknown."""
    if not result:
        return Verdict.NONE
    for verdict in (Verdict.HUMAN, Verdict.MACHINE, Verdict.FAX):
        if result.startswith(verdict):
            return verdict
    return Verdict.UNKNOWN


def client_state(token: str) -> str:
    """What Telnyx keeps with a leg and repeats in its webhooks, in the base64 that it demands."""
    return base64.b64encode(f"{_STATE_MARK}{token}".encode()).decode()


def token_of(state: str | None) -> str:
    """The token in a client_state of ours; "" for anything else."""
    try:
        text = base64.b64decode(state or "", validate=True).decode()
    except ValueError:  # neither base64, nor text in it, nor even ASCII
        return ""
    is_ours = text.startswith(_STATE_MARK) and text.isascii() and text.isprintable()
    return text.removeprefix(_STATE_MARK) if is_ours else ""


def moment(text: object) -> datetime | None:
    """An aware UTC time from ISO 8601; None for anything else."""
    if not isinstance(text, str) or not text[:4].isdigit():
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def sip_code_of(text: object) -> int | None:
    """``"486"`` as a number; None for ``unspecified`` and whatever is no SIP code."""
    word = str(text or "")
    return int(word) if len(word) == 3 and word.isascii() and word.isdigit() else None
