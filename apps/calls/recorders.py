"""The recorders of one media process: a thread that writes spools, and one that makes recordings of them.

The second one may wait for database and storage as long as it takes: what it cannot finish stays on the disk, and is
tried again by it, by the next process on this machine, or by a worker that sees the same folder.
"""

import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from django.db import close_old_connections
from django.utils import timezone

from apps.calls.bridge import recording_metrics as metrics
from apps.calls.bridge.plan import CallPlan
from apps.calls.bridge.spooling import SpoolRecorder, SpoolWriter, Tell
from apps.calls.media.spool import SpoolHead
from apps.calls.models import Call
from apps.calls.models.recording import Wish
from apps.calls.services import recording_commands, recordings

log = structlog.get_logger(__name__)

_LEFTOVERS_EVERY_S: Final = 60.0


class Recorders:
    """One per process. start() and stop() may block; recorder_for() does not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._writer = SpoolWriter(folder, on_begun=self._begun, on_finished=self._finished)
        self._thread: threading.Thread | None = None
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="recordings-carrier")

    def start(self) -> None:
        self._writer.start()
        self._thread = threading.Thread(target=self._run, name="recordings-keeper", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Finish what can be finished in that time; the rest is on the disk."""
        self._writer.stop()
        self._asker.shutdown(wait=True)
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(timeout_s)

    def recorder_for(self, plan: CallPlan, tell: Tell) -> SpoolRecorder:
        """A recorder for a stream. One that may not be recorded gets one that keeps no sound, and can be paused too."""
        recorder = self._new(plan, tell)
        if plan.is_recording_paused:
            recorder.pause("card", plan.offset_ms)
        return recorder

    def _new(self, plan: CallPlan, tell: Tell) -> SpoolRecorder:
        head = SpoolHead(
            call_id=plan.call_id,
            leg_id=plan.leg_id,
            stream=secrets.token_hex(16),
            offset_ms=plan.offset_ms,
            began_at=timezone.now().isoformat(),
        )
        if not plan.may_be_recorded:
            return SpoolRecorder(None, head, tell)
        if plan.recording is not None and plan.recording.by_carrier:
            ask = partial(self._ask_carrier, plan.call_id)
            return CarrierRecorder(head, ask, is_paused=plan.is_recording_paused)
        tell("recording_started", {"need": plan.recording.need if plan.recording else ""})
        return self._writer.open(head, tell)

    def _ask_carrier(self, call_id: int, wish: Wish, reason: str) -> None:
        """In the order of asking, by a thread that does nothing else: who pauses is about to hear card data."""
        self._asker.submit(_want, call_id, wish, reason)

    # ── In the writer's thread ──────────────────────────────────────────────────────────────────────────────
    def _begun(self, head: SpoolHead) -> None:
        self._jobs.put(partial(_say_begun, head))

    def _finished(self, spool: Path) -> None:
        self._jobs.put(partial(_finish, spool, time.monotonic()))

    # ── The keeper's thread ─────────────────────────────────────────────────────────────────────────────────
    def _run(self) -> None:
        look_again_at = 0.0  # at once: what an earlier process left may be waiting
        while True:
            job: Callable[[], object] | None = partial(recordings.finish_spools, self._folder)
            if (wait_s := look_again_at - time.monotonic()) > 0:
                try:
                    job = self._jobs.get(timeout=wait_s)
                except queue.Empty:
                    continue
            else:
                look_again_at = time.monotonic() + _LEFTOVERS_EVERY_S
            if job is None:
                return
            try:
                job()
            except Exception as error:
                log.exception("recording_not_kept", error=type(error).__name__)
                metrics.FAILED.labels("storage").inc()
            finally:
                close_old_connections()


def _want(call_id: int, wish: Wish, reason: str) -> None:
    try:
        recording_commands.want(call_id, wish, reason=reason)
    except Exception as error:  # in the writer's thread, which lives on for all other calls
        log.exception("carrier_recording_not_asked", call_id=call_id, wish=str(wish), error=type(error).__name__)
        metrics.FAILED.labels("carrier").inc()
    finally:
        close_old_connections()


class CarrierRecorder(SpoolRecorder):
    """For a stream that the carrier records: keeps no sound, and says when it is to be recorded and when not.

    ask: wish and reason; returns at once. What became of it stands in the call's story once the carrier has said so.
    """

    __slots__ = ("_ask",)

    def __init__(self, head: SpoolHead, ask: Callable[[Wish, str], None], *, is_paused: bool = False) -> None:
        super().__init__(None, head, _tell_nobody)
        self._ask = ask
        if not is_paused:
            ask(Wish.RECORD, "")

    def pause(self, reason: str, at_ms: int) -> None:
        super().pause(reason, at_ms)
        self._ask(Wish.PAUSE, reason)

    def _end_pause(self, at_ms: int, *, is_automatic: bool) -> None:
        super()._end_pause(at_ms, is_automatic=is_automatic)
        self._ask(Wish.RECORD, "")

    def stop(self, reason: str) -> None:
        self._ask(Wish.STOP, reason)


def _tell_nobody(kind: str, data: Mapping[str, object]) -> None:
    """The worker tells it."""


def _say_begun(head: SpoolHead) -> None:
    try:
        recordings.stream_begun(head)
    except Call.DoesNotExist:
        log.warning("recording_without_call", call_id=head.call_id)


def _finish(spool: Path, ended_at: float) -> None:
    if recordings.finish_spool(spool):
        metrics.KEEP_SECONDS.observe(time.monotonic() - ended_at)
