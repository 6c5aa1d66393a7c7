"""Recordings: both directions of a call to a file, and from there to a WAV as it is downloaded."""

from __future__ import annotations

import io
import warnings
import wave
from collections.abc import Callable
from pathlib import Path

from apps.sandbox.carrier.records import RecordingRecord
from apps.sandbox.speech import FRAME_BYTES, RATE_HZ, SILENCE_FRAME, loudness

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # in the standard library up to 3.12, audioop-lts from 3.13
    import audioop

_SILENT = 50  # RMS below which a frame counts as silence


class Recorder:
    """Writes frame pairs (far party, carrier) of μ-law while the call goes on.

    trims: leading and trailing silence is left out. on_event: told of "in-progress", then "completed" or "absent".
    """

    def __init__(
        self,
        record: RecordingRecord,
        directory: Path,
        *,
        trims: bool = False,
        on_event: Callable[[Recorder, str], None] | None = None,
    ) -> None:
        self.record = record
        self._trims, self._on_event = trims, on_event
        self.path = directory / f"{record.sid}.ulaw2"
        self._file = self.path.open("wb", buffering=1 << 16)
        self._skips = False

    def add(self, far: bytes, near: bytes) -> None:
        if self.record.status == "paused":
            if self._skips:
                return
            far = near = SILENCE_FRAME
        self._file.write(far + near)

    def report(self, event: str) -> None:
        if self._on_event is not None:
            self._on_event(self, event)

    def pause(self, *, skips: bool) -> None:
        """skips: leave the pause out; else it is recorded as silence."""
        self._skips = skips
        self.record.set_status("paused")

    def resume(self) -> None:
        self.record.set_status("in-progress")

    def finish(self) -> None:
        """Close the file and settle the record as completed, or absent with 16101 (too short) / 16102 (silent)."""
        self._file.close()
        far, near = read_frames(self.path)
        if self._trims:
            far, near = _trimmed(far, near)
            self.path.write_bytes(b"".join(a + b for a, b in zip(far, near, strict=True)))
        self.record.duration_s = round(len(far) * 0.02)
        if not far:
            self._absent(16102 if self._trims else 16101)
        else:
            self.record.set_status("completed")

    def _absent(self, code: int) -> None:
        self.record.error_code = code
        self.record.set_status("absent")


def read_frames(path: Path) -> tuple[list[bytes], list[bytes]]:
    """The 20 ms frames of both directions: the far party's, the carrier's."""
    data = path.read_bytes()
    pair = 2 * FRAME_BYTES
    starts = range(0, len(data) - pair + 1, pair)
    return [data[i : i + FRAME_BYTES] for i in starts], [data[i + FRAME_BYTES : i + pair] for i in starts]


def _trimmed(far: list[bytes], near: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    loud = [i for i, (a, b) in enumerate(zip(far, near, strict=True)) if max(loudness(a), loudness(b)) >= _SILENT]
    if not loud:
        return [], []
    return far[loud[0] : loud[-1] + 1], near[loud[0] : loud[-1] + 1]


def render_wav(path: Path, channels: int) -> bytes:
    """8 kHz PCM16 WAV; two channels: left the far party, right what the carrier played. One: both mixed."""
    far, near = (audioop.ulaw2lin(b"".join(frames), 2) for frames in read_frames(path))
    if channels == 2:
        pcm = audioop.add(audioop.tostereo(far, 2, 1, 0), audioop.tostereo(near, 2, 0, 1), 2)
    else:
        pcm = audioop.add(far, near, 2)
    out = io.BytesIO()
    with wave.open(out, "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(2)
        wav.setframerate(RATE_HZ)
        wav.writeframes(pcm)
    return out.getvalue()
