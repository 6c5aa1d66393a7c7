"""Opening hours in local time, put on the one time line; pure.

A day that loses or repeats an hour is read strictly: an opening that falls into the change starts late and ends early.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.easter import easter

Span = tuple[time, time]  # from, to (not included); an end of time.max is the midnight after
Interval = tuple[datetime, datetime]  # aware, UTC; end not included
MIDNIGHT_AFTER = time.max
# How far ahead an opening is looked for: longer than any row of closed days.
HORIZON_DAYS = 16


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """weekdays: seven entries from Monday, each the spans of that day. holidays: closed days, "MM-DD" or "easter-2"."""

    weekdays: tuple[tuple[Span, ...], ...]
    holidays: frozenset[str] = frozenset()

    def on(self, day: date) -> tuple[Span, ...]:
        return () if is_holiday(day, self.holidays) else self.weekdays[day.weekday()]


def is_holiday(day: date, holidays: frozenset[str]) -> bool:
    """Whether the day is one of them; "easter-2" is two days before Easter Sunday, "easter+1" the day after."""
    if not holidays:
        return False
    if f"{day:%m-%d}" in holidays:
        return True
    return f"easter{(day - easter(day.year)).days:+d}" in holidays


def is_open(rules: Sequence[tuple[OpeningHours, str]], at: datetime) -> bool:
    """Whether every one of the hours, each in its zone (IANA name), is open at that instant. No rules: open."""
    for hours, zone in rules:
        day = at.astimezone(ZoneInfo(zone)).date()
        if not any(start <= at < end for start, end in openings(hours, zone, day)):
            return False
    return True


def next_opening(rules: Sequence[tuple[OpeningHours, str]], at: datetime) -> datetime | None:
    """The first instant from ``at`` on at which all are open together; None if there is none within HORIZON_DAYS."""
    if not rules:
        return at
    common: list[Interval] | None = None
    for hours, zone in rules:
        today = at.astimezone(ZoneInfo(zone)).date()
        mine = [span for n in range(HORIZON_DAYS) for span in openings(hours, zone, today + timedelta(days=n))]
        common = mine if common is None else intersection(common, mine)
        if not common:
            return None
    return next((max(start, at) for start, end in common or [] if end > at), None)


def intersection(left: Sequence[Interval], right: Sequence[Interval]) -> list[Interval]:
    """What two ordered lists of intervals have in common."""
    found: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] <= right[j][1]:
            i += 1
        else:
            j += 1
    return found


@lru_cache(maxsize=65_536)
def openings(hours: OpeningHours, zone: str, day: date) -> tuple[Interval, ...]:
    """The spans of one local day as instants, in order."""
    found = []
    for span_start, span_end in sorted(hours.on(day)):
        start = max(_instants(day, span_start, zone))
        end = min(_instants(day, span_end, zone))
        if start < end:
            found.append((start, end))
    return tuple(found)


def _instants(day: date, wall: time, zone: str) -> tuple[datetime, datetime]:
    """The two readings of a wall clock; they differ only where the clock is changed."""
    if wall == MIDNIGHT_AFTER:
        day, wall = day + timedelta(days=1), time(0)
    local = datetime.combine(day, wall, tzinfo=ZoneInfo(zone))
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)
