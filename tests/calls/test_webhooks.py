"""The carrier's webhooks over HTTP: who is believed, and what is answered."""

import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from apps.calls.models import Call, CallEvent, EndReason, Leg
from apps.calls.states import LegState, Outcome
from tests.factories.calls import make_leg, make_number, sid, signature, timestamp

pytestmark = pytest.mark.django_db


def refused(layer: str) -> float:
    return REGISTRY.get_sample_value("callcentre_webhook_requests_refused_total", {"layer": layer}) or 0.0


def status_form(leg: Leg, status: str, number: int, **fields: str) -> dict[str, str]:
    return {
        "CallSid": leg.carrier_call_id or "",
        "CallStatus": status,
        "SequenceNumber": str(number),
        "Timestamp": timestamp(timezone.now()),
        "CallbackSource": "call-progress-events",
        "SomethingNewOfTomorrow": "",
        **fields,
    }


def facts(leg: Leg) -> tuple:
    row = Leg.objects.values_list().get(pk=leg.pk)
    return row, CallEvent.objects.count(), Call.objects.values_list().get(pk=leg.call_id)


@pytest.mark.parametrize(
    ("signed", "headers"),
    [(None, {}), (None, {"X-Twilio-Signature": ""}), ("another-secret", {}), (None, {"X-Twilio-Signature": "é"})],
)
def test_unsigned_and_mis_signed_webhooks_change_nothing(hook, signed, headers):
    leg = make_leg(LegState.QUEUED)
    before, n_before = facts(leg), refused("signature")
    with capture_logs() as lines:
        answer = hook("status", leg.token, status_form(leg, "ringing", 1), signed=signed, headers=headers)
    assert answer.status_code == 403
    assert facts(leg) == before
    assert refused("signature") == n_before + 1
    assert [line["layer"] for line in lines if line["event"] == "webhook_signature_wrong"] == ["signature"]


def test_a_signature_for_another_leg_or_other_fields_is_refused(hook, client, settings):
    leg, other = make_leg(LegState.QUEUED), make_leg(LegState.QUEUED)
    form = status_form(leg, "completed", 3)
    stolen = signature(f"{settings.PUBLIC_ORIGIN}/hooks/twilio/status/{other.token}", form)
    assert hook("status", leg.token, form, signed=None, headers={"X-Twilio-Signature": stolen}).status_code == 403
    good = signature(f"{settings.PUBLIC_ORIGIN}/hooks/twilio/status/{leg.token}", form)
    changed = {**form, "CallStatus": "busy"}
    assert hook("status", leg.token, changed, signed=None, headers={"X-Twilio-Signature": good}).status_code == 403
    leg.refresh_from_db()
    assert leg.state == LegState.QUEUED


def test_the_host_header_does_not_choose_the_signed_url(hook):
    leg = make_leg(LegState.QUEUED)
    answer = hook("status", leg.token, status_form(leg, "ringing", 1), headers={"Host": "localhost"})
    assert answer.status_code == 204


def test_both_tokens_are_good_while_one_replaces_the_other(hook, settings):
    settings.TWILIO_AUTH_TOKEN_PREVIOUS = "the-one-before"
    leg = make_leg(LegState.QUEUED)
    assert hook("status", leg.token, status_form(leg, "ringing", 1), signed="the-one-before").status_code == 204
    settings.TWILIO_AUTH_TOKEN_PREVIOUS = ""
    assert hook("status", leg.token, status_form(leg, "ringing", 1), signed="the-one-before").status_code == 403


def test_without_any_token_nobody_is_believed(hook, settings):
    leg = make_leg(LegState.QUEUED)
    settings.TWILIO_AUTH_TOKEN = ""
    assert hook("status", leg.token, status_form(leg, "ringing", 1), signed="x").status_code == 403


def test_a_webhook_from_hours_ago_is_refused(hook, settings):
    leg = make_leg(LegState.QUEUED)
    old = timestamp(timezone.now() - timedelta(hours=settings.WEBHOOK_MAX_AGE_HOURS, seconds=5))
    young = timestamp(timezone.now() - timedelta(hours=settings.WEBHOOK_MAX_AGE_HOURS, seconds=-60))
    before = facts(leg)
    assert hook("status", leg.token, status_form(leg, "completed", 3, Timestamp=old)).status_code == 403
    assert facts(leg) == before
    assert hook("status", leg.token, status_form(leg, "ringing", 1, Timestamp=young)).status_code == 204


