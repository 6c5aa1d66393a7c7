"""Rows into the database, on a connection and in a thread of its own, so that checking and writing go on side by side.

Everything of one import is one transaction. A file that breaks off, a cancel or a killed worker therefore leaves
nothing behind, and the import is simply done again from its first row.
"""

import csv
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from django.db import connection, transaction

from apps.contacts.imports.reasons import ADDED, ON_DNC
from apps.contacts.models import Channel

# What a line of a batch holds, in order; RowReader.read writes it.
COLUMNS = (
    "row_number, phone, country, time_zone, zone_source, language, first_name, last_name, email, fields, "
    "has_consent, is_written, consent_source, consent_at"
)
# Two imports into one list take turns: the second would otherwise wait inside for the first's numbers, or they for each
# other. Namespace of the advisory lock on a list.
_LIST_LOCKS = 0x696D7072
_QUEUE_LENGTH = 3

_CREATE = """
    CREATE TEMPORARY TABLE import_batch (
        row_number integer, phone text, country text, time_zone text, zone_source text, language text,
        first_name text, last_name text, email text, fields jsonb,
        has_consent boolean, is_written boolean, consent_source text, consent_at timestamptz
    ) ON COMMIT DROP
"""
_INSERT = """
    INSERT INTO contacts_contact (contact_list_id, phone, country, time_zone, zone_source, language,
                                  first_name, last_name, email, fields, created_at)
    SELECT %s, phone, country, time_zone, zone_source, language, first_name, last_name, email, fields, now()
    FROM import_batch ORDER BY row_number
    ON CONFLICT (contact_list_id, phone) DO NOTHING
    RETURNING phone
"""
_CONSENTS = """
    INSERT INTO contacts_consent (phone, channel, is_written, source, given_at)
    SELECT phone, %s, is_written, consent_source, consent_at FROM import_batch WHERE has_consent ORDER BY row_number
    ON CONFLICT (phone, channel) WHERE withdrawn_at IS NULL DO NOTHING
"""
_BARRED = """
    SELECT phone FROM import_batch JOIN contacts_dncentry USING (phone) WHERE contacts_dncentry.channel = %s
"""


class ListBusy(Exception):
    """Another import writes to the same list."""


class NotSealed(Exception):
    """All was written and all was undone: the import was broken off, or is no longer ours."""


@dataclass(slots=True)
class Batch:
    """Rows in the order of the file. fates: row number, phone as written, reason ("" if it goes to the database)."""

    lines: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)  # E.164, one for each line
    fates: list[tuple[int, str, str]] = field(default_factory=list)
    may_have_consents: bool = False


@dataclass(slots=True)
class Loaded:
    n_added: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


Seal = Callable[[Loaded], bool]


class Loader:
    """A thread with an open transaction. ``put`` batches, then ``commit``; leaving the block without it undoes all.

    report: gets a line for each row, once its fate is known. words: result and reason, by reason code.
    while_waiting: called about twice a second while the database is slower than the file.
    """

    def __init__(
        self,
        contact_list_id: int,
        report: IO[str],
        words: dict[str, tuple[str, str]],
        while_waiting: Callable[[], None],
    ) -> None:
        self._contact_list_id = contact_list_id
        self._report = csv.writer(report)
        self._words = words
        self._while_waiting = while_waiting
        self._items: queue.Queue[Batch | Seal | None] = queue.Queue(_QUEUE_LENGTH)
        self._failure: BaseException | None = None
        self.loaded = Loaded()
        self._thread = threading.Thread(target=self._run, name="import-loader", daemon=True)

    def __enter__(self) -> "Loader":
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        while self._thread.is_alive():
            try:
                self._items.put(None, timeout=0.5)
            except queue.Full:
                continue
            self._thread.join(timeout=0.5)
        self._thread.join()

    def put(self, batch: Batch) -> None:
        """Hand over a batch. Raises what the thread has failed with."""
        self._hand_over(batch)

    def commit(self, seal: Seal) -> None:
        """Wait until all is written, and make it true for others if ``seal`` agrees; else all is undone.

        seal: called in the loader's thread and transaction, with what was loaded; False or an exception undoes all.
        Raises NotSealed, or what the thread has failed with.
        """
        self._hand_over(seal)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _hand_over(self, item: Batch | Seal) -> None:
        while self._failure is None:
            try:
                self._items.put(item, timeout=0.5)
            except queue.Full:
                self._while_waiting()
                continue
            return
        raise self._failure

    def _run(self) -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                self._begin(cursor)
                while isinstance(item := self._items.get(), Batch):
                    self._write(cursor, item)
                if item is None or not item(self.loaded):
                    raise NotSealed
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that hands over
            self._failure = error
        finally:
            connection.close()

    def _begin(self, cursor: Any) -> None:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LIST_LOCKS, self._contact_list_id])
        if not cursor.fetchone()[0]:
            raise ListBusy
        # A list that is deleted meanwhile waits for us, rather than we for it.
        cursor.execute("SELECT 1 FROM contacts_contactlist WHERE id = %s FOR KEY SHARE", [self._contact_list_id])
        cursor.execute(_CREATE)

    def _write(self, cursor: Any, batch: Batch) -> None:
        added: set[str] | None = None  # None: all of them
        barred: set[str] = set()
        if batch.lines:
            with cursor.copy(f"COPY import_batch ({COLUMNS}) FROM STDIN") as copy:
                copy.write(("\n".join(batch.lines) + "\n").encode())
            cursor.execute(_INSERT, [self._contact_list_id])
            if cursor.rowcount < len(batch.lines):
                added = {row[0] for row in cursor.fetchall()}
            if batch.may_have_consents:
                cursor.execute(_CONSENTS, [Channel.VOICE])
            cursor.execute(_BARRED, [Channel.VOICE])
            barred = {row[0] for row in cursor.fetchall()}
            cursor.execute("TRUNCATE import_batch")
        self._tell(batch, added, barred)

    def _tell(self, batch: Batch, added: set[str] | None, barred: set[str]) -> None:
        phones = iter(batch.phones)
        rows: list[Sequence[object]] = []
        reasons = self.loaded.reasons
        for row_number, written, reason in batch.fates:
            code = reason
            if not code:
                phone = next(phones)
                if added is not None and phone not in added:
                    code = "duplicate_in_list"
                else:
                    self.loaded.n_added += 1
                    code = ON_DNC if phone in barred else ADDED
            if code != ADDED:
                reasons[code] += 1
            rows.append((row_number, written, *self._words[code]))
        self._report.writerows(rows)
