from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.calls import signals
from apps.calls.models import Call
from apps.calls.states import Outcome
from apps.campaigns import attempts
from apps.campaigns.attempts import agree_callback, correct_attempt, settle_attempt, settle_overdue
from apps.campaigns.models import CampaignContact, DialAttempt
from apps.campaigns.states import AttemptState, CampaignState, ContactState
from tests.factories.campaigns import (
    end_call,
    make_attempt,
    make_campaign,
    make_person,
    make_retry_rule,
    say_callback,
)
from tests.factories.contacts import make_dnc

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
TOMORROW = NOW + timedelta(days=1)


@pytest.fixture
def attempt(db):
    campaign = make_campaign(state=CampaignState.RUNNING)
    make_retry_rule(campaign, Outcome.BUSY, delay_s=20, max_attempts=2)
    return make_attempt(make_person(campaign), claimed_at=NOW - timedelta(minutes=1))


def _person(attempt: DialAttempt) -> CampaignContact:
    return CampaignContact.objects.get(pk=attempt.campaign_contact_id)


def test_a_live_call_is_not_settled(attempt):
    assert not settle_attempt(call_id=attempt.call_id, now=NOW)
    assert _person(attempt).state == ContactState.DIALLING


def test_a_call_that_is_no_campaigns_business_is_left_alone(db):
    assert not settle_attempt(call_id=987654, now=NOW)


@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.VOICEMAIL, Outcome.NO_ANSWER, Outcome.FAILED])
def test_without_a_retry_rule_a_person_is_done_with_the_outcome(attempt, outcome):
    end_call(attempt.call, outcome, at=NOW)
    assert settle_attempt(call_id=attempt.call_id, now=NOW)
    person = _person(attempt)
    assert (person.state, person.outcome, person.reason) == (ContactState.DONE, outcome, "")
    assert person.settled_at == NOW
    attempt.refresh_from_db()
    assert (attempt.state, attempt.outcome) == (AttemptState.SETTLED, outcome)


def test_settling_twice_settles_once(attempt):
    end_call(attempt.call, Outcome.BUSY, at=NOW)
    assert settle_attempt(call_id=attempt.call_id, now=NOW)
    before = _person(attempt)
    assert not settle_attempt(call_id=attempt.call_id, now=NOW + timedelta(hours=1))
    after = _person(attempt)
    assert (after.state, after.next_attempt_at, after.n_attempts) == (before.state, before.next_attempt_at, 1)


