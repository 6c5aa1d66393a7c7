"""The caller's side of the transcript: utterances on the clock of the call. Pure."""

from collections import OrderedDict, deque
from dataclasses import dataclass

from apps.calls.bridge.sink import SpokenTurn
from apps.calls.media.frames import CallerTranscript, SpeechStarted, SpeechStopped

_MAX_OPEN = 50
_MAX_FINISHED = 200  # as many as another voice AI is told of


@dataclass(slots=True)
class _Utterance:
    item_id: str
    started_ms: int
    ended_ms: int | None = None
    text: str = ""


class CallerTurns:
    """offset_ms: where the call's clock stood when the AI first listened.

    The AI counts milliseconds of audio it was given; a session opened anew counts from zero again.
    """

    def __init__(self, *, offset_ms: int) -> None:
        self._offset_ms = offset_ms
        self._open: OrderedDict[str, _Utterance] = OrderedDict()
        self._speaking = ""
        self.finished: deque[SpokenTurn] = deque(maxlen=_MAX_FINISHED)
        self.spoke_last = False
        self.was_noticed = False
        """The AI that listens now has said that the caller spoke."""

    @property
    def is_speaking(self) -> bool:
        return bool(self._speaking)

    @property
    def n_waiting(self) -> int:
        """Utterances whose words are not known yet."""
        return len(self._open)

    @property
    def unfinished_at_ms(self) -> int | None:
        """Where the first utterance began whose words are not known yet, on the AI's count of what it was given."""
        return min((utterance.started_ms - self._offset_ms for utterance in self._open.values()), default=None)

    def opened(self, first_ms: int) -> None:
        """A new AI listens; first_ms: where the sound that it will be given begins, on the clock of the call."""
        self._offset_ms = first_ms
        self.was_noticed = False

    def lost(self, *, heard_again_from_ms: float, now_ms: int) -> list[SpokenTurn]:
        """The AI is gone. What will be heard again will be told by the next one; of the rest, what was recognised.

        An utterance that is heard again only in part keeps what was recognised of it. heard_again_from_ms: on the AI's
        count.
        """
        kept = []
        for utterance in self._open.values():
            again = utterance.started_ms - self._offset_ms >= heard_again_from_ms
            text = "" if again else utterance.text.strip()
            ended_ms = max(utterance.started_ms, now_ms if utterance.ended_ms is None else utterance.ended_ms)
            turn = SpokenTurn(utterance.item_id, "caller", text, utterance.started_ms, ended_ms)
            kept.append(turn)
            if text:
                self.finished.append(turn)
        self._speaking = ""
        self._open.clear()
        return kept

    def started(self, event: SpeechStarted) -> None:
        self._speaking = event.item_id
        self.spoke_last = self.was_noticed = True
        self._open[event.item_id] = _Utterance(event.item_id, self._offset_ms + event.at_ms)
        if len(self._open) > _MAX_OPEN:
            self._open.popitem(last=False)

    def stopped(self, event: SpeechStopped) -> None:
        self._speaking = ""
        utterance = self._open.get(event.item_id)
        if utterance is not None:
            utterance.ended_ms = max(utterance.started_ms, self._offset_ms + event.at_ms)

    def answered(self) -> None:
        """The AI has spoken since."""
        self.spoke_last = False

    def said(self, event: CallerTranscript, *, now_ms: int) -> SpokenTurn:
        utterance = self._open.get(event.item_id)
        if utterance is None:
            utterance = self._open[event.item_id] = _Utterance(event.item_id, now_ms)
        utterance.text = event.text if event.is_final else utterance.text + event.text
        turn = SpokenTurn(
            item_id=event.item_id,
            speaker="caller",
            text=utterance.text.strip(),
            started_ms=utterance.started_ms,
            ended_ms=max(utterance.started_ms, now_ms if utterance.ended_ms is None else utterance.ended_ms),
            language=event.language,
        )
        if event.is_final:
            self._open.pop(event.item_id, None)
            if self._speaking == event.item_id:
                self._speaking = ""
            if turn.text:
                self.finished.append(turn)
        return turn
