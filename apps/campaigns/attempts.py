"""What becomes of a person after an attempt: settled exactly once, from the call's end, whoever tells us first."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.calls.events import EventKind
from apps.calls.models import Call, CallEvent, EndReason
from apps.calls.states import Outcome
from apps.campaigns import reasons, retries
from apps.campaigns.models import CampaignContact, DialAttempt, RetryRule
from apps.campaigns.states import AttemptState, CampaignState, ContactState
from apps.contacts.models import Channel, DncEntry

log = structlog.get_logger(__name__)

# How long the signal of an ended call may take before the periodic task does its work.
_SIGNAL_GRACE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Next:
    """Where a person stands after an attempt."""

    state: ContactState
    reason: str = ""
    next_attempt_at: datetime | None = None
    is_attempt: bool = True  # False: the call never left, so it does not count


@transaction.atomic
def settle_attempt(*, call_id: int, now: datetime | None = None) -> bool:
    """Settle the attempt behind an ended call and decide what is next for its person.

    False if there is nothing to do: no attempt, settled before, or the call has not ended.
    """
    attempt = (
        DialAttempt.objects.select_for_update(of=("self",))
        .select_related("call", "campaign", "campaign_contact__contact")
        .filter(call_id=call_id, state=AttemptState.CLAIMED, call__ended_at__isnull=False)
        .first()
    )
    if attempt is None:
        return False
    now = now or timezone.now()
    outcome = Outcome(attempt.call.outcome)
    DialAttempt.objects.filter(pk=attempt.pk).update(state=AttemptState.SETTLED, outcome=outcome, settled_at=now)
    following = _what_next(attempt, outcome, now)
    is_over = following.state in {ContactState.DONE, ContactState.BLOCKED}
    CampaignContact.objects.filter(pk=attempt.campaign_contact_id).update(
        state=following.state,
        reason=following.reason,
        next_attempt_at=following.next_attempt_at or now,
        settled_at=now if is_over else None,
        outcome=outcome if following.is_attempt else F("outcome"),
        n_attempts=F("n_attempts") if following.is_attempt else F("n_attempts") - 1,
    )
    log.info(
        "attempt_settled",
        campaign_id=attempt.campaign_id,
        call_id=call_id,
        outcome=str(outcome),
        state=str(following.state),
        reason=following.reason,
    )
    return True


@transaction.atomic
def correct_attempt(*, call_id: int, now: datetime | None = None) -> bool:
    """The call turned out to have ended otherwise than we settled it: decide again what is next for its person.

    False if there is nothing to do: not settled yet, settled with this outcome, or the person is past this attempt.
    """
    attempt = (
        DialAttempt.objects.select_for_update(of=("self",))
        .select_related("call", "campaign", "campaign_contact__contact")
        .filter(call_id=call_id, state=AttemptState.SETTLED)
        .first()
    )
    if attempt is None or attempt.outcome == attempt.call.outcome:
        return False
    outcome = Outcome(attempt.call.outcome)
    DialAttempt.objects.filter(pk=attempt.pk).update(outcome=outcome)
    waiting = CampaignContact.objects.filter(
        pk=attempt.campaign_contact_id, state__in=[ContactState.DONE, ContactState.RETRY, ContactState.CALLBACK]
    )
    if DialAttempt.objects.filter(campaign_contact=attempt.campaign_contact_id, n__gt=attempt.n).exists():
        return False
    following = _what_next(attempt, outcome, now or timezone.now())
    is_over = following.state in {ContactState.DONE, ContactState.BLOCKED}
    log.info("attempt_corrected", campaign_id=attempt.campaign_id, call_id=call_id, outcome=str(outcome))
    return bool(
        waiting.update(
            state=following.state,
            reason=following.reason,
            next_attempt_at=following.next_attempt_at or attempt.settled_at,
            settled_at=attempt.settled_at if is_over else None,
            outcome=outcome,
        )
    )


@transaction.atomic
def agree_callback(*, call_id: int, at: datetime) -> bool:
    """Note a callback agreed in a call whose attempt is settled already; before that, settling finds it by itself."""
    attempt = (
        DialAttempt.objects.select_for_update(of=("self",))
        .select_related("campaign_contact__contact")
        .filter(call_id=call_id, state=AttemptState.SETTLED)
        .first()
    )
    if attempt is None or _is_barred(attempt.campaign_contact.contact.phone):
        return False
    is_latest = not DialAttempt.objects.filter(campaign_contact=attempt.campaign_contact_id, n__gt=attempt.n).exists()
    return is_latest and bool(
        CampaignContact.objects.filter(
            pk=attempt.campaign_contact_id, state__in=[ContactState.DONE, ContactState.RETRY, ContactState.CALLBACK]
        ).update(state=ContactState.CALLBACK, reason=reasons.CALLBACK_AGREED, next_attempt_at=at, settled_at=None)
    )


def settle_overdue(*, now: datetime) -> int:
    """Settle what a lost signal or a crash left behind; how many. Safe to run at any time, and twice."""
    ended = DialAttempt.objects.filter(state=AttemptState.CLAIMED, call__ended_at__lt=now - _SIGNAL_GRACE).values_list(
        "call_id", flat=True
    )
    n = sum(settle_attempt(call_id=call_id, now=now) for call_id in list(ended))
    live = DialAttempt.objects.filter(campaign_contact=OuterRef("pk"), state=AttemptState.CLAIMED)
    n += (
        CampaignContact.objects.filter(state=ContactState.DIALLING)
        .filter(~Exists(live))
        .update(state=ContactState.PENDING, next_attempt_at=now)
    )
    if n:
        log.warning("overdue_attempts_settled", n=n)
    return n


def _what_next(attempt: DialAttempt, outcome: Outcome, now: datetime) -> _Next:
    if outcome == Outcome.NOT_PLACED or _was_withdrawn(attempt.call):
        return _after_not_placed(attempt, now)
    if _is_barred(attempt.campaign_contact.contact.phone):
        return _Next(ContactState.DONE, reasons.DNC)
    agreed_at = _agreed_callback(attempt.call)
    if agreed_at is not None:
        return _Next(ContactState.CALLBACK, reasons.CALLBACK_AGREED, agreed_at)
    stored = RetryRule.objects.filter(campaign=attempt.campaign_id, outcome=outcome).first()
    if stored is None:
        return _Next(ContactState.DONE)
    n_with_outcome = DialAttempt.objects.filter(
        campaign_contact=attempt.campaign_contact_id, state=AttemptState.SETTLED, outcome=outcome
    ).count()
    at = retries.next_try(
        retries.Rule(delay_s=stored.delay_s, max_attempts=stored.max_attempts),
        n_with_outcome=n_with_outcome,
        ended_at=attempt.call.ended_at or now,
    )
    if at is None:
        return _Next(ContactState.DONE, reasons.ATTEMPTS_USED_UP)
    return _Next(ContactState.RETRY, reasons.WILL_RETRY, at)


def _after_not_placed(attempt: DialAttempt, now: datetime) -> _Next:
    """Back in line without burning an attempt; where the campaign runs, a little later each time."""
    person = attempt.campaign_contact
    state = ContactState.PENDING if not person.outcome else ContactState.RETRY
    if attempt.campaign.state != CampaignState.RUNNING:
        return _Next(state, "", now, is_attempt=False)
    n_in_a_row = 0
    for outcome in (
        DialAttempt.objects.filter(campaign_contact=person, state=AttemptState.SETTLED)
        .order_by("-n")
        .values_list("outcome", flat=True)[:12]
    ):
        if outcome != Outcome.NOT_PLACED:
            break
        n_in_a_row += 1
    at = retries.after_not_placed(n_in_a_row=n_in_a_row, ended_at=now, first_s=settings.DIAL_AGAIN_S)
    return _Next(state, reasons.NOT_PLACED, at, is_attempt=False)


def _was_withdrawn(call: Call) -> bool:
    """Taken back before anybody answered, because its campaign was paused or stopped."""
    return call.outcome == Outcome.CANCELED and call.end_reason == EndReason.NOT_PLACED


def _agreed_callback(call: Call) -> datetime | None:
    said = CallEvent.objects.filter(call=call, kind=EventKind.CALLBACK_REQUESTED).order_by("-at", "-pk").first()
    return parse_datetime(str(said.data.get("at", ""))) if said is not None else None


def _is_barred(phone: str) -> bool:
    return DncEntry.objects.filter(phone=phone, channel=Channel.VOICE).exists()
