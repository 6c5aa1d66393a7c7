"""Circuit breakers around outside services: closed → open → half-open. No Django here.

``with guard("twilio"): …`` works around a plain call and around an ``await``; pybreaker's own ``call()`` never sees a
coroutine fail. One process's bad news is everybody's: a breaker's state lives in Redis where ``configure`` was given a
client; else in memory, and a process with an event loop calls ``sync`` beside it now and then. ``share_through`` says
where the states of all are found.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pybreaker
import structlog
from prometheus_client import Counter, Gauge
from redis import Redis
from redis.exceptions import RedisError

from apps.core.breaker_storage import NAMES_KEY, MirroredStorage, key, namespace

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
RESET_TIMEOUT_S = 15.0

_shared: "Callable[[], Redis] | None" = None
_circuits: dict[str, pybreaker.CircuitBreaker] = {}
_lock = threading.Lock()


class CircuitOpen(Exception):
    """The service failed too often in a row: it is not asked at all for a while. Nothing was sent."""

    def __init__(self, service: str) -> None:
        super().__init__(f"{service} is not asked: its circuit breaker is open")
        self.service = service


@dataclass(frozen=True, slots=True)
class CircuitState:
    """state: closed, half-open or open. n_failures: in a row. opened_at: when it opened last, aware."""

    service: str
    state: str
    n_failures: int
    opened_at: datetime | None


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
    reset_timeout_s: float = RESET_TIMEOUT_S,
    ignore: Callable[[BaseException], bool] | None = None,
) -> None:
    """Set up a service's breaker; the last word holds.

    redis: bytes client that keeps the state. Its calls block: on an event loop leave it out, and ``sync`` in a thread.
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
    """closed, half-open or open, as this process knows it."""
    return str(_circuit(service).current_state)


def close(service: str) -> None:
    """Let requests through again at once, in all processes, as an operator may want after a repair."""
    circuit = _circuit(service)
    circuit._state_storage.reset_counter()
    circuit.close()
    if _shared is not None:
        _write(_shared(), service, pybreaker.STATE_CLOSED, None)


def open(service: str, *, for_s: float = RESET_TIMEOUT_S) -> None:
    """Let no request through for so long, in all processes; after that one is tried."""
    circuit = _circuit(service)
    opened_at = datetime.now(UTC) + timedelta(seconds=for_s - circuit.reset_timeout)
    circuit.open()
    circuit._state_storage.opened_at = opened_at
    if _shared is not None:
        _write(_shared(), service, pybreaker.STATE_OPEN, opened_at)


def _write(redis: "Redis", service: str, state: str, opened_at: datetime | None) -> None:
    with redis.pipeline() as pipe:
        pipe.sadd(NAMES_KEY, service)
        pipe.set(key(service, "fail_counter"), 0)
        pipe.set(key(service, "success_counter"), 0)
        pipe.set(key(service, "state"), state)
        if opened_at is not None:
            pipe.set(key(service, "opened_at"), int(opened_at.timestamp()))
        pipe.execute()


def share_through(client: "Callable[[], Redis]") -> None:
    """client: gives the bytes client by which all processes know of each other's breakers."""
    global _shared
    _shared = client


def sync() -> None:
    """Exchange what this process knows with the others. Blocks; raises RedisError. For a thread, each second."""
    if _shared is None:
        return
    redis = _shared()
    for service, circuit in list(_circuits.items()):
        storage = circuit._state_storage
        if isinstance(storage, MirroredStorage):
            storage.exchange(service, redis)
            _ = circuit.state  # has listeners told what others found out


def all_states() -> list[CircuitState]:
    """Every service that some process has a breaker for, by name. Blocks; raises RedisError."""
    if _shared is None:
        return [
            CircuitState(service, str(circuit.current_state), circuit.fail_counter, circuit._state_storage.opened_at)
            for service, circuit in sorted(_circuits.items())
        ]
    redis = _shared()
    services = sorted(name.decode() if isinstance(name, bytes) else name for name in redis.smembers(NAMES_KEY))
    with redis.pipeline() as pipe:
        for service in services:
            for what in ("state", "fail_counter", "opened_at"):
                pipe.get(key(service, what))
        found = pipe.execute()
    return [
        CircuitState(
            service,
            state.decode() if state else pybreaker.STATE_CLOSED,
            int(n_failures or 0),
            datetime.fromtimestamp(int(opened_at), UTC) if opened_at else None,
        )
        for service, state, n_failures, opened_at in zip(services, found[::3], found[1::3], found[2::3], strict=True)
    ]


def _circuit(service: str) -> pybreaker.CircuitBreaker:
    circuit = _circuits.get(service)
    if circuit is None:
        configure(service)
        circuit = _circuits[service]
    return circuit


def _storage(service: str, redis: "Redis | None") -> pybreaker.CircuitBreakerStorage:
    if redis is not None:
        try:
            redis.sadd(NAMES_KEY, service)
            return pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, redis, namespace=namespace(service))
        except RedisError:
            log.warning("breaker_not_shared", service=service)
    return MirroredStorage(pybreaker.STATE_CLOSED)
