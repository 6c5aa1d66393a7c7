"""Prometheus metrics that belong to no app, and how all of them are read. No Django here.

Names start with ``callcentre_``; labels come from small closed sets. With ``PROMETHEUS_MULTIPROC_DIR`` set, the
processes that share the directory are counted together, so a gauge says how theirs combine (``multiprocess_mode``).
"""

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


def exposition() -> tuple[bytes, str]:
    """All metrics in Prometheus' text format, and its content type."""
    registry = REGISTRY
    if IS_SHARED:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST
