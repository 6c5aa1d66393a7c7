"""Telnyx's webhooks over HTTP: who is believed, what each event does, and what is left to tasks."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from apps.calls.carriers.telnyx.words import client_state
from apps.calls.models import Call, CallEvent, Direction, EndReason, Leg, Party, Route
from apps.calls.states import LegState, Outcome
from tests.factories.calls import make_call, make_leg, make_number, make_virtual_agent
from tests.factories.telnyx import as_body, control_id, event, other_key, public_half, signed

pytestmark = pytest.mark.django_db


def refused(layer: str) -> float:
    return REGISTRY.get_sample_value("callcentre_webhook_requests_refused_total", {"layer": layer}) or 0.0


@pytest.fixture
def tell(client):
    """Deliver an event as Telnyx does. token: of a leg, "" for the application's own address."""

    def send(token: str, message: dict, *, headers: dict | None = None, body: bytes | None = None, **extra):
        sent = as_body(message) if body is None else body
        path = f"/hooks/telnyx/leg/{token}" if token else "/hooks/telnyx/events"
        return client.post(
            path, sent, content_type="application/json", headers=signed(sent) if headers is None else headers, **extra
        )

    return send


@pytest.fixture
def leg() -> Leg:
    return make_leg(LegState.QUEUED, carrier="telnyx", carrier_call_id=control_id())


def told(leg: Leg, event_type: str, **payload) -> dict:
    return event(event_type, call_control_id=leg.carrier_call_id, **payload)


def facts(leg: Leg) -> tuple:
    return Leg.objects.values_list().get(pk=leg.pk), CallEvent.objects.count()


def test_an_answer_and_an_end_move_the_leg(tell, leg):
    assert tell(leg.token, told(leg, "call.answered")).status_code == 204
    leg.refresh_from_db()
    assert leg.state == LegState.ANSWERED
    end = told(leg, "call.hangup", hangup_cause="normal_clearing", sip_hangup_cause="200")
    assert tell(leg.token, end).status_code == 204
    leg.refresh_from_db()
    leg.call.refresh_from_db()
    assert (leg.state, leg.outcome, leg.sip_code) == (LegState.ENDED, Outcome.ANSWERED, 200)
    assert leg.call.end_reason == EndReason.CALLER_HUNG_UP


def test_an_end_that_overtakes_the_answer_comes_to_the_same(tell, leg):
    answered_at = timezone.now() - timedelta(seconds=30)
    tell(leg.token, told(leg, "call.hangup", hangup_cause="normal_clearing", sip_hangup_cause="200"))
    tell(leg.token, told(leg, "call.answered", at=answered_at))
    leg.refresh_from_db()
    assert (leg.outcome, leg.answered_at) == (Outcome.ANSWERED, answered_at)


def test_an_end_that_we_wanted_and_that_overtakes_the_answer_ends_a_conversation(tell, leg):
    """The socket was open: the virtual agent has talked to somebody, and hung up."""
    opened_at = timezone.now() - timedelta(seconds=20)
    Leg.objects.filter(pk=leg.pk).update(media_opened_at=opened_at)
    Call.objects.filter(pk=leg.call_id).update(end_reason=EndReason.AI_ENDED)
    tell(leg.token, told(leg, "call.hangup", hangup_cause="normal_clearing", sip_hangup_cause="200"))
    leg.refresh_from_db()
    assert (leg.outcome, leg.answered_at) == (Outcome.ANSWERED, opened_at)
    answered_at = opened_at - timedelta(seconds=1)
    tell(leg.token, told(leg, "call.answered", at=answered_at))
    leg.refresh_from_db()
    assert leg.answered_at == answered_at


