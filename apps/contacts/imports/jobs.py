"""The life of an import: uploaded, run by a worker, cancelled, or found again after its worker died."""

import csv
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import IO

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.contacts.imports import reasons
from apps.contacts.imports.loading import Batch, ListBusy, Loaded, Loader, NotSealed
from apps.contacts.imports.reading import BadFile, Shape, rows_of, shape_of
from apps.contacts.imports.rows import Rejected, RowReader
from apps.contacts.models import ContactImport, ContactList, ImportState
from apps.core.listing import no_formula
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

BATCH_ROWS = 5_000
_HEARTBEAT_S = 1.0
# Without a sign of life for this long, the worker is taken for dead and another one begins again.
WORKER_LOST = timedelta(seconds=60)
_LIST_BUSY_AGAIN_S = 5
_LIVE = [ImportState.WAITING, ImportState.RUNNING]


class _Stopped(Exception):
    """The import is no longer ours: cancelled, or taken over."""


@transaction.atomic
def start_import(*, file: UploadedFile | File[bytes], contact_list: ContactList, by: User | None) -> ContactImport:
    """Keep an uploaded file and have a worker import it. The file's own name is kept for people only."""
    name = Path(file.name or "contacts.csv").name[:255]
    job = ContactImport(contact_list=contact_list, file_name=name, created_by=by)
    job.file.save("contacts.csv", file, save=False)
    job.save()
    enqueue("contacts.import_contacts", job.pk)
    return job


def cancel_import(import_id: int) -> bool:
    """Stop an import that waits or runs; nothing of it is kept. False if it was over already."""
    cancelled = ContactImport.objects.filter(pk=import_id, state__in=_LIVE).update(
        state=ImportState.CANCELLED, finished_at=timezone.now()
    )
    return bool(cancelled)


def resume_stale_imports() -> int:
    """Wake a worker for each import whose own has died, or whose message was lost; how many."""
    quiet_since = timezone.now() - WORKER_LOST
    stale = ContactImport.objects.filter(state=ImportState.RUNNING, heartbeat_at__lt=quiet_since)
    lost = ContactImport.objects.filter(state=ImportState.WAITING, created_at__lt=quiet_since)
    ids = [*stale.values_list("pk", flat=True), *lost.values_list("pk", flat=True)]
    for import_id in ids:
        enqueue("contacts.import_contacts", import_id, expires_s=30)
    return len(ids)


def run_import(import_id: int) -> None:
    """Import one file, if nobody else does. Safe to call twice, and again after a worker died."""
    now = timezone.now()
    free = ContactImport.objects.filter(pk=import_id, state=ImportState.WAITING) | ContactImport.objects.filter(
        pk=import_id, state=ImportState.RUNNING, heartbeat_at__lt=now - WORKER_LOST
    )
    if not free.update(state=ImportState.RUNNING, heartbeat_at=now, n_rows=0):
        return
    job = ContactImport.objects.select_related("created_by").get(pk=import_id)
    job.heartbeat_at = now
    try:
        _import(job)
    except BadFile as bad:
        _fail(job, error_code=bad.code, error_detail=bad.detail)
    except UnicodeError:
        _fail(job, error_code="unreadable")
    except (_Stopped, NotSealed):
        log.info("import_stopped", import_id=import_id)
    except ListBusy:
        _mine(job).update(state=ImportState.WAITING)
        enqueue("contacts.import_contacts", import_id, countdown_s=_LIST_BUSY_AGAIN_S)
    except Exception:
        # Whatever it was, the transaction is undone; the person is told, and the log has the rest.
        _fail(job, error_code="failed")
        raise


def _import(job: ContactImport) -> None:
    if job.file.size > settings.IMPORT_MAX_BYTES:
        raise BadFile("too_large")
    with (
        _local_copy(job) as path,
        tempfile.TemporaryFile("w+b") as raw_report,
        # The mark at its start tells spreadsheets what they read.
        io.TextIOWrapper(raw_report, encoding="utf-8-sig", newline="") as report,
    ):
        shape = shape_of(path)
        with translation.override(_language_of(job)):
            csv.writer(report).writerow([_("Row"), _("Phone"), _("Result"), _("Reason")])
            words = _words()
        reader = RowReader(
            shape.columns,
            default_country=settings.DEFAULT_COUNTRY,
            uploaded_at=job.created_at,
            file_name=job.file_name,
        )
        progress = _Progress(job)
        with Loader(job.contact_list_id, report, words, while_waiting=progress.show) as loader:
            for batch in _batches(reader, path, shape):
                loader.put(batch)
                progress.n_rows += len(batch.fates)
                progress.show_now_and_then()
            if progress.n_rows == 0:
                raise BadFile("no_rows")
            progress.show()
            loader.commit(partial(_seal, job, report, raw_report, progress.n_rows))


