"""From a spool to a recording: both sides put where they sounded, stereo, 8 kHz μ-law in a WAV file.

The left channel is the caller, the right one the AI or the agent. G.711 is what the line carried, so nothing is lost
by keeping it, nothing has to be computed, and every browser plays it: 16 kB a second, a megabyte a minute.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from apps.calls.media.audio import PCMU_RATE_HZ, Resampler, decode_pcma, decode_pcmu, encode_pcmu
from apps.calls.media.frames import AudioFormat, Encoding
from apps.calls.media.spool import FORMATS, Kind, read_head, read_records

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PER_MS: Final = PCMU_RATE_HZ // 1000
_SILENCE: Final = 0xFF
_JITTER_MS: Final = 30
"""So much later than the sound before it ends may a frame come and still follow it without a gap."""
_ROUNDING_MS: Final = 20
_RESTLESS_MS: Final = 400
"""How far the estimate of the carrier's playback may jump while its buffer cannot have run empty."""
_LOOK_AHEAD: Final = 512
"""Frames: a line that stalls delivers what it held back afterwards; only a gap that stays for so long is one."""
_RUN: Final = 16_000
_BYTES_PER_MS: Final = {kind: form.bytes_per_ms for kind, form in FORMATS.items()}
N_PEAKS: Final = 800

_WAV: Final = struct.Struct("<4sI4s4sIHHIIHHH4sII4sI")
WAV_HEAD_BYTES: Final = _WAV.size


@dataclass(frozen=True, slots=True)
class Span:
    """Times in ms from the recording's beginning. reason: a code."""

    from_ms: int
    to_ms: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Mixed:
    """peaks: for each channel at most N_PEAKS numbers from 0 to 255, the loudest sample of an equal share of time."""

    path: Path
    duration_ms: int
    size: int
    sha256: str
    peaks: list[list[int]]
    paused: list[Span] = field(default_factory=list)


def mix(spool: Path, target: Path) -> Mixed:
    """Write a spool's sound to ``target``. Raises NotASpool. Reads twice, holds neither side in memory."""
    offset_ms = read_head(spool).offset_ms
    survey = _survey(spool, offset_ms)
    return _write(target, survey.n_samples, survey.paused, lambda out: _place(spool, offset_ms, survey, out))


