"""Whole calls over loopback: our worker, our web server and the carrier process, with nothing between them replaced."""

import time

import pytest

from apps.calls import adapters
from apps.calls.carriers.media import is_media_signed
from apps.calls.models import Call, CallEvent, CostItem, EndReason
from apps.calls.services import commanding, ending, media_sessions
from apps.calls.states import LegState, Outcome
from tests.calls.conftest import free_port
from tests.calls.lines import call_number, wait_for
from tests.factories.calls import make_carrier_price

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]


@pytest.mark.parametrize(
    ("ending_digits", "outcome", "sip_code"),
    [("12", Outcome.BUSY, 486), ("13", Outcome.NO_ANSWER, 487), ("14", Outcome.FAILED, 404)],
)
def test_a_phone_that_nobody_answers(product, name, ending_digits, outcome, sip_code):
    leg = wait_for(call_number(name, f"+121255520{ending_digits}"), LegState.ENDED)
    assert (leg.outcome, leg.sip_code) == (outcome, sip_code)
    call = Call.objects.get(pk=leg.call_id)
    assert (call.outcome, call.is_live, call.answered_at) == (outcome, False, None)
    kinds = list(CallEvent.objects.filter(call=call, data__is_late__isnull=True).values_list("kind", flat=True))
    assert kinds[0] == "created"
    assert "ended" in kinds
    assert product.n_creates(leg.to_number) == 1


def test_a_conversation_that_we_end(product, name, media, settings):
    make_carrier_price(carrier=name)
    leg = wait_for(call_number(name, "+12125552100"), LegState.ANSWERED)
    until = time.monotonic() + 10
    while not media.opened:
        assert time.monotonic() < until
        time.sleep(0.02)
    leg.refresh_from_db()
    ((path, scope),) = media.opened
    assert path == f"/media/{name}/{leg.media_token}"
    secrets, origin = adapters.media_secrets(name), settings.PUBLIC_MEDIA_ORIGIN
    assert is_media_signed(name, scope, origin=origin, media_token=leg.media_token, secrets=secrets)
    assert ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)
    call = Call.objects.get(pk=leg.call_id)
    assert (call.outcome, call.end_reason) == (Outcome.ANSWERED, EndReason.STAFF_ENDED)
    assert call.answered_at
    assert CostItem.objects.filter(call=call, part="carrier").exists()
    kinds = set(CallEvent.objects.filter(call=call).values_list("kind", flat=True))
    assert {"created", "answered", "stream_started", "end_requested", "ended"} <= kinds


def test_a_lost_media_socket_is_opened_again_with_another_token(product, name, media):
    leg = wait_for(call_number(name, "+12125552200"), LegState.ANSWERED)
    until = time.monotonic() + 15
    while len(media.opened) < 2:
        if len(media.opened) == 1 and media._sockets:
            media.cut()
        assert time.monotonic() < until, media.opened
        time.sleep(0.05)
    assert media.opened[0][0] != media.opened[1][0]
    assert leg.events.filter(kind="media_lost").count() >= 1
    ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)


def test_a_media_process_that_never_comes_back_ends_the_call(product, name, settings, monkeypatch):
    # The carrier's clock runs twenty times as fast as ours, and its people do not wait for our waits.
    monkeypatch.setattr(commanding, "_END_MAY_FOLLOW_S", 0.05)
    monkeypatch.setattr(media_sessions, "_pause_s", lambda n_lost: 0)
    settings.PUBLIC_MEDIA_ORIGIN = f"ws://127.0.0.1:{free_port()}"
    leg = wait_for(call_number(name, "+12125552300"), LegState.ENDED, within_s=40)
    call = Call.objects.get(pk=leg.call_id)
    assert call.outcome == Outcome.ANSWERED
    # Whoever hears nothing may hang up before we do.
    assert call.end_reason in {EndReason.MEDIA_LOST, EndReason.CALLER_HUNG_UP}


@pytest.mark.parametrize("kind", ["callback_duplicate", "callback_delay", "callback_reorder"])
def test_an_unruly_carrier_comes_to_the_same(product, name, kind):
    to = "+12125552413"
    product.fault(kind, to=to, copies=2, delay_s=3)
    leg = wait_for(call_number(name, to), LegState.ENDED)
    assert leg.outcome == Outcome.NO_ANSWER
    time.sleep(0.5)  # what is still on its way
    leg.refresh_from_db()
    assert leg.outcome == Outcome.NO_ANSWER
    assert leg.events.filter(kind="ended", data__is_late__isnull=True).count() == 1


def test_a_create_that_timed_out_is_settled_by_its_own_webhooks(product, name):
    to = "+12125552512"
    product.fault("rest_timeout", times=1, to=to, hold_s=8)
    leg = wait_for(call_number(name, to), LegState.ENDED)
    assert leg.outcome == Outcome.BUSY
    assert leg.carrier_call_id == product.calls_to(to)[0]["sid"]
    assert product.n_creates(to) == 1
