"""Signatures by the test vector of the protocol sheet; reading what Telnyx tells."""

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.calls.carriers.base import LineStatus, Verdict
from apps.calls.carriers.telnyx import webhooks
from apps.calls.carriers.telnyx.words import client_state, status_of, token_of, verdict_of
from apps.calls.carriers.unusable import UnusableWebhook
from tests.factories.telnyx import as_body, control_id, event, other_key, public_half, signed

KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
BODY = b'{"data":{"event_type":"call.answered","id":"00000000-0000-0000-0000-000000000001"}}'
SIGNATURE = "UuW41lUJ3EYAs8/gOVpXsikHDvtpNsAdC2IzccoTBav9WGIscHjk1D9xTEVd8j7ygPxWnR92UhttOgiqBmOoCw=="
CALL = "v3:MdI91X4lWFEs7Ig"


def read(event_type: str, **payload):
    payload.setdefault("call_control_id", CALL)
    return webhooks.read_event(as_body(event(event_type, **payload)))


def test_the_signature_of_telnyx_is_good_and_no_other():
    stranger = public_half(other_key())
    assert webhooks.is_signed(BODY, "1790000000", SIGNATURE, [KEY])
    assert webhooks.is_signed(BODY, "1790000000", SIGNATURE, [stranger, KEY])
    assert not webhooks.is_signed(BODY, "1790000000", SIGNATURE, [stranger])
    assert not webhooks.is_signed(BODY, "1790000000", SIGNATURE, [])
    assert not webhooks.is_signed(BODY, "1790000001", SIGNATURE, [KEY])
    assert not webhooks.is_signed(BODY + b" ", "1790000000", SIGNATURE, [KEY])
    for spoiled in ("", "x", SIGNATURE[:-4], SIGNATURE.replace("U", "V", 1), "é", SIGNATURE + "AAAA"):
        assert not webhooks.is_signed(BODY, "1790000000", spoiled, [KEY])
    for timestamp in ("", "é", "17900000\u0966"):
        assert not webhooks.is_signed(BODY, timestamp, SIGNATURE, [KEY])


@pytest.mark.parametrize("timestamp", ["", "-1", "1e9", "9" * 12, "yesterday"])
def test_a_time_that_is_none_is_unusable(timestamp):
    with pytest.raises(UnusableWebhook):
        webhooks.signed_at(timestamp)
    assert webhooks.signed_at("1790000000") == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def test_the_envelope_is_read():
    at = datetime(2026, 11, 2, 22, 25, 27, 521992, tzinfo=UTC)
    body = as_body(
        event(
            "call.initiated", at=at, event_id="0ccc7b54-4df3", call_control_id=CALL, client_state=client_state("t0ken")
        )
    )
    found = webhooks.read_event(body)
    assert (found.key, found.type, found.at) == ("telnyx:0ccc7b54-4df3", "call.initiated", at)
    assert (found.call_id, found.token) == (CALL, "t0ken")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"data":[]}', b'{"data":{"id":"1","event_type":"x"}}', b"\xff\xfe", b'{"data":null}']
    + [
        json.dumps({"data": {"id": i, "event_type": t, "payload": p}}).encode()
        for i, t, p in [
            (7, "x", {}),
            ("12345678", 7, {}),
            ("12345678", "x", []),
            ("é" * 9, "x", {}),
            ("x" * 65, "x", {}),
        ]
    ],
)
def test_what_is_no_event_is_unusable(body):
    with pytest.raises(UnusableWebhook):
        webhooks.read_event(body)


@pytest.mark.parametrize(
    ("cause", "sip", "status"),
    [
        ("normal_clearing", "200", LineStatus.COMPLETED),
        ("normal_clearing", "unspecified", LineStatus.COMPLETED),
        ("normal_clearing", "486", LineStatus.BUSY),
        ("normal_clearing", "487", LineStatus.CANCELED),
        ("time_limit", "unspecified", LineStatus.COMPLETED),
        ("user_busy", "486", LineStatus.BUSY),
        ("timeout", "unspecified", LineStatus.NO_ANSWER),
        ("no_answer", "480", LineStatus.NO_ANSWER),
        ("originator_cancel", "487", LineStatus.CANCELED),
        ("call_rejected", "603", LineStatus.FAILED),
        ("not_found", "404", LineStatus.FAILED),
        ("a_cause_of_tomorrow", "unspecified", LineStatus.FAILED),
    ],
)
def test_how_a_call_ended(cause, sip, status):
    news = webhooks.read_line(read("call.hangup", hangup_cause=cause, sip_hangup_cause=sip))
    assert (news.status, news.cause) == (status, cause)
    assert news.sip_code == (int(sip) if sip.isdigit() else None)
    assert status_of(cause, news.sip_code) is status


def test_progress_is_read_and_other_events_are_not_progress():
    assert webhooks.read_line(read("call.initiated", direction="outgoing")).status is LineStatus.QUEUED
    assert webhooks.read_line(read("call.answered")).status is LineStatus.ANSWERED
    for other in ("call.bridged", "streaming.started", "call.dtmf.received", "call.of.tomorrow"):
        assert webhooks.read_line(read(other)) is None


