"""What sessions tell, written down: turns, events, usage and signs of life, in batches by a thread of its own.

A session puts a record into memory and goes on; the thread takes what has gathered a few times a second, writes it in
one transaction and shows the turns on open pages. While the database is away records wait, up to a bound, and nothing
of them is lost; the same batch is tried again until it is in.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    transaction,
)
from django.db.models import Exists
from django.utils import timezone

from apps.calls.bridge import metrics
from apps.calls.bridge.sink import SpokenTurn
from apps.calls.card_watch import CardWatches
from apps.calls.costs import record_usage
from apps.calls.events import LIVE_GROUP, EventKind, LiveTurn
from apps.calls.masking import mask_cards
from apps.calls.media.frames import Usage
from apps.calls.models import Call, CallEvent, Leg, Turn
from apps.calls.models.cost import Part
from apps.core.realtime import Publisher

log = structlog.get_logger(__name__)

_EVERY_S = 0.2
_HEARTBEAT_S = 5.0
_USAGE_S = 30.0  # what a call costs so far may be that late; pricing it is the dearest thing written here
_MAX_BATCH = 500
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """is_kept: False for a piece on its way, which is shown and not written. at: when it began.

    is_secret: card data were asked for while it was said; no number of it is shown or written.
    """

    call_id: int
    turn: SpokenTurn
    at: datetime
    is_kept: bool = True
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class EventRecord:
    call_id: int
    leg_id: int
    kind: str
    data: Mapping[str, object]
    at: datetime


@dataclass(frozen=True, slots=True)
class UsageRecord:
    call_id: int
    service: str
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class FlushRecord:
    """Everything told before it about the call is to be in the database when ``done`` is called."""

    call_id: int
    done: Callable[[], None]


Record = TurnRecord | EventRecord | UsageRecord | FlushRecord
UsageKey = tuple[int, str, str]


@dataclass(slots=True)
class _Batch:
    """What is written in one transaction."""

    turns: dict[tuple[int, str], TurnRecord] = field(default_factory=dict)
    events: list[EventRecord] = field(default_factory=list)
    usage: dict[UsageKey, dict[str, int]] = field(default_factory=dict)
    live_legs: Sequence[int] = ()
    flushes: list[FlushRecord] = field(default_factory=list)
    shown: list[TurnRecord] = field(default_factory=list)

    @property
    def has_rows(self) -> bool:
        return bool(self.turns or self.events or self.usage or self.live_legs)


class Journal:
    """One per process. add(), open_leg(), close_leg() and flush() are for the event loop; they never wait for I/O."""

    def __init__(self, *, max_records: int = 100_000) -> None:
        self._records: deque[Record] = deque()
        self._max_records = max_records
        self._live_legs: set[int] = set()
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self._unpriced: dict[UsageKey, dict[str, int]] = {}
        self._usage_at = self._heartbeat_at = 0.0
        self._publisher = Publisher()
        self._cards: CardWatches[TurnRecord] = CardWatches()

    @property
    def n_waiting(self) -> int:
        return len(self._records)

    @property
    def is_full(self) -> bool:
        return len(self._records) >= self._max_records

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Write what is left, as far as the time allows. Blocks."""
        self._is_stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        if self._records:
            log.error("journal_records_lost", n=len(self._records))
            metrics.JOURNAL_LOST.labels("shutdown").inc(len(self._records))

    def add(self, record: Record) -> None:
        if self.is_full and not isinstance(record, FlushRecord):
            if not (isinstance(record, TurnRecord) and not record.is_kept):
                metrics.JOURNAL_LOST.labels("full").inc()
            return
        self._records.append(record)

    def open_leg(self, leg_id: int) -> None:
        self._live_legs.add(leg_id)

    def close_leg(self, leg_id: int) -> None:
        self._live_legs.discard(leg_id)

    async def flush(self, call_id: int) -> None:
        """Return when all that was told of the call so far is in the database."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop is closed, nobody waits any more
                loop.call_soon_threadsafe(lambda: None if done.done() else done.set_result(None))

        self._records.append(FlushRecord(call_id, tell))
        self._wake.set()
        await done

    # ── The thread ──────────────────────────────────────────────────────────────────────────────────────────
    def _run(self) -> None:
        while True:
            self._wake.wait(_EVERY_S)
            self._wake.clear()
            try:
                while (batch := self._gather()) is not None:
                    self._write_until_done(batch)
                    if len(self._records) < _MAX_BATCH:
                        break
            except Exception:
                log.exception("journal_failed")
            if self._is_stopping and not self._records:
                break
        self._publisher.close()

    def _gather(self) -> _Batch | None:
        """Take what has gathered, each turn in its last wording only. None: nothing to do."""
        batch = _Batch()
        now = time.monotonic()
        metrics.JOURNAL_WAITING.set(len(self._records))
        for _ in range(min(len(self._records), _MAX_BATCH)):
            record = self._records.popleft()
            if isinstance(record, TurnRecord):
                for told in self._without_card_data(record, now):
                    batch.shown.append(told)
                    if told.is_kept:
                        batch.turns[told.call_id, told.turn.item_id] = told
            elif isinstance(record, EventRecord):
                batch.events.append(record)
            elif isinstance(record, UsageRecord):
                _add_usage(self._unpriced, record)
            else:
                batch.flushes.append(record)
        flushed = {record.call_id for record in batch.flushes}
        everything = self._is_stopping or now - self._usage_at >= _USAGE_S
        if everything:
            self._usage_at = now
        for key in [key for key in self._unpriced if everything or key[0] in flushed]:
            batch.usage[key] = self._unpriced.pop(key)
        if now - self._heartbeat_at >= _HEARTBEAT_S:
            self._heartbeat_at = now
            self._cards.forget(now)
            batch.live_legs = list(self._live_legs)
        return batch if batch.has_rows or batch.flushes or batch.shown else None

    def _without_card_data(self, record: TurnRecord, now: float) -> Iterator[TurnRecord]:
        """The turn, and those before it of which it shows that they were the beginning of a card's number."""
        changed = self._cards.hear(
            record,
            record.turn,
            call_id=record.call_id,
            is_kept=record.is_kept,
            hides_all=record.is_secret,
            now=now,
        )
        for told, text in changed:
            yield told if text == told.turn.text else replace(told, turn=replace(told.turn, text=text))

    def _write_until_done(self, batch: _Batch, *, is_single: bool = False) -> None:
        """is_single: the database may refuse it for what it is."""
        n_tries = 0
        while batch.has_rows:
            try:
                with metrics.JOURNAL_SECONDS.time():
                    _write(batch)
                break
            except (OperationalError, InterfaceError) as error:
                delay_s = _RETRY_S[min(n_tries, len(_RETRY_S) - 1)]
                n_tries += 1
                log.warning("journal_waits_for_database", n_tries=n_tries, error=type(error).__name__)
                if self._is_stopping and n_tries > len(_RETRY_S):
                    metrics.JOURNAL_LOST.labels("shutdown").inc(len(batch.turns) + len(batch.events))
                    raise
                time.sleep(delay_s)
            except (DatabaseError, Call.DoesNotExist):
                if is_single:
                    metrics.JOURNAL_LOST.labels("refused").inc()
                    log.exception("journal_record_refused")
                else:  # find what it refuses, and keep the rest, even if it goes away meanwhile
                    for single in _singles(batch):
                        self._write_until_done(single, is_single=True)
                break
            finally:
                close_old_connections()
        for record in batch.flushes:
            record.done()
        _show(self._publisher, batch.shown)


