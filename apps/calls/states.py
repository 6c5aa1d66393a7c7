"""States of a leg and what may follow; pure. Carriers repeat and reorder webhooks, so news only moves a leg forward."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class LegState(models.TextChoices):
    CREATED = "created", _("waiting to be dialled")
    REQUESTED = "requested", _("asking the carrier")
    UNKNOWN = "unknown", _("carrier did not answer: being checked")
    QUEUED = "queued", _("accepted by the carrier")
    RINGING = "ringing", _("ringing")
    ANSWERED = "answered", _("in conversation")
    ENDED = "ended", _("ended")


class Outcome(models.TextChoices):
    """How a leg ended, as the line tells it; what it meant to the business is the disposition."""

    ANSWERED = "answered", _("answered")
    VOICEMAIL = "voicemail", _("voicemail")
    BUSY = "busy", _("busy")
    NO_ANSWER = "no_answer", _("no answer")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("cancelled")
    NOT_PLACED = "not_placed", _("not placed")


_ORDER: list[LegState] = list(LegState)
LIVE: list[LegState] = [state for state in _ORDER if state is not LegState.ENDED]


def earlier_than(state: LegState) -> list[LegState]:
    """The states from which a leg may move to ``state``."""
    return _ORDER[: _ORDER.index(state)]