@pytest.mark.parametrize(
    ("cause", "sip", "outcome"),
    [
        ("user_busy", "486", Outcome.BUSY),
        ("timeout", "unspecified", Outcome.NO_ANSWER),
        ("originator_cancel", "487", Outcome.CANCELED),
        ("call_rejected", "603", Outcome.FAILED),
    ],
)
def test_outcomes_follow_the_line(tell, leg, cause, sip, outcome):
    tell(leg.token, told(leg, "call.hangup", hangup_cause=cause, sip_hangup_cause=sip))
    leg.refresh_from_db()
    assert leg.outcome == outcome
    assert leg.carrier_error == cause


def test_what_we_hang_up_while_it_rings_was_never_answered(tell, leg):
    Call.objects.filter(pk=leg.call_id).update(end_reason=EndReason.STAFF_ENDED)
    tell(leg.token, told(leg, "call.hangup", hangup_cause="normal_clearing", sip_hangup_cause="unspecified"))
    leg.refresh_from_db()
    assert leg.outcome == Outcome.CANCELED


def test_a_repeat_is_answered_and_has_no_effect(tell, leg):
    message = told(leg, "call.answered")
    assert tell(leg.token, message).status_code == 204
    before, n_before = facts(leg), refused("replay")
    with capture_logs() as lines:
        for _ in range(3):
            assert tell(leg.token, message).status_code == 204
    assert facts(leg) == before
    assert refused("replay") == n_before + 3
    assert [line["event"] for line in lines if line.get("layer")] == ["webhook_repeated"] * 3


def test_what_failed_on_our_side_is_welcome_again(tell, leg, monkeypatch):
    message = told(leg, "call.answered")

    def break_down(*args, **kwargs):
        raise RuntimeError("boom")

    with monkeypatch.context() as patch:
        patch.setattr("apps.calls.services.commanding.leg_answered", break_down)
        assert tell(leg.token, message).status_code == 500
    assert tell(leg.token, message).status_code == 204
    leg.refresh_from_db()
    assert leg.state == LegState.ANSWERED


def test_forged_and_unsigned_events_change_nothing(tell, leg):
    message = told(leg, "call.hangup", hangup_cause="user_busy")
    body, before, n_before = as_body(message), facts(leg), refused("signature")
    stolen = signed(as_body(told(leg, "call.answered")))
    for headers in ({}, signed(body, key=other_key()), stolen, signed(body) | {"Telnyx-Signature-Ed25519": "x"}):
        assert tell(leg.token, message, headers=headers).status_code == 403
    assert facts(leg) == before
    assert refused("signature") == n_before + 4


@pytest.mark.parametrize("age_s", [301 + 5, -305])
def test_a_delivery_out_of_its_time_is_refused_though_signed(tell, leg, age_s):
    message = told(leg, "call.answered")
    headers, before, n_before = signed(as_body(message), at=time.time() - age_s), facts(leg), refused("timestamp")
    assert tell(leg.token, message, headers=headers).status_code == 403
    assert facts(leg) == before
    assert refused("timestamp") == n_before + 1


def test_both_keys_are_good_while_one_replaces_the_other(tell, leg, settings):
    message = told(leg, "call.answered")
    headers = signed(as_body(message), key=other_key())
    settings.TELNYX_PUBLIC_KEY_PREVIOUS = public_half(other_key())
    assert tell(leg.token, message, headers=headers).status_code == 204
    settings.TELNYX_PUBLIC_KEY_PREVIOUS = ""
    assert tell(leg.token, message, headers=headers).status_code == 403


def test_only_telnyx_s_networks_are_heard_unless_told_otherwise(tell, leg, settings):
    settings.TELNYX_WEBHOOK_IPS = ["192.76.120.128/26"]
    n_before = refused("address")
    assert tell(leg.token, told(leg, "call.answered")).status_code == 403
    assert refused("address") == n_before + 1
    assert tell(leg.token, told(leg, "call.answered"), REMOTE_ADDR="192.76.120.140").status_code == 204
    settings.TELNYX_WEBHOOK_IPS = []
    assert tell(leg.token, told(leg, "call.answered")).status_code == 204