def _write(batch: _Batch) -> None:
    if batch.live_legs:  # in a transaction of its own: a leg's row is held by nobody who may have to wait for its call
        Leg.objects.filter(pk__in=batch.live_legs).update(media_heartbeat_at=timezone.now())
    with transaction.atomic():
        _write_turns(batch.turns.values())
        CallEvent.objects.bulk_create([_event(record) for record in batch.events])
        for record in batch.events:
            _keep_fact(record)
        for (call_id, service, model), used in batch.usage.items():
            record_usage(call_id, service=service, model=model, usage=used)


def _keep_fact(record: EventRecord) -> None:
    """What an event says of the call itself stands in the call's row too; what a person has corrected stays."""
    mine = Call.objects.filter(pk=record.call_id)
    if record.kind == EventKind.ANSWER_VERDICT:
        corrected = CallEvent.objects.filter(call_id=record.call_id, kind=EventKind.VERDICT_CORRECTED)
        mine.exclude(Exists(corrected)).update(answer_verdict=str(record.data.get("verdict", ""))[:12])
    elif record.kind == EventKind.LANGUAGE_CHANGED:
        mine.update(language=str(record.data.get("to", ""))[:8])


def _write_turns(records: Iterable[TurnRecord]) -> None:
    rows, unheard = [], []
    for record in records:
        turn = record.turn
        if not turn.text:  # told before, and then it turned out that not a word of it was heard
            unheard.append(record)
            continue
        rows.append(
            Turn(
                call_id=record.call_id,
                speaker=turn.speaker,
                text=_clean(turn.text),
                language=turn.language[:8],
                item_id=turn.item_id[:80],
                started_ms=max(0, turn.started_ms),
                ended_ms=max(0, turn.started_ms, turn.ended_ms),
                was_interrupted=turn.was_interrupted,
                at=record.at,
            )
        )
    if rows:
        Turn.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["call", "item_id"],
            update_fields=["text", "language", "started_ms", "ended_ms", "was_interrupted", "at"],
        )
    for record in unheard:
        Turn.objects.filter(call_id=record.call_id, item_id=record.turn.item_id[:80]).delete()


