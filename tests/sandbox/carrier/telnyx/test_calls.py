"""A leg's life at Telnyx as the product sees it: commands by the SDK, signed events."""

from __future__ import annotations

import asyncio
import base64

import pytest
import telnyx

from tests.sandbox.carrier.product import wait_until
from tests.sandbox.carrier.telnyx.conftest import CONNECTION, FROM

SILENT = "+15550100108"
SLOW = "+15550100123"
STATE = base64.b64encode(b"attempt=42").decode()


def codes(error: telnyx.APIStatusError) -> list[str]:
    return [entry["code"] for entry in error.body["errors"]]


async def test_interested_callee_converses_until_the_goodbye(line, product):
    product.talk = product.converse
    call = await line.dial("+15550100100", client_state=STATE, command_id="c1", **product.stream())
    assert call.call_control_id.startswith("v3:")
    assert call.is_alive is False

    history = await line.carrier.ended(call.call_control_id)

    assert history["carrier"] == "telnyx"
    said = [entry["intent"] for entry in history["history"] if entry["event"] == "callee_said"]
    said = [intent for intent in said if intent != "still_there"]  # a busy machine answers late
    assert said == ["greeting", "interested", "confirm", "goodbye"]
    (hangup,) = await product.wait_for("call.hangup")
    payload = hangup["payload"]
    assert (payload["hangup_cause"], payload["hangup_source"], payload["sip_hangup_cause"]) == (
        "normal_clearing",
        "callee",
        "200",
    )
    assert payload["client_state"] == STATE
    (initiated,), (answered,) = product.of("call.initiated"), product.of("call.answered")
    assert (initiated["payload"]["direction"], initiated["payload"]["state"]) == ("outgoing", "bridging")
    assert initiated["occurred_at"] < answered["occurred_at"] < hangup["occurred_at"]
    await product.wait_for("streaming.stopped")
    (started,) = product.of("streaming.started")
    assert started["payload"]["stream_url"] == product.stream_url
    assert "from" not in started["payload"]
    for event in product.events:
        common = event["data"]["payload"]
        assert common["call_control_id"] == call.call_control_id
        assert common["call_leg_id"] == call.call_leg_id
        assert common["call_session_id"] == call.call_session_id
        assert common["connection_id"] == CONNECTION
        assert event["meta"] == {"attempt": 1, "delivered_to": product.hook}
    assert product.refused == 0
    assert product.headers[0]["User-Agent"] == "telnyx-webhooks"
    fetched = await line.carrier.call(line.sdk.calls.retrieve_status, call.call_control_id)
    assert fetched.data.is_alive is False
    assert fetched.data.call_duration > 5


@pytest.mark.parametrize(
    ("to", "cause", "source", "sip"),
    [
        ("+15550100112", "user_busy", "callee", "486"),
        ("+15550100113", "timeout", "caller", "487"),
        ("+15550100114", "not_found", "callee", "404"),
        ("+15550100124", "call_rejected", "callee", "603"),
    ],
)
async def test_phones_that_are_not_answered(line, product, to, cause, source, sip):
    await line.dial(to, timeout_secs=5)
    (hangup,) = await product.wait_for("call.hangup")
    payload = hangup["payload"]
    assert (payload["hangup_cause"], payload["hangup_source"], payload["sip_hangup_cause"]) == (cause, source, sip)
    assert payload["call_quality_stats"] is None
    assert product.of("call.answered") == []


async def test_cancelling_while_it_rings_and_hanging_up_too_late(line, product):
    call = await line.dial(SLOW)
    await product.wait_for("call.initiated")
    await line.act("hangup", call.call_control_id)
    (hangup,) = await product.wait_for("call.hangup")
    assert (hangup["payload"]["hangup_cause"], hangup["payload"]["hangup_source"]) == ("originator_cancel", "caller")
    with pytest.raises(telnyx.UnprocessableEntityError) as late:
        await line.act("hangup", call.call_control_id)
    assert codes(late.value) == ["90018"]


async def test_the_time_limit_cuts_a_call(line, product):
    async def talk(session):
        await session.say("Whoever hears something waits another half minute, so that the limit comes first.")
        await session.until_closed()

    product.talk = talk
    await line.dial(SILENT, time_limit_secs=30, **product.stream())
    (hangup,) = await product.wait_for("call.hangup")
    assert (hangup["payload"]["hangup_cause"], hangup["payload"]["hangup_source"]) == ("time_limit", "unknown")