def test_a_retry_rule_counts_attempts_with_its_outcome_only(attempt):
    end_call(attempt.call, Outcome.BUSY, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    person = _person(attempt)
    assert (person.state, person.reason) == (ContactState.RETRY, "will_retry")
    assert person.next_attempt_at == NOW + timedelta(seconds=20)

    second = make_attempt(person)
    end_call(second.call, Outcome.BUSY, at=NOW)
    settle_attempt(call_id=second.call_id, now=NOW)
    person = _person(attempt)
    assert (person.state, person.reason, person.outcome) == (ContactState.DONE, "attempts_used_up", Outcome.BUSY)


def test_an_agreed_callback_outranks_a_retry_and_keeps_its_time(attempt):
    say_callback(attempt.call, TOMORROW - timedelta(hours=1))
    say_callback(attempt.call, TOMORROW)
    end_call(attempt.call, Outcome.ANSWERED, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    person = _person(attempt)
    assert (person.state, person.reason) == (ContactState.CALLBACK, "callback_agreed")
    assert person.next_attempt_at == TOMORROW
    assert person.outcome == Outcome.ANSWERED


def test_an_opt_out_outranks_everything(attempt):
    say_callback(attempt.call, TOMORROW)
    make_dnc(attempt.call.remote_phone)
    end_call(attempt.call, Outcome.BUSY, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    person = _person(attempt)
    assert (person.state, person.reason) == (ContactState.DONE, "dnc")


def test_a_call_that_never_reached_the_carrier_burns_no_attempt(attempt):
    end_call(attempt.call, Outcome.NOT_PLACED, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    person = _person(attempt)
    assert (person.state, person.reason, person.outcome) == (ContactState.PENDING, "not_placed", "")
    assert person.n_attempts == 0
    assert NOW < person.next_attempt_at <= NOW + timedelta(minutes=1)


def test_a_carrier_that_stays_away_is_asked_less_and_less_often(attempt):
    waits = []
    person = _person(attempt)
    for n in range(4):
        one = attempt if n == 0 else make_attempt(person, n=n + 1)
        end_call(one.call, Outcome.NOT_PLACED, at=NOW)
        settle_attempt(call_id=one.call_id, now=NOW)
        person = _person(attempt)
        waits.append((person.next_attempt_at - NOW).total_seconds())
    assert waits == sorted(set(waits))


def test_a_call_taken_back_by_a_pause_burns_no_attempt_and_waits_for_nothing(attempt):
    attempt.campaign.state = CampaignState.PAUSED
    attempt.campaign.save()
    end_call(attempt.call, Outcome.CANCELED, at=NOW, end_reason="not_placed")
    settle_attempt(call_id=attempt.call_id, now=NOW)
    person = _person(attempt)
    assert (person.state, person.n_attempts, person.next_attempt_at) == (ContactState.PENDING, 0, NOW)


def test_a_call_that_staff_cancelled_counts(attempt):
    end_call(attempt.call, Outcome.CANCELED, at=NOW, end_reason="staff_ended")
    settle_attempt(call_id=attempt.call_id, now=NOW)
    assert (_person(attempt).state, _person(attempt).outcome) == (ContactState.DONE, Outcome.CANCELED)


def test_a_callback_told_after_the_end_still_counts(attempt):
    end_call(attempt.call, Outcome.ANSWERED, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    assert agree_callback(call_id=attempt.call_id, at=TOMORROW)
    person = _person(attempt)
    assert (person.state, person.next_attempt_at, person.settled_at) == (ContactState.CALLBACK, TOMORROW, None)


def test_a_callback_from_an_older_attempt_changes_nothing(attempt):
    end_call(attempt.call, Outcome.BUSY, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    newer = make_attempt(_person(attempt))
    end_call(newer.call, Outcome.ANSWERED, at=NOW)
    settle_attempt(call_id=newer.call_id, now=NOW)
    assert not agree_callback(call_id=attempt.call_id, at=TOMORROW)
    assert _person(attempt).state == ContactState.DONE


def test_a_callback_of_somebody_who_opted_out_is_not_made(attempt):
    end_call(attempt.call, Outcome.ANSWERED, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    make_dnc(attempt.call.remote_phone)
    assert not agree_callback(call_id=attempt.call_id, at=TOMORROW)


def test_the_signal_settles(attempt):
    end_call(attempt.call, Outcome.VOICEMAIL)
    signals.call_ended.send(sender=Call, call_id=attempt.call_id)
    assert _person(attempt).outcome == Outcome.VOICEMAIL


def test_a_lost_signal_is_made_up_for(attempt):
    end_call(attempt.call, Outcome.VOICEMAIL, at=NOW - timedelta(seconds=30))
    assert settle_overdue(now=NOW) == 1
    assert settle_overdue(now=NOW) == 0
    assert _person(attempt).state == ContactState.DONE


def test_a_signal_that_may_still_come_is_waited_for(attempt):
    end_call(attempt.call, Outcome.VOICEMAIL, at=NOW - timedelta(seconds=1))
    assert settle_overdue(now=NOW) == 0


def test_somebody_being_dialled_without_an_attempt_returns_to_the_line(attempt):
    DialAttempt.objects.all().delete()
    assert settle_overdue(now=NOW) == 1
    assert _person(attempt).state == ContactState.PENDING


_EVENTS = ["end", "end", "signal", "signal", "overdue", "overdue", "callback", "opt_out", "late_callback"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(_EVENTS), outcome=st.sampled_from([o for o in Outcome if o != Outcome.NOT_PLACED]))
def test_whatever_the_order_of_events_a_person_is_settled_exactly_once(db, order, outcome):
    campaign = make_campaign(state=CampaignState.RUNNING)
    make_retry_rule(campaign, Outcome.BUSY, delay_s=20, max_attempts=2)
    attempt = make_attempt(make_person(campaign), claimed_at=NOW)
    n_settled = 0
    is_ended = False
    for event in [*order, "overdue"]:
        if event == "end" and not is_ended:
            end_call(attempt.call, outcome, at=NOW)
            is_ended = True
        elif event == "signal":
            n_settled += attempts.settle_attempt(call_id=attempt.call_id, now=NOW)
        elif event == "overdue":
            n_settled += settle_overdue(now=NOW + timedelta(minutes=1))
        elif event == "callback":
            say_callback(attempt.call, TOMORROW)
            agree_callback(call_id=attempt.call_id, at=TOMORROW)
        elif event == "late_callback":
            agree_callback(call_id=attempt.call_id, at=TOMORROW)
        elif event == "opt_out":
            make_dnc(attempt.call.remote_phone)
    assert n_settled == 1
    person = _person(attempt)
    assert person.outcome == outcome
    assert person.n_attempts == 1
    assert person.state in {ContactState.DONE, ContactState.CALLBACK, ContactState.RETRY}
    attempt.refresh_from_db()
    assert (attempt.state, attempt.outcome) == (AttemptState.SETTLED, outcome)
    if order.index("opt_out") < order.index("end"):
        assert (person.state, person.reason) == (ContactState.DONE, "dnc")


def test_a_late_verdict_corrects_the_attempt_and_what_is_next(attempt):
    make_retry_rule(attempt.campaign, Outcome.VOICEMAIL, delay_s=60, max_attempts=2)
    end_call(attempt.call, Outcome.ANSWERED, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    assert _person(attempt).state == ContactState.DONE
    Call.objects.filter(pk=attempt.call_id).update(outcome=Outcome.VOICEMAIL)
    assert correct_attempt(call_id=attempt.call_id, now=NOW)
    person = _person(attempt)
    assert (person.state, person.outcome, person.settled_at) == (ContactState.RETRY, Outcome.VOICEMAIL, None)
    assert person.next_attempt_at == NOW + timedelta(seconds=60)
    assert person.n_attempts == 1
    attempt.refresh_from_db()
    assert attempt.outcome == Outcome.VOICEMAIL
    assert not correct_attempt(call_id=attempt.call_id, now=NOW)


def test_a_correction_leaves_a_later_attempt_alone(attempt):
    end_call(attempt.call, Outcome.BUSY, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    make_attempt(_person(attempt))
    before = _person(attempt)
    Call.objects.filter(pk=attempt.call_id).update(outcome=Outcome.VOICEMAIL)
    assert not correct_attempt(call_id=attempt.call_id, now=NOW)
    assert _person(attempt).state == before.state
    attempt.refresh_from_db()
    assert attempt.outcome == Outcome.VOICEMAIL


def test_an_attempt_that_is_not_settled_yet_needs_no_correction(attempt):
    end_call(attempt.call, Outcome.VOICEMAIL, at=NOW)
    assert not correct_attempt(call_id=attempt.call_id, now=NOW)


def test_the_correction_arrives_by_signal(attempt):
    end_call(attempt.call, Outcome.ANSWERED, at=NOW)
    settle_attempt(call_id=attempt.call_id, now=NOW)
    Call.objects.filter(pk=attempt.call_id).update(outcome=Outcome.VOICEMAIL)
    signals.outcome_corrected.send(sender=Call, call_id=attempt.call_id)
    attempt.refresh_from_db()
    assert attempt.outcome == Outcome.VOICEMAIL
