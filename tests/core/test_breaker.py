"""closed → open → half-open, around plain calls and awaits, in one process and in several."""

import asyncio
import time
import uuid

import pytest
from django_redis import get_redis_connection

from apps.core import breaker
from apps.core.breaker import CircuitOpen, guard


class Down(Exception):
    pass


class Refused(Exception):
    pass


@pytest.fixture
def service() -> str:
    return f"service-{uuid.uuid4().hex}"


def fail(service: str, error: type[Exception] = Down) -> None:
    with pytest.raises(error), guard(service):
        raise error


def test_it_opens_after_failures_in_a_row_and_asks_once_after_a_while(service):
    breaker.configure(service, fail_max=3, reset_timeout_s=0.5)
    fail(service)
    fail(service)
    with guard(service):
        pass  # a success in between: not in a row
    for _ in range(3):
        assert breaker.state_of(service) == "closed"
        fail(service)
    assert breaker.state_of(service) == "open"
    with pytest.raises(CircuitOpen, match=service), guard(service):
        pytest.fail("let through while open")
    time.sleep(0.55)
    fail(service)  # half-open: one more failure, and it is open again
    assert breaker.state_of(service) == "open"
    time.sleep(0.55)
    with guard(service):
        assert breaker.state_of(service) == "half-open"
    assert breaker.state_of(service) == "closed"


def test_answers_with_a_reason_do_not_open_it(service):
    breaker.configure(service, fail_max=2, ignore=lambda error: isinstance(error, Refused))
    for _ in range(5):
        fail(service, Refused)
    assert breaker.state_of(service) == "closed"


async def test_it_sees_awaits_fail_and_not_their_cancelling(service):
    breaker.configure(service, fail_max=2)

    async def ask() -> None:
        with guard(service):
            await asyncio.sleep(0)
            raise Down

    async def ask_for_ever() -> None:
        with guard(service):
            await asyncio.sleep(60)

    for _ in range(3):
        task = asyncio.create_task(ask_for_ever())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert breaker.state_of(service) == "closed"
    for _ in range(2):
        with pytest.raises(Down):
            await ask()
    with pytest.raises(CircuitOpen):
        await ask()


def test_processes_share_it_through_redis(service):
    redis = get_redis_connection("default")
    breaker.configure(service, fail_max=2, reset_timeout_s=30, redis=redis)
    fail(service)
    fail(service)
    breaker.configure(service, fail_max=2, reset_timeout_s=30, redis=redis)  # as another process does at its start
    with pytest.raises(CircuitOpen), guard(service):
        pytest.fail("let through while open")
    breaker.close(service)
    with guard(service):
        pass


def test_without_redis_it_works_alone(service):
    from redis import Redis

    breaker.configure(service, fail_max=1, redis=Redis(port=9, socket_connect_timeout=0.2))
    fail(service)
    assert breaker.state_of(service) == "open"


# ── Processes that must not wait for Redis ──────────────────────────────────────────────────────────────────
class Process:
    """The breakers of another process: none but its own in memory, and the same Redis."""

    def __init__(self, service: str, **options) -> None:
        self._service, self._options = service, options
        self._circuits: dict = {}
        with self:
            breaker.configure(service, **options)

    def __enter__(self) -> "Process":
        self._before, breaker._circuits = breaker._circuits, self._circuits
        return self

    def __exit__(self, *_: object) -> None:
        breaker._circuits = self._before

    def sync(self) -> None:
        with self:
            breaker.sync()

    def fail(self, n: int = 1) -> None:
        with self:
            for _ in range(n):
                fail(self._service)

    @property
    def state(self) -> str:
        with self:
            return breaker.state_of(self._service)


@pytest.fixture
def pair(service) -> tuple[Process, Process]:
    options = {"fail_max": 3, "reset_timeout_s": 30}
    return Process(service, **options), Process(service, **options)


def test_one_process_finds_out_and_the_other_is_told(pair):
    one, other = pair
    one.fail(3)
    assert (one.state, other.state) == ("open", "closed")
    one.sync()
    other.sync()
    assert other.state == "open"


def test_failures_add_up_over_processes(pair):
    one, other = pair
    for process in (one, other):
        process.fail()
        process.sync()
    one.sync()
    one.fail()
    assert one.state == "open"


def test_a_success_anywhere_begins_the_count_anew(pair, service):
    one, other = pair
    one.fail(2)
    one.sync()
    other.sync()
    with other, guard(service):
        pass
    other.sync()
    one.sync()
    one.fail(2)
    assert one.state == "closed"


def test_an_operator_closes_and_opens_it_everywhere(pair, service):
    one, other = pair
    one.fail(3)
    one.sync()
    other.sync()
    breaker.close(service)  # in a process of its own
    for process in pair:
        process.sync()
    assert (one.state, other.state) == ("closed", "closed")
    breaker.open(service, for_s=300)
    for process in pair:
        process.sync()
    assert (one.state, other.state) == ("open", "open")
    with one, pytest.raises(CircuitOpen), guard(service):
        pytest.fail("let through while open")


def test_a_process_with_redis_of_its_own_and_one_without_share_a_state(service):
    with_redis = Process(service, fail_max=2, redis=get_redis_connection("default"))
    beside = Process(service, fail_max=2)
    with_redis.fail(2)
    beside.sync()
    assert beside.state == "open"
    breaker.close(service)
    beside.sync()
    beside.fail(2)
    beside.sync()
    assert with_redis.state == "open"


def test_all_states_are_found_from_anywhere(pair, service):
    one, _ = pair
    one.fail(3)
    one.sync()
    [found] = [state for state in breaker.all_states() if state.service == service]
    assert (found.state, found.n_failures) == ("open", 3)
    assert abs(found.opened_at.timestamp() - time.time()) < 5


def test_what_could_not_be_told_is_told_the_next_time(pair, monkeypatch):
    from redis import Redis
    from redis.exceptions import RedisError

    one, other = pair
    one.fail(3)
    with monkeypatch.context() as patch:
        patch.setattr(breaker, "_shared", lambda: Redis(port=9, socket_connect_timeout=0.2))
        with pytest.raises(RedisError):
            one.sync()
    one.sync()
    other.sync()
    assert other.state == "open"


def test_a_redis_that_forgot_everything_is_told_again(pair, service):
    one, other = pair
    one.fail(3)
    one.sync()
    get_redis_connection("default").delete(f"cc:breaker:{service}:pybreaker:state")
    one.sync()
    other.sync()
    assert one.state == "open"


def test_failures_outside_of_a_guard_count_and_an_open_breaker_does_not_mind(service):
    breaker.configure(service, fail_max=2)
    for _ in range(5):
        breaker.count_failure(service)
    assert breaker.state_of(service) == "open"
