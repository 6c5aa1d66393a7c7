"""How each state looks: its tone and its icon. The word beside them comes from the state itself. Pure.

Tones: ok, info, warn, bad, idle. A tone never stands alone; a status is always icon and word.
"""

from typing import NamedTuple

from django.db.models import TextChoices

from apps.calls.models import Sentiment, Speaker
from apps.calls.states import LegState, Outcome
from apps.campaigns.states import AttemptState, CampaignState, ContactState
from apps.contacts.models import ImportState
from apps.messaging.states import MessageState


class Look(NamedTuple):
    tone: str
    icon: str


CHOICES: dict[str, type[TextChoices]] = {
    "campaign": CampaignState,
    "person": ContactState,
    "attempt": AttemptState,
    "leg": LegState,
    "outcome": Outcome,
    "import": ImportState,
    "speaker": Speaker,
    "sentiment": Sentiment,
    "message": MessageState,
}
_UNKNOWN = Look("idle", "question-mark")
LOOKS: dict[str, dict[str, Look]] = {
    "campaign": {
        CampaignState.DRAFT: Look("idle", "pencil"),
        CampaignState.RUNNING: Look("ok", "player-play"),
        CampaignState.PAUSED: Look("warn", "player-pause"),
        CampaignState.STOPPED: Look("idle", "player-stop"),
        CampaignState.COMPLETED: Look("info", "circle-check"),
    },
    "person": {
        ContactState.PENDING: Look("idle", "clock"),
        ContactState.DIALLING: Look("ok", "phone-calling"),
        ContactState.RETRY: Look("info", "repeat"),
        ContactState.CALLBACK: Look("info", "calendar-event"),
        ContactState.DONE: Look("ok", "circle-check"),
        ContactState.BLOCKED: Look("bad", "ban"),
    },
    "sentiment": {
        Sentiment.POSITIVE: Look("ok", "mood-smile"),
        Sentiment.NEUTRAL: Look("idle", "mood-empty"),
        Sentiment.NEGATIVE: Look("warn", "mood-sad"),
    },
    "attempt": {
        AttemptState.CLAIMED: Look("info", "phone-calling"),
        AttemptState.SETTLED: Look("idle", "circle-check"),
    },
    "leg": {
        LegState.CREATED: Look("idle", "clock"),
        LegState.REQUESTED: Look("info", "send"),
        LegState.UNKNOWN: Look("bad", "alert-triangle"),
        LegState.QUEUED: Look("info", "hourglass"),
        LegState.RINGING: Look("warn", "phone-calling"),
        LegState.ANSWERED: Look("ok", "message-circle"),
        LegState.ENDED: Look("idle", "phone-end"),
    },
    "outcome": {
        Outcome.ANSWERED: Look("ok", "phone-check"),
        Outcome.VOICEMAIL: Look("info", "record-mail"),
        Outcome.BUSY: Look("warn", "phone-pause"),
        Outcome.NO_ANSWER: Look("warn", "phone-off"),
        Outcome.FAILED: Look("bad", "alert-triangle"),
        Outcome.CANCELED: Look("idle", "phone-x"),
        Outcome.NOT_PLACED: Look("bad", "ban"),
    },
    "import": {
        ImportState.WAITING: Look("idle", "clock"),
        ImportState.RUNNING: Look("info", "loader-2"),
        ImportState.DONE: Look("ok", "circle-check"),
        ImportState.FAILED: Look("bad", "alert-triangle"),
        ImportState.CANCELLED: Look("idle", "ban"),
    },
    "message": {
        MessageState.CREATED: Look("idle", "clock"),
        MessageState.REQUESTED: Look("info", "send"),
        MessageState.UNKNOWN: Look("warn", "question-mark"),
        MessageState.QUEUED: Look("info", "hourglass"),
        MessageState.SENT: Look("info", "send"),
        MessageState.DELIVERED: Look("ok", "circle-check"),
        MessageState.UNDELIVERED: Look("bad", "alert-triangle"),
        MessageState.FAILED: Look("bad", "alert-triangle"),
        MessageState.REFUSED: Look("warn", "ban"),
        MessageState.RECEIVED: Look("ok", "inbox"),
    },
    "speaker": {
        Speaker.CALLER: Look("info", "user"),
        Speaker.AI: Look("info", "robot"),
        Speaker.AGENT: Look("info", "headset"),
        Speaker.SYSTEM: Look("idle", "microphone"),
    },
}


def look_of(kind: str, code: str) -> Look:
    return LOOKS[kind].get(code, _UNKNOWN)


def word_of(kind: str, code: str) -> str:
    """The translated word of a state; the code itself where it is not known."""
    choices = CHOICES[kind]
    return str(choices(code).label) if code in choices.values else code