@pytest.mark.parametrize(
    ("kind", "result", "answered_by", "verdict"),
    [
        ("call.machine.detection.ended", "human", "human", Verdict.HUMAN),
        ("call.machine.detection.ended", "machine", "machine", Verdict.MACHINE),
        ("call.machine.detection.ended", "not_sure", "not_sure", Verdict.UNKNOWN),
        ("call.machine.premium.detection.ended", "human_residence", "human_residence", Verdict.HUMAN),
        ("call.machine.premium.detection.ended", "fax_detected", "fax_detected", Verdict.FAX),
        ("call.machine.premium.detection.ended", "silence", "silence", Verdict.UNKNOWN),
        ("call.machine.premium.greeting.ended", "beep_detected", "machine_beep_detected", Verdict.MACHINE),
        ("call.machine.greeting.ended", "ended", "machine_ended", Verdict.MACHINE),
        ("call.machine.premium.call_screening.detected", "screening", "screening", Verdict.UNKNOWN),
    ],
)
def test_verdicts(kind, result, answered_by, verdict):
    news = webhooks.read_machine(read(kind, result=result))
    assert (news.answered_by, news.verdict, news.carrier_call_id) == (answered_by, verdict, CALL)
    assert webhooks.read_machine(read("call.machine.premium.detection.started")) is None


def test_streams_have_no_prefix():
    started = webhooks.read_stream(read("streaming.started", stream_id="s1", stream_url="wss://x"))
    assert (started.event, started.error, started.stream_id) == ("started", "", "s1")
    failed = webhooks.read_stream(read("streaming.failed", failure_reason="connection_failed"))
    assert (failed.event, failed.error) == ("error", "connection_failed")
    assert webhooks.read_stream(read("streaming.stopped")).event == "stopped"
    address = "wss://voice.example.com/media/telnyx/tok-1"
    for payload in ({"stream_url": address}, {"stream_params": {"stream_url": address, "track": "inbound_track"}}):
        assert webhooks.read_stream(read("streaming.failed", **payload)).media_token == "tok-1"
    for payload in ({"stream_url": 5}, {"stream_params": [address]}, {"stream_url": "wss://elsewhere/x"}):
        assert webhooks.read_stream(read("streaming.failed", **payload)).media_token == ""
    assert webhooks.read_stream(read("call.streaming.stopped")) is None


def test_a_recording_names_no_call():
    saved = webhooks.read_event(
        as_body(
            event(
                "call.recording.saved",
                call_leg_id="428c31b6",
                recording_id="r1",
                recording_started_at="2026-11-02T22:25:30.000000Z",
                recording_ended_at="2026-11-02T22:25:42.500000Z",
                recording_urls={"wav": "https://files.example.com/r1.wav?sig=x"},
            )
        )
    )
    news = webhooks.read_recording(saved)
    assert (saved.call_id, news.recording_id, news.duration_ms) == ("", "r1", 12500)
    assert news.url == "https://files.example.com/r1.wav?sig=x"
    assert webhooks.read_recording(read("call.recording.error", reason="too short")).error == "too short"
    for urls in ({}, None, {"wav": "file:///etc/passwd"}, {"wav": 7}):
        with pytest.raises(UnusableWebhook):
            webhooks.read_recording(read("call.recording.saved", recording_urls=urls))


def test_a_call_to_us():
    to_us = {"from": "+12125557100", "to": "+13025550100", "direction": "incoming", "state": "parked"}
    call = webhooks.read_inbound(read("call.initiated", **to_us))
    assert (call.carrier_call_id, call.from_, call.to) == (CALL, "+12125557100", "+13025550100")
    assert webhooks.read_inbound(read("call.initiated", **to_us | {"direction": "outgoing"})) is None
    assert webhooks.read_inbound(read("call.answered", **to_us)) is None


@pytest.mark.parametrize(
    ("reader", "event_type"),
    [(webhooks.read_line, "call.hangup"), (webhooks.read_stream, "streaming.stopped")],
)
@pytest.mark.parametrize("call_id", [None, 7, "", "v" * 121])
def test_news_of_no_call_is_unusable(reader, event_type, call_id):
    with pytest.raises(UnusableWebhook):
        reader(read(event_type, call_control_id=call_id))


def test_our_word_comes_back_and_no_other_is_taken_for_it():
    assert token_of(client_state("abc-DEF_1")) == "abc-DEF_1"
    for strange in (None, "", "%%%", "YXR0ZW1wdD00Mg==", "//8=", "bGVn", "\x80", "é"):
        assert token_of(strange) == ""


@given(st.text())
def test_any_word_has_a_verdict(word):
    assert verdict_of(word) in set(Verdict)


def test_the_clock_of_the_factory_is_the_carriers():
    headers = signed(BODY, at=time.time())
    assert webhooks.is_signed(BODY, headers["Telnyx-Timestamp"], headers["Telnyx-Signature-Ed25519"], [KEY])
    assert control_id() != control_id()
