"""Gauges that are measured when somebody asks: the pool of connections, the queue of tasks, and what apps add."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from apps.core import metrics

log = structlog.get_logger(__name__)

_samplers: list[Callable[[], None]] = []


def sampled(sampler: Callable[[], None]) -> Callable[[], None]:
    """Have this called before metrics are read; it sets gauges, with a query or a question to Redis at most."""
    _samplers.append(sampler)
    return sampler


def sample() -> None:
    """Set all gauges that are measured on demand. What cannot be measured keeps its last value, and the log says so."""
    for sampler in _samplers:
        try:
            sampler()
        except (DatabaseError, RedisError) as error:
            log.warning("gauge_not_measured", gauge=sampler.__name__, error=type(error).__name__)


@sampled
def pool() -> None:
    """This process's connections to the database."""
    of_process = connection.pool  # type: ignore[attr-defined]  # of PostgreSQL's backend
    stats = of_process.get_stats() if of_process is not None else {}
    size, free = stats.get("pool_size", 0), stats.get("pool_available", 0)
    metrics.DB_CONNECTIONS.labels("used").set(size - free)
    metrics.DB_CONNECTIONS.labels("free").set(free)
    metrics.DB_WAITING.set(stats.get("requests_waiting", 0))


@sampled
def queue() -> None:
    name = settings.CELERY_TASK_DEFAULT_QUEUE
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    metrics.TASKS_WAITING.labels(name).set(get_redis_connection("default").llen(f"{prefix}{name}"))
