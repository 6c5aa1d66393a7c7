"""How Telnyx says that a leg is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_CAUSES: Final = {404: "not_found", 403: "call_rejected", 486: "user_busy", 603: "call_rejected"}


@dataclass(frozen=True, slots=True)
class Ending:
    """hangup_cause, hangup_source and sip_hangup_cause."""

    cause: str
    source: str
    sip: str


def ending_of(
    *, status: str, by: str, is_incoming: bool, rejected_with: str, timeout_cause: str, sip_code: int | None
) -> Ending:
    """status: the record's final one. by: who hung up, empty if nobody did. rejected_with: the reject command's cause.

    timeout_cause: what a leg that nobody answered is to be told with.
    """
    ours, theirs = ("callee", "caller") if is_incoming else ("caller", "callee")
    if status == "completed":
        if by == "time_limit":
            return Ending("time_limit", "unknown", "200")
        return Ending("normal_clearing", theirs if by in {"callee", "fault"} else ours, "200")
    if is_incoming:
        if rejected_with:
            return Ending("user_busy" if status == "busy" else "call_rejected", ours, "unspecified")
        if by == "callee":  # the far party, who was the caller
            return Ending("originator_cancel", theirs, "unspecified")
        return Ending("normal_clearing", ours, "unspecified")
    if status == "no-answer":
        return Ending(timeout_cause, ours, "487")
    if status == "canceled":
        return Ending("originator_cancel", ours, "487")
    sip = sip_code or 503
    return Ending(_CAUSES.get(sip, "unspecified"), theirs, str(sip))


def call_quality(n_frames: int) -> dict[str, object]:
    """call_quality_stats of a leg that had so many frames of 20 ms: the sandbox's line has no faults of its own."""
    packets = str(n_frames)
    return {
        "inbound": {
            "mos": "4.50",
            "jitter_max_variance": "0.00",
            "jitter_packet_count": "0",
            "packet_count": packets,
            "skip_packet_count": "0",
        },
        "outbound": {"packet_count": packets, "skip_packet_count": "0"},
    }
