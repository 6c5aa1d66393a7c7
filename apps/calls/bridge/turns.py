"""What has been played to the caller, and so what was really said. Pure: times come in as arguments.

Audio goes to the carrier as fast as the AI makes it, and the carrier plays it at its own pace. Marks tell how far it
has come; between marks the clock does, but never beyond what was sent. A mark's name carries a generation: after a
Clear the carrier returns all pending marks at once, which must not be taken for playback.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

MARK_EVERY_MS = 500.0
OURS = -1
_MAX_ITEMS = 200


@dataclass(slots=True)
class Utterance:
    """One item of the AI's speech. Positions are milliseconds of audio given to the carrier in this generation.

    texts: (ms of this item's audio that had come when a piece of transcript came, characters so far).
    """

    item_id: str
    began_ms: int
    """On the clock of the call: when its first sound is heard."""
    start: float = 0.0
    sent_ms: float = 0.0
    text: str = ""
    texts: list[tuple[float, int]] = field(default_factory=list)
    connection: int = 0
    """Which of the connections to a voice AI it came by; OURS for a recorded phrase."""
    heard_ms: float | None = None
    """Set once it was cut short."""
    is_told: bool = False
    """Its whole transcript has been told."""

    @property
    def was_interrupted(self) -> bool:
        return self.heard_ms is not None

    @property
    def ended_ms(self) -> int:
        return self.began_ms + round(self.sent_ms if self.heard_ms is None else self.heard_ms)

    @property
    def heard_text(self) -> str:
        """All of the text, or what was heard of it, cut at a word."""
        if self.heard_ms is None:
            return self.text.strip()
        n_heard = self._characters_at(self.heard_ms)
        if n_heard >= len(self.text):
            return self.text.strip()
        cut = self.text[:n_heard]
        if not self.text[n_heard].isspace():
            cut = cut[: max(cut.rfind(" "), cut.rfind("\n")) + 1] if " " in cut or "\n" in cut else ""
        return cut.strip()

    def was_heard(self) -> None:
        """All of its sound was: where in it each word stood is of no more use, and a long call has many words."""
        if not self.texts:
            return
        n_spoken = self._characters_at(self.sent_ms)
        self.texts = [(0.0, n_spoken)]
        if n_spoken < len(self.text):
            self.texts.append((self.sent_ms, len(self.text)))

    def _characters_at(self, ms: float) -> int:
        """Characters spoken by a point in the audio: each piece is spread over the audio that came after it.

        A piece whose audio never came was not spoken; the first one stands for the beginning, whenever it came.
        """
        pieces: list[tuple[float, int]] = []
        for at, n in self.texts:
            if pieces and pieces[-1][0] == at:
                pieces[-1] = (pieces[-1][0], n)
            else:
                pieces.append((at if pieces else 0.0, n))
        n_before = 0
        for i, (at, n) in enumerate(pieces):
            until = pieces[i + 1][0] if i + 1 < len(pieces) else self.sent_ms
            if until <= at or ms < until:
                share = (ms - at) / (until - at) if until > at and ms > at else 0.0
                return n_before + int((n - n_before) * share)
            n_before = n
        return n_before


@dataclass(frozen=True, slots=True)
class Cut:
    """An utterance the caller did not hear to its end. heard_ms never exceeds the audio that was sent."""

    utterance: Utterance
    heard_ms: int


class Playback:
    """The AI's side of the line: what was sent, what was played, which words that was.

    connection: counts the connections to voice AIs; an earlier one's utterances mean nothing to the present one.
    """

    def __init__(self) -> None:
        self.connection = 0
        self._generation = 0
        self._sent = 0.0
        self._marked = 0.0
        self._returned = 0.0
        self._anchor = 0.0
        self._anchor_at = 0.0
        self._playing: list[Utterance] = []
        self.utterances: OrderedDict[str, Utterance] = OrderedDict()
        self._cut: OrderedDict[str, None] = OrderedDict()

    def is_cut(self, item_id: str) -> bool:
        """Whether what still comes of this item is not to be played."""
        return item_id in self._cut

    def sent(self, item_id: str, ms: float, *, now: float, call_ms: int) -> str | None:
        """Count audio just given to the carrier. Returns the name of a mark to send after it, if one is due.

        now: monotonic seconds. call_ms: now, on the clock of the call.
        """
        played = self.played(now)
        if played >= self._sent:  # silence until now: it starts to play at once
            self._anchor, self._anchor_at = self._sent, now
        utterance = self.utterance(item_id, began_ms=call_ms + round(self._sent - min(played, self._sent)))
        if utterance.sent_ms == 0.0:
            utterance.start = self._sent
            utterance.began_ms = call_ms + round(self._sent - min(played, self._sent))
            self._playing.append(utterance)
        utterance.sent_ms += ms
        self._sent += ms
        return self.mark() if self._sent - self._marked >= MARK_EVERY_MS else None

    def mark(self) -> str | None:
        """A mark for all that was sent so far, None if there is one already."""
        if self._marked >= self._sent:
            return None
        self._marked = self._sent
        return f"{self._generation}-{self._sent:.0f}"

    def reached(self, name: str, *, now: float) -> None:
        """The carrier returned a mark. Marks of earlier generations, or not of ours, say nothing."""
        generation, _, position = name.partition("-")
        if generation != str(self._generation) or not position.isdecimal() or len(position) > 12:
            return
        reached = min(float(position), self._sent)
        self._returned = max(self._returned, reached)
        if reached >= self._anchor:
            self._anchor, self._anchor_at = reached, now
        self._forget(self.played(now))

    def played(self, now: float) -> float:
        """Milliseconds of this generation's audio that the caller has heard, as far as we know."""
        return min(self._sent, self._anchor + max(0.0, now - self._anchor_at) * 1000.0)

    def lead_ms(self, now: float) -> float:
        """Audio the carrier still holds."""
        return self._sent - self.played(now)

    def is_drained(self, now: float) -> bool:
        return self.played(now) >= self._sent

    @property
    def is_confirmed(self) -> bool:
        """The carrier itself has said that all was played."""
        return self._returned >= self._sent

    def clear(self, now: float, *, generating: str = "") -> list[Cut]:
        """The carrier's buffer was emptied: what was not heard is lost. Begins a new generation.

        generating: the item of which more was still to come; it is cut even if all that came has been heard.
        """
        played = self.played(now)
        cuts = []
        for utterance in self._playing:
            heard = min(max(0.0, played - utterance.start), utterance.sent_ms)
            if heard < utterance.sent_ms or utterance.item_id == generating:
                utterance.heard_ms = heard
                self._never_play(utterance.item_id)
                cuts.append(Cut(utterance, int(heard)))
        soundless = self.utterances.get(generating)
        if soundless is not None and soundless.sent_ms == 0.0:  # words came, and no sound of them yet
            soundless.heard_ms = 0.0
            self._never_play(generating)
            cuts.append(Cut(soundless, 0))
        self._playing.clear()
        self._generation += 1
        self._sent = self._marked = self._returned = self._anchor = 0.0
        self._anchor_at = now
        return cuts

    def broke_off(self, item_id: str) -> Utterance | None:
        """No more will come of an item: what has come of it is all that was said, unless a clear() cuts it further."""
        utterance = self.utterances.get(item_id)
        if utterance is not None and utterance.heard_ms is None:
            utterance.heard_ms = utterance.sent_ms
            self._never_play(item_id)
        return utterance

    def utterance(self, item_id: str, *, began_ms: int) -> Utterance:
        found = self.utterances.get(item_id)
        if found is None:
            found = self.utterances[item_id] = Utterance(item_id, began_ms, connection=self.connection)
            if len(self.utterances) > _MAX_ITEMS:
                self.utterances.popitem(last=False)
        return found

    def said(self, item_id: str, piece: str, *, call_ms: int) -> Utterance:
        """A further piece of an item's transcript."""
        utterance = self.utterance(item_id, began_ms=call_ms)
        utterance.text += piece
        utterance.texts.append((utterance.sent_ms, len(utterance.text)))
        return utterance

    def said_all(self, item_id: str, text: str, *, call_ms: int) -> Utterance:
        """An item's whole transcript; its pieces, if there were any, keep their places."""
        utterance = self.utterance(item_id, began_ms=call_ms)
        if not utterance.texts:
            utterance.texts.append((0.0, len(text)))
        utterance.text = text
        return utterance

    def _never_play(self, item_id: str) -> None:
        self._cut[item_id] = None
        if len(self._cut) > _MAX_ITEMS:
            self._cut.popitem(last=False)

    def _forget(self, played: float) -> None:
        """Drop utterances that were heard to their end and are followed by another."""
        while len(self._playing) > 1 and played >= self._playing[0].start + self._playing[0].sent_ms:
            self._playing.pop(0).was_heard()
