"""Housekeeping of log-ins."""

from celery import shared_task
from django.utils import timezone

from apps.accounts import services


@shared_task(name="accounts.purge_expired")
def purge_expired() -> None:
    services.purge_expired(now=timezone.now())