async def test_a_repeated_command_id_dials_nobody(line, product):
    first = await line.dial("+15550100112", command_id="one")
    again = await line.dial("+15550100112", command_id="one")
    other = await line.dial("+15550100112", command_id="two")
    assert first.call_control_id == again.call_control_id != other.call_control_id
    truth = await line.carrier.control("GET", "calls")
    assert truth["times_dialled"] == {"+15550100112": 2}
    assert {entry["carrier"] for entry in truth["creates"]} == {"telnyx"}


async def test_a_repeated_command_is_carried_out_once(line, product):
    call = await line.dial("+15550100111")
    await product.wait_for("call.answered")
    for _ in range(2):
        await line.act("send_dtmf", call.call_control_id, digits="1", command_id="press")
    await line.act("hangup", call.call_control_id)
    history = await line.carrier.ended(call.call_control_id)
    carried_out = [entry["event"] for entry in history["history"] if entry["event"].startswith("command")]
    assert carried_out == ["command", "command_repeated", "command"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"to": "12"}, 422, "10016"),
        ({"to": "+15550100190"}, 422, "10016"),
        ({"from_": "nobody"}, 422, "10016"),
        ({"client_state": "not base64!"}, 422, "90017"),
        ({"timeout_secs": 3}, 422, "10015"),
        ({"webhook_url": "ftp://x"}, 422, "10003"),
        ({"stream_url": "http://not.a.socket"}, 422, "10003"),
        ({"answering_machine_detection": "magic"}, 422, "10015"),
        ({"webhook_urls": {"nonsense": ["https://a.example/"]}}, 422, "90057"),
        ({"record": "record-from-answer", "record_format": "mp3"}, 422, "10015"),
    ],
)
async def test_bad_parameters_get_telnyxs_codes(line, change, status, code):
    parameters = {"to": "+15550100100"} | change
    with pytest.raises(telnyx.APIStatusError) as refused:
        await line.dial(parameters.pop("to"), **parameters)
    assert (refused.value.status_code, codes(refused.value)) == (status, [code])
    assert set(refused.value.body["errors"][0]) >= {"code", "title", "detail", "source"}
    truth = await line.carrier.control("GET", "calls")
    assert [entry["code"] for entry in truth["creates"]] == [int(code)]


async def test_wrong_keys_and_unknown_calls(line, carrier):
    stranger = telnyx.Telnyx(api_key="KEYwrong", base_url=f"{carrier.base}/v2", max_retries=0)
    with pytest.raises(telnyx.AuthenticationError) as refused:
        await carrier.call(stranger.calls.retrieve_status, "v3:x")
    assert codes(refused.value) == ["10009"]
    stranger.close()
    with pytest.raises(telnyx.NotFoundError) as missing:
        await carrier.call(line.sdk.calls.retrieve_status, "v3:x")
    assert codes(missing.value) == ["10005"]
    with pytest.raises(telnyx.UnprocessableEntityError) as invalid:
        await line.act("hangup", "v3:x")
    assert codes(invalid.value) == ["90015"]


async def test_commands_before_the_answer_and_on_the_wrong_side(line, product):
    call = await line.dial(SLOW)
    await product.wait_for("call.initiated")
    with pytest.raises(telnyx.UnprocessableEntityError) as early:
        await line.act("start_streaming", call.call_control_id, stream_url=product.stream_url)
    assert codes(early.value) == ["90034"]
    with pytest.raises(telnyx.UnprocessableEntityError) as wrong:
        await line.act("answer", call.call_control_id)
    assert codes(wrong.value) == ["90102"]


async def test_active_calls_are_listed_by_connection(line, product, carrier):
    calls = [await line.dial(SILENT, client_state=STATE) for _ in range(3)]
    other = await line.dial(SILENT, connection_id="77")
    await product.wait_for("call.answered", 4)
    page = await carrier.call(lambda: list(line.sdk.connections.list_active_calls(CONNECTION, page_size=2)))
    assert [leg.call_control_id for leg in page] == [call.call_control_id for call in calls]
    assert {leg.client_state for leg in page} == {STATE}
    await line.act("hangup", other.call_control_id)
    await product.wait_for("call.hangup", call_control_id=other.call_control_id)
    assert await carrier.call(lambda: list(line.sdk.connections.list_active_calls("77"))) == []
    alive = await carrier.call(line.sdk.calls.retrieve_status, calls[0].call_control_id)
    assert alive.data.is_alive is True


