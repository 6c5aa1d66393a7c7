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
    breaker.configure(service, fail_max=3, reset_timeout_s=0.05)
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
    time.sleep(0.06)
    fail(service)  # half-open: one more failure, and it is open again
    assert breaker.state_of(service) == "open"
    time.sleep(0.06)
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
