"""A call's recordings as its page shows them: the player's facts, what is not in the sound, and what happened when."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.calls.events import EventKind
from apps.calls.models import CallEvent, Recording, Turn
from apps.calls.selectors import CallDetail
from apps.calls.story import tool_word

PAUSE_REASONS: Final[dict[str, Promise]] = {
    "card": _("card data is spoken"),
    "staff": _("paused by staff"),
}
# Events that are worth finding again in the sound, and the look of their mark.
_MARKED: Final[dict[str, str]] = {
    EventKind.TOOL_CALLED: "info",
    EventKind.AI_FAILED: "bad",
    EventKind.RECONNECTED: "ok",
    EventKind.FAILED_OVER: "warn",
    EventKind.GAVE_UP: "bad",
    EventKind.MEDIA_LOST: "bad",
    EventKind.DTMF: "info",
    EventKind.LANGUAGE_CHANGED: "info",
    EventKind.MESSAGE_LEFT: "info",
    EventKind.TRANSFER_STARTED: "info",
    EventKind.TRANSFERRED: "ok",
}


@dataclass(frozen=True, slots=True)
class Pause:
    from_ms: int
    to_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Marker:
    """at: seconds. tone: as of badges."""

    at: float
    tone: str
    label: str

    def as_json(self) -> dict[str, object]:
        return {"at": self.at, "tone": self.tone, "label": self.label}


@dataclass(frozen=True, slots=True)
class Player:
    """main: the recording shown as a wave, ours if there is one. others: played without."""

    main: Recording | None
    others: list[Recording] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)

    @property
    def spans(self) -> list[list[float]]:
        """Where nothing was recorded, in seconds."""
        return [[pause.from_ms / 1000, pause.to_ms / 1000] for pause in self.pauses]

    @property
    def marks(self) -> list[dict[str, object]]:
        return [marker.as_json() for marker in self.markers]


def player_of(detail: CallDetail) -> Player:
    main = detail.recordings[0] if detail.recordings else None
    others = [recording for recording in detail.recordings[1:] if recording.is_ready]
    if main is None or not main.is_ready:
        return Player(main, others)
    pauses = [Pause(a, b, str(PAUSE_REASONS.get(why, ""))) for a, b, why in main.paused]
    markers = [*_interruptions(detail.turns), *_events(detail.events, main)]
    within = [marker for marker in markers if 0 <= marker.at <= main.duration_s]
    return Player(main, others, pauses, sorted(within, key=lambda marker: marker.at))


def _interruptions(turns: Iterable[Turn]) -> list[Marker]:
    label = str(_("interrupted"))
    return [Marker(turn.ended_ms / 1000, "warn", label) for turn in turns if turn.was_interrupted]


def _events(events: Iterable[CallEvent], recording: Recording) -> list[Marker]:
    markers = []
    for event in events:
        if (tone := _MARKED.get(event.kind)) is not None:
            at = round((event.at - recording.started_at).total_seconds(), 1)
            detail = tool_word(event.data.get("name")) or event.data.get("digit") or ""
            words = str(EventKind(event.kind).label)
            markers.append(Marker(at, tone, f"{words}: {detail}" if detail else words))
    return markers
