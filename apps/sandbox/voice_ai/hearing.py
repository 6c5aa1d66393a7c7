"""What was said: recognises known clips in received audio by their very frames.

A clip reaches us untouched but for lost frames, missing ends and what lies around it, so each 20 ms frame votes for
the (clip, position) it comes from. Pure: no clock, no I/O.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from .g711 import FRAME_BYTES, decode
from .vad import FRAME_MS, loud_frames

UNCLEAR: Final = "[unclear]"
_COMMON: Final = 6  # a frame found in this many places tells nothing
_FEWEST_VOTES: Final = 4
_UNKNOWN_MS: Final = 600  # this much sound that no clip explains is somebody saying something else
_SHORTEST_TONE_MS: Final = 100
_ONE_ZERO: Final = bytes.maketrans(b"\x7f", b"\xff")  # μ-law has two; what was PCM in between has only one
_EDGE: Final = 0.06  # of a clip's spoken span: losing less at an end loses no word


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence that may be heard. language: ISO-639-1. intent: what the speaker wants, in the personas' words."""

    language: str
    text: str
    intent: str


@dataclass(frozen=True, slots=True)
class Clip:
    line: Line
    spoken: list[int]
    """The frames with sound, in order: words take their time from these, not from the pauses between them."""

    def words(self, first: int, last: int) -> str:
        """What is said between two frames, both included."""
        start = bisect_left(self.spoken, first) / len(self.spoken)
        return words_within(self.line.text, start, bisect_right(self.spoken, last) / len(self.spoken))


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one turn of audio turned out to be."""

    text: str
    lines: tuple[Line, ...] = ()
    has_unknown: bool = False
    tone_ms: int = 0
    """Beeps among it; 0 if there were none."""

    @property
    def language(self) -> str | None:
        return self.lines[-1].language if self.lines else None

    @property
    def intents(self) -> tuple[str, ...]:
        return tuple(line.intent for line in self.lines)


@dataclass(slots=True)
class _Stretch:
    clip: int
    first: int
    last: int
    votes: int


class ClipIndex:
    """All clips by frame. Built once; read by every session."""

    def __init__(self, clips: Iterable[tuple[Line, bytes]]) -> None:
        self.clips: list[Clip] = []
        self._places: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
        for line, audio in clips:
            self._add(line, audio)

    def _add(self, line: Line, audio: bytes) -> None:
        audio = audio.translate(_ONE_ZERO)
        loud = loud_frames(audio)
        spoken = [n for n, is_loud in enumerate(loud) if is_loud]
        if not spoken:
            return
        number = len(self.clips)
        self.clips.append(Clip(line, spoken))
        for n in spoken:
            self._places[audio[n * FRAME_BYTES : (n + 1) * FRAME_BYTES]].append((number, n))

    def recognise(self, audio: bytes) -> Utterance:
        """audio: μ-law of one turn, at any alignment to the clips' frames."""
        audio = audio.translate(_ONE_ZERO)
        audio = audio[self._alignment(audio) :]
        loud = loud_frames(audio)
        places = [
            self._places.get(audio[n * FRAME_BYTES : (n + 1) * FRAME_BYTES], ()) if is_loud else ()
            for n, is_loud in enumerate(loud)
        ]
        stretches, explained = self._follow(places)
        unknown = [n for n, is_loud in enumerate(loud) if is_loud and n not in explained]
        tones = [n for n in unknown if _is_tone(audio[n * FRAME_BYTES : (n + 1) * FRAME_BYTES])]
        has_unknown = (len(unknown) - len(tones)) * FRAME_MS >= _UNKNOWN_MS
        tone_ms = len(tones) * FRAME_MS
        if tone_ms < _SHORTEST_TONE_MS or len(tones) * 2 < len(unknown):
            tone_ms = 0  # a vowel may pass for a tone for a moment
        if not stretches:
            silent = bool(tone_ms) or not unknown
            return Utterance("" if silent else UNCLEAR, (), not silent, tone_ms)
        words = [self.clips[stretch.clip].words(stretch.first, stretch.last) for stretch in stretches]
        if has_unknown:
            words.append(UNCLEAR)
        lines = tuple(self.clips[stretch.clip].line for stretch in stretches)
        return Utterance(" ".join(filter(None, words)) or UNCLEAR, lines, has_unknown, tone_ms)

    def _alignment(self, audio: bytes) -> int:
        """Offset at which frames match; 0 unless the stream lost a part of a frame."""
        loud = [n for n, is_loud in enumerate(loud_frames(audio)) if is_loud][:60]
        if len(loud) < _FEWEST_VOTES:
            return 0

        def votes(offset: int) -> int:
            starts = (n * FRAME_BYTES + offset for n in loud)
            return sum(audio[at : at + FRAME_BYTES] in self._places for at in starts)

        if votes(0) >= _FEWEST_VOTES:
            return 0
        best = max(range(FRAME_BYTES), key=votes)
        return best if votes(best) >= _FEWEST_VOTES else 0

    def _follow(self, places: list[list[tuple[int, int]] | tuple[()]]) -> tuple[list[_Stretch], set[int]]:
        """Walks through the turn staying on a clip as long as its positions go forward."""
        popularity = Counter(clip for found in places if len(found) < _COMMON for clip, _ in found)
        stretches: list[_Stretch] = []
        explained: set[int] = set()
        for n, found in enumerate(places):
            if not found:
                continue
            explained.add(n)
            if len(found) >= _COMMON:
                continue
            current = stretches[-1] if stretches else None
            onward = [pos for clip, pos in found if current and clip == current.clip and pos > current.last]
            if current and onward:
                current.last = min(onward)
                current.votes += 1
                continue
            clip, pos = max(found, key=lambda place: popularity[place[0]])
            if popularity[clip] >= _FEWEST_VOTES:
                stretches.append(_Stretch(clip, pos, pos, 1))
        return [stretch for stretch in _joined(stretches) if stretch.votes >= _FEWEST_VOTES], explained


def _joined(stretches: list[_Stretch]) -> list[_Stretch]:
    """Drops strays of one or two frames, and joins the parts of a clip that they had torn apart."""
    kept: list[_Stretch] = []
    for stretch in stretches:
        if stretch.votes < _FEWEST_VOTES and len(stretches) > 1:
            continue
        if kept and kept[-1].clip == stretch.clip and stretch.first > kept[-1].last:
            kept[-1].last = stretch.last
            kept[-1].votes += stretch.votes
        else:
            kept.append(stretch)
    return kept


def words_within(text: str, start: float, end: float) -> str:
    """The words of a text of which at least half was heard, taking time to run evenly over its letters.

    start, end: 0–1 of the spoken span.
    """
    if start <= _EDGE and end >= 1 - _EDGE:
        return text
    length = max(len(text), 1)
    heard: list[str] = []
    at = 0
    for word in text.split():
        at = text.index(word, at)
        middle = (at + len(word) / 2) / length
        if start <= middle <= end:
            heard.append(word)
        at += len(word)
    return " ".join(heard)


def _is_tone(frame: bytes) -> bool:
    """Nearly all energy in one narrow band: a beep, not a voice."""
    spectrum = np.abs(np.fft.rfft(decode(frame).astype(np.float64) * np.hanning(FRAME_BYTES))) ** 2
    peak = int(spectrum.argmax())
    total = float(spectrum.sum())
    return total > 0 and float(spectrum[max(0, peak - 2) : peak + 3].sum()) > 0.97 * total
