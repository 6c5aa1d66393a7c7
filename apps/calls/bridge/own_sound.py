"""Sound of our own on the line, beside or instead of the AI's: phrases, keys, a recorded message."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import uuid4

from apps.calls.bridge.line import Line
from apps.calls.bridge.link import Sleep
from apps.calls.bridge.recording import NO_RECORDER, Recorder
from apps.calls.bridge.transcript import Transcript
from apps.calls.bridge.turns import Playback
from apps.calls.media.frames import Audio, Mark

_AHEAD_MS: Final = 3_000.0
"""So much of a long piece the carrier is given before it is to be heard: a stall of ours is not, and a cut is near."""
_LOOK_EVERY_S: Final = 0.1
_LAST_MARK_S: Final = 3.0
"""The carrier plays a little later than it is given: so long its last mark is waited for."""


class OwnSound:
    """clock: monotonic seconds. now_ms: the clock of the call."""

    def __init__(
        self,
        *,
        line: Line,
        playback: Playback,
        transcript: Transcript,
        recorder: Recorder,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        sleep: Sleep,
    ) -> None:
        self._line = line
        self._playback = playback
        self._transcript = transcript
        self._recorder = recorder
        self._is_recorded = recorder is not NO_RECORDER
        self._clock = clock
        self._now_ms = now_ms
        self._sleep = sleep

    async def play(self, pieces: Iterable[Audio], text: str) -> None:
        """Give something short to the line, all at once. text: what it says, "" for what is no speech."""
        item_id = _new_id()
        self._transcript.we_say(item_id, text)
        for audio in pieces:
            await self._send(item_id, audio)
        await self._mark()
        if text:
            self._transcript.we_said(item_id)

    async def play_to_end(self, pieces: Sequence[Audio], text: str, *, is_wording: bool) -> bool:
        """Give something long to the line, a little ahead of time, and return when it was heard; False: it was cut.

        is_wording: text is what is said in it, and told as far as it has been played; otherwise text names it.
        """
        item_id, playback = _new_id(), self._playback
        self._transcript.we_say(item_id, "")
        total_ms = sum(audio.ms for audio in pieces) or 1.0
        sent_ms, n_told = 0.0, 0
        for audio in pieces:
            while playback.lead_ms(self._clock()) > _AHEAD_MS and not playback.is_cut(item_id):
                await self._sleep(_LOOK_EVERY_S)
            if playback.is_cut(item_id):
                return False
            sent_ms += audio.ms
            n_now = round(len(text) * min(1.0, sent_ms / total_ms)) if is_wording else len(text)
            self._transcript.we_go_on(item_id, text[n_told:n_now])
            n_told = n_now
            await self._send(item_id, audio)
        await self._mark()
        self._transcript.we_said(item_id)
        waited_s = 0.0
        while not playback.is_cut(item_id):
            if playback.is_confirmed or waited_s > _LAST_MARK_S:
                return True
            if playback.is_drained(self._clock()):
                waited_s += _LOOK_EVERY_S
            await self._sleep(_LOOK_EVERY_S)
        return False

    async def _send(self, item_id: str, audio: Audio) -> None:
        now, now_ms, playback = self._clock(), self._now_ms(), self._playback
        if self._is_recorded:
            self._recorder.ai(audio, now_ms + int(playback.lead_ms(now)))
        await self._line.send(audio)
        mark = playback.sent(item_id, audio.ms, now=now, call_ms=now_ms)
        if mark is not None:
            await self._line.send(Mark(mark))

    async def _mark(self) -> None:
        if (mark := self._playback.mark()) is not None:
            await self._line.send(Mark(mark))


def _new_id() -> str:
    return f"ours_{uuid4().hex[:16]}"