def test_oversized_webhooks_are_refused_before_they_are_read(hook, settings):
    leg = make_leg(LegState.QUEUED)
    before = facts(leg)
    form = status_form(leg, "ringing", 1, Filler="x" * settings.WEBHOOK_MAX_BYTES)
    assert hook("status", leg.token, form).status_code == 413
    many = {f"f{n}": "" for n in range(1500)}
    assert hook("status", leg.token, {**status_form(leg, "ringing", 1), **many}).status_code == 413
    assert facts(leg) == before


def test_only_posted_forms_are_taken(client):
    leg = make_leg(LegState.QUEUED)
    assert client.get(f"/hooks/twilio/status/{leg.token}").status_code == 405
    answer = client.post(f"/hooks/twilio/status/{leg.token}", "{}", content_type="application/json")
    assert answer.status_code == 415


def test_unknown_tokens_are_acknowledged_and_a_call_of_nobody_is_hung_up(hook):
    leg = make_leg(LegState.QUEUED)
    n_before = refused("unknown")
    form = {"CallSid": sid(), "CallStatus": "in-progress", "AnsweredBy": "human", "StreamEvent": "stream-started"}
    for name in ("status", "amd", "stream"):
        assert hook(name, "no-such-token", form).status_code == 204
    for name, rest in (("answer", ""), ("after-stream", "/0")):
        answer = hook(name, f"no-such-token{rest}", form)
        assert [element.tag for element in ET.fromstring(answer.content)] == ["Hangup"]
    assert refused("unknown") == n_before + 5
    leg.refresh_from_db()
    assert leg.state == LegState.QUEUED


@pytest.mark.parametrize(
    "form", [{"To": "x"}, {"CallSid": "CA1", "CallStatus": "dancing"}, {"CallSid": "<x>", "CallStatus": "busy"}]
)
def test_signed_nonsense_is_acknowledged_without_effect(hook, form):
    leg = make_leg(LegState.QUEUED)
    before, n_before = facts(leg), refused("content")
    assert hook("status", leg.token, form).status_code == 204
    assert facts(leg) == before
    assert refused("content") == n_before + 1


def test_news_of_another_call_does_not_touch_the_leg(hook):
    leg = make_leg(LegState.RINGING)
    before = facts(leg)
    form = status_form(leg, "completed", 3) | {"CallSid": sid()}
    assert hook("status", leg.token, form).status_code == 204
    assert facts(leg) == before


def test_the_first_webhook_names_the_call(hook):
    leg = make_leg(LegState.UNKNOWN)
    form = status_form(leg, "ringing", 1) | {"CallSid": sid()}
    hook("status", leg.token, form)
    leg.refresh_from_db()
    assert (leg.state, leg.carrier_call_id) == (LegState.RINGING, form["CallSid"])


def test_an_answered_call_is_joined_to_its_media_socket(hook, settings):
    leg = make_leg(LegState.RINGING)
    form = {"CallSid": leg.carrier_call_id, "CallStatus": "in-progress", "Direction": "outbound-api"}
    first = hook("answer", leg.token, form)
    again = hook("answer", leg.token, form)
    leg.refresh_from_db()
    assert leg.state == LegState.ANSWERED
    assert leg.media_token_expires_at > timezone.now()
    document = ET.fromstring(first.content)
    stream = document.find("Connect/Stream")
    assert stream.get("url") == f"{settings.PUBLIC_MEDIA_ORIGIN}/media/twilio/{leg.media_token}"
    assert stream.get("statusCallback") == f"{settings.PUBLIC_ORIGIN}/hooks/twilio/stream/{leg.token}"
    assert document.find("Connect").get("action") == f"{settings.PUBLIC_ORIGIN}/hooks/twilio/after-stream/{leg.token}/0"
    assert {p.get("name"): p.get("value") for p in stream} == {"call_id": str(leg.call_id)}
    assert first["Content-Type"].startswith("text/xml")
    assert again.content == first.content
    assert CallEvent.objects.filter(leg=leg, kind="answered", data={}).count() == 1


def test_a_call_that_is_to_end_is_hung_up_when_it_is_answered(hook):
    leg = make_leg(LegState.RINGING)
    Call.objects.filter(pk=leg.call_id).update(end_reason=EndReason.STAFF_ENDED)
    answer = hook("answer", leg.token, {"CallSid": leg.carrier_call_id, "CallStatus": "in-progress"})
    assert [element.tag for element in ET.fromstring(answer.content)] == ["Hangup"]