def join(parts: Sequence[tuple[int, Path]], target: Path, paused: Iterable[Span] = ()) -> Mixed:
    """Several recordings of a call as one. parts: where on the call's clock each begins, and its WAV file."""
    lengths = [(path.stat().st_size - WAV_HEAD_BYTES) // 2 for _, path in parts]
    n_samples = max(
        (offset_ms * _PER_MS + n for (offset_ms, _), n in zip(parts, lengths, strict=True)),
        default=0,
    )

    def place(out: "NDArray[np.uint8]") -> None:
        for (offset_ms, path), n in zip(parts, lengths, strict=True):
            if n > 0:
                start = offset_ms * _PER_MS
                sound = np.memmap(path, np.uint8, "r", WAV_HEAD_BYTES, (n, 2))
                out[start : start + n] = sound

    return _write(target, n_samples, list(paused), place)


def wav_head(n_samples: int) -> bytes:
    """The head of a stereo μ-law file of so many samples on each side."""
    n = n_samples * 2
    return _WAV.pack(
        *(b"RIFF", WAV_HEAD_BYTES - 8 + n, b"WAVE"),
        *(b"fmt ", 18, 7, 2, PCMU_RATE_HZ, PCMU_RATE_HZ * 2, 2, 8, 0),
        *(b"fact", 4, n_samples),
        *(b"data", n),
    )


# ── First reading: how long, and where the caller's frames belong ───────────────────────────────────────────
@dataclass(slots=True)
class _Survey:
    """caller_at: the sample at which each of the caller's records begins. ai_until: no AI sound is heard after it."""

    n_samples: int
    caller_at: "NDArray[np.int64]"
    ai_at: list[int]
    ai_cuts: dict[int, int]
    paused: list[Span]


def _survey(spool: Path, offset_ms: int) -> _Survey:
    arrivals: list[int] = []
    lengths: list[int] = []
    ai = _AiTrack()
    paused: list[Span] = []
    paused_at: tuple[int, str] | None = None
    last_ms = 0
    for kind, told_ms, payload in read_records(spool):
        at_ms = max(0, told_ms - offset_ms)
        if (bytes_per_ms := _BYTES_PER_MS.get(kind)) is not None:
            n = len(payload) * _PER_MS // bytes_per_ms
            if kind < Kind.AI:
                arrivals.append(at_ms * _PER_MS)
                lengths.append(n)
                last_ms = max(last_ms, at_ms)
            else:
                ai.play(at_ms, n, now_ms=last_ms if arrivals else None)
        elif kind == Kind.CUT:
            ai.cut(at_ms)
        elif kind == Kind.PAUSE and paused_at is None:
            paused_at = (at_ms, payload.decode(errors="replace"))
        elif kind == Kind.RESUME and paused_at is not None:
            paused.append(Span(paused_at[0], max(paused_at[0], at_ms), paused_at[1]))
            paused_at = None
    if arrivals:  # what the AI had said ahead when the line or the process died, nobody heard
        ai.cut(last_ms + _ROUNDING_MS)
    caller_at = _places(np.array(arrivals, np.int64), np.array(lengths, np.int64))
    n_samples = max(int(caller_at[-1]) + lengths[-1] if lengths else 0, ai.longest)
    if paused_at is not None:
        to_ms = max(paused_at[0], n_samples // _PER_MS)
        n_samples = max(n_samples, to_ms * _PER_MS)
        paused.append(Span(paused_at[0], to_ms, paused_at[1]))
    return _Survey(n_samples, caller_at, ai.places, ai.cuts, paused)


def _places(arrivals: "NDArray[np.int64]", lengths: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Where the caller's frames begin, in samples: one behind the other, with gaps only where sound is missing.

    A frame that comes late is followed by others that catch up; a frame after a gap is followed by others that are
    just as late. So what counts is the least lateness of all that come soon after it.
    """
    if not len(arrivals):
        return arrivals
    before = np.cumsum(lengths) - lengths
    least = arrivals - before
    step = 1
    while step < _LOOK_AHEAD:
        np.minimum(least[:-step], least[step:].copy(), out=least[:-step])
        step *= 2
    shift = 0
    jitter = _JITTER_MS * _PER_MS
    shifts = np.empty_like(least)
    begin = 0
    # Gaps are few: go from one to the next instead of from frame to frame.
    while begin < len(least):
        later = np.flatnonzero(least[begin:] > shift + (jitter if begin else 0))
        until = begin + int(later[0]) if len(later) else len(least)
        shifts[begin:until] = shift
        if until == len(least):
            break
        shift = int(least[until])
        shifts[until] = shift
        begin = until + 1
    places: NDArray[np.int64] = before + shifts
    return places


class _AiTrack:
    """The carrier's buffer as it must have been: sound follows sound until it runs empty, or a cut empties it."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.cuts: dict[int, int] = {}
        """Index of the next record when the cut came → the sample from which on nothing was heard."""
        self.longest = 0
        self._end = 0

    def play(self, plays_at_ms: int, n: int, *, now_ms: int | None) -> None:
        start, end_ms = plays_at_ms * _PER_MS, self._end / _PER_MS
        late_ms = plays_at_ms - end_ms
        still_playing = now_ms is not None and end_ms > now_ms + _ROUNDING_MS and late_ms < _RESTLESS_MS
        if late_ms <= _ROUNDING_MS or still_playing:
            start = self._end
        self.places.append(start)
        self._end = start + n
        self.longest = max(self.longest, self._end)

    def cut(self, at_ms: int) -> None:
        at = at_ms * _PER_MS
        if at < self._end:
            self.cuts[len(self.places)] = at
            self._end = self.longest = at


# ── Second reading: the sound itself ────────────────────────────────────────────────────────────────────────
def _place(spool: Path, offset_ms: int, survey: _Survey, out: "NDArray[np.uint8]") -> None:
    caller, ai = _Channel(out[:, 0]), _Channel(out[:, 1])
    n_caller = n_ai = 0
    for kind, _at_ms, payload in read_records(spool):
        if kind not in FORMATS:
            continue
        if kind < Kind.AI:
            caller.put(int(survey.caller_at[n_caller]), kind, payload)
            n_caller += 1
        else:
            if (cut := survey.ai_cuts.pop(n_ai, None)) is not None:
                ai.cut(cut)
            ai.put(survey.ai_at[n_ai], kind, payload)
            n_ai += 1
    caller.flush()
    ai.flush()
    for cut in survey.ai_cuts.values():
        ai.cut(cut)


class _Channel:
    """One side of the file; neighbouring frames are written together."""

    def __init__(self, out: "NDArray[np.uint8]") -> None:
        self._out = out
        self._run: list[bytes] = []
        self._n_run = 0
        self._at = 0  # where the run is written
        self._next = 0  # where a frame begins that follows without a gap
        self._coder: Callable[[bytes], bytes] | None = None
        self._kind = 0

    def put(self, start: int, kind: int, payload: bytes) -> None:
        if kind != self._kind:
            self._kind, self._coder = kind, _coder(FORMATS[kind])
        if start != self._next:
            self.flush()
            self._at = start
        elif self._n_run >= _RUN:
            self.flush()
        data = payload if self._coder is None else self._coder(payload)
        self._run.append(data)
        self._n_run += len(data)  # a resampler may be a few samples behind; the next frame brings them
        self._next = start + len(payload) * _PER_MS // _BYTES_PER_MS[kind]

    def cut(self, at: int) -> None:
        self.flush()
        self._out[at:] = _SILENCE

    def flush(self) -> None:
        if self._run:
            data = np.frombuffer(b"".join(self._run), np.uint8)
            here = self._out[self._at : self._at + len(data)]  # what would sound after the end was never heard
            here[:] = data[: len(here)]
            self._at += len(data)
        self._run.clear()
        self._n_run = 0


def _coder(form: AudioFormat) -> Callable[[bytes], bytes] | None:
    """From a format to μ-law at 8 kHz; None: it is that."""
    if form.encoding is Encoding.PCMU:
        return None
    if form.encoding is Encoding.PCMA:
        return lambda data: encode_pcmu(decode_pcma(data))
    if form.rate_hz == PCMU_RATE_HZ:
        return encode_pcmu
    resample = Resampler(down=form.rate_hz // PCMU_RATE_HZ)
    return lambda data: encode_pcmu(resample(data))


# ── The file ────────────────────────────────────────────────────────────────────────────────────────────────
def _write(target: Path, n_samples: int, paused: list[Span], place: "Callable[[NDArray[np.uint8]], None]") -> Mixed:
    with target.open("wb") as file:
        file.write(wav_head(n_samples))
        file.truncate(WAV_HEAD_BYTES + n_samples * 2)
    peaks: list[list[int]] = [[], []]
    if n_samples:
        out = np.memmap(target, np.uint8, "r+", WAV_HEAD_BYTES, (n_samples, 2))
        out[:] = _SILENCE
        place(out)
        for span in paused:
            out[span.from_ms * _PER_MS : span.to_ms * _PER_MS] = _SILENCE
        out.flush()
        peaks = [peaks_of(out[:, 0]), peaks_of(out[:, 1])]
        del out
    with target.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return Mixed(target, n_samples // _PER_MS, target.stat().st_size, digest, peaks, paused)


_LOUDNESS: Final = np.abs(np.frombuffer(decode_pcmu(bytes(range(256))), "<i2").astype(np.int32) // 126).astype(np.uint8)


def peaks_of(channel: "NDArray[np.uint8]") -> list[int]:
    """The loudest sample in each of at most N_PEAKS equal shares, 0–255. channel: μ-law."""
    return [int(_LOUDNESS[channel[first:last]].max()) for first, last in _shares(len(channel))]


def peaks_of_pcm(channel: "NDArray[np.int16]") -> list[int]:
    """The same of PCM16."""
    return [
        int(np.abs(channel[first:last].astype(np.int32)).max()) * 255 // 32768 for first, last in _shares(len(channel))
    ]


def _shares(n: int) -> list[tuple[int, int]]:
    """Share by share: never is the whole call looked at at once."""
    edges = [int(edge) for edge in np.unique(np.linspace(0, n, min(N_PEAKS, n), endpoint=False, dtype=np.int64))]
    return list(zip(edges, [*edges[1:], n], strict=True)) if n else []