async def test_the_client_state_changes_with_a_command(line, product):
    later, last = base64.b64encode(b"later").decode(), base64.b64encode(b"last").decode()
    call = await line.dial(SILENT, client_state=STATE)
    (answered,) = await product.wait_for("call.answered")
    assert answered["payload"]["client_state"] == STATE
    await line.act("update_client_state", call.call_control_id, client_state=later)
    fetched = await line.carrier.call(line.sdk.calls.retrieve_status, call.call_control_id)
    assert fetched.data.client_state == later
    await line.act("hangup", call.call_control_id, client_state=last)
    (hangup,) = await product.wait_for("call.hangup")
    assert hangup["payload"]["client_state"] == last


async def test_events_may_go_to_addresses_of_their_own(line, product):
    await line.dial("+15550100112", webhook_urls={"call.hangup": [f"{product.origin}/hangups", f"{product.origin}/b"]})
    await product.wait_for("call.hangup", 2)
    delivered = [e["meta"]["delivered_to"] for e in product.events if e["data"]["event_type"] == "call.hangup"]
    assert sorted(delivered) == [f"{product.origin}/b", f"{product.origin}/hangups"]
    (initiated,) = [e for e in product.events if e["data"]["event_type"] == "call.initiated"]
    assert initiated["meta"]["delivered_to"] == product.hook


class TestInbound:
    async def test_a_caller_waits_to_be_answered(self, line, product):
        product.talk = product.converse
        sid = await line.ring(connection_id=CONNECTION)
        (initiated,) = await product.wait_for("call.initiated")
        payload = initiated["payload"]
        assert (payload["direction"], payload["state"], payload["call_control_id"]) == ("incoming", "parked", sid)
        assert (payload["from"], payload["to"]) == ("+15550100100", "+15550100901")
        await asyncio.sleep(0.1)
        assert product.of("call.answered") == []
        stream = product.stream()
        del stream["stream_auth_token"]
        await line.act("answer", sid, client_state=STATE, **stream)
        (answered,) = await product.wait_for("call.answered")
        assert answered["payload"]["client_state"] == STATE
        await wait_until(lambda: product.sessions and product.sessions[0].of("media"))
        await line.act("hangup", sid)
        (hangup,) = await product.wait_for("call.hangup")
        assert (hangup["payload"]["hangup_cause"], hangup["payload"]["hangup_source"]) == ("normal_clearing", "callee")

    @pytest.mark.parametrize(("cause", "expected"), [("USER_BUSY", "user_busy"), ("CALL_REJECTED", "call_rejected")])
    async def test_rejecting(self, line, product, cause, expected):
        sid = await line.ring()
        await product.wait_for("call.initiated")
        await line.act("reject", sid, cause=cause)
        (hangup,) = await product.wait_for("call.hangup")
        assert (hangup["payload"]["hangup_cause"], hangup["payload"]["hangup_source"]) == (expected, "callee")

    async def test_a_caller_who_is_kept_waiting_gives_up(self, line, product):
        sid = await line.ring()
        (hangup,) = await product.wait_for("call.hangup")
        assert (hangup["payload"]["hangup_cause"], hangup["payload"]["hangup_source"]) == (
            "originator_cancel",
            "caller",
        )
        with pytest.raises(telnyx.UnprocessableEntityError) as late:
            await line.act("answer", sid)
        assert codes(late.value) == ["90018"]

    async def test_a_number_that_is_set_up_needs_no_address(self, line, product, carrier):
        number = "+15550100901"
        settings = {"carrier": "telnyx", "webhook_url": product.hook, "connection_id": "55"}
        assert (await carrier.control("PUT", f"numbers/{number}", settings))["http_status"] == 200
        answer = await carrier.control("POST", "inbound", {"from": "+15550100100", "to": number})
        assert answer["http_status"] == 201
        (initiated,) = await product.wait_for("call.initiated")
        assert initiated["payload"]["connection_id"] == "55"
        await line.act("reject", answer["sid"], cause="USER_BUSY")


class TestOwnedNumbers:
    @pytest.fixture
    def carrier_options(self):
        return {"speed": 20.0, "cps": 50.0, "owned_numbers": frozenset({FROM})}

    async def test_a_caller_id_that_is_not_ours_is_rejected_by_the_network(self, line, product):
        await line.dial("+15550100100", from_="+15550100999")
        (hangup,) = await product.wait_for("call.hangup")
        assert (hangup["payload"]["hangup_cause"], hangup["payload"]["sip_hangup_cause"]) == ("call_rejected", "403")
