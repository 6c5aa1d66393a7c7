"""Celery's door to calls: an id comes in, one service is called."""

from celery import shared_task

from apps.calls.services import ending, placing, reconcile


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
