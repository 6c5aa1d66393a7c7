"""From a wish to a ringing phone, at most once."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.calls import adapters
from apps.calls.models import Call, CallEvent, EndReason, Leg
from apps.calls.services import ending, placing
from apps.calls.services.placing import CallBrief, place_calls
from apps.calls.services.steps import claim_undialled
from apps.calls.states import LegState, Outcome
from apps.contacts.consent import NotCallable
from apps.core import breaker
from apps.core.rate import near_turn
from tests.factories.calls import make_callable, make_leg, make_request
from tests.factories.contacts import make_dnc


def dialled(leg: Leg) -> Leg:
    placing.dial_leg(leg.pk)
    leg.refresh_from_db()
    return leg


# ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_calls_are_created_in_order_with_the_rule_that_allowed_them(queue, django_capture_on_commit_callbacks):
    barred = make_callable()
    make_dnc(barred.phone)
    requests = [make_request(campaign_id=7, campaign_name="North"), make_request(barred), make_request()]
    now = timezone.now()
    with django_capture_on_commit_callbacks(execute=True):
        first, refused, last = place_calls(requests, now=now)
    assert isinstance(refused, NotCallable)
    assert refused.code == "dnc"
    assert [first.contact, last.contact] == [requests[0].contact, requests[2].contact]
    assert isinstance(first, Call)
    leg = Leg.objects.get(call=first)
    assert (leg.state, leg.to_number, leg.from_number) == (LegState.CREATED, first.remote_phone, first.number.e164)
    assert leg.expires_at == now + timedelta(seconds=60)
    assert first.rule_version
    assert CallBrief.from_json(Call.objects.get(pk=first.pk).brief) == requests[0].brief
    assert [(sent.name, sent.options["expires"]) for sent in queue] == [("calls.dial_legs", 60.0)] * 2
    assert CallEvent.objects.filter(kind="created").count() == 2


@pytest.mark.django_db
def test_ten_calls_cost_as_many_queries_as_one(queue, django_assert_max_num_queries):
    def n_queries(n: int) -> int:
        requests = [make_request() for _ in range(n)]
        with django_assert_max_num_queries(20) as used:
            place_calls(requests, now=timezone.now())
        return len(used)

    assert n_queries(10) == n_queries(1)


@pytest.mark.django_db
def test_every_leg_has_its_own_unguessable_tokens(queue):
    place_calls([make_request() for _ in range(5)], now=timezone.now())
    tokens = [token for leg in Leg.objects.all() for token in (leg.token, leg.media_token)]
    assert len(set(tokens)) == 10
    assert min(len(token) for token in tokens) >= 32


def test_a_brief_of_yesterday_is_still_read():
    assert CallBrief.from_json({"campaign_id": 3, "gone": 1, "seed_turns": [["ai", "Hello"]]}) == CallBrief(
        campaign_id=3, seed_turns=(("ai", "Hello"),)
    )


# ── The dial ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_a_leg_is_dialled_with_its_token_in_every_url(carrier, settings):
    leg = dialled(make_leg())
    assert leg.state == LegState.QUEUED
    (call,) = carrier.calls_to(leg.to_number)
    assert call["sid"] == leg.carrier_call_id
    dialled_again = dialled(leg)
    assert dialled_again.carrier_call_id == leg.carrier_call_id
    assert carrier.n_creates(leg.to_number) == 1
    assert [event.kind for event in CallEvent.objects.filter(leg=leg)] == ["requested", "queued"]


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_dials(carrier):
    leg = make_leg()
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        placing.dial_leg(leg.pk)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert carrier.n_creates(leg.to_number) == 1
    assert Leg.objects.get(pk=leg.pk).carrier_call_id


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["opted out", "late", "expired", "contact gone"])
def test_what_changed_between_claim_and_dial_keeps_the_phone_silent(carrier, change):
    leg = make_leg()
    if change == "opted out":
        make_dnc(leg.to_number)
    elif change == "late":
        leg.call.contact.time_zone = "Pacific/Kiritimati"
        leg.call.contact.country = ""
        leg.call.contact.save()
    elif change == "expired":
        Leg.objects.filter(pk=leg.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        Call.objects.filter(pk=leg.call_id).update(contact=None)
    dialled(leg)
    leg.call.refresh_from_db()
    assert (leg.state, leg.outcome) == (LegState.ENDED, Outcome.NOT_PLACED)
    assert (leg.call.outcome, leg.call.end_reason) == (Outcome.NOT_PLACED, EndReason.NOT_PLACED)
    assert carrier.n_creates(leg.to_number) == 0


@pytest.mark.django_db
def test_a_call_cancelled_while_it_waits_for_its_turn_is_not_dialled(carrier, monkeypatch, queue):
    leg = make_leg()

    def cancel_meanwhile(*args, **kwargs):
        ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
        return near_turn(*args, **kwargs)

    monkeypatch.setattr(placing, "near_turn", cancel_meanwhile)
    dialled(leg)
    assert (leg.state, leg.outcome) == (LegState.ENDED, Outcome.CANCELED)
    assert carrier.n_creates(leg.to_number) == 0


@pytest.mark.django_db
def test_a_leg_whose_turn_is_too_far_away_is_put_back(carrier, queue, django_capture_on_commit_callbacks):
    brief = CallBrief(pace_key="slow-lane", calls_per_second=0.01).as_json()
    first, second = make_leg(), make_leg()
    Call.objects.update(brief=brief)
    assert dialled(first).state == LegState.QUEUED
    with django_capture_on_commit_callbacks(execute=True):
        assert dialled(second).state == LegState.CREATED
    assert ("calls.dial_legs", (second.pk,)) in [(sent.name, sent.args) for sent in queue if sent.options["countdown"]]
    assert carrier.n_creates(second.to_number) == 0


# ── What goes wrong ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"code": 21211, "status": 400}, Outcome.FAILED),  # not a number
        ({"code": 21216, "status": 403}, Outcome.FAILED),  # blocked
        ({"code": 21210, "status": 400}, Outcome.NOT_PLACED),  # our caller ID
        ({"code": 20003, "status": 401}, Outcome.NOT_PLACED),  # our credentials
    ],
)
def test_a_refusal_is_final(carrier, fault, outcome):
    carrier.fault("rest_error", times=1, message="No.", **fault)
    leg = dialled(make_leg())
    assert (leg.state, leg.outcome) == (LegState.ENDED, outcome)
    assert str(fault["code"]) in leg.carrier_error
    event = CallEvent.objects.get(leg=leg, kind="refused")
    assert event.data["code"] == str(fault["code"])


@pytest.mark.django_db
def test_too_many_requests_means_a_little_later(carrier, queue, django_capture_on_commit_callbacks):
    carrier.fault("rest_429", times=1)
    with django_capture_on_commit_callbacks(execute=True):
        leg = dialled(make_leg())
    assert (leg.state, leg.requested_at, leg.carrier_call_id) == (LegState.CREATED, None, None)
    assert [sent.options["countdown"] > 0 for sent in queue if sent.name == "calls.dial_legs"] == [True]
    assert dialled(leg).state == LegState.QUEUED


@pytest.mark.django_db
def test_when_the_carrier_says_until_when_everybody_waits_until_then(
    carrier, queue, settings, django_capture_on_commit_callbacks
):
    settings.TWILIO_CALLS_PER_SECOND = 50
    carrier.fault("rest_429", times=1, retry_after_s=1)
    told, other = make_leg(), make_leg()
    with django_capture_on_commit_callbacks(execute=True):
        dialled(told)
        assert dialled(other).state == LegState.CREATED
    assert carrier.n_creates(other.to_number) == 0, "the other one was not even asked for"
    assert [0 < sent.options["countdown"] <= 1 for sent in queue if sent.name == "calls.dial_legs"] == [True, True]
    assert CallEvent.objects.get(leg=other, kind="put_back").data == {"reason": "limit", "code": "held"}
    time.sleep(1.05)
    assert (dialled(told).state, dialled(other).state) == (LegState.QUEUED, LegState.QUEUED)


@pytest.mark.django_db
def test_an_account_without_a_pace_is_left_alone_as_well(carrier, queue, settings, django_capture_on_commit_callbacks):
    settings.TWILIO_CALLS_PER_SECOND = 0
    carrier.fault("rest_429", times=1, retry_after_s=1)
    told, other = make_leg(), make_leg()
    with django_capture_on_commit_callbacks(execute=True):
        dialled(told)
        assert dialled(other).state == LegState.CREATED
    assert carrier.n_creates(other.to_number) == 0
    assert CallEvent.objects.get(leg=other, kind="put_back").data == {"reason": "limit", "code": "held"}


@pytest.mark.django_db
def test_calls_of_different_campaigns_share_their_accounts_pace(carrier, queue, settings):
    settings.TWILIO_CALLS_PER_SECOND = 1
    legs = [make_leg() for _ in range(3)]
    assert len({leg.call.brief["pace_key"] for leg in legs}) == 3
    asked = [dialled(leg).requested_at for leg in legs]
    assert asked[2] - asked[0] > timedelta(seconds=1.9)


@pytest.mark.django_db
@pytest.mark.parametrize("fault", [{"kind": "rest_timeout", "hold_s": 3}, {"kind": "rest_reset"}, {"kind": "rest_500"}])
def test_without_an_answer_nobody_knows_whether_the_phone_rings(
    carrier, settings, queue, django_capture_on_commit_callbacks, fault
):
    settings.CARRIER_TIMEOUT_S = 1
    adapters.carrier_for.cache_clear()
    adapters.carrier_for("twilio")
    carrier.fault(times=1, **fault)
    with django_capture_on_commit_callbacks(execute=True):
        leg = dialled(make_leg())
    assert (leg.state, leg.carrier_call_id) == (LegState.UNKNOWN, None)
    assert [sent.name for sent in queue] == ["calls.reconcile_leg"]
    assert dialled(leg).state == LegState.UNKNOWN  # nobody dials it again


@pytest.mark.django_db
def test_a_carrier_that_cannot_be_reached_was_not_asked(settings, queue, django_capture_on_commit_callbacks):
    settings.TWILIO_API_BASE = "http://127.0.0.1:9"
    adapters.carrier_for.cache_clear()
    with django_capture_on_commit_callbacks(execute=True):
        leg = dialled(make_leg())
    adapters.carrier_for.cache_clear()
    breaker.close("twilio")
    assert leg.state == LegState.CREATED
    assert [sent.name for sent in queue] == ["calls.dial_legs"]


@pytest.mark.django_db
def test_after_five_outages_the_carrier_is_left_alone(carrier, queue):
    carrier.fault("rest_500", times=5)
    assert [dialled(make_leg()).state for _ in range(5)] == [LegState.UNKNOWN] * 5
    assert breaker.state_of("twilio") == "open"
    leg = dialled(make_leg())
    assert leg.state == LegState.CREATED
    assert carrier.n_creates(leg.to_number) == 0


@pytest.mark.django_db
def test_without_credentials_the_call_is_not_placed(settings):
    settings.TWILIO_AUTH_TOKEN = ""
    adapters.carrier_for.cache_clear()
    leg = dialled(make_leg())
    assert (leg.outcome, leg.carrier_error[:22]) == (Outcome.NOT_PLACED, "carrier_not_configured")


# ── Many at once ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_a_crowd_shares_tasks_and_a_handful_does_not(queue, django_capture_on_commit_callbacks):
    for n, n_tasks in ((5, 5), (64, 32)):
        queue.clear()
        with django_capture_on_commit_callbacks(execute=True):
            placed = place_calls([make_request() for _ in range(n)], now=timezone.now())
        legs = [leg_id for sent in queue for leg_id in sent.args]
        assert len(queue) == n_tasks
        assert legs == list(Leg.objects.filter(call__in=placed).order_by("pk").values_list("pk", flat=True))


@pytest.mark.django_db
def test_of_legs_dialled_together_one_that_fails_stops_no_other(carrier, monkeypatch):
    legs = [make_leg() for _ in range(3)]
    still_wanted = placing._still_wanted

    def fail_for_the_second(leg):
        if leg.pk == legs[1].pk:
            raise RuntimeError("unforeseen")
        return still_wanted(leg)

    monkeypatch.setattr(placing, "_still_wanted", fail_for_the_second)
    placing.dial_legs([leg.pk for leg in legs])
    assert [Leg.objects.get(pk=leg.pk).state for leg in legs] == [LegState.QUEUED, LegState.REQUESTED, LegState.QUEUED]
    assert [carrier.n_creates(leg.to_number) for leg in legs] == [1, 0, 1]


@pytest.mark.django_db(transaction=True)
def test_whoever_ends_many_calls_and_whoever_dials_them_do_not_wait_for_each_other():
    """Each holds what the other wants next, which ends as a deadlock wherever both of them wait."""
    first, second = (make_leg() for _ in range(2))
    held, tried = threading.Event(), threading.Event()
    claimed: list[int] = []

    def dial() -> None:
        held.wait(timeout=10)
        claimed.extend(claim_undialled([second.pk, first.pk], now=timezone.now()))
        tried.set()
        connection.close()

    worker = threading.Thread(target=dial)
    worker.start()
    with transaction.atomic():
        ending.request_end(first.call_id, reason=EndReason.NOT_PLACED)
        held.set()
        assert tried.wait(timeout=10), "the claim waits for whoever ends the calls"
        ending.request_end(second.call_id, reason=EndReason.NOT_PLACED)
    worker.join()
    assert claimed == [second.pk]
    assert Leg.objects.get(pk=first.pk).state == LegState.ENDED
    assert Call.objects.get(pk=second.call_id).end_reason == EndReason.NOT_PLACED
