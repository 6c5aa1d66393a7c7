"""Whether and when to try again after an attempt; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# A call that never reached the carrier is no attempt: it is tried again soon, then less and less often.
_NOT_PLACED_LONGEST_S = 900


@dataclass(frozen=True, slots=True)
class Rule:
    """After an outcome: try again after delay_s, as long as fewer than max_attempts ended with it."""

    delay_s: int
    max_attempts: int


def next_try(rule: Rule | None, *, n_with_outcome: int, ended_at: datetime) -> datetime | None:
    """When to try again; None if not. n_with_outcome: attempts that ended so, the latest one included."""
    if rule is None or n_with_outcome >= rule.max_attempts:
        return None
    return ended_at + timedelta(seconds=rule.delay_s)


def after_not_placed(*, n_in_a_row: int, ended_at: datetime, first_s: float) -> datetime:
    """When to ask the carrier again after it could not be asked n_in_a_row times; first_s after the first."""
    delay_s = min(first_s * 2 ** min(max(n_in_a_row, 1) - 1, 16), _NOT_PLACED_LONGEST_S)
    return ended_at + timedelta(seconds=delay_s)
