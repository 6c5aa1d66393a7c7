import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns.pacing import HORIZON_S, n_to_claim


@pytest.mark.parametrize(
    ("max_concurrent", "n_live", "calls_per_second", "n_waiting", "since_last_claim_s", "expected"),
    [
        (10, 0, 4, 0, None, 8),  # two seconds' worth
        (10, 0, 4, 8, 0.1, 0),  # the queue is full
        (10, 0, 4, 5, 0.1, 3),
        (10, 9, 4, 0, 0.1, 1),  # one line left
        (10, 10, 4, 0, 0.1, 0),
        (10, 12, 4, 0, 0.1, 0),  # the cap was lowered under way
        (10, 0, 0.1, 0, None, 1),  # slow: the first at once
        (10, 1, 0.1, 0, 3, 0),  # the next only shortly before its turn
        (10, 1, 0.1, 0, 8.5, 1),
        (10, 1, 0.1, 1, 30, 0),  # one is waiting already
        (1, 1, 0.1, 0, 30, 0),
    ],
)
def test_the_smaller_budget_decides(max_concurrent, n_live, calls_per_second, n_waiting, since_last_claim_s, expected):
    assert (
        n_to_claim(
            max_concurrent=max_concurrent,
            n_live=n_live,
            calls_per_second=calls_per_second,
            n_waiting=n_waiting,
            since_last_claim_s=since_last_claim_s,
        )
        == expected
    )


@given(
    max_concurrent=st.integers(1, 1000),
    n_live=st.integers(0, 1200),
    calls_per_second=st.floats(0.01, 500),
    n_waiting=st.integers(0, 1200),
    since_last_claim_s=st.none() | st.floats(0, 10_000),
)
def test_never_more_than_the_free_lines_or_the_queue_holds(
    max_concurrent, n_live, calls_per_second, n_waiting, since_last_claim_s
):
    n = n_to_claim(
        max_concurrent=max_concurrent,
        n_live=n_live,
        calls_per_second=calls_per_second,
        n_waiting=n_waiting,
        since_last_claim_s=since_last_claim_s,
    )
    assert n >= 0
    assert n_live + n <= max(max_concurrent, n_live)
    assert n == 0 or n_waiting + n <= math.ceil(calls_per_second * HORIZON_S)


@given(
    calls_per_second=st.floats(0.05, 100),
    delays=st.lists(st.floats(0.5, 1.9), min_size=20, max_size=60),
    max_concurrent=st.integers(1, 300),
    talk_s=st.floats(0, 40),
)
def test_a_campaign_keeps_its_pace_and_never_exceeds_its_lines(calls_per_second, delays, max_concurrent, talk_s):
    """Cycles come unevenly; calls leave one by one at the pace, talk for a while, and free their line."""
    now, next_slot, last_claim = 0.0, 0.0, None
    dial_at: list[float] = []
    had_free_lines = True
    for delay in delays:
        n_live = sum(1 for at in dial_at if at + talk_s > now)
        n_waiting = sum(1 for at in dial_at if at > now)
        n = n_to_claim(
            max_concurrent=max_concurrent,
            n_live=n_live,
            calls_per_second=calls_per_second,
            n_waiting=n_waiting,
            since_last_claim_s=None if last_claim is None else now - last_claim,
        )
        assert n_live + n <= max_concurrent
        had_free_lines = had_free_lines and n_live + n < max_concurrent
        for _ in range(n):
            next_slot = max(now, next_slot)
            dial_at.append(next_slot)
            next_slot += 1 / calls_per_second
            last_claim = now
        now += delay
    if had_free_lines:
        placed = sum(1 for at in dial_at if at <= now)
        assert placed >= math.floor(now * calls_per_second * 0.98) - 1
