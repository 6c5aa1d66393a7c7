"""Recordings out of the storage: what a person refuses, what was kept long enough, what somebody asks to be erased."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.calls.events import EventKind
from apps.calls.models import Recording
from apps.calls.models.recording import ErasedWhy, RecordingSource, RecordingState, Wish
from apps.calls.services.media_commands import send_to_session
from apps.calls.services.recordings import delete_files, locked
from apps.calls.services.story import tell
from apps.core.db import after_commit
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)


def erase_recording(recording_id: int, *, why: ErasedWhy, by: User | None = None) -> bool:
    """Delete the sound for good; the row stays and says so. False if that was done before."""
    with transaction.atomic():
        recording = locked(recording_id)
        if recording.state == RecordingState.ERASED:
            return False
        _erase(recording, why)
        tell(recording.call_id, EventKind.RECORDING_ERASED, timezone.now(), by=by, reason=why.value)
    return True


@transaction.atomic
def refuse_recording(call_id: int) -> None:
    """The person does not want it: erase what there is, and record nothing of this call any more."""
    recording, is_new = Recording.objects.get_or_create(
        call_id=call_id,
        source=RecordingSource.BRIDGE,
        defaults={
            "state": RecordingState.ERASED,
            "deleted_at": timezone.now(),
            "erased_why": ErasedWhy.REFUSED,
        },
    )
    recordings = [recording] if is_new else []
    recordings += Recording.objects.filter(call_id=call_id).exclude(state=RecordingState.ERASED)
    for one in recordings:
        _erase(locked(one.pk), ErasedWhy.REFUSED)
    if recordings:
        tell(call_id, EventKind.RECORDING_ERASED, timezone.now(), reason=ErasedWhy.REFUSED.value)
    # By way of its row: the carrier goes on recording also where there is no session that could be told to stop.
    for at_carrier in Recording.objects.filter(call_id=call_id, source=RecordingSource.CARRIER).exclude(wanted=""):
        Recording.objects.filter(pk=at_carrier.pk).update(wanted=Wish.STOP)
        enqueue("calls.command_recording", at_carrier.pk, 1)
    send_to_session(call_id, "stop_recording", reason=ErasedWhy.REFUSED.value)


def erase_old_recordings(*, now: datetime, keep_days: int) -> int:
    """Erase what was kept long enough; 0 days keep for ever. Returns how many."""
    if keep_days <= 0:
        return 0
    old = Recording.objects.ready().filter(started_at__lt=now - timedelta(days=keep_days))
    n = sum(erase_recording(pk, why=ErasedWhy.RETENTION) for pk in old.values_list("pk", flat=True).iterator())
    if n:
        log.info("recordings_erased", n=n, keep_days=keep_days)
    return n


def _erase(recording: Recording, why: ErasedWhy) -> None:
    names = [recording.name, *recording.parts.values_list("name", flat=True)]
    after_commit(delete_files, [name for name in set(names) if name])
    recording.parts.all().delete()
    recording.state, recording.erased_why, recording.deleted_at = RecordingState.ERASED, why, timezone.now()
    recording.name, recording.sha256, recording.size, recording.peaks = "", "", 0, []
    recording.save()
