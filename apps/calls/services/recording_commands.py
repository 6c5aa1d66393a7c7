"""Whether the carrier's recording of a call runs: a wish in its row, and a worker that tells the carrier.

Of several wishes only the last counts. One worker at a time carries them out for a call, so that the carrier hears them
in their order; a wish whose worker died is found again by the periodic task. No failure here ends a call.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.calls.events import EventKind
from apps.calls.models import Recording
from apps.calls.models.recording import RecordingQuerySet, RecordingSource, RecordingState, Wish
from apps.calls.services import carrier_recordings
from apps.calls.services.carrier_recordings import RecordingFailed
from apps.calls.services.recordings import is_refused
from apps.calls.services.story import call_context, lock_call, tell
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

_CLAIM: Final = timedelta(seconds=60)
"""Longer than any command takes, time-outs included."""
_AGAIN_S: Final = 1.0
_MAX_TRIES: Final = 3


@transaction.atomic
def want(call_id: int, wish: str, *, reason: str = "") -> None:
    """Have the carrier record, pause or stop. wish: one of Wish; the first of a call must be to record.

    Stopped is for good. reason: why it pauses. Raises Call.DoesNotExist.
    """
    call = lock_call(call_id)
    recording = Recording.objects.filter(
        call=call, source=RecordingSource.CARRIER, state=RecordingState.RECORDING
    ).first()
    if recording is None:
        had_one = Recording.objects.filter(call=call, source=RecordingSource.CARRIER).exists()
        if wish != Wish.RECORD or had_one or not call.is_live or is_refused(call_id):
            return
        recording = Recording.objects.create(call=call, source=RecordingSource.CARRIER, wanted=wish)
    elif recording.wanted in {wish, Wish.STOP}:
        return
    else:
        Recording.objects.filter(pk=recording.pk).update(wanted=wish, wanted_why=reason[:40])
    enqueue("calls.command_recording", recording.pk, 1)


def carry_out(recording_id: int, n_try: int) -> None:
    """Tell the carrier what is wanted, until nothing else is. Safe to repeat, and to run twice at once."""
    while (recording := _claimed(recording_id)) is not None:
        wish = recording.wanted
        with call_context(recording.call):
            try:
                _tell_carrier(recording, Wish(wish))
            except RecordingFailed as error:
                _failed(recording, Wish(wish), error, n_try)
                return
            Recording.objects.filter(pk=recording_id).update(commanded=wish, busy_until=None)


def carry_out_waiting(*, now: datetime) -> None:
    """Wake a worker for wishes of running calls that nobody sees to."""
    waiting = _unfulfilled(now).filter(call__ended_at__isnull=True).values_list("pk", flat=True)
    for recording_id in waiting[:500]:
        enqueue("calls.command_recording", recording_id, 1)


def _unfulfilled(now: datetime) -> RecordingQuerySet:
    return Recording.objects.filter(
        ~Q(commanded=F("wanted")),
        Q(busy_until__isnull=True) | Q(busy_until__lt=now),
        source=RecordingSource.CARRIER,
    )


def _claimed(recording_id: int) -> Recording | None:
    now = timezone.now()
    if not _unfulfilled(now).filter(pk=recording_id).update(busy_until=now + _CLAIM):
        return None
    return Recording.objects.select_related("call").get(pk=recording_id)


def _tell_carrier(recording: Recording, wish: Wish) -> None:
    """Raises RecordingFailed."""
    call_id, is_begun = recording.call_id, bool(recording.commanded)
    if not is_begun and wish is not Wish.STOP and not is_refused(call_id):
        reference = carrier_recordings.start_recording(call_id)
        Recording.objects.filter(pk=recording.pk).update(
            reference=reference, commanded=Wish.RECORD, started_at=timezone.now()
        )
        if wish is Wish.PAUSE:
            carrier_recordings.pause_recording(call_id, reason=recording.wanted_why)
    elif wish is Wish.RECORD and is_begun:
        carrier_recordings.resume_recording(call_id)
    elif wish is Wish.PAUSE and is_begun:
        carrier_recordings.pause_recording(call_id, reason=recording.wanted_why)
    elif wish is Wish.STOP and is_begun:
        carrier_recordings.stop_recording(call_id)


def _failed(recording: Recording, wish: Wish, error: RecordingFailed, n_try: int) -> None:
    """Try again what may be repeated. What could not be begun is no recording; what could not be paused is not kept."""
    Recording.objects.filter(pk=recording.pk).update(busy_until=None)
    recording.call.refresh_from_db(fields=["ended_at"])
    recording.refresh_from_db(fields=["commanded"])
    if not recording.call.is_live or "code" not in error.detail:
        return  # over, or nearly: the carrier ends its recording by itself
    may_repeat = bool(recording.commanded)  # begun twice there would be two of them
    if may_repeat and n_try < _MAX_TRIES:
        enqueue("calls.command_recording", recording.pk, n_try + 1, countdown_s=_AGAIN_S)
        return
    reason = str(error.detail.get("code") or error.code)
    log.error("carrier_recording_not_commanded", wish=str(wish), reason=reason)
    with transaction.atomic():
        if wish is Wish.STOP or (wish is Wish.RECORD and may_repeat):
            Recording.objects.filter(pk=recording.pk).update(commanded=wish)  # it stays as it is
        else:
            Recording.objects.filter(pk=recording.pk, state=RecordingState.RECORDING).update(
                state=RecordingState.FAILED, wanted=Wish.STOP
            )
            enqueue("calls.command_recording", recording.pk, 1)
        tell(
            recording.call_id,
            EventKind.RECORDING_FAILED,
            timezone.now(),
            source="carrier",
            act=str(wish),
            reason=reason,
        )
