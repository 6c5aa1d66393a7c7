"""Celery's door to calls: an id comes in, one service is called."""

import contextlib
from typing import Any

from celery import shared_task
from celery.signals import worker_init
from django.conf import settings
from django.utils import timezone

from apps.calls import adapters
from apps.calls.services import (
    carrier_recordings,
    commanding,
    ending,
    placing,
    reconcile,
    recording_commands,
    recording_erasure,
    recordings,
    reviews,
    transfers,
    voicemail_recordings,
)


@worker_init.connect
def load_carriers(**_facts: Any) -> None:
    """Before the first task, and before a pool forks."""
    adapters.load_carriers()


@shared_task(name="calls.dial_legs")
def dial_legs(*leg_ids: int) -> None:
    placing.dial_legs(leg_ids)


@shared_task(name="calls.hang_up_leg")
def hang_up_leg(leg_id: int) -> None:
    ending.hang_up_leg(leg_id)


@shared_task(name="calls.end_leg")
def end_leg(leg_id: int) -> None:
    ending.end_leg(leg_id)


@shared_task(name="calls.answer_leg")
def answer_leg(leg_id: int) -> None:
    commanding.answer_leg(leg_id)


@shared_task(name="calls.start_stream")
def start_stream(leg_id: int) -> None:
    commanding.start_stream(leg_id)


@shared_task(name="calls.reopen_stream")
def reopen_stream(leg_id: int, n_lost: int, media_token: str = "", unless_opened: int = 0) -> None:
    commanding.reopen_stream(leg_id, n_lost, media_token, unless_opened)


@shared_task(name="calls.open_granted_stream")
def open_granted_stream(leg_id: int, n_lost: int) -> None:
    commanding.open_granted_stream(leg_id, n_lost)


@shared_task(name="calls.forward_leg")
def forward_leg(leg_id: int) -> None:
    commanding.forward_leg(leg_id)


@shared_task(name="calls.reject_call")
def reject_call(carrier: str, carrier_call_id: str, is_busy: int, n_try: int = 1) -> None:
    commanding.reject_call(carrier, carrier_call_id, is_busy, n_try)


@shared_task(name="calls.ask_transfer")
def ask_transfer(leg_id: int) -> None:
    with contextlib.suppress(transfers.TransferFailed):  # which has been told, and made good
        transfers.ask_transfer(leg_id)


@shared_task(name="calls.settle_transfer")
def settle_transfer(leg_id: int) -> None:
    transfers.target_ended(leg_id)


@shared_task(name="calls.fetch_recording")
def fetch_recording(leg_id: int, reference: str, url: str, started_at: str, duration_ms: int, n_try: int) -> None:
    carrier_recordings.fetch_recording(leg_id, reference, url, started_at, duration_ms, n_try)


@shared_task(name="calls.command_recording")
def command_recording(recording_id: int, n_try: int) -> None:
    recording_commands.carry_out(recording_id, n_try)


@shared_task(name="calls.reconcile_leg")
def reconcile_leg(leg_id: int) -> None:
    reconcile.reconcile_leg(leg_id)


@shared_task(name="calls.reconcile_stale_legs")
def reconcile_stale_legs() -> None:
    reconcile.reconcile_stale_legs()


@shared_task(name="calls.hand_out_reviews")
def hand_out_reviews() -> None:
    reviews.hand_out_due(now=timezone.now())


@shared_task(name="calls.review_call")
def review_call(review_id: int) -> None:
    reviews.review_call(review_id)


@shared_task(name="calls.merge_recording")
def merge_recording(recording_id: int) -> None:
    recordings.merge_recording(recording_id)


@shared_task(name="calls.finish_recordings")
def finish_recordings() -> None:
    recordings.finish_spools(settings.RECORDING_SPOOL_DIR)
    recordings.merge_waiting()
    recordings.give_up_lost(now=timezone.now())
    recording_commands.carry_out_waiting(now=timezone.now())


@shared_task(name="calls.erase_old_recordings")
def erase_old_recordings() -> None:
    recording_erasure.erase_old_recordings(now=timezone.now(), keep_days=settings.RECORDING_KEEP_DAYS)
    voicemail_recordings.sweep(now=timezone.now())
