"""The correlation id goes with a task to the worker: in the message's headers, back into the log's context."""

import os
from typing import Any

import structlog
from celery import signals
from prometheus_client import multiprocess

from apps.core.logging import CARRIED
from apps.core.metrics import IS_SHARED, TASKS_FAILED

_HEADER = "log_context"


def connect() -> None:
    """Listen to Celery, in whichever process this is; called once when the apps are ready."""
    signals.before_task_publish.connect(_send, weak=False, dispatch_uid="core.correlation")
    signals.task_prerun.connect(_receive, weak=False, dispatch_uid="core.correlation")
    signals.task_postrun.connect(_forget, weak=False, dispatch_uid="core.correlation")
    signals.task_failure.connect(_count_failure, weak=False, dispatch_uid="core.correlation")
    signals.setup_logging.connect(_keep_logging, weak=False, dispatch_uid="core.correlation")
    signals.worker_process_shutdown.connect(_count_out, weak=False, dispatch_uid="core.correlation")


def _send(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    if headers is None:
        return
    known = structlog.contextvars.get_contextvars()
    carried = {key: known[key] for key in CARRIED if key in known}
    if carried:
        headers[_HEADER] = carried


def _receive(task_id: str, task: Any, **kwargs: Any) -> None:
    carried = getattr(task.request, _HEADER, None)
    context = carried if isinstance(carried, dict) else {}
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**{"request_id": task_id.replace("-", ""), **context, "task": task.name})


def _forget(**kwargs: Any) -> None:
    structlog.contextvars.clear_contextvars()


def _count_failure(sender: Any, **kwargs: Any) -> None:
    TASKS_FAILED.labels(sender.name).inc()


def _keep_logging(**kwargs: Any) -> None:
    """A receiver is all it takes for Celery to leave Django's logging as it is."""


def _count_out(pid: int | None = None, **kwargs: Any) -> None:
    """A worker that ends takes its gauges along; its counters stay."""
    if IS_SHARED:
        multiprocess.mark_process_dead(pid or os.getpid())  # type: ignore[no-untyped-call]
