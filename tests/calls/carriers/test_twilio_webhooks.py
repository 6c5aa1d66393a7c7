"""Signatures by the test vectors of the protocol sheet; reading and writing what Twilio exchanges."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
from django.http import QueryDict

from apps.calls.carriers.base import LineStatus, Verdict
from apps.calls.carriers.twilio import webhooks
from apps.calls.carriers.twilio.words import moment, verdict_of
from apps.calls.carriers.unusable import UnusableWebhook

TOKEN = "0123456789abcdef0123456789abcdef"
STATUS_URL = "https://voice.example.com/hooks/twilio/status?tenant=7"
STATUS_FORM = QueryDict(
    "CallSid=CA00000000000000000000000000000001&AccountSid=AC00000000000000000000000000000001"
    "&CallStatus=completed&SequenceNumber=3&To=%2B15550100001"
)


@pytest.mark.parametrize(
    ("url", "form", "signature"),
    [
        (STATUS_URL, STATUS_FORM, "q1auEyt74xMvv+gD7njPWQhHpxw="),
        (STATUS_URL, None, "UtA80R9JtBcYh3txt3l8avr8jxM="),
        ("wss://voice.example.com/media/twilio/tok123", None, "5LOqWp6l6HSbNa6dCm7Ixf+JHas="),
    ],
)
def test_signatures_of_twilio_are_good_and_no_others(url, form, signature):
    assert webhooks.is_signed(url, form, signature, [TOKEN])
    assert webhooks.is_signed(url, form, signature, ["new-token", TOKEN])
    assert not webhooks.is_signed(url, form, signature, ["new-token"])
    assert not webhooks.is_signed(url, form, signature, [])
    assert not webhooks.is_signed(url, form, "", [TOKEN])
    assert not webhooks.is_signed(url, form, signature[:-1], [TOKEN])
    assert not webhooks.is_signed(url.replace("voice", "choice"), form, signature, [TOKEN])
    assert not webhooks.is_signed(url.replace("wss", "https", 1) + "/", form, signature, [TOKEN])


def test_a_status_callback_is_read_whole():
    form = QueryDict(
        "Called=%2B15550100001&Direction=outbound-api&Timestamp=Sun%2C+01+Nov+2026+09%3A53%3A19+%2B0000"
        "&CallbackSource=call-progress-events&SipResponseCode=200&CallSid=CA1b&SequenceNumber=3"
        "&CallStatus=completed&CallDuration=49&Duration=1&AnsweredBy=machine_end_beep"
    )
    news = webhooks.read_status(form)
    assert news.status is LineStatus.COMPLETED
    assert news.at == datetime(2026, 11, 1, 9, 53, 19, tzinfo=UTC)
    assert (news.key, news.sip_code, news.duration_s) == ("twilio:CA1b:3", 200, 49)
    assert (news.answered_by, news.verdict) == ("machine_end_beep", Verdict.MACHINE)


@pytest.mark.parametrize(
    ("read", "form", "field"),
    [
        (webhooks.read_status, "CallSid=CA1", "CallStatus"),
        (webhooks.read_status, "CallStatus=busy", "CallSid"),
        (webhooks.read_status, f"CallStatus=busy&CallSid={'a' * 70}", "CallSid"),
        (webhooks.read_machine, "CallSid=CA1", "AnsweredBy"),
        (webhooks.read_stream, "CallSid=CA1&StreamEvent=x", "StreamEvent"),
        (webhooks.read_after_stream, "CallSid=CA1", "CallStatus"),
        (webhooks.read_answer, "CallStatus=in-progress", "CallSid"),
    ],
)
def test_what_lacks_its_meaning_is_unusable(read, form, field):
    with pytest.raises(UnusableWebhook) as error:
        read(QueryDict(form))
    assert error.value.code == field


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("human", Verdict.HUMAN),
        ("machine_start", Verdict.MACHINE),
        ("machine_end_silence", Verdict.MACHINE),
        ("fax", Verdict.FAX),
        ("unknown", Verdict.UNKNOWN),
        ("poltergeist", Verdict.UNKNOWN),
        ("", Verdict.NONE),
    ],
)
def test_verdicts(word, verdict):
    assert verdict_of(word) is verdict


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-45T00:00:00Z", "Sun, 99 Nov 2026 09:53:19 +0000"])
def test_a_time_that_is_none_is_no_time(text):
    assert moment(text) is None


def test_times_are_utc():
    assert moment("2026-11-01T10:53:19+01:00") == datetime(2026, 11, 1, 9, 53, 19, tzinfo=UTC)
    assert moment("2026-11-01T09:53:19.5Z") == datetime(2026, 11, 1, 9, 53, 19, 500_000, tzinfo=UTC)


def test_documents_escape_what_they_are_given():
    xml = webhooks.stream_document(
        media_url="wss://v.example.com/m/1",
        after_url="https://v.example.com/a?x=1&y=<2>",
        status_url="https://v.example.com/s",
        parameters={"call_id": '4"2'},
        pause_s=2,
    )
    document = ET.fromstring(xml)
    assert [element.tag for element in document] == ["Pause", "Connect", "Redirect"]
    assert document.find("Connect").get("action") == "https://v.example.com/a?x=1&y=<2>"
    assert document.find("Connect/Stream/Parameter").get("value") == '4"2'
    assert document.find("Redirect").text == "https://v.example.com/a?x=1&y=<2>"
