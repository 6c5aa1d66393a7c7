"""Circuit breakers around outside services: closed → open → half-open. No Django here.

``with guard("twilio"): …`` works around a plain call and around an ``await``; pybreaker's own ``call()`` never sees a
coroutine fail. A breaker's state lives in this process, or in Redis where ``configure`` was given a client, so that one
worker's bad news is everybody's.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pybreaker
import structlog
from prometheus_client import Counter, Gauge
from redis import Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

STATES = {pybreaker.STATE_CLOSED: 0, pybreaker.STATE_HALF_OPEN: 1, pybreaker.STATE_OPEN: 2}
BREAKER_STATE = Gauge(
    "callcentre_breaker_state",
    "Circuit breaker of an outside service: 0 closed, 1 half-open, 2 open.",
    ["service"],
    multiprocess_mode="mostrecent",
)
BREAKER_OPENED = Counter("callcentre_breaker_opened_total", "How often a circuit breaker opened.", ["service"])

_FAIL_MAX = 5
_RESET_TIMEOUT_S = 15.0

_circuits: dict[str, pybreaker.CircuitBreaker] = {}
_lock = threading.Lock()


class CircuitOpen(Exception):
    """The service failed too often in a row: it is not asked at all for a while. Nothing was sent."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is not asked: its circuit breaker is open")
        self.service = service


class _Counted(Exception):
    """A failure to be counted, of which somebody else has told already."""


class _Listener(pybreaker.CircuitBreakerListener):
    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        BREAKER_STATE.labels(cb.name).set(STATES[new_state.name])
        if new_state.name == pybreaker.STATE_OPEN:
            BREAKER_OPENED.labels(cb.name).inc()
            log.error("breaker_opened", service=cb.name)
        else:
            log.info("breaker_moved", service=cb.name, state=new_state.name)


def configure(
    service: str,
    *,
    redis: "Redis | None" = None,
    fail_max: int = _FAIL_MAX,
    reset_timeout_s: float = _RESET_TIMEOUT_S,
    ignore: Callable[[BaseException], bool] | None = None,
) -> None:
    """Set up a service's breaker; the last word holds.

    redis: bytes client that shares the state between processes. Its calls block, so not for use on an event loop.
    fail_max: failures in a row that open it. reset_timeout_s: how long it stays open before one is let through.
    ignore: tells errors that prove the service is up, such as a refusal with a reason.
    """
    exclude: list[Any] = [asyncio.CancelledError, GeneratorExit]
    if ignore is not None:
        exclude.append(ignore)
    circuit = pybreaker.CircuitBreaker(
        fail_max=fail_max,
        reset_timeout=reset_timeout_s,
        exclude=exclude,
        listeners=[_Listener()],
        state_storage=_storage(service, redis),
        name=service,
        throw_new_error_on_trip=False,
    )
    BREAKER_STATE.labels(service).set(STATES[circuit.current_state])
    with _lock:
        _circuits[service] = circuit


@contextmanager
def guard(service: str) -> Iterator[None]:
    """Count what happens inside for the service's breaker. Raises CircuitOpen instead of entering while it is open."""
    try:
        with _circuit(service).calling():
            yield
    except pybreaker.CircuitBreakerError as error:
        raise CircuitOpen(service) from error


def count_failure(service: str) -> None:
    """Count a failure that happened outside of ``guard``: a conversation that broke off, say."""
    with suppress(CircuitOpen, _Counted), guard(service):
        raise _Counted


def state_of(service: str) -> str:
    """closed, half-open or open."""
    return str(_circuit(service).current_state)


def close(service: str) -> None:
    """Let requests through again at once, as an operator may want after a repair."""
    circuit = _circuit(service)
    circuit._state_storage.reset_counter()
    circuit.close()


def _circuit(service: str) -> pybreaker.CircuitBreaker:
    circuit = _circuits.get(service)
    if circuit is None:
        configure(service)
        circuit = _circuits[service]
    return circuit


def _storage(service: str, redis: "Redis | None") -> pybreaker.CircuitBreakerStorage:
    if redis is not None:
        try:
            return pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis, namespace=f"cc:breaker:{service}")
        except RedisError:
            log.warning("breaker_not_shared", service=service)
    return pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