def test_a_lost_media_socket_gets_a_new_token_a_few_times(hook, queue, django_capture_on_commit_callbacks):
    leg = make_leg(LegState.ANSWERED)
    form = {"CallSid": leg.carrier_call_id, "CallStatus": "in-progress"}
    tokens, pauses = [], []
    with django_capture_on_commit_callbacks(execute=True):
        for n in range(5):
            document = ET.fromstring(hook("after-stream", f"{leg.token}/{n}", form).content)
            if document.find("Hangup") is None:
                tokens.append(document.find("Connect/Stream").get("url").rpartition("/")[2])
                pauses.append(int(document.find("Pause").get("length")))
    assert len(set(tokens)) == 4
    assert leg.media_token not in tokens
    assert pauses == [1, 2, 4, 4]
    leg.call.refresh_from_db()
    assert leg.call.end_reason == EndReason.MEDIA_LOST
    assert "calls.hang_up_leg" in [sent.name for sent in queue]


def test_after_three_media_sessions_a_further_loss_ends_the_call(hook):
    leg = make_leg(LegState.ANSWERED, n_media_sessions=3)
    answer = hook("after-stream", f"{leg.token}/0", {"CallSid": leg.carrier_call_id, "CallStatus": "in-progress"})
    assert ET.fromstring(answer.content).find("Hangup") is not None
    leg.call.refresh_from_db()
    assert leg.call.end_reason == EndReason.MEDIA_LOST


@pytest.mark.parametrize("why", ["ended on purpose", "caller hung up"])
def test_a_media_socket_that_closed_on_purpose_is_not_opened_again(hook, why):
    leg = make_leg(LegState.ANSWERED)
    status = "in-progress"
    if why == "ended on purpose":
        Call.objects.filter(pk=leg.call_id).update(end_reason=EndReason.AI_ENDED)
    else:
        status = "completed"
    answer = hook("after-stream", f"{leg.token}/0", {"CallSid": leg.carrier_call_id, "CallStatus": status})
    assert [element.tag for element in ET.fromstring(answer.content)] == ["Hangup"]
    leg.refresh_from_db()
    assert leg.state == LegState.ANSWERED  # its end is told by the status callback, with time and duration


def test_stream_events_stand_in_the_story_once(hook):
    leg = make_leg(LegState.ANSWERED)
    form = {
        "CallSid": leg.carrier_call_id,
        "StreamSid": sid("MZ"),
        "StreamEvent": "stream-error",
        "StreamError": "31920",
        "Timestamp": timezone.now().isoformat(),
    }
    for _ in range(3):
        assert hook("stream", leg.token, form).status_code == 204
    event = CallEvent.objects.get(leg=leg, kind="stream_error")
    assert event.data == {"error": "31920"}


def test_a_failure_on_our_side_ends_the_call_cleanly(hook, monkeypatch):
    leg = make_leg(LegState.RINGING)

    def break_down(*args, **kwargs):
        raise RuntimeError("boom")

    monkeypatch.setattr("apps.calls.services.media_sessions.answer_leg", break_down)
    monkeypatch.setattr("apps.calls.services.progress.leg_progressed", break_down)
    answer = hook("answer", leg.token, {"CallSid": leg.carrier_call_id, "CallStatus": "in-progress"})
    assert (answer.status_code, answer.content.count(b"Hangup")) == (200, 1)
    assert hook("status", leg.token, status_form(leg, "ringing", 1)).status_code == 500


@pytest.mark.parametrize(("is_ours", "reason"), [(True, "busy"), (False, "rejected")])
def test_inbound_calls_are_refused_before_they_cost_anything(hook, is_ours, reason):
    number = make_number()
    form = {
        "CallSid": sid(),
        "CallStatus": "ringing",
        "To": number.e164 if is_ours else "+15005550009",
        "From": "+12125550001",
    }
    reject = ET.fromstring(hook("inbound", None, form).content).find("Reject")
    assert reject.get("reason") == reason


def test_outcomes_follow_the_line(hook):
    cases = {
        ("completed", "human"): Outcome.ANSWERED,
        ("completed", ""): Outcome.ANSWERED,
        ("completed", "machine_end_beep"): Outcome.VOICEMAIL,
        ("completed", "machine_start"): Outcome.VOICEMAIL,
        ("completed", "fax"): Outcome.VOICEMAIL,
        ("busy", ""): Outcome.BUSY,
        ("no-answer", ""): Outcome.NO_ANSWER,
        ("failed", ""): Outcome.FAILED,
        ("canceled", ""): Outcome.CANCELED,
    }
    for (status, answered_by), outcome in cases.items():
        leg = make_leg(LegState.RINGING)
        hook(
            "status",
            leg.token,
            status_form(leg, status, 2, AnsweredBy=answered_by, CallDuration="7", SipResponseCode="486"),
        )
        leg.refresh_from_db()
        leg.call.refresh_from_db()
        assert (leg.state, leg.outcome, leg.sip_code) == (LegState.ENDED, outcome, 486)
        assert leg.call.outcome == outcome
        assert leg.call.ended_at == leg.ended_at
