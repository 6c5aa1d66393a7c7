"""The recorder of the media process: frames are put into memory, a thread writes them to the calls' spools.

The event loop never waits for a disk. What is in memory is bounded; beyond that, sound is left out of the recording
and counted, never out of the conversation. A killed process loses what gathered since the thread's last round.
"""

import fcntl
import os
import threading
from binascii import a2b_base64
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from apps.calls.bridge import recording_metrics as metrics
from apps.calls.media.frames import Audio
from apps.calls.media.spool import FORMAT_NUMBERS, Kind, SpoolHead, record

log = structlog.get_logger(__name__)

SUFFIX: Final = ".spool"
_EVERY_S: Final = 0.1
_MAX_FRAMES: Final = 150_000
"""Ten seconds of the most calls a process takes: some 60 MB."""
_OPEN: Final = 0
_ERASE: Final = -1
MAX_PAUSE_MS: Final = 180_000
"""A pause that nobody ends ends by itself, so that it is never forgotten."""

Tell = Callable[[str, Mapping[str, object]], None]


class SpoolRecorder:
    """One stream's Recorder. Without a writer it keeps nothing, and still knows what must not be kept elsewhere.

    tell: whom to tell that recording was paused, resumed or refused; kinds of apps.calls.events.
    """

    __slots__ = ("_closed", "_is_off", "_pauses", "_queue", "_resume_at", "_tell", "_writer", "fd", "head", "is_paused")

    def __init__(self, writer: "SpoolWriter | None", head: SpoolHead, tell: Tell) -> None:
        self.head = head
        self.fd = -1
        self.is_paused = False
        self._writer = writer
        self._queue = writer.queue if writer is not None else deque[Entry]()
        self._tell = tell
        self._is_off = writer is None
        self._closed = False
        self._resume_at = 0
        self._pauses: list[list[int]] = []

    def caller(self, audio: Audio, at_ms: int) -> None:
        """Sound of the caller that has just come. at_ms: on the call's clock."""
        if self.is_paused and at_ms >= self._resume_at:
            self._end_pause(at_ms, is_automatic=True)
        if self._is_off or self.is_paused:
            return
        queue = self._queue
        if len(queue) >= _MAX_FRAMES:
            metrics.FRAMES_LOST.inc()
            return
        queue.append((Kind.CALLER, self, at_ms, audio))

    def ai(self, audio: Audio, plays_at_ms: int) -> None:
        """Sound of the AI just given to the carrier. plays_at_ms: when it will begin to be heard."""
        if self._is_off or self.is_paused:
            return
        queue = self._queue
        if len(queue) >= _MAX_FRAMES:
            metrics.FRAMES_LOST.inc()
            return
        queue.append((Kind.AI, self, plays_at_ms, audio))

    def cut(self, at_ms: int) -> None:
        """The carrier's buffer was cleared: what the AI had said ahead was never heard."""
        self._put(Kind.CUT, at_ms)

    def pause(self, reason: str, at_ms: int) -> None:
        """Keep nothing until ``resume``, or until MAX_PAUSE_MS have passed. A second pause prolongs the first."""
        self._resume_at = at_ms + MAX_PAUSE_MS
        if self.is_paused:
            return
        self.is_paused = True
        self._pauses.append([at_ms, -1])
        self._put(Kind.PAUSE, at_ms, reason)
        self._tell("recording_paused", {"reason": reason, "at_ms": at_ms})

    def resume(self, at_ms: int) -> None:
        if self.is_paused:
            self._end_pause(at_ms, is_automatic=False)

    def was_paused(self, from_ms: int, to_ms: int) -> bool:
        """Whether any of this time is not to be kept."""
        return any(begin <= to_ms and (end < 0 or from_ms <= end) for begin, end in self._pauses)

    def stop(self, reason: str) -> None:
        """For good, and what was recorded of this stream is erased: the person does not want it."""
        if self._writer is not None and not self._closed:
            self._is_off = self._closed = True
            self._queue.append((_ERASE, self, 0, reason))

    async def close(self) -> None:
        """The stream is over. Returns at once; the thread does the rest."""
        if self._writer is not None and not self._closed:
            self._is_off = self._closed = True
            self._queue.append((Kind.END, self, 0, ""))
            self._writer.wake()

    def _end_pause(self, at_ms: int, *, is_automatic: bool) -> None:
        self.is_paused = False
        self._pauses[-1][1] = at_ms
        self._put(Kind.RESUME, at_ms)
        self._tell("recording_resumed", {"is_automatic": is_automatic, "at_ms": at_ms})

    def _put(self, kind: Kind, at_ms: int, text: str = "") -> None:
        if not self._is_off:
            self._queue.append((kind, self, at_ms, text))


