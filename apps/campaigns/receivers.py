"""What campaigns does when calls has news. A signal that is lost is made up for by settle_overdue_attempts."""

from datetime import datetime
from typing import Any

from apps.calls import signals
from apps.campaigns import attempts
from apps.campaigns.events import publish_card
from apps.campaigns.models import DialAttempt
from apps.campaigns.states import CampaignState


def connect() -> None:
    """Subscribe to the signals of calls; called once when the apps are ready."""
    signals.call_ended.connect(_on_call_ended, dispatch_uid="campaigns.call_ended")
    signals.outcome_corrected.connect(_on_outcome_corrected, dispatch_uid="campaigns.outcome_corrected")
    signals.callback_requested.connect(_on_callback_requested, dispatch_uid="campaigns.callback_requested")


def _on_call_ended(sender: object, *, call_id: int, **_kwargs: Any) -> None:
    if attempts.settle_attempt(call_id=call_id):
        _show(call_id)


def _on_outcome_corrected(sender: object, *, call_id: int, **_kwargs: Any) -> None:
    if attempts.correct_attempt(call_id=call_id):
        _show(call_id)


def _show(call_id: int) -> None:
    """A running campaign's counters go out with its dial cycles; of the others nobody else would tell."""
    quiet = DialAttempt.objects.filter(call_id=call_id).exclude(campaign__state=CampaignState.RUNNING)
    for campaign_id in quiet.values_list("campaign_id", flat=True):
        publish_card(campaign_id)


def _on_callback_requested(sender: object, *, call_id: int, at: datetime, **_kwargs: Any) -> None:
    attempts.agree_callback(call_id=call_id, at=at)
