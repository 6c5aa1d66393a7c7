"""Celery's door to calls: an id comes in, one service is called."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from apps.calls.services import ending, placing, reconcile, recordings


@shared_task(name="calls.dial_legs")
def dial_legs(*leg_ids: int) -> None:
    placing.dial_legs(leg_ids)


@shared_task(name="calls.hang_up_leg")
def hang_up_leg(leg_id: int) -> None:
    ending.hang_up_leg(leg_id)


@shared_task(name="calls.reconcile_leg")
def reconcile_leg(leg_id: int) -> None:
    reconcile.reconcile_leg(leg_id)


@shared_task(name="calls.reconcile_stale_legs")
def reconcile_stale_legs() -> None:
    reconcile.reconcile_stale_legs()


@shared_task(name="calls.merge_recording")
def merge_recording(recording_id: int) -> None:
    recordings.merge_recording(recording_id)


@shared_task(name="calls.finish_recordings")
def finish_recordings() -> None:
    recordings.finish_spools(settings.RECORDING_SPOOL_DIR)
    recordings.merge_waiting()
    recordings.give_up_lost(now=timezone.now())


@shared_task(name="calls.erase_old_recordings")
def erase_old_recordings() -> None:
    recordings.erase_old_recordings(now=timezone.now(), keep_days=settings.RECORDING_KEEP_DAYS)
