import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from redis import Redis

from apps.core.rate import Held, held_s, hold, near_turn, start_together, wait_turn


def _most_within(times: list[float], window_s: float) -> int:
    times = sorted(times)
    return max(sum(1 for other in times[i:] if other - at < window_s) for i, at in enumerate(times))


@contextmanager
def _granted(key: str) -> Iterator[list[float]]:
    """The moments at which turns of the key were given, by the clock that gives them.

    A busy machine may wake the thread later than that; it says nothing about the clock.
    """
    starts: list[float] = []
    # Without the time limit of the product's connections: processes that start slowly say nothing for a while.
    with Redis.from_url(settings.REDIS_URL, socket_timeout=None) as connection, connection.monitor() as monitor:

        def listen() -> None:
            while True:
                words = monitor.next_command()["command"].split()
                if words[:2] == ["LPUSH", f"cc:rate:{key}:starts"]:
                    starts.append(int(words[2]) / 1_000_000)
                if words[:2] == ["ECHO", key]:
                    return

        listener = threading.Thread(target=listen)
        listener.start()
        yield starts
        connection.echo(key)
        listener.join()


def _starts(key: str, *, per_second: float, n_threads: int, for_s: float) -> list[float]:
    until = time.monotonic() + for_s

    def work() -> None:
        while time.monotonic() < until:
            wait_turn(key, per_second=per_second, max_wait_s=5)

    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    with _granted(key) as starts:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sorted(starts)


@pytest.mark.parametrize(("per_second", "n_threads"), [(20, 8), (50, 16)])
def test_threads_together_keep_the_pace_and_never_exceed_it(per_second, n_threads):
    starts = _starts(uuid.uuid4().hex, per_second=per_second, n_threads=n_threads, for_s=3)
    assert _most_within(starts, 1.0) <= per_second
    pace = (len(starts) - 1) / (starts[-1] - starts[0])
    assert pace >= per_second * 0.9  # between its ends, of which the first may come late: above it only seems


def test_a_fraction_of_a_start_per_second_is_kept():
    starts = _starts(uuid.uuid4().hex, per_second=2.5, n_threads=3, for_s=2)
    assert _most_within(starts, 1.0) <= 3  # 2.5, rounded up to a whole start
    assert len(starts) - 1 <= 2.5 * (starts[-1] - starts[0]) + 0.5


def test_processes_share_one_pace():
    key, per_second = uuid.uuid4().hex, 20
    program = (
        "import time, django; django.setup()\n"
        "from apps.core.rate import wait_turn\n"
        "until = time.time() + 2.5\n"
        "while time.time() < until:\n"
        f"    wait_turn({key!r}, per_second={per_second}, max_wait_s=5)\n"
    )
    with _granted(key) as starts:
        processes = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL) for _ in range(3)]
        assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert len(starts) > per_second
    assert _most_within(starts, 1.0) <= per_second


def test_a_turn_that_would_come_too_late_is_refused_at_once_and_costs_nobody_a_slot():
    key = uuid.uuid4().hex
    assert wait_turn(key, per_second=1, max_wait_s=0)
    before = time.monotonic()
    assert not any(wait_turn(key, per_second=1, max_wait_s=0.5) for _ in range(20))
    assert time.monotonic() - before < 0.5
    assert wait_turn(key, per_second=1, max_wait_s=1.1)


def test_a_faster_pace_counts_at_once():
    key = uuid.uuid4().hex
    assert wait_turn(key, per_second=0.01, max_wait_s=0)
    before = time.monotonic()
    assert wait_turn(key, per_second=50, max_wait_s=1)
    assert time.monotonic() - before < 1.1


def test_turns_that_were_overslept_are_not_made_up_for_at_once():
    key = uuid.uuid4().hex
    turns = [near_turn(key, per_second=2, max_wait_s=5) for _ in range(3)]
    time.sleep(0.1)  # all three have come by now
    with _granted(key) as starts:
        for turn in turns:
            assert turn is not None
            turn.start()
    assert len(starts) == 3
    assert starts[2] - starts[0] > 1


def test_keys_do_not_wait_for_each_other():
    assert all(wait_turn(uuid.uuid4().hex, per_second=0.1, max_wait_s=0) for _ in range(5))


def test_a_pace_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="above 0"):
        wait_turn("x", per_second=0, max_wait_s=1)


def test_what_stands_under_two_paces_keeps_both():
    """Threads of two quick campaigns share an account: it keeps its own pace in any sliding second."""
    account, campaigns = uuid.uuid4().hex, [uuid.uuid4().hex for _ in range(2)]
    until = time.monotonic() + 3

    def work(campaign: str) -> None:
        while time.monotonic() < until:
            turns = [near_turn(campaign, per_second=15, max_wait_s=5), near_turn(account, per_second=20, max_wait_s=5)]
            start_together(turns)

    threads = [threading.Thread(target=work, args=(campaigns[n % 2],)) for n in range(12)]
    with _granted(account) as starts, _granted(campaigns[0]) as of_one:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert _most_within(starts, 1.0) <= 20
    assert _most_within(of_one, 1.0) <= 15
    assert len(starts) > 40
    assert len(of_one) < len(starts)


def test_a_pace_that_is_held_lets_nobody_start_until_then():
    key, other = uuid.uuid4().hex, uuid.uuid4().hex
    turn, besides = near_turn(key, per_second=50, max_wait_s=1), near_turn(other, per_second=1, max_wait_s=1)
    hold(key, 0.5)
    hold(key, 0.1)  # of two moments the later one holds
    with pytest.raises(Held) as held:
        near_turn(key, per_second=50, max_wait_s=5)
    assert 0.3 < held.value.for_s <= 0.5
    with pytest.raises(Held):
        start_together([besides, turn])
    assert held_s([other, key])[0] == 0
    assert 0.3 < held_s([other, key])[1] <= 0.5
    besides.start()  # nothing was counted for it
    time.sleep(0.5)
    assert wait_turn(key, per_second=50, max_wait_s=1)
    assert held_s([key]) == [0]
