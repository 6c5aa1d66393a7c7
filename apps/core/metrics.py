"""Prometheus metrics that belong to no app, and how all of them are read. No Django here.

Names start with ``callcentre_``; labels come from small closed sets. With ``PROMETHEUS_MULTIPROC_DIR`` set, the
processes that share the directory are counted together, so a gauge says how theirs combine (``multiprocess_mode``).
"""

import platform

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
    multiprocess,
    values,
)

PREFIX = "callcentre_"
VERSION = "0.1.0"  # as in pyproject.toml
# What the client library made of the environment when it was loaded.
IS_SHARED = values.ValueClass is not values.MutexValue
READY = Gauge(
    f"{PREFIX}ready",
    "Whether a part of what we stand on works: 1 yes, 0 no.",
    ["check"],
    multiprocess_mode="mostrecent",
)
LOGINS = Counter(f"{PREFIX}logins_total", "Log-ins by people and programs.", ["way", "result"])
TOKENS_REVOKED = Counter(f"{PREFIX}tokens_revoked_total", "API tokens revoked before their time.", ["why"])
WEBHOOK_REQUESTS_REFUSED = Counter(
    f"{PREFIX}webhook_requests_refused_total",
    "Webhooks refused or acknowledged without effect, by the layer that stopped them.",
    ["layer"],
)
WEBHOOK_LAYERS_SKIPPED = Counter(
    f"{PREFIX}webhook_layers_skipped_total",
    "Webhooks that a layer let pass because Redis was away.",
    ["layer"],
)
TASKS_FAILED = Counter(f"{PREFIX}tasks_failed_total", "Background tasks that ended with an error.", ["task"])

TASKS_WAITING = Gauge(
    f"{PREFIX}tasks_waiting", "Tasks that no worker has taken yet.", ["queue"], multiprocess_mode="mostrecent"
)
DB_CONNECTIONS = Gauge(
    f"{PREFIX}db_connections", "Connections in the database pool: used or free.", ["state"], multiprocess_mode="livesum"
)
DB_WAITING = Gauge(
    f"{PREFIX}db_requests_waiting", "Threads that wait for a database connection.", multiprocess_mode="livesum"
)
# A gauge, as the client library's Info cannot be shared between processes.
BUILD_INFO = Gauge(
    f"{PREFIX}build_info", "What is running; always 1.", ["version", "python"], multiprocess_mode="mostrecent"
)
BUILD_INFO.labels(VERSION, platform.python_version()).set(1)


def exposition() -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, and its content type."""
    registry = REGISTRY
    if IS_SHARED:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
