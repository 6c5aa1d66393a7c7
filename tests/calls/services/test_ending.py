"""Ending a call, from whichever side."""

import pytest
from django.utils import timezone

from apps.calls.carriers.base import LineNews, LineStatus
from apps.calls.models import Call, CallEvent, CostItem, EndReason
from apps.calls.services import ending, placing, progress, reconcile
from apps.calls.states import LegState, Outcome
from apps.core import breaker
from tests.factories.calls import make_call, make_carrier_price, make_leg

pytestmark = pytest.mark.django_db


def test_a_call_is_ended_once_and_by_whom_is_kept(alice, queue, django_capture_on_commit_callbacks):
    leg = make_leg(LegState.ANSWERED)
    with django_capture_on_commit_callbacks(execute=True):
        assert ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED, by=alice)
        assert not ending.request_end(leg.call_id, reason=EndReason.AI_ENDED)
    leg.call.refresh_from_db()
    assert (leg.call.end_reason, leg.call.is_live) == (EndReason.STAFF_ENDED, True)
    event = CallEvent.objects.get(call=leg.call, kind="end_requested")
    assert event.data == {"reason": "staff_ended", "by": "Alice North", "by_id": alice.pk}
    assert [(sent.name, sent.options["countdown"]) for sent in queue] == [("calls.hang_up_leg", None)]


def test_the_reason_given_first_survives_the_lines_own(queue):
    leg = make_leg(LegState.ANSWERED)
    ending.request_end(leg.call_id, reason=EndReason.AI_ENDED)
    progress.leg_progressed(leg.pk, LineNews(leg.carrier_call_id, LineStatus.COMPLETED, timezone.now(), key="k:3"))
    leg.call.refresh_from_db()
    assert (leg.call.end_reason, leg.call.outcome) == (EndReason.AI_ENDED, Outcome.ANSWERED)


def test_a_session_that_ends_lets_its_document_hang_up_first(queue, django_capture_on_commit_callbacks):
    leg = make_leg(LegState.ANSWERED)
    with django_capture_on_commit_callbacks(execute=True):
        ending.request_end(leg.call_id, reason=EndReason.AI_ENDED)
    assert queue[0].options["countdown"] > 0


def test_a_call_nobody_dialled_yet_ends_at_once(queue):
    leg = make_leg()
    assert ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    leg.refresh_from_db()
    leg.call.refresh_from_db()
    assert (leg.state, leg.outcome, leg.call.outcome) == (LegState.ENDED, Outcome.CANCELED, Outcome.CANCELED)
    assert not ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)


def test_a_ringing_phone_is_hung_up_at_the_carrier(carrier, queue):
    leg = make_leg(to_number="+12125550113")  # rings until the time-out
    placing.dial_leg(leg.pk)
    ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    ending.hang_up_leg(leg.pk)
    assert carrier.wait_until_over(leg.to_number) == "canceled"
    reconcile.reconcile_leg(leg.pk)
    leg.refresh_from_db()
    assert (leg.state, leg.outcome) == (LegState.ENDED, Outcome.CANCELED)


def test_hanging_up_what_is_over_asks_for_its_end_instead(carrier, queue, django_capture_on_commit_callbacks):
    leg = make_leg(to_number="+12125550113")
    placing.dial_leg(leg.pk)
    ending.hang_up_leg(leg.pk)
    carrier.wait_until_over(leg.to_number)
    with django_capture_on_commit_callbacks(execute=True):
        ending.hang_up_leg(leg.pk)  # the carrier says 21220
    assert [sent.name for sent in queue] == ["calls.reconcile_leg"]
    assert breaker.state_of("twilio") == "closed"


@pytest.mark.parametrize("fault", ["rest_429", "rest_500", "rest_reset"])
def test_a_carrier_in_trouble_is_asked_again_to_hang_up(carrier, queue, django_capture_on_commit_callbacks, fault):
    leg = make_leg(to_number="+12125550113")
    placing.dial_leg(leg.pk)
    carrier.fault(fault, times=1)
    with django_capture_on_commit_callbacks(execute=True):
        ending.hang_up_leg(leg.pk)
    assert [(sent.name, sent.options["countdown"] > 0) for sent in queue] == [("calls.hang_up_leg", True)]


def test_an_ended_leg_is_not_hung_up_again(queue):
    leg = make_leg(LegState.ENDED, outcome=Outcome.ANSWERED, ended_at=timezone.now(), carrier_call_id="CA1")
    ending.hang_up_leg(leg.pk)
    assert queue == []


@pytest.mark.parametrize(("seconds", "amount"), [(0, "0"), (1, "0.014"), (60, "0.014"), (61, "0.028")])
def test_airtime_is_billed_by_the_started_minute(seconds, amount):
    make_carrier_price("0.014")
    leg = make_leg(LegState.ANSWERED)
    news = LineNews(leg.carrier_call_id, LineStatus.COMPLETED, timezone.now(), key="k:3", duration_s=seconds)
    progress.leg_progressed(leg.pk, news)
    item = CostItem.objects.get(call=leg.call)
    assert (item.quantity, f"{item.amount.normalize():f}") == (seconds, amount)
    assert leg.call.cost == float(amount)


def test_a_phone_that_nobody_answered_costs_nothing():
    make_carrier_price()
    leg = make_leg(LegState.RINGING)
    progress.leg_progressed(leg.pk, LineNews(leg.carrier_call_id, LineStatus.BUSY, timezone.now(), key="k:2"))
    assert not CostItem.objects.exists()


def test_an_unknown_call_cannot_be_ended():
    with pytest.raises(Call.DoesNotExist):
        ending.request_end(make_call().pk + 1000, reason=EndReason.STAFF_ENDED)
