"""A campaign's calling windows, in the contact's local time, together with the hours of the law; pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time

from apps.contacts.hours import OpeningHours, Span, is_open, next_opening


def as_hours(windows: Iterable[tuple[int, time, time]]) -> OpeningHours | None:
    """Opening hours from (weekday, from, to) with Monday 0; None if there are none: no limit of its own.

    Windows of one day may overlap; an end of 23:59 or later means midnight, which a time of day cannot say.
    """
    days: list[list[Span]] = [[] for _ in range(7)]
    found = False
    for weekday, starts_at, ends_at in windows:
        days[weekday].append((starts_at, time.max if (ends_at.hour, ends_at.minute) == (23, 59) else ends_at))
        found = True
    return OpeningHours(tuple(_merged(spans) for spans in days)) if found else None


def is_within(window: OpeningHours | None, zones: Sequence[str], at: datetime) -> bool:
    """Whether the campaign dials now, in every one of the zones the contact may be in (IANA names)."""
    return window is None or is_open([(window, zone) for zone in zones], at)


def next_moment(
    window: OpeningHours | None, legal: Sequence[tuple[OpeningHours, str]], zones: Sequence[str], at: datetime
) -> datetime | None:
    """The first instant from ``at`` on that both the windows and the law allow; None if none is in sight.

    legal: the hours of the law, each with its zone, as contacts.consent gives them.
    """
    own = [] if window is None else [(window, zone) for zone in zones]
    return next_opening([*legal, *own], at)


def _merged(spans: list[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)
