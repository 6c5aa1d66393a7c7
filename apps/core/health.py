"""/healthz (alive), /readyz (fit to serve), /metrics."""

import ipaddress
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from apps.core import metrics as core_metrics
from apps.core import sampling
from apps.core.tasks import HEARTBEAT_KEY

log = structlog.get_logger(__name__)

# Beat sends one every five seconds; a busy worker may be late by a few.
HEARTBEAT_MAX_AGE_S = 30
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is asked: a database that is away is no reason to restart us."""
    return HttpResponse("ok", content_type="text/plain", headers={"Cache-Control": "no-store"})


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when all we stand on works, else 503; ``checks`` tells each: ok, or what is wrong as a code."""
    checks = {name: check() for name, check in _CHECKS.items()}
    for name, state in checks.items():
        core_metrics.READY.labels(name).set(state == "ok")
    is_ready = all(state == "ok" for state in checks.values())
    if not is_ready:
        log.warning("not_ready", **checks)
    return JsonResponse(
        {"ready": is_ready, "checks": checks},
        status=200 if is_ready else 503,
        headers={"Cache-Control": "no-store"},
    )


def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus: with METRICS_TOKEN, from this machine itself, or for a person who may see it."""
    if not _may_scrape(request):
        return HttpResponse("403\n", status=403, content_type="text/plain")
    sampling.sample()
    body, content_type = core_metrics.exposition()
    return HttpResponse(body, content_type=content_type)


def _may_scrape(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and constant_time_compare(given, f"Bearer {settings.METRICS_TOKEN}"):
        return True
    # A proxy on this machine is on loopback too, but it says for whom it asks.
    is_forwarded = any(header in request.headers for header in _FORWARDED)
    if not is_forwarded and _is_loopback(request.META.get("REMOTE_ADDR", "")):
        return True
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_authenticated and user.is_staff)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "unreachable"
    return "ok"


class _Migrations:
    """Once all are applied they stay so for the life of this process: no need to look again."""

    is_done = False

    def __call__(self) -> str:
        if self.is_done:
            return "ok"
        try:
            executor = MigrationExecutor(connection)
            pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError:
            return "unreachable"
        if pending:
            return "pending"
        self.is_done = True
        return "ok"


def _redis() -> str:
    try:
        get_redis_connection("default").ping()
    except RedisError:
        return "unreachable"
    return "ok"


def _workers() -> str:
    """Beat asked, and a worker answered, a moment ago."""
    try:
        last = cache.get(HEARTBEAT_KEY)
    except RedisError:
        return "unknown"
    if last is None:
        return "silent"
    return "ok" if time.time() - float(last) <= HEARTBEAT_MAX_AGE_S else "late"


_CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _Migrations(),
    "redis": _redis,
    "workers": _workers,
}