def _language_of(job: ContactImport) -> str:
    """The report is written for the person who uploaded the file."""
    return str(job.created_by.language) if job.created_by is not None else settings.LANGUAGE_CODE


class _Progress:
    """Rows read so far, and the sign of life. ``show`` raises _Stopped if the import was cancelled or taken over."""

    def __init__(self, job: ContactImport) -> None:
        self._job = job
        self._shown_at = time.monotonic()
        self.n_rows = 0

    def show_now_and_then(self) -> None:
        if time.monotonic() - self._shown_at > _HEARTBEAT_S:
            self.show()

    def show(self) -> None:
        self._shown_at = time.monotonic()
        now = timezone.now()
        if not _mine(self._job).update(n_rows=self.n_rows, heartbeat_at=now):
            raise _Stopped
        self._job.heartbeat_at = now


def _batches(reader: RowReader, path: Path, shape: Shape) -> Iterator[Batch]:
    batch = Batch()
    # The header is row 1, as in a spreadsheet.
    row_number = 1
    for cells in rows_of(path, shape):
        if cells is not None and not any(cells):
            row_number += 1
            continue
        row_number += 1
        if cells is None:
            batch.fates.append((row_number, "", "bad_quotes"))
        else:
            try:
                phone, line = reader.read(row_number, cells)
            except Rejected as rejected:
                batch.fates.append((row_number, harmless(reader.phone_of(cells)), rejected.reason))
            else:
                batch.fates.append((row_number, phone, ""))
                batch.phones.append(phone)
                batch.lines.append(line)
                batch.may_have_consents = reader.has_consent_column
        if len(batch.fates) >= BATCH_ROWS:
            yield batch
            batch = Batch()
    if batch.fates:
        yield batch


def harmless(value: str) -> str:
    """A value that no spreadsheet will take for a formula, and any file can hold."""
    return no_formula(value[:80].encode("utf-8", "replace").decode())


def _words() -> dict[str, tuple[str, str]]:
    added, rejected = str(reasons.RESULT_ADDED), str(reasons.RESULT_REJECTED)
    words = {code: (rejected, str(text)) for code, text in reasons.ROW_REASONS.items()}
    words[reasons.ON_DNC] = (added, str(reasons.ROW_REASONS[reasons.ON_DNC]))
    words[reasons.ADDED] = (added, "")
    return words


def _mine(job: ContactImport) -> QuerySet[ContactImport]:
    """The import's row, as long as this worker is the one that runs it."""
    return ContactImport.objects.filter(pk=job.pk, state=ImportState.RUNNING, heartbeat_at=job.heartbeat_at)


def _seal(job: ContactImport, report: io.TextIOWrapper, raw_report: IO[bytes], n_rows: int, loaded: Loaded) -> bool:
    """In the transaction that wrote the rows: the import is done, unless it was cancelled in the last moment."""
    report.flush()
    job.report.save(f"import-{job.pk}-report.csv", File(raw_report), save=False)
    log.info("import_finished", import_id=job.pk, n_rows=n_rows, n_added=loaded.n_added)
    return bool(
        _mine(job).update(
            state=ImportState.DONE,
            n_rows=n_rows,
            n_added=loaded.n_added,
            n_rejected=n_rows - loaded.n_added,
            reasons=dict(loaded.reasons),
            report=job.report.name,
            finished_at=timezone.now(),
        )
    )


def _fail(job: ContactImport, *, error_code: str, error_detail: str = "") -> None:
    _mine(job).update(
        state=ImportState.FAILED, error_code=error_code, error_detail=error_detail[:300], finished_at=timezone.now()
    )
    log.info("import_failed", import_id=job.pk, error_code=error_code)


@contextmanager
def _local_copy(job: ContactImport) -> Iterator[Path]:
    """The file on this machine's disk; storages elsewhere are fetched first."""
    try:
        yield Path(job.file.path)
        return
    except NotImplementedError:
        pass
    with tempfile.NamedTemporaryFile(suffix=".csv") as copy:
        for chunk in job.file.chunks():
            copy.write(chunk)
        copy.flush()
        yield Path(copy.name)
