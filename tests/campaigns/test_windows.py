from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns.windows import as_hours, is_within, next_moment
from apps.contacts.hours import OpeningHours, is_open

PRAGUE = "Europe/Prague"
EVERY_DAY_9_TO_20 = OpeningHours(tuple([((time(9), time(20)),)] * 7))


def _at(text: str, zone: str = PRAGUE) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_no_windows_are_no_limit():
    assert as_hours([]) is None
    assert is_within(None, [PRAGUE], _at("2026-11-22T03:00"))


def test_a_day_without_a_window_is_closed():
    window = as_hours([(0, time(9), time(12))])
    assert is_within(window, [PRAGUE], _at("2026-11-23T10:00"))  # a Monday
    assert not is_within(window, [PRAGUE], _at("2026-11-24T10:00"))


def test_overlapping_windows_are_one():
    window = as_hours([(0, time(9), time(12)), (0, time(11), time(15)), (0, time(15), time(16))])
    assert window is not None
    assert window.weekdays[0] == ((time(9), time(16)),)


def test_a_window_until_a_minute_to_midnight_means_midnight():
    window = as_hours([(0, time(20), time(23, 59))])
    assert is_within(window, [PRAGUE], _at("2026-11-23T23:59:30"))


def test_the_window_counts_in_the_contacts_time_not_ours():
    window = as_hours([(day, time(9), time(10)) for day in range(7)])
    assert is_within(window, ["Asia/Tokyo"], _at("2026-11-23T09:30", "Asia/Tokyo"))
    assert not is_within(window, ["Asia/Tokyo"], _at("2026-11-23T09:30"))


def test_the_next_moment_suits_both_the_window_and_the_law():
    window = as_hours([(day, time(7), time(9, 30)) for day in range(7)])
    legal = [(EVERY_DAY_9_TO_20, PRAGUE)]
    assert next_moment(window, legal, [PRAGUE], _at("2026-11-23T07:30")) == _at("2026-11-23T09:00")
    assert next_moment(window, legal, [PRAGUE], _at("2026-11-23T09:45")) == _at("2026-11-24T09:00")


def test_a_window_outside_the_law_never_opens():
    window = as_hours([(day, time(21), time(22)) for day in range(7)])
    assert next_moment(window, [(EVERY_DAY_9_TO_20, PRAGUE)], [PRAGUE], _at("2026-11-23T07:30")) is None


_minutes = st.integers(0, 1438).map(lambda minutes: time(minutes // 60, minutes % 60))
_rows = st.lists(
    st.tuples(st.integers(0, 6), _minutes, _minutes).filter(lambda row: row[1] < row[2]), min_size=1, max_size=10
)


@given(
    rows=_rows,
    at=st.integers(1_767_225_600, 1_811_808_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    zones=st.lists(
        st.sampled_from([PRAGUE, "America/New_York", "America/Santiago", "Asia/Kolkata"]), min_size=1, max_size=2
    ),
)
def test_the_next_moment_may_be_dialled_and_lies_in_one_of_the_windows(rows, at, zones):
    window = as_hours(rows)
    legal = [(EVERY_DAY_9_TO_20, zone) for zone in zones]
    moment = next_moment(window, legal, zones, at)
    if moment is None:
        return
    assert moment >= at
    assert is_within(window, zones, moment)
    assert is_open(legal, moment)
    for zone in zones:
        wall = moment.astimezone(ZoneInfo(zone))
        assert any(day == wall.weekday() and start <= wall.time() < end for day, start, end in rows)
