"""Proof of life of beat and a worker together, read by /readyz."""

import time

from celery import shared_task
from django.core.cache import cache

from apps.core import sampling

HEARTBEAT_KEY = "core:beat-heartbeat"


@shared_task(name="core.beat_heartbeat")
def beat_heartbeat() -> None:
    sampling.pool()
    cache.set(HEARTBEAT_KEY, time.time(), timeout=60)
