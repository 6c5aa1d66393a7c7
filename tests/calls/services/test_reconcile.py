"""Whatever a crash or a lost webhook left behind is settled, and never by dialling twice."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from apps.calls.events import EventKind
from apps.calls.models import Call, EndReason, Leg
from apps.calls.services import placing
from apps.calls.services.reconcile import reconcile_leg, reconcile_stale_legs
from apps.calls.states import LegState, Outcome
from tests.factories.calls import make_leg

pytestmark = pytest.mark.django_db


def checked(leg: Leg) -> Leg:
    reconcile_leg(leg.pk)
    leg.refresh_from_db()
    return leg


def test_quiet_legs_of_every_state_are_found_once(queue, django_capture_on_commit_callbacks):
    stale = [
        make_leg(LegState.CREATED, quiet_s=20),
        make_leg(LegState.REQUESTED, quiet_s=50),
        make_leg(LegState.REQUESTED, quiet_s=15, requested_at=None),
        make_leg(LegState.UNKNOWN, quiet_s=10),
        make_leg(LegState.QUEUED, quiet_s=50),
        make_leg(LegState.RINGING, quiet_s=50),
        make_leg(LegState.ANSWERED, quiet_s=70),
    ]
    ending_leg = make_leg(LegState.ANSWERED, quiet_s=20, media_heartbeat_at=timezone.now())
    Call.objects.filter(pk=ending_leg.call_id).update(end_reason=EndReason.STAFF_ENDED)
    for state in LegState.values[:-1]:
        make_leg(state)
    make_leg(LegState.ANSWERED, quiet_s=300, media_heartbeat_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        assert reconcile_stale_legs() == 8
        assert reconcile_stale_legs() == 0
    assert {sent.args[0] for sent in queue} == {leg.pk for leg in [*stale, ending_leg]}


def test_a_run_takes_no_more_than_its_batch(queue):
    for _ in range(5):
        make_leg(LegState.UNKNOWN, quiet_s=10)
    assert [reconcile_stale_legs(limit=3), reconcile_stale_legs(limit=3)] == [3, 2]


def test_a_leg_nobody_took_is_dialled_while_it_is_fresh(queue, django_capture_on_commit_callbacks):
    leg = make_leg(quiet_s=20)
    with django_capture_on_commit_callbacks(execute=True):
        assert checked(leg).state == LegState.CREATED
    assert [(sent.name, sent.args) for sent in queue] == [("calls.dial_legs", (leg.pk,))]


def test_a_leg_nobody_took_in_time_is_given_back():
    leg = make_leg(quiet_s=90, expires_at=timezone.now() - timedelta(seconds=1))
    assert checked(leg).outcome == Outcome.NOT_PLACED
    leg.call.refresh_from_db()
    assert leg.call.end_reason == EndReason.NOT_PLACED


def test_a_worker_that_died_after_the_carrier_accepted_is_found_out(carrier):
    leg = make_leg()
    placing.dial_leg(leg.pk)
    leg.refresh_from_db()
    call_sid = leg.carrier_call_id
    long_ago = timezone.now() - timedelta(seconds=50)
    Leg.objects.filter(pk=leg.pk).update(
        state=LegState.REQUESTED, carrier_call_id=None, updated_at=long_ago, requested_at=long_ago
    )
    assert checked(leg).state == LegState.UNKNOWN
    assert checked(leg).carrier_call_id == call_sid
    assert leg.state in {LegState.QUEUED, LegState.RINGING, LegState.ANSWERED}
    assert carrier.n_creates(leg.to_number) == 1


def test_a_worker_that_died_before_it_asked_leaves_nothing_at_the_carrier(carrier):
    leg = make_leg(LegState.REQUESTED, quiet_s=50)
    assert checked(leg).state == LegState.UNKNOWN
    assert checked(leg).state == LegState.UNKNOWN  # not there, but it might still come
    Leg.objects.filter(pk=leg.pk).update(requested_at=timezone.now() - timedelta(seconds=settings.LEG_UNKNOWN_S + 1))
    assert (checked(leg).state, leg.outcome) == (LegState.ENDED, Outcome.NOT_PLACED)
    assert carrier.n_creates(leg.to_number) == 0


def test_a_leg_whose_worker_died_before_its_turn_is_dialled_by_another(
    carrier, queue, django_capture_on_commit_callbacks
):
    leg = make_leg(LegState.REQUESTED, quiet_s=15, requested_at=None)
    with django_capture_on_commit_callbacks(execute=True):
        assert checked(leg).state == LegState.CREATED
    assert [sent.name for sent in queue] == ["calls.reconcile_leg"]
    slow = Leg.objects.get(pk=leg.pk)
    placing.dial_leg(leg.pk)
    assert not placing._still_wanted(slow)  # the first worker was only slow, and wakes up
    assert carrier.n_creates(leg.to_number) == 1
    leg.refresh_from_db()
    assert leg.state != LegState.ENDED


def test_a_slow_worker_does_not_put_back_what_its_successor_asked_for(queue):
    leg = make_leg(LegState.REQUESTED, requested_at=None)
    slow = Leg.objects.select_related("call").get(pk=leg.pk)
    Leg.objects.filter(pk=leg.pk).update(requested_at=timezone.now())  # the successor asks
    placing._put_back(slow, reason="pace")
    placing._give_up(slow, EventKind.EXPIRED)
    leg.refresh_from_db()
    assert leg.state == LegState.REQUESTED


def test_of_a_slow_worker_and_its_successor_one_asks(carrier):
    leg = make_leg(LegState.REQUESTED, requested_at=None)  # claimed again, by the successor
    slow, successor = Leg.objects.get(pk=leg.pk), Leg.objects.get(pk=leg.pk)
    assert placing._still_wanted(slow)  # the slow one is first after all
    assert not placing._still_wanted(successor)
    leg.refresh_from_db()
    assert leg.state == LegState.REQUESTED


def test_a_requested_leg_that_is_young_is_left_alone():
    leg = make_leg(LegState.REQUESTED)
    assert checked(leg).state == LegState.REQUESTED


@pytest.mark.parametrize("fault", [{"kind": "rest_timeout", "hold_s": 3}, {"kind": "rest_reset"}])
def test_a_request_without_an_answer_that_did_get_through_is_found(carrier, fault):
    carrier.fault(times=1, **fault)
    leg = make_leg()
    placing.dial_leg(leg.pk)
    assert checked(leg).carrier_call_id == carrier.calls_to(leg.to_number)[0]["sid"]
    assert carrier.n_creates(leg.to_number) == 1


def test_a_request_without_an_answer_that_did_not_get_through_is_not_placed(carrier):
    carrier.fault("rest_reset", times=1, processed=False)
    leg = make_leg()
    placing.dial_leg(leg.pk)
    assert checked(leg).state == LegState.UNKNOWN
    Leg.objects.filter(pk=leg.pk).update(requested_at=timezone.now() - timedelta(seconds=settings.LEG_UNKNOWN_S + 1))
    assert checked(leg).outcome == Outcome.NOT_PLACED


def test_another_legs_call_to_the_same_number_is_not_taken_for_ours(carrier):
    first = make_leg()
    placing.dial_leg(first.pk)
    second = make_leg(LegState.UNKNOWN, from_number=first.from_number, to_number=first.to_number)
    assert checked(second).state == LegState.UNKNOWN
    first.refresh_from_db()
    assert first.carrier_call_id


def test_an_unknown_leg_stays_unknown_while_the_carrier_cannot_be_asked(carrier):
    leg = make_leg(LegState.UNKNOWN, requested_at=timezone.now() - timedelta(minutes=10))
    carrier.fault("rest_500", times=1, method="GET")
    assert checked(leg).state == LegState.UNKNOWN
    assert checked(leg).outcome == Outcome.NOT_PLACED


@pytest.mark.parametrize("ending", ["12", "13", "14"])
def test_an_end_that_was_never_told_is_asked_for(carrier, ending):
    """Busy, no answer, failed: the callback is lost, the check fetches what became of the call."""
    leg = make_leg(to_number=f"+121255501{ending}")
    carrier.fault("callback_drop", to=leg.to_number)
    placing.dial_leg(leg.pk)
    carrier.wait_until_over(leg.to_number)
    expected = {"12": Outcome.BUSY, "13": Outcome.NO_ANSWER, "14": Outcome.FAILED}[ending]
    assert (checked(leg).state, leg.outcome) == (LegState.ENDED, expected)


@pytest.mark.parametrize("state", [LegState.QUEUED, LegState.RINGING, LegState.ANSWERED])
def test_a_call_the_carrier_does_not_know_has_failed(carrier, state):
    leg = make_leg(state)
    assert (checked(leg).state, leg.outcome) == (LegState.ENDED, Outcome.FAILED)


def test_a_call_to_be_ended_is_hung_up_again(carrier, queue, django_capture_on_commit_callbacks):
    leg = make_leg()
    placing.dial_leg(leg.pk)
    Call.objects.filter(pk=leg.call_id).update(end_reason=EndReason.STAFF_ENDED)
    with django_capture_on_commit_callbacks(execute=True):
        checked(leg)
    assert "calls.hang_up_leg" in [sent.name for sent in queue]


def test_an_ended_leg_is_left_alone(queue):
    leg = make_leg(LegState.ENDED, outcome=Outcome.BUSY, ended_at=timezone.now())
    assert checked(leg).outcome == Outcome.BUSY
    assert queue == []
