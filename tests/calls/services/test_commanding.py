"""Commands to a carrier without documents: what is asked again, what is given up, and what was lost is found."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.calls import adapters
from apps.calls.carriers.base import LineNews, LineStatus
from apps.calls.events import EventKind
from apps.calls.models import Call, Direction, EndReason, Leg, Number, Party, Route, TransferTarget
from apps.calls.services import commanding, media_sessions, reconcile, transfers
from apps.calls.services.progress import leg_progressed
from apps.calls.services.story import tell
from apps.calls.states import LegState, Outcome
from apps.core import breaker
from tests.factories.calls import make_call, make_leg, make_number
from tests.factories.telnyx import control_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def inbound() -> Leg:
    call = make_call(number=make_number(carrier="telnyx"), direction=Direction.INBOUND)
    return make_leg(LegState.RINGING, call=call, carrier_call_id=control_id())


@pytest.fixture
def talking() -> Leg:
    return make_leg(LegState.ANSWERED, carrier="telnyx", carrier_call_id=control_id())


@pytest.fixture
def run(queue, django_capture_on_commit_callbacks):
    """Do something, and say which tasks it left behind."""

    def do(work, *args, **named):
        queue.clear()
        with django_capture_on_commit_callbacks(execute=True):
            work(*args, **named)
        return [(sent.name, *sent.args) for sent in queue]

    return do


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        ({"kind": "rest_500"}, "calls.answer_leg"),
        ({"kind": "rest_429", "retry_after_s": 7}, "calls.answer_leg"),
        ({"kind": "rest_error", "status": 422, "code": 90018}, "calls.reconcile_leg"),
    ],
)
def test_an_answer_that_did_not_go_through_is_tried_again_while_somebody_waits(
    carrier, inbound, queue, run, fault, again
):
    carrier.fault(times=1, **fault)
    assert run(commanding.answer_leg, inbound.pk) == [(again, inbound.pk)]
    if fault["kind"] == "rest_429":
        assert queue[0].options["countdown"] == 7
    inbound.call.refresh_from_db()
    assert inbound.call.end_reason == ""


@pytest.mark.parametrize(
    ("fault", "n_try", "again"),
    [
        ({"kind": "rest_500"}, 1, 2),
        ({"kind": "rest_429", "retry_after_s": 3}, 9, 10),
        ({"kind": "rest_500"}, 10, None),
        ({"kind": "rest_error", "status": 422, "code": 90018}, 1, None),
    ],
)
def test_a_refusal_that_did_not_go_through_is_tried_again(carrier, run, fault, n_try, again):
    carrier.fault(times=1, **fault)
    sent = run(commanding.reject_call, "telnyx", "v3:abcdefgh", 1, n_try)
    assert sent == ([("calls.reject_call", "telnyx", "v3:abcdefgh", 1, again)] if again else [])


def test_a_caller_is_not_kept_ringing_for_ever(carrier, inbound, run):
    Leg.objects.filter(pk=inbound.pk).update(created_at=timezone.now() - timedelta(seconds=31))
    carrier.fault("rest_500", times=1)
    assert ("calls.hang_up_leg", inbound.pk) in run(commanding.answer_leg, inbound.pk)
    inbound.call.refresh_from_db()
    assert inbound.call.end_reason == EndReason.CARRIER_FAILED


@pytest.mark.parametrize("state", [LegState.ANSWERED, LegState.ENDED])
def test_a_call_is_answered_once(carrier, queue, run, state):
    call = make_call(number=make_number(carrier="telnyx"), direction=Direction.INBOUND)
    ended = {"ended_at": timezone.now()} if state == LegState.ENDED else {}
    leg = make_leg(state, call=call, carrier_call_id=control_id(), **ended)
    assert run(commanding.answer_leg, leg.pk) == []


@pytest.mark.parametrize(
    ("fault", "left"),
    [
        ({"kind": "rest_500"}, "calls.reopen_stream"),
        ({"kind": "rest_error", "status": 422, "code": 90018}, "calls.reconcile_leg"),
        ({"kind": "rest_error", "status": 422, "code": 90045}, "calls.reopen_stream"),
        ({"kind": "rest_error", "status": 422, "code": 90046}, "calls.hang_up_leg"),
    ],
)
def test_a_stream_that_cannot_be_opened_is_tried_again_or_given_up(carrier, talking, run, fault, left):
    carrier.fault(times=1, **fault)
    assert left in [name for name, *_ in run(commanding.start_stream, talking.pk)]


def test_a_stream_is_not_tried_for_ever(carrier, talking, run, monkeypatch):
    monkeypatch.setattr(media_sessions, "_pause_s", lambda n_lost: 0)
    carrier.fault("rest_500", times=20)
    for n in range(media_sessions.MAX_LOSSES):
        breaker.close("telnyx")
        run(commanding.reopen_stream, talking.pk, n)
    talking.call.refresh_from_db()
    assert talking.call.end_reason == EndReason.MEDIA_LOST


def test_a_loss_that_was_made_good_is_not_made_good_again(talking, run):
    tell(talking.call_id, EventKind.MEDIA_LOST, timezone.now(), leg_id=talking.pk, n=1)
    before = Leg.objects.get(pk=talking.pk).media_token
    assert run(commanding.reopen_stream, talking.pk, 0) == []
    assert Leg.objects.get(pk=talking.pk).media_token == before


def test_a_lost_socket_that_another_has_replaced_is_not_replaced_again(carrier, talking, run, monkeypatch):
    """A transfer came to nothing so fast that there was a new socket before the end of the old one was looked at."""
    opened = []
    monkeypatch.setattr(adapters.carrier_for("telnyx"), "start_stream", lambda call, media: opened.append(media.url))
    old = talking.media_token
    assert run(commanding.stream_gone, talking.pk) == [("calls.reopen_stream", talking.pk, 0, old)]
    run(commanding.start_stream, talking.pk)
    assert len(opened) == 1
    assert run(commanding.reopen_stream, talking.pk, 0, old) == []
    assert (len(opened), media_sessions.n_lost_so_far(talking.pk)) == (1, 0)
    talking.refresh_from_db()
    run(commanding.reopen_stream, talking.pk, 0, talking.media_token)  # now the new one is gone as well
    assert (len(opened), media_sessions.n_lost_so_far(talking.pk)) == (2, 1)


@pytest.mark.parametrize("was_opened", [True, False])
def test_a_command_without_an_answer_is_repeated_only_if_no_socket_came_of_it(carrier, talking, run, was_opened):
    carrier.fault("rest_500", times=1)
    (again,) = run(commanding.start_stream, talking.pk)
    talking.refresh_from_db()
    assert again == ("calls.reopen_stream", talking.pk, 0, talking.media_token, 1)
    if was_opened:
        Leg.objects.filter(pk=talking.pk).update(media_token_expires_at=None, n_media_sessions=1)
    run(commanding.reopen_stream, *again[1:])
    assert media_sessions.n_lost_so_far(talking.pk) == (0 if was_opened else 1)
    assert (Leg.objects.get(pk=talking.pk).media_token == talking.media_token) == was_opened


def test_a_call_that_is_elsewhere_gets_no_stream(talking, run):
    Call.objects.filter(pk=talking.call_id).update(transferred_to="+12125550100")
    assert run(commanding.start_stream, talking.pk) == []
    assert run(commanding.reopen_stream, talking.pk, 0) == []
    assert media_sessions.n_lost_so_far(talking.pk) == 0


def test_a_live_call_that_fell_silent_unseen_is_reconnected(carrier, run, settings):
    leg = make_leg(LegState.ANSWERED, carrier="telnyx", carrier_call_id=control_id(), quiet_s=settings.LEG_QUIET_S + 5)
    line = adapters.carrier_for("telnyx")
    line.fetch = lambda call_id: LineNews(call_id, LineStatus.QUEUED)
    assert ("calls.reopen_stream", leg.pk, 0) in run(reconcile.reconcile_leg, leg.pk)
    Leg.objects.filter(pk=leg.pk).update(media_heartbeat_at=timezone.now())
    assert run(reconcile.reconcile_leg, leg.pk) == []


def test_a_call_that_was_not_passed_on_because_somebody_died_is_passed_on(carrier, run, settings):
    target = TransferTarget.objects.create(code="office", name="Office", kind="number", e164="+12125558100")
    number = make_number(carrier="telnyx", route=Route.TARGET, target=target)
    call = make_call(number=number, direction=Direction.INBOUND)
    Call.objects.filter(pk=call.pk).update(virtual_agent=None)
    leg = make_leg(LegState.ANSWERED, call=call, carrier_call_id=control_id(), quiet_s=settings.LEG_QUIET_S + 5)
    line = adapters.carrier_for("telnyx")
    line.fetch = lambda call_id: LineNews(call_id, LineStatus.QUEUED)
    assert run(reconcile.reconcile_leg, leg.pk) == [("calls.forward_leg", leg.pk)]
    assert run(commanding.reopen_stream, leg.pk, 0) == [], "there is nobody to open a media socket for"
    assert media_sessions.n_lost_so_far(leg.pk) == 0
    Call.objects.filter(pk=call.pk).update(transferred_to=target.e164)
    assert run(commanding.forward_leg, leg.pk) == [], "it is on its way"
    Call.objects.filter(pk=call.pk).update(transferred_to="")
    Number.objects.filter(pk=number.pk).update(target=None, route=Route.REFUSE)
    assert run(commanding.forward_leg, leg.pk) == [("calls.hang_up_leg", leg.pk)]


@pytest.mark.parametrize(
    ("was_answered", "is_ending", "outcome"),
    [(True, False, Outcome.ANSWERED), (False, False, Outcome.FAILED), (False, True, Outcome.CANCELED)],
)
def test_a_call_that_ended_unseen_ends_by_what_we_knew_of_it(carrier, run, was_answered, is_ending, outcome):
    leg = make_leg(
        LegState.ANSWERED if was_answered else LegState.QUEUED, carrier="telnyx", carrier_call_id=control_id()
    )
    if is_ending:
        Call.objects.filter(pk=leg.call_id).update(end_reason=EndReason.STAFF_ENDED)
    run(leg_progressed, leg.pk, LineNews(leg.carrier_call_id, LineStatus.OVER, at=timezone.now()))
    leg.refresh_from_db()
    assert leg.outcome == outcome


def test_a_second_leg_that_nobody_ever_heard_of_brings_the_caller_back(talking, run, settings):
    run(transfers.begin_transfer, talking.call_id, to="+12125550100")
    target = Leg.objects.get(party=Party.TARGET)
    assert run(reconcile.reconcile_leg, target.pk) == [], "it may still come"
    past = timezone.now() - timedelta(seconds=settings.LEG_UNKNOWN_S + 1)
    Leg.objects.filter(pk=target.pk).update(created_at=past)
    assert run(reconcile.reconcile_leg, target.pk) == [("calls.settle_transfer", target.pk)]
    assert run(transfers.target_ended, target.pk) == [("calls.start_stream", talking.pk)]
    talking.call.refresh_from_db()
    assert talking.call.transferred_to == ""


def test_when_the_caller_leaves_the_other_one_is_let_go(talking, run):
    run(transfers.begin_transfer, talking.call_id, to="+12125550100")
    target = Leg.objects.get(party=Party.TARGET)
    left = run(leg_progressed, talking.pk, LineNews(talking.carrier_call_id, LineStatus.COMPLETED, at=timezone.now()))
    assert ("calls.end_leg", target.pk) in left
    talking.call.refresh_from_db()
    assert talking.call.ended_at is None, "the call lasts as long as one of its legs"


def test_a_transfer_is_begun_once_and_not_of_a_call_that_is_ending(talking, run):
    run(transfers.begin_transfer, talking.call_id, to="+12125550100")
    with pytest.raises(transfers.TransferFailed):
        transfers.begin_transfer(talking.call_id, to="+12125550101")
    assert Leg.objects.filter(party=Party.TARGET).count() == 1
    other = make_leg(LegState.ANSWERED, carrier="telnyx", carrier_call_id=control_id())
    Call.objects.filter(pk=other.call_id).update(end_reason=EndReason.STAFF_ENDED)
    with pytest.raises(transfers.TransferFailed):
        transfers.begin_transfer(other.call_id, to="+12125550101")