def test_a_flood_is_told_when_to_come_again(tell, leg, settings):
    settings.WEBHOOK_SOURCE_PER_S = 1
    answers = [tell(leg.token, told(leg, "call.bridged")) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [204] * 10 + [429] * 2
    assert 1 <= int(answers[-1]["Retry-After"]) <= 10


def test_events_of_no_leg_or_another_call_change_nothing(tell, leg):
    before, n_before = facts(leg), refused("unknown")
    assert tell("no-such-token", told(leg, "call.answered")).status_code == 204
    assert tell("", event("call.answered", call_control_id=control_id())).status_code == 204
    assert refused("unknown") == n_before + 2
    assert (
        tell(leg.token, event("call.hangup", call_control_id=control_id(), hangup_cause="user_busy")).status_code == 204
    )
    twilios = make_leg(LegState.QUEUED)
    assert tell(twilios.token, told(leg, "call.answered")).status_code == 204
    assert facts(leg)[0] == before[0]


def test_news_of_a_leg_that_come_to_another_ones_address_are_taken_as_its_own(tell, leg):
    """Telnyx does not say whose address a transfer sets: that of the new leg, or of both."""
    target = make_leg(LegState.QUEUED, call=leg.call, party=Party.TARGET, carrier_call_id=control_id())
    end = told(leg, "call.hangup", hangup_cause="normal_clearing", client_state=client_state(leg.token))
    assert tell(target.token, end).status_code == 204
    leg.refresh_from_db()
    target.refresh_from_db()
    assert (leg.state, target.state) == (LegState.ENDED, LegState.QUEUED)
    assert target.carrier == "telnyx"


def test_a_verdict_reaches_the_running_session_and_corrects_an_ended_call(
    tell, leg, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(
        "apps.calls.services.progress.send_to_session", lambda call_id, kind, **data: sent.append((call_id, kind, data))
    )
    tell(leg.token, told(leg, "call.answered"))
    tell(leg.token, told(leg, "call.machine.premium.detection.ended", result="silence"))
    assert sent == [(leg.call_id, "machine_verdict", {"verdict": "unknown", "answered_by": "silence"})]
    tell(leg.token, told(leg, "call.hangup", hangup_cause="normal_clearing"))
    leg.call.refresh_from_db()
    assert leg.call.outcome == Outcome.ANSWERED
    heard = []
    from apps.calls.signals import outcome_corrected

    def note(sender, call_id, **kwargs):
        heard.append(call_id)

    outcome_corrected.connect(note)
    with django_capture_on_commit_callbacks(execute=True):
        tell(leg.token, told(leg, "call.machine.premium.detection.ended", result="machine"))
    outcome_corrected.disconnect(note)
    leg.refresh_from_db()
    leg.call.refresh_from_db()
    assert (leg.outcome, leg.call.outcome) == (Outcome.VOICEMAIL, Outcome.VOICEMAIL)
    assert heard == [leg.call_id]
    assert len(sent) == 1, "nobody is in session any more"
    assert CallEvent.objects.filter(call=leg.call, kind="outcome_corrected").count() == 1


def names(queue) -> list[tuple]:
    return [(sent.name, *sent.args) for sent in queue]


def test_a_lost_stream_is_looked_into_once_the_end_had_time_to_follow(
    tell, leg, queue, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        tell(leg.token, told(leg, "streaming.started", stream_id="s1"))
        tell(leg.token, told(leg, "streaming.stopped", stream_id="s1", stream_url="wss://x/media/telnyx/of-this-one"))
        tell(leg.token, told(leg, "streaming.failed", failure_reason="connection_failed"))
    asked = [("calls.reopen_stream", leg.pk, 0, token) for token in ("of-this-one", leg.media_token)]
    assert [sent for sent in names(queue) if sent[0] == "calls.reopen_stream"] == asked
    assert {sent.options["countdown"] for sent in queue if sent.name == "calls.reopen_stream"} == {1.0}
    leg.refresh_from_db()
    assert leg.state == LegState.ANSWERED, "only an answered call has a stream"


@pytest.mark.parametrize("route", [Route.VIRTUAL_AGENT, Route.REFUSE])
def test_a_call_to_us_is_taken_or_refused_by_a_task(tell, queue, django_capture_on_commit_callbacks, route):
    agent = make_virtual_agent()
    number = make_number(carrier="telnyx", route=route, virtual_agent=agent)
    call_id = control_id()
    facts_of_call = {"from": "+12125557100", "to": number.e164, "direction": "incoming", "state": "parked"}
    message = event("call.initiated", call_control_id=call_id, **facts_of_call)
    with django_capture_on_commit_callbacks(execute=True):
        assert tell("", message).status_code == 204
        assert tell("", message).status_code == 204
    if route == Route.REFUSE:
        assert names(queue) == [("calls.reject_call", "telnyx", call_id, 1)]
        return
    leg = Leg.objects.get(carrier_call_id=call_id)
    assert names(queue) == [("calls.answer_leg", leg.pk)]
    queue.clear()
    with django_capture_on_commit_callbacks(execute=True):
        tell("", event("call.answered", call_control_id=call_id))
    assert names(queue) == [("calls.start_stream", leg.pk)]


def test_a_call_to_a_number_of_another_carrier_is_nobodys(tell, queue, django_capture_on_commit_callbacks):
    number = make_number(carrier="twilio", route=Route.VIRTUAL_AGENT, virtual_agent=make_virtual_agent())
    to_us = {"from": "+12125557100", "to": number.e164, "direction": "incoming"}
    with django_capture_on_commit_callbacks(execute=True):
        tell("", event("call.initiated", call_control_id="v3:abcdefgh", **to_us))
    assert names(queue) == [("calls.reject_call", "telnyx", "v3:abcdefgh", 0)]
    assert not Call.objects.exists()


def test_a_call_that_ended_before_it_was_answered_is_not_answered(tell, queue, django_capture_on_commit_callbacks):
    number = make_number(carrier="telnyx")
    call = make_call(number=number, direction=Direction.INBOUND)
    leg = make_leg(LegState.RINGING, call=call, carrier="telnyx", carrier_call_id=control_id())
    Call.objects.filter(pk=call.pk).update(end_reason=EndReason.STAFF_ENDED)
    with django_capture_on_commit_callbacks(execute=True):
        tell(leg.token, told(leg, "call.answered"))
    assert ("calls.start_stream", leg.pk) not in names(queue)
    assert ("calls.hang_up_leg", leg.pk) in names(queue)


def test_events_we_have_no_use_for_are_taken_quietly(tell, leg):
    before, n_before = facts(leg), refused("content")
    for event_type in ("call.bridged", "call.dtmf.received", "call.cost", "call.of.tomorrow"):
        assert tell(leg.token, told(leg, event_type, digit="1")).status_code == 204
    assert facts(leg) == before
    assert refused("content") == n_before
    assert tell(leg.token, event("call.hangup")).status_code == 204  # of no call
    assert refused("content") == n_before + 1


def test_a_recording_is_fetched_by_a_task(tell, leg, queue, django_capture_on_commit_callbacks):
    urls = {"wav": "https://files.example.com/r1.wav"}
    message = event(
        "call.recording.saved",
        recording_id="r1",
        recording_urls=urls,
        recording_started_at="2026-11-02T22:25:30Z",
        recording_ended_at="2026-11-02T22:25:40Z",
    )
    with django_capture_on_commit_callbacks(execute=True):
        tell(leg.token, message)
        tell(leg.token, message)
    expected = ("calls.fetch_recording", leg.pk, "r1", urls["wav"], "2026-11-02T22:25:30+00:00", 10_000, 1)
    assert names(queue) == [expected]
    tell(leg.token, event("call.recording.error", reason="too short"))
    assert CallEvent.objects.get(leg=leg, kind="recording_failed").data == {"reason": "too short"}