Entry = tuple[int, SpoolRecorder, int, Audio | str]


class SpoolWriter:
    """One per process. folder: where spools are. on_begun and on_finished are called in the writer's thread."""

    def __init__(
        self, folder: Path, *, on_begun: Callable[[SpoolHead], None], on_finished: Callable[[Path], None]
    ) -> None:
        self.queue: deque[Entry] = deque()
        self._folder = folder
        self._on_begun = on_begun
        self._on_finished = on_finished
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Write what has gathered. Blocks."""
        self._is_stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def wake(self) -> None:
        self._wake.set()

    def open(self, head: SpoolHead, tell: Tell) -> SpoolRecorder:
        recorder = SpoolRecorder(self, head, tell)
        self.queue.append((_OPEN, recorder, 0, ""))
        return recorder

    # ── The thread ──────────────────────────────────────────────────────────────────────────────────────────
    def _run(self) -> None:
        while True:
            self._wake.wait(_EVERY_S)
            self._wake.clear()
            is_last = self._is_stopping
            try:
                self.write_gathered()
            except Exception:
                log.exception("recordings_not_written")
            if is_last:
                return

    def write_gathered(self) -> None:
        """Take what has gathered to the disk, one write per stream. The thread's own work."""
        n = len(self.queue)
        metrics.WAITING.set(n)
        gathered: dict[SpoolRecorder, list[bytes]] = {}
        popleft = self.queue.popleft
        for _ in range(n):
            kind, recorder, at_ms, content = popleft()
            if isinstance(content, Audio):
                number = FORMAT_NUMBERS[content.format.encoding, content.format.rate_hz]
                found = record(kind + number, max(0, at_ms), a2b_base64(content.text))
                gathered.setdefault(recorder, []).append(found)
            elif kind == _OPEN:
                self._open(recorder)
            elif kind == _ERASE:
                gathered.pop(recorder, None)
                self._erase(recorder)
            else:
                gathered.setdefault(recorder, []).append(record(kind, max(0, at_ms), content.encode()))
                if kind == Kind.END:
                    self._append(recorder, gathered.pop(recorder))
                    self._finish(recorder)
        for recorder, found_ones in gathered.items():
            self._append(recorder, found_ones)

    def _open(self, recorder: SpoolRecorder) -> None:
        try:
            recorder.fd = os.open(self._path(recorder), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            # Whoever finds the file unlocked may finish it: its writer is no more.
            fcntl.flock(recorder.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_all(recorder.fd, recorder.head.as_bytes())
        except OSError:
            self._give_up(recorder)
            return
        self._on_begun(recorder.head)

    def _append(self, recorder: SpoolRecorder, found: list[bytes]) -> None:
        if recorder.fd < 0:
            return
        try:
            _write_all(recorder.fd, b"".join(found))
        except OSError:
            self._give_up(recorder)

    def _finish(self, recorder: SpoolRecorder) -> None:
        if self._close(recorder):
            self._on_finished(self._path(recorder))

    def _erase(self, recorder: SpoolRecorder) -> None:
        if recorder.fd >= 0:
            self._path(recorder).unlink(missing_ok=True)
        self._close(recorder)

    def _give_up(self, recorder: SpoolRecorder) -> None:
        """The disk is full or gone: the call goes on, what is there of the recording stays to be finished."""
        log.exception("recording_not_written", call_id=recorder.head.call_id)
        metrics.FAILED.labels("disk").inc()
        self._finish(recorder)

    @staticmethod
    def _close(recorder: SpoolRecorder) -> bool:
        fd, recorder.fd = recorder.fd, -1
        if fd >= 0:
            os.close(fd)
        return fd >= 0

    def _path(self, recorder: SpoolRecorder) -> Path:
        return self._folder / f"{recorder.head.call_id}-{recorder.head.stream}{SUFFIX}"


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
