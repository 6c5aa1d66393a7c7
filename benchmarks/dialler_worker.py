"""The product's Celery application with one task more: nothing, to compare with."""

from celery import Celery

from config.celery import app

__all__ = ["app", "celery"]
celery: Celery = app


@app.task(name="bench.noop")
def noop() -> None:
    """What a task costs that does nothing."""


@app.task(name="bench.fan_out")
def fan_out(n: int) -> None:
    """Wake n tasks from within a worker, as a dial cycle does."""
    for _ in range(n):
        app.send_task("bench.noop")
    app.send_task("bench.mark")


@app.task(name="bench.mark")
def mark() -> None:
    """The last one of a fan-out says that the others are through."""
    from django.core.cache import cache

    cache.set("bench:mark", 1, timeout=60)
