"""Recordings from the spool, or from the carrier, to the storage.

The process that recorded a stream also stores it, so media process and worker need share nothing but database and
storage. What a crash left behind is finished by whoever finds the spool: the next media process on that disk, or a
worker that sees it. All steps may be repeated.
"""

import fcntl
import hashlib
import os
import random
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.accounts.models import User
from apps.calls.bridge import recording_metrics as metrics
from apps.calls.bridge.spooling import SUFFIX
from apps.calls.events import EventKind
from apps.calls.media.mixing import Mixed, Span, join, mix, peaks_of_pcm
from apps.calls.media.sound_files import BadSound, sides
from apps.calls.media.spool import NotASpool, SpoolHead, read_head
from apps.calls.models import Call, CallEvent, Leg, Recording, RecordingPart
from apps.calls.models.recording import PartState, RecordingSource, RecordingState
from apps.calls.services.story import tell
from apps.core.db import after_commit
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

LOST_AFTER = timedelta(hours=1)
"""A call ended so long ago, and a stream of it is still said to be recorded: the spool's disk does not come back."""
_PLAYED_ONCE_IN_S = 900
_DAMAGED = ".damaged"
_ENOUGH_FAILURES = 5


def files() -> Storage:
    """Where recordings are."""
    return storages["recordings"]


# ── From the media process ──────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def stream_begun(head: SpoolHead) -> None:
    """Leave a row for a stream that is being recorded. Raises Call.DoesNotExist."""
    recording = _recording_of(head)
    if recording.state == RecordingState.ERASED:
        return
    RecordingPart.objects.get_or_create(stream=head.stream, defaults=_part_facts(recording, head))


def keep_stream(head: SpoolHead, mixed: Mixed) -> None:
    """Put a finished stream into the storage. Raises Call.DoesNotExist, and what the storage raises."""
    if not mixed.duration_ms:
        _nothing_was_heard(head)
        return
    if Recording.objects.filter(call_id=head.call_id, state=RecordingState.ERASED, source=RecordingSource.BRIDGE):
        return
    _recording_of(head)  # of a call that is gone nothing goes into the storage
    name = _save(f"{head.began_at[:10].replace('-', '/')}/{head.call_id}-{head.stream}.wav", mixed.path)
    with transaction.atomic():
        recording = locked(_recording_of(head).pk)
        if recording.state == RecordingState.ERASED:  # refused or erased meanwhile
            after_commit(delete_files, [name])
            return
        part, _is_new = RecordingPart.objects.get_or_create(stream=head.stream, defaults=_part_facts(recording, head))
        if part.state in {PartState.STORED, PartState.MERGED}:
            return
        part.name, part.duration_ms = name, mixed.duration_ms
        part.paused = [[span.from_ms, span.to_ms, span.reason] for span in mixed.paused]
        if not recording.name and not head.offset_ms:  # the usual case: the call had one stream
            part.state = PartState.MERGED
            _fill(recording, name, mixed)
        else:
            part.state = PartState.STORED
            enqueue("calls.merge_recording", recording.pk)
        part.save()
    metrics.KEPT.inc()
    log.info("recording_kept", call_id=head.call_id, duration_ms=mixed.duration_ms, size=mixed.size)


def merge_recording(recording_id: int) -> None:
    """Make one recording out of what the call's later streams have brought. Nothing to do is no error."""
    with transaction.atomic():
        recording = locked(recording_id)
        parts = list(recording.parts.filter(state=PartState.STORED).order_by("offset_ms", "pk"))
        if not parts or recording.state == RecordingState.ERASED:
            return
        with tempfile.TemporaryDirectory(prefix="recording-") as folder:
            sources = [(0, recording.name)] if recording.name else []
            sources += [(part.offset_ms, part.name) for part in parts]
            here = [(offset, _fetch(name, Path(folder) / f"{i}.wav")) for i, (offset, name) in enumerate(sources)]
            paused = [Span(*span) for span in recording.paused]
            for part in parts:
                paused += [Span(part.offset_ms + a, part.offset_ms + b, why) for a, b, why in part.paused]
            mixed = join(here, Path(folder) / "whole.wav", sorted(paused, key=lambda span: span.from_ms))
            stem = parts[-1].name.removesuffix(".wav")
            name = _save(f"{stem}-{len(recording.parts.all())}.wav", mixed.path)
        after_commit(delete_files, [old for _, old in sources])
        _fill(recording, name, mixed)
        recording.parts.filter(pk__in=[part.pk for part in parts]).update(state=PartState.MERGED, name="")
        recording.parts.exclude(state=PartState.STORED).update(name="")
    log.info("recording_merged", call_id=recording.call_id, n_parts=len(parts))