def _singles(batch: _Batch) -> list[_Batch]:
    """A batch for every record."""
    singles: list[_Batch] = [_Batch(turns={key: record}) for key, record in batch.turns.items()]
    singles += [_Batch(events=[record]) for record in batch.events]
    singles += [_Batch(usage={key: used}) for key, used in batch.usage.items()]
    singles += [_Batch(live_legs=batch.live_legs)] if batch.live_legs else []
    return singles


def _event(record: EventRecord) -> CallEvent:
    data = {name: mask_cards(_clean(value)) if isinstance(value, str) else value for name, value in record.data.items()}
    return CallEvent(call_id=record.call_id, leg_id=record.leg_id, kind=record.kind, data=data, at=record.at)


def _add_usage(totals: dict[UsageKey, dict[str, int]], record: UsageRecord) -> None:
    usage = record.usage
    mine = totals.setdefault((record.call_id, record.service, usage.model or record.model), {})
    parts = {
        Part.AUDIO_IN: usage.audio_in,
        Part.TEXT_IN: usage.text_in,
        Part.CACHED_IN: usage.cached_in,
        Part.AUDIO_OUT: usage.audio_out,
        Part.TEXT_OUT: usage.text_out,
        Part.TRANSCRIPTION: usage.transcription or round(usage.transcription_s),
        Part.SPEECH: usage.speech_chars,
    }
    for part, quantity in parts.items():
        if quantity:
            mine[part.value] = mine.get(part.value, 0) + quantity


def _show(publisher: Publisher, records: Sequence[TurnRecord]) -> None:
    """Tell open pages, the last wording of each utterance only."""
    latest = {(record.call_id, record.turn.item_id): record for record in records}
    publisher.send(LIVE_GROUP, [("turn", dict(_live(record))) for record in latest.values()])


def _live(record: TurnRecord) -> LiveTurn:
    turn = record.turn
    return LiveTurn(
        call_id=record.call_id,
        item_id=turn.item_id,
        speaker=turn.speaker,
        text=turn.text,
        started_ms=turn.started_ms,
        ended_ms=turn.ended_ms,
        was_interrupted=turn.was_interrupted,
        language=turn.language,
        is_final=record.is_kept,
    )


def _clean(text: str) -> str:
    """PostgreSQL takes no NUL."""
    return text.replace("\x00", "")


def moment(audio_began: datetime, ms: int) -> datetime:
    """A time on the clock of a call as a time of day."""
    return audio_began + timedelta(milliseconds=ms)
