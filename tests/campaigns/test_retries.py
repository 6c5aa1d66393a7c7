from datetime import UTC, datetime, timedelta

import pytest

from apps.campaigns.retries import Rule, after_not_placed, next_try

ENDED = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "n_with_outcome", "expected"),
    [
        (None, 1, None),
        (Rule(delay_s=60, max_attempts=2), 1, ENDED + timedelta(seconds=60)),
        (Rule(delay_s=60, max_attempts=2), 2, None),
        (Rule(delay_s=60, max_attempts=2), 3, None),
        (Rule(delay_s=60, max_attempts=1), 1, None),
        (Rule(delay_s=0, max_attempts=2), 1, ENDED),
    ],
)
def test_a_rule_allows_so_many_attempts_with_that_outcome(rule, n_with_outcome, expected):
    assert next_try(rule, n_with_outcome=n_with_outcome, ended_at=ENDED) == expected


def test_a_carrier_that_cannot_be_asked_is_asked_less_and_less_often_but_always_again():
    waits = [(after_not_placed(n_in_a_row=n, ended_at=ENDED, first_s=15) - ENDED).total_seconds() for n in range(1, 40)]
    assert waits[:3] == [15, 30, 60]
    assert waits == sorted(waits)
    assert max(waits) == 900
