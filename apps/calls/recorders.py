"""The recorders of one media process: a thread that writes spools, and one that makes recordings of them.

The second one may wait for database and storage as long as it takes: what it cannot finish stays on the disk, and is
tried again by it, by the next process on this machine, or by a worker that sees the same folder.
"""

import queue
import secrets
import threading
import time
from collections.abc import Callable
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
from apps.calls.services import recordings

log = structlog.get_logger(__name__)

_LEFTOVERS_EVERY_S: Final = 60.0


class Recorders:
    """One per process. start() and stop() may block; recorder_for() does not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._writer = SpoolWriter(folder, on_begun=self._begun, on_finished=self._finished)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._writer.start()
        self._thread = threading.Thread(target=self._run, name="recordings-keeper", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """Finish what can be finished in that time; the rest is on the disk."""
        self._writer.stop()
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(timeout_s)

    def recorder_for(self, plan: CallPlan, tell: Tell) -> SpoolRecorder:
        """A recorder for a stream. One that may not be recorded gets one that keeps no sound, and can be paused too."""
        head = SpoolHead(
            call_id=plan.call_id,
            leg_id=plan.leg_id,
            stream=secrets.token_hex(16),
            offset_ms=plan.offset_ms,
            began_at=timezone.now().isoformat(),
        )
        if not plan.may_be_recorded:
            return SpoolRecorder(None, head, tell)
        tell("recording_started", {"need": plan.recording.need if plan.recording else ""})
        return self._writer.open(head, tell)

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


def _say_begun(head: SpoolHead) -> None:
    try:
        recordings.stream_begun(head)
    except Call.DoesNotExist:
        log.warning("recording_without_call", call_id=head.call_id)


def _finish(spool: Path, ended_at: float) -> None:
    if recordings.finish_spool(spool):
        metrics.KEEP_SECONDS.observe(time.monotonic() - ended_at)
