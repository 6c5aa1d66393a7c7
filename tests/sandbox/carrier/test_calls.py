"""A call's life as the product sees it: REST, status callbacks, media."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from twilio.base.exceptions import TwilioRestException

ALL = ["initiated", "ringing", "answered", "completed"]


def hooks(product) -> dict:
    return {
        "url": f"{product.origin}/voice/t0",
        "status_callback": f"{product.origin}/status/t0",
        "status_callback_event": ALL,
    }


async def test_interested_callee_converses_until_the_goodbye(carrier, product):
    product.documents["/voice/t0"] = product.connect()
    product.talk = product.converse
    call = await carrier.place("+15550100100", **hooks(product))
    assert (call.status, call.direction, call.to) == ("queued", "outbound-api", "+15550100100")

    history = await carrier.ended(call.sid)

    said = [entry["intent"] for entry in history["history"] if entry["event"] == "callee_said"]
    assert said == ["greeting", "interested", "confirm", "goodbye"]
    callbacks = await product.wait_for("/status/t0", 4)
    assert [p["CallStatus"] for p in callbacks] == ["initiated", "ringing", "in-progress", "completed"]
    assert [p["SequenceNumber"] for p in callbacks] == ["0", "1", "2", "3"]
    final = callbacks[-1]
    assert final["SipResponseCode"] == "200"
    assert int(final["CallDuration"]) > 5
    assert "CallDuration" not in callbacks[0]
    assert final["CallbackSource"] == "call-progress-events"
    (voice,) = product.of("/voice/t0")
    assert (voice["CallStatus"], voice["Direction"], voice["CallSid"]) == ("in-progress", "outbound-api", call.sid)
    fetched = await carrier.call(carrier.sdk.calls(call.sid).fetch)
    assert (fetched.status, fetched.duration) == ("completed", final["CallDuration"])
    assert fetched.start_time is not None
    assert fetched.end_time >= fetched.start_time


@pytest.mark.parametrize(
    ("to", "status", "sip"),
    [
        ("+15550100112", "busy", "486"),
        ("+15550100113", "no-answer", "487"),
        ("+15550100114", "failed", "404"),
        ("+15550100124", "busy", "603"),
    ],
)
async def test_phones_that_are_not_answered(carrier, product, to, status, sip):
    call = await carrier.place(to, timeout=5, **hooks(product))
    await carrier.ended(call.sid)
    (final,) = await product.wait_for("/status/t0", CallStatus=status)
    assert (final["SipResponseCode"], final["CallDuration"]) == (sip, "0")
    assert product.of("/voice/t0") == []


async def test_only_completed_is_reported_unless_asked_for(carrier, product):
    call = await carrier.place("+15550100112", url=f"{product.origin}/v", status_callback=f"{product.origin}/s")
    await carrier.ended(call.sid)
    (only,) = await product.wait_for("/s")
    assert (only["CallStatus"], only["SequenceNumber"]) == ("busy", "0")


async def test_slow_answer_outlasting_the_timeout_is_no_answer(carrier, product):
    call = await carrier.place("+15550100123", timeout=5, **hooks(product))
    assert (await carrier.ended(call.sid))["status"] == "no-answer"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": "12"}, 21211),
        ({"to": "+15550100190"}, 21211),
        ({"from_": "nobody"}, 21212),
        ({"url": "not a url"}, 21205),
        ({"url": None}, 21200),
        ({"url": None, "twiml": "<Response>" + "x" * 4000}, 32018),
        ({"timeout": 700}, 21208),
        ({"status_callback": "http://under_score.example.com/"}, 21609),
    ],
)
async def test_bad_parameters_get_twilios_codes(carrier, product, change, code):
    parameters = {"to": "+15550100100", "from_": "+15550100500", "url": f"{product.origin}/voice/t0"} | change
    parameters = {name: value for name, value in parameters.items() if value is not None}
    with pytest.raises(TwilioRestException) as refused:
        await carrier.call(carrier.sdk.calls.create, **parameters)
    assert (refused.value.status, refused.value.code) == (400, code)
    assert (await carrier.control("GET", "calls"))["calls"] == []


class TestOwnedNumbers:
    @pytest.fixture
    def carrier_options(self):
        return {"speed": 10.0, "owned_numbers": frozenset({"+15550100777"})}

    async def test_a_from_number_not_owned_is_refused(self, carrier, product):
        with pytest.raises(TwilioRestException) as refused:
            await carrier.place("+15550100100", url=f"{product.origin}/v")
        assert refused.value.code == 21210
        assert (await carrier.place("+15550100112", from_="+15550100777", url=f"{product.origin}/v")).sid


async def test_wrong_credentials_and_unknown_sids(carrier):
    from twilio.rest import Client

    stranger = Client(carrier.sdk.account_sid, "wrong", http_client=carrier.sdk.http_client)
    with pytest.raises(TwilioRestException) as refused:
        await carrier.call(stranger.calls("CA" + "0" * 32).fetch)
    assert (refused.value.status, refused.value.code) == (401, 20003)
    with pytest.raises(TwilioRestException) as missing:
        await carrier.call(carrier.sdk.calls("CA" + "0" * 32).fetch)
    assert (missing.value.status, missing.value.code) == (404, 20404)


async def test_ending_cancelling_and_updating_too_late(carrier, product):
    product.documents["/voice/t0"] = product.connect()
    talking = await carrier.place("+15550100108", **hooks(product))
    await product.wait_for("/voice/t0")
    unchanged = await carrier.call(carrier.sdk.calls(talking.sid).update, status="canceled")
    assert unchanged.status == "in-progress"
    await carrier.call(carrier.sdk.calls(talking.sid).update, status="completed")
    assert (await carrier.ended(talking.sid))["status"] == "completed"
    with pytest.raises(TwilioRestException) as late:
        await carrier.call(carrier.sdk.calls(talking.sid).update, status="completed")
    assert (late.value.status, late.value.code) == (400, 21220)

    ringing = await carrier.place("+15550100123", **hooks(product))
    await product.wait_for("/status/t0", CallSid=ringing.sid, CallStatus="ringing")
    await carrier.call(carrier.sdk.calls(ringing.sid).update, status="canceled")
    assert (await carrier.ended(ringing.sid))["status"] == "canceled"
    await product.wait_for("/status/t0", CallSid=ringing.sid, CallStatus="canceled")


async def test_the_time_limit_cuts_a_call(carrier, product):
    product.documents["/voice/t0"] = product.connect()
    call = await carrier.place("+15550100108", time_limit=2, **hooks(product))
    history = await carrier.ended(call.sid)
    assert history["duration_s"] >= 2
    assert any(entry.get("code") == 32015 for entry in history["history"])


async def test_lists_filter_and_page_as_the_sdk_reads_them(carrier, product):
    sids = []
    for i in range(5):
        sids.append((await carrier.place("+15550100112", from_=f"+1555010050{i}", url=f"{product.origin}/v")).sid)
    await carrier.place("+15550100114", url=f"{product.origin}/v")
    for sid in sids:
        await carrier.ended(sid)
    found = await carrier.call(carrier.sdk.calls.list, to="+15550100112", page_size=2)
    assert [call.sid for call in found] == sids[::-1]
    one = await carrier.call(carrier.sdk.calls.list, to="+15550100112", from_="+15550100503", status="busy")
    assert [call.sid for call in one] == [sids[3]]
    since = found[0].start_time
    assert len(await carrier.call(carrier.sdk.calls.list, start_time_after=since, to="+15550100112")) >= 1
    await carrier.call(carrier.sdk.calls(sids[0]).delete)
    assert len(await carrier.call(carrier.sdk.calls.list, to="+15550100112")) == 4


class TestPace:
    @pytest.fixture
    def carrier_options(self):
        return {"speed": 10.0, "cps": 1.0}

    async def test_excess_calls_wait_in_the_queue(self, carrier, product):
        calls = [await carrier.place(f"+155501{i:03}12", url=f"{product.origin}/v") for i in range(4)]
        assert {call.status for call in calls} == {"queued"}
        last = calls.pop()
        await carrier.call(carrier.sdk.calls(last.sid).update, status="canceled")
        dialled = [(await carrier.ended(call.sid), call) for call in calls]
        at = [next(e["at"] for e in history["history"] if e["event"] == "dialled") for history, _ in dialled]
        gaps = [b - a for a, b in itertools.pairwise(at)]
        assert all(gap > 0.09 for gap in gaps), gaps  # one a second, ten times as fast
        assert (await carrier.history(last.sid))["status"] == "canceled"
        assert await carrier.events(last.sid, "dialled") == []
        queue_times = [int((await carrier.call(carrier.sdk.calls(c.sid).fetch)).queue_time) for c in calls]
        assert queue_times == sorted(queue_times)
        assert queue_times[-1] >= 1000


async def test_history_counts_what_was_dialled(carrier, product):
    for _ in range(2):
        await carrier.place("+15550100112", url=f"{product.origin}/v")
    with pytest.raises(TwilioRestException):
        await carrier.place("+1", url=f"{product.origin}/v")
    truth = await carrier.control("GET", "calls")
    assert truth["times_dialled"] == {"+15550100112": 2}
    assert [entry["code"] for entry in truth["creates"]] == [None, None, 21211]
    assert truth["creates"][0]["at"] <= truth["creates"][1]["at"]


async def test_events_list_what_was_requested(carrier, product):
    call = await carrier.place("+15550100112", **hooks(product))
    await carrier.ended(call.sid)
    await product.wait_for("/status/t0", 3)
    await asyncio.sleep(0.05)
    events = await carrier.call(carrier.sdk.calls(call.sid).events.list)
    assert [event.request["parameters"]["CallStatus"] for event in events] == ["initiated", "ringing", "busy"]
    assert events[0].response["response_code"] == 204