def merge_waiting() -> None:
    """Merge what a lost message left unmerged."""
    waiting = RecordingPart.objects.filter(state=PartState.STORED).values_list("recording_id", flat=True).distinct()
    for recording_id in waiting:
        merge_recording(recording_id)


# ── What a crash left behind ────────────────────────────────────────────────────────────────────────────────
def finish_spools(folder: Path) -> int:
    """Finish every spool in the folder that nobody writes any more. Returns how many; those that fail stay."""
    paths = list(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    random.shuffle(paths)  # so that none that cannot be finished keeps the others waiting for ever
    n_done = n_failed = 0
    for path in paths:
        try:
            n_done += finish_spool(path)
        except Exception:
            log.exception("recording_not_kept", name=path.name)
            metrics.FAILED.labels("storage").inc()
            n_failed += 1
            if n_failed >= _ENOUGH_FAILURES:  # it is not the spools
                break
    return n_done


def finish_spool(path: Path) -> bool:
    """Mix, store and remove one spool; False if it is being written, or somebody else is at it."""
    with _alone_with(path) as is_mine:
        if not is_mine:
            return False
        target = path.with_suffix(".wav")
        try:
            head = read_head(path)
            keep_stream(head, mix(path, target))
        except NotASpool:
            log.error("spool_damaged", name=path.name)
            metrics.FAILED.labels("damaged").inc()
            path.rename(path.with_suffix(_DAMAGED))
            return False
        except Call.DoesNotExist:
            log.warning("spool_without_call", name=path.name)
        finally:
            target.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return True


def give_up_lost(*, now: datetime) -> int:
    """Say of recordings that never came that they failed. Returns how many. One that comes later is kept after all."""
    parts = RecordingPart.objects.filter(
        state=PartState.OPEN, recording__call__ended_at__lt=now - LOST_AFTER
    ).select_related("recording")
    n = _give_up_carriers(now)
    for part in parts[:500]:
        with transaction.atomic():
            recording = locked(part.recording_id)
            if not RecordingPart.objects.filter(pk=part.pk, state=PartState.OPEN).update(state=PartState.LOST):
                continue
            if recording.state == RecordingState.RECORDING:
                recording.state = RecordingState.FAILED
                recording.save(update_fields=["state"])
                tell(recording.call_id, EventKind.RECORDING_FAILED, now)
            n += 1
        log.error("recording_lost", call_id=recording.call_id)
        metrics.FAILED.labels("lost").inc()
    return n


def _give_up_carriers(now: datetime) -> int:
    """The same of those that a carrier began and never handed over."""
    lost = Recording.objects.filter(
        source=RecordingSource.CARRIER, state=RecordingState.RECORDING, call__ended_at__lt=now - LOST_AFTER
    )
    n = 0
    for recording in lost[:500]:
        with transaction.atomic():
            if lost.filter(pk=recording.pk).update(state=RecordingState.FAILED):
                tell(recording.call_id, EventKind.RECORDING_FAILED, now, source="carrier", reason="not_handed_over")
                log.error("carrier_recording_lost", call_id=recording.call_id)
                metrics.FAILED.labels("lost").inc()
                n += 1
    return n


def is_refused(call_id: int) -> bool:
    """Whether nothing of the call may be recorded any more."""
    return Recording.objects.filter(
        call_id=call_id, source=RecordingSource.BRIDGE, state=RecordingState.ERASED
    ).exists()


# ── Who listens ─────────────────────────────────────────────────────────────────────────────────────────────
def note_listening(recording: Recording, *, by: User, is_download: bool, now: datetime) -> None:
    """Leave in the call's story who listened. A player asks for many pieces; that is one listening."""
    turn = int(now.timestamp()) // _PLAYED_ONCE_IN_S
    kind = EventKind.RECORDING_DOWNLOADED if is_download else EventKind.RECORDING_PLAYED
    CallEvent.objects.bulk_create(
        [
            CallEvent(
                call_id=recording.call_id,
                kind=kind,
                at=now,
                key=f"{kind.value}-{recording.pk}-{by.pk}-{turn}",
                data={"by": by.display_name, "by_id": by.pk, "recording": recording.pk},
            )
        ],
        ignore_conflicts=True,
    )


# ── The carrier's own ───────────────────────────────────────────────────────────────────────────────────────
def keep_carrier_recording(
    call_id: int,
    *,
    reference: str,
    started_at: datetime,
    duration_ms: int,
    chunks: Iterable[bytes],
    content_type: str = "audio/wav",
    channels: int = 2,
) -> Recording | None:
    """Store what a carrier recorded. reference: its id there. None if we have it, or nothing may be recorded."""
    begun = _begun_at_carrier(call_id, reference)
    is_kept = Recording.objects.filter(reference=reference, state=RecordingState.READY).exists()
    if is_refused(call_id) or is_kept or (begun is not None and begun.state != RecordingState.RECORDING):
        return None
    suffix = {"audio/wav": ".wav", "audio/mpeg": ".mp3"}[content_type]
    with tempfile.NamedTemporaryFile(prefix="recording-", suffix=suffix) as file:
        digest, size = hashlib.sha256(), 0
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        peaks = _peaks(Path(file.name))
        folder = started_at.strftime("%Y/%m/%d")
        secret = hashlib.blake2b(reference.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=16)
        name = _save(f"{folder}/{call_id}-{secret.hexdigest()}{suffix}", Path(file.name))
    facts: dict[str, Any] = {
        "state": RecordingState.READY,
        "name": name,
        "content_type": content_type,
        "channels": channels,
        "duration_ms": duration_ms,
        "size": size,
        "sha256": digest.hexdigest(),
        "peaks": peaks,
        "started_at": started_at,
    }
    with transaction.atomic():
        begun = _begun_at_carrier(call_id, reference)
        if begun is None:
            facts |= {"call_id": call_id, "source": RecordingSource.CARRIER}
            recording, _is_new = Recording.objects.get_or_create(reference=reference, defaults=facts)
            return recording
        recording = locked(begun.pk)
        if recording.state != RecordingState.RECORDING:  # refused meanwhile, or fetched by somebody else
            if recording.name != name:
                after_commit(delete_files, [name])
            return None
        for field, value in {**facts, "reference": reference}.items():
            setattr(recording, field, value)
        recording.save()
    return recording


def _peaks(path: Path) -> list[list[int]]:
    """For the player's wave; none of what is not coded as carriers usually do."""
    try:
        return [peaks_of_pcm(side) for side in sides(path)]
    except BadSound:
        return []


def _begun_at_carrier(call_id: int, reference: str) -> Recording | None:
    """The row that was made when we had the carrier begin, if it was us."""
    ours = Recording.objects.filter(call_id=call_id, source=RecordingSource.CARRIER).exclude(wanted="")
    return ours.filter(reference__in=["", reference]).first()


# ── Small things ────────────────────────────────────────────────────────────────────────────────────────────
def _recording_of(head: SpoolHead) -> Recording:
    """The call's recording of ours, made if need be. Raises Call.DoesNotExist."""
    if not Call.objects.filter(pk=head.call_id).exists():
        raise Call.DoesNotExist
    began_at = parse_datetime(head.began_at) or timezone.now()
    recording, _is_new = Recording.objects.get_or_create(
        call_id=head.call_id,
        source=RecordingSource.BRIDGE,
        defaults={"started_at": began_at - timedelta(milliseconds=head.offset_ms)},
    )
    return recording


def _part_facts(recording: Recording, head: SpoolHead) -> dict[str, Any]:
    return {"recording": recording, "leg_id": _leg_id(head), "offset_ms": head.offset_ms}


def _leg_id(head: SpoolHead) -> int | None:
    return head.leg_id if Leg.objects.filter(pk=head.leg_id, call_id=head.call_id).exists() else None


def locked(recording_id: int) -> Recording:
    """Nobody else changes it until the transaction ends."""
    return Recording.objects.select_for_update(no_key=True).get(pk=recording_id)


def _fill(recording: Recording, name: str, mixed: Mixed) -> None:
    recording.state = RecordingState.READY
    recording.name, recording.size, recording.sha256 = name, mixed.size, mixed.sha256
    recording.duration_ms, recording.peaks = mixed.duration_ms, mixed.peaks
    recording.paused = [[span.from_ms, span.to_ms, span.reason] for span in mixed.paused]
    recording.save()


@transaction.atomic
def _nothing_was_heard(head: SpoolHead) -> None:
    """A stream without a single frame: as if it had not been."""
    recording = Recording.objects.filter(call_id=head.call_id, source=RecordingSource.BRIDGE).first()
    if recording is None:
        return
    recording = locked(recording.pk)
    recording.parts.filter(stream=head.stream).delete()
    if recording.state == RecordingState.RECORDING and not recording.parts.exists():
        recording.delete()


def _save(name: str, path: Path) -> str:
    """Under this very name: what an earlier try left there is replaced."""
    storage = files()
    if storage.exists(name):
        storage.delete(name)
    with path.open("rb") as file:
        return storage.save(name, File(file))


def _fetch(name: str, target: Path) -> Path:
    with files().open(name, "rb") as source, target.open("wb") as file:
        for chunk in source.chunks():
            file.write(chunk)
    return target


def delete_files(names: list[str]) -> None:
    """Of the storage, for good."""
    for name in names:
        files().delete(name)


@contextmanager
def _alone_with(path: Path) -> Iterator[bool]:
    """Hold the spool's lock. False: its writer lives, somebody else finishes it, or it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield os.fstat(fd).st_nlink > 0
    finally:
        os.close(fd)
