"""Proof of life of beat and a worker together, read by /readyz."""

import time

from celery import shared_task
from django.core.cache import cache

HEARTBEAT_KEY = "core:beat-heartbeat"


@shared_task(name="core.beat_heartbeat")
def beat_heartbeat() -> None:
    cache.set(HEARTBEAT_KEY, time.time(), timeout=60)
