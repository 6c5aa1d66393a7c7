"""Where a circuit breaker's state lives in a process that must not wait for Redis: in memory, exchanged at times."""

import calendar
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pybreaker
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from redis import Redis

NAMES_KEY = "cc:breakers"


def key(service: str, what: str) -> str:
    """As pybreaker's own Redis storage names it, so that both kinds of processes share one state."""
    return f"{namespace(service)}:pybreaker:{what}"


def namespace(service: str) -> str:
    return f"cc:breaker:{service}"


class MirroredStorage(pybreaker.CircuitMemoryStorage):
    """Reads and writes take no time; ``exchange`` tells the others what happened here, and adopts what they know."""

    def __init__(self, state: str) -> None:
        self._guard = threading.Lock()
        self._n_new = 0
        self._was_reset = False
        self._has_moved = False
        super().__init__(state)

    @property
    def state(self) -> str:
        return str(self._state)

    @state.setter
    def state(self, state: str) -> None:
        with self._guard:
            self._has_moved = self._has_moved or state != self._state
            self._state = state

    def increment_counter(self) -> None:
        with self._guard:
            self._fail_counter += 1
            self._n_new += 1

    def reset_counter(self) -> None:
        with self._guard:
            if self._fail_counter:
                self._fail_counter = self._n_new = 0
                self._was_reset = True

    def exchange(self, service: str, redis: "Redis") -> None:
        """Blocks. Raises RedisError, and then tells the same the next time."""
        with self._guard:
            n_new, was_reset, has_moved = self._n_new, self._was_reset, self._has_moved
            state, opened_at = self._state, self._opened_at
            self._n_new, self._was_reset, self._has_moved = 0, False, False
        try:
            failures, found, opened = self._tell(
                redis, service, n_new, was_reset, state if has_moved else "", opened_at
            )
        except RedisError:
            with self._guard:
                self._n_new += n_new
                self._was_reset = self._was_reset or was_reset
                self._has_moved = self._has_moved or has_moved
            raise
        with self._guard:
            if not self._n_new and not self._was_reset:
                self._fail_counter = int(failures or 0)
            if not self._has_moved and found is not None:
                self._state = found.decode()
                self._opened_at = datetime.fromtimestamp(int(opened), UTC) if opened else None

    @staticmethod
    def _tell(
        redis: "Redis", service: str, n_new: int, was_reset: bool, state: str, opened_at: datetime | None
    ) -> list[Any]:
        with redis.pipeline() as pipe:
            pipe.sadd(NAMES_KEY, service)
            if was_reset:
                pipe.set(key(service, "fail_counter"), 0)
            if n_new:
                pipe.incrby(key(service, "fail_counter"), n_new)
            if state:
                pipe.set(key(service, "state"), state)
            if state and opened_at is not None:
                pipe.set(key(service, "opened_at"), calendar.timegm(opened_at.utctimetuple()))
            for what in ("fail_counter", "state", "opened_at"):
                pipe.get(key(service, what))
            return list(pipe.execute())[-3:]
