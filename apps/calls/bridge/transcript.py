"""Both sides' words, told to the sink as they become known: pieces at a sane rate, whole turns once, cuts at once."""

from collections.abc import Callable

import structlog

from apps.calls.bridge.listening import CallerTurns
from apps.calls.bridge.sink import Sink, SpokenTurn
from apps.calls.bridge.turns import OURS, Cut, Playback, Utterance
from apps.calls.bridge.watching import Watcher
from apps.calls.media.frames import AiTranscript, CallerTranscript
from apps.calls.voice_ai.base import PastTurn

log = structlog.get_logger(__name__)

_PIECE_EVERY_S = 0.7
_MAX_PAST = 200


class Transcript:
    """language: what the AI speaks, may change. clock: monotonic seconds. now_ms: the clock of the call."""

    def __init__(
        self,
        *,
        sink: Sink,
        watcher: Watcher,
        playback: Playback,
        caller: CallerTurns,
        language: str,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._sink = sink
        self._watcher = watcher
        self._playback = playback
        self._caller = caller
        self.language = language
        self._clock = clock
        self._now_ms = now_ms
        self._piece_at = 0.0

    def caller_said(self, event: CallerTranscript) -> None:
        turn = self._caller.said(event, now_ms=self._now_ms())
        if turn.text:
            self._watcher.caller_said(turn, is_final=event.is_final)
        if event.usage is not None:
            self._sink.usage(event.usage)
        if event.is_lost:
            log.warning("caller_not_understood", item_id=event.item_id)
        elif event.is_final and turn.text:
            self._sink.turn(turn)
        elif turn.text and self._is_time_for_piece():
            self._sink.partial(turn)

    def ai_said(self, event: AiTranscript) -> None:
        self._caller.answered()
        if event.is_final:
            utterance = self._playback.said_all(event.item_id, event.text, call_ms=self._now_ms())
            utterance.is_told = True
            turn = self._turn_of(utterance)
            self._watcher.ai_said(turn)
            self._sink.turn(turn)
        else:
            utterance = self._playback.said(event.item_id, event.text, call_ms=self._now_ms())
            if self._is_time_for_piece():
                self._sink.partial(self._turn_of(utterance))

    def cut(self, cut: Cut) -> None:
        self.broke_off(cut.utterance)

    def broke_off(self, utterance: Utterance) -> None:
        """It is said no further."""
        if utterance.text:
            self._sink.turn(self._turn_of(utterance))

    def we_say(self, item_id: str, text: str) -> None:
        """A phrase of ours is about to be played."""
        utterance = self._playback.said_all(item_id, text, call_ms=self._now_ms())
        utterance.is_told = True
        utterance.connection = OURS

    def we_go_on(self, item_id: str, piece: str) -> None:
        """A further piece of it is about to be played."""
        utterance = self._playback.said(item_id, piece, call_ms=self._now_ms())
        if self._is_time_for_piece():
            self._sink.partial(self._turn_of(utterance))

    def we_said(self, item_id: str) -> None:
        """All of a phrase's sound was given to the line."""
        self._sink.turn(self._turn_of(self._playback.utterances[item_id]))

    def caller_lost(self, turn: SpokenTurn) -> None:
        """The provider went before it knew all of the words: what it knew is kept."""
        if turn.text:
            self._sink.turn(turn)

    def so_far(self) -> list[PastTurn]:
        """What the two said and heard, in order, for a provider that was not there."""
        is_drained = self._playback.is_drained(self._clock())
        turns = [(turn.started_ms, PastTurn("caller", turn.text)) for turn in self._caller.finished]
        for utterance in self._playback.utterances.values():
            text = utterance.heard_text
            if utterance.connection != OURS and text and (utterance.was_interrupted or utterance.is_told or is_drained):
                turns.append((utterance.began_ms, PastTurn("ai", text)))
        return [turn for _, turn in sorted(turns, key=lambda pair: pair[0])][-_MAX_PAST:]

    def _turn_of(self, utterance: Utterance) -> SpokenTurn:
        return SpokenTurn(
            item_id=utterance.item_id,
            speaker="system" if utterance.connection == OURS else "ai",
            text=utterance.heard_text,
            started_ms=utterance.began_ms,
            ended_ms=utterance.ended_ms,
            was_interrupted=utterance.was_interrupted,
            language=self.language,
        )

    def _is_time_for_piece(self) -> bool:
        now = self._clock()
        if now - self._piece_at < _PIECE_EVERY_S:
            return False
        self._piece_at = now
        return True
