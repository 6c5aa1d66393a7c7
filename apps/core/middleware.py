"""Around every request: probes answered first, one id from end to end, one log line."""

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core import health

log = structlog.get_logger(__name__)

_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PROBES = {"/healthz": health.healthz, "/readyz": health.readyz}
_QUIET = ("/static/", "/metrics")

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ProbeMiddleware:
    """Before everything else: who asks whether we live does so by address, not by a host name we know."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = _PROBES.get(request.path)
        try:
            return probe(request) if probe else self.get_response(request)
        finally:
            # A client that has given up has its request cut off without Django's own end of it: the server waits only
            # so long. In this thread it comes to an end all the same, and its connection goes back to the pool.
            for connection in connections.all(initialized_only=True):
                if not connection.in_atomic_block:  # a test's own, around everything
                    connection.close_if_unusable_or_obsolete()


class RequestIdMiddleware:
    """One id per request, from the caller's X-Request-ID or made here, in every log line and in the answer.

    The line at the end tells the route, never the path: addresses may hold tokens and numbers.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _SAFE.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        write = log.debug if request.path.startswith(_QUIET) and response.status_code < 400 else log.info
        write(
            "request_finished",
            method=request.method,
            route=request.resolver_match.route if request.resolver_match else "",
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000, 1),
            user_id=getattr(getattr(request, "user", None), "pk", None),
        )
        return response
