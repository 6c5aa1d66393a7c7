from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.contacts.hours import OpeningHours, intersection, is_holiday, is_open, next_opening, openings

ZONES = [
    "America/New_York",
    "Europe/Madrid",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Apia",
    "UTC",
]
NINE_TO_FIVE = OpeningHours(tuple([((time(9), time(17)),)] * 7))


def _at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_the_first_second_is_open_and_the_last_is_not():
    rules = [(NINE_TO_FIVE, "Europe/Prague")]
    assert is_open(rules, _at("2026-11-23T09:00:00", "Europe/Prague"))
    assert not is_open(rules, _at("2026-11-23T08:59:59", "Europe/Prague"))
    assert is_open(rules, _at("2026-11-23T16:59:59", "Europe/Prague"))
    assert not is_open(rules, _at("2026-11-23T17:00:00", "Europe/Prague"))


def test_every_zone_must_be_open():
    rules = [(NINE_TO_FIVE, "America/New_York"), (NINE_TO_FIVE, "America/Los_Angeles")]
    assert not is_open(rules, _at("2026-11-23T09:30", "America/New_York"))
    assert is_open(rules, _at("2026-11-23T12:30", "America/New_York"))
    assert next_opening(rules, _at("2026-11-23T09:30", "America/New_York")) == _at(
        "2026-11-23T09:00", "America/Los_Angeles"
    )


def test_zones_that_never_open_together_have_no_next_opening():
    early = OpeningHours(tuple([((time(9), time(12)),)] * 7))
    assert (
        next_opening([(early, "Asia/Tokyo"), (early, "America/New_York")], datetime(2026, 11, 23, tzinfo=UTC)) is None
    )


def test_next_opening_leaps_over_a_weekend_and_a_holiday():
    weekdays = OpeningHours((((time(9), time(17)),),) * 5 + ((), ()), frozenset({"12-07", "12-08"}))
    at = _at("2026-12-04T18:00", "Europe/Madrid")  # a Friday
    assert next_opening([(weekdays, "Europe/Madrid")], at) == _at("2026-12-09T09:00", "Europe/Madrid")


def test_an_open_moment_is_its_own_next_opening():
    at = _at("2026-11-23T10:15", "Europe/Prague")
    assert next_opening([(NINE_TO_FIVE, "Europe/Prague")], at) == at


@pytest.mark.parametrize(
    ("day", "holidays", "expected"),
    [
        (date(2026, 4, 3), {"easter-2"}, True),
        (date(2026, 4, 6), {"easter+1"}, True),
        (date(2026, 4, 5), {"easter-2", "easter+1"}, False),
        (date(2027, 1, 6), {"01-06"}, True),
        (date(2027, 1, 7), {"01-06"}, False),
        (date(2027, 1, 7), set(), False),
    ],
)
def test_holidays(day, holidays, expected):
    assert is_holiday(day, frozenset(holidays)) is expected


def test_the_day_that_loses_an_hour_opens_late_and_closes_early():
    night = OpeningHours(tuple([((time(1), time(2, 30)),)] * 7))
    # New York skips 02:00-03:00 on 8 March 2026: what would end at 02:30 ends before, not after.
    (opening,) = openings(night, "America/New_York", date(2026, 3, 8))
    assert opening == (datetime(2026, 3, 8, 6, tzinfo=UTC), datetime(2026, 3, 8, 6, 30, tzinfo=UTC))
    gap = OpeningHours(tuple([((time(2, 10), time(2, 50)),)] * 7))
    assert openings(gap, "America/New_York", date(2026, 3, 8)) == ()


def test_the_repeated_hour_counts_only_where_both_readings_agree():
    night = OpeningHours(tuple([((time(1, 30), time(4)),)] * 7))
    # New York repeats 01:00-02:00 on 1 November 2026: the opening waits for the second 01:30.
    (opening,) = openings(night, "America/New_York", date(2026, 11, 1))
    assert opening[0] == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


def test_until_midnight_runs_into_the_next_day():
    late = OpeningHours(tuple([((time(22), time.max),)] * 7))
    (opening,) = openings(late, "Europe/Prague", date(2026, 11, 23))
    assert opening[1] == _at("2026-11-24T00:00", "Europe/Prague")


_minutes = st.integers(0, 1439).map(lambda minutes: time(minutes // 60, minutes % 60))
_span = st.tuples(_minutes, _minutes).filter(lambda span: span[0] < span[1])
_hours = st.lists(st.lists(_span, max_size=2).map(tuple), min_size=7, max_size=7).map(
    lambda days: OpeningHours(tuple(days))
)
# Any second of 2026 and 2027.
_instants = st.integers(1_767_225_600, 1_830_297_599).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(hours=_hours, zone=st.sampled_from(ZONES), at=_instants)
def test_whoever_is_called_reads_an_open_hour_on_the_wall(hours, zone, at):
    if is_open([(hours, zone)], at):
        wall = at.astimezone(ZoneInfo(zone))
        assert any(start <= wall.time() < end for start, end in hours.weekdays[wall.weekday()])


@given(hours=_hours, zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=3), at=_instants)
def test_the_next_opening_is_open_and_nothing_before_it_is(hours, zones, at):
    rules = [(hours, zone) for zone in zones]
    opening = next_opening(rules, at)
    if opening is None:
        assert not any(is_open(rules, at + timedelta(hours=n)) for n in range(24 * 7))
        return
    assert opening >= at
    assert is_open(rules, opening)
    for n in range(1, 20):
        assert not is_open(rules, at + (opening - at) * n / 20) or opening == at


@given(
    left=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), max_size=6),
    right=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), max_size=6),
)
def test_an_intersection_holds_exactly_what_both_hold(left, right):
    def intervals(raw):
        found, free_from = [], 0
        for start, length in sorted(raw):
            start = max(start, free_from)
            found.append((datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(start + length, UTC)))
            free_from = start + length
        return found

    a, b = intervals(left), intervals(right)
    both = intersection(a, b)

    def holds(found, at):
        return any(start <= at < end for start, end in found)

    for second in range(120):
        at = datetime.fromtimestamp(second, UTC)
        assert holds(both, at) == (holds(a, at) and holds(b, at))
