import asyncio

import aiohttp
import pytest
from openai import AuthenticationError
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from .client import client, clip


async def order(port, **fault):
    url = f"http://127.0.0.1:{port}/_sandbox/faults"
    async with aiohttp.ClientSession() as http, http.post(url, json=fault) as answer:
        return answer.status, await answer.json()


async def look(port, path):
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.json()


async def test_wrong_key_is_refused_on_both_wires(port):
    sdk = client(port, key="sk-wrong")
    with pytest.raises(InvalidStatus) as refused:
        await sdk.realtime.connect(model="gpt-realtime-2.1").enter()
    assert refused.value.response.status_code == 401
    assert b"invalid_api_key" in refused.value.response.body
    with pytest.raises(AuthenticationError):
        await sdk.models.list()
    await sdk.close()


async def test_unknown_model_is_not_found_and_known_ones_are_listed(port):
    sdk = client(port)
    with pytest.raises(InvalidStatus) as refused:
        await sdk.realtime.connect(model="gpt-realtime-9").enter()
    assert refused.value.response.status_code == 404
    models = {model.id: model for model in (await sdk.models.list()).data}
    assert models["gpt-realtime"].shutdown_date == "2027-01-20"
    assert models["gpt-realtime-2.1"].shutdown_date is None
    await sdk.close()


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_ordered_refusals_strike_as_often_as_ordered(port, connect, status):
    assert (await order(port, kind="refuse", status=status, sessions=2))[0] == 201
    for _ in range(2):
        with pytest.raises(InvalidStatus) as refused:
            await connect()
        assert refused.value.response.status_code == status
    assert (await connect()).types() == ["session.created"]


async def test_disconnect_in_mid_sentence_carries_the_code(port, connect):
    await order(port, kind="disconnect", code=1011, reason="overloaded")
    caller = await connect()
    await caller.configure()
    await caller.wire.response.create()
    with pytest.raises(ConnectionClosedError) as closed:
        await caller.until("response.done")
    assert closed.value.rcvd.code == 1011
    assert closed.value.rcvd.reason == "overloaded"
    assert "response.output_audio.delta" in caller.types()


async def test_dropped_socket_has_no_close_frame(port, connect):
    caller = await connect()
    await caller.configure()
    status, answer = await order(port, kind="disconnect", code=None, now=True, live=True)
    assert (status, answer["struck"]) == (201, 1)
    with pytest.raises(ConnectionClosedError) as closed:
        await caller.until("response.done")
    assert closed.value.rcvd is None


async def test_sixty_minutes_can_be_over_now(port, connect):
    caller = await connect()
    await caller.configure()
    await order(port, kind="expire", live=True)
    assert [event async for event in caller.wire if event.type != "session.capabilities.updated"] == []
    socket = caller.wire._connection
    assert (socket.close_code, socket.close_reason) == (1001, "Your session hit the maximum duration of 60 minutes.")
    for _ in range(50):
        sessions = (await look(port, "/_sandbox/sessions"))[1]["sessions"]
        if not sessions[0]["is_live"]:
            break
        await asyncio.sleep(0.01)
    assert sessions[0]["close_code"] == 1001


async def test_failed_response_and_failed_transcription(port, connect):
    await order(port, kind="response_failed", code="rate_limit_exceeded", type="tokens", response=2)
    await order(port, kind="transcription_failed")
    caller = await connect()
    await caller.configure()
    await caller.say("greeting")
    first = await caller.until("response.done")
    assert first["response"]["status"] == "completed"
    await caller.say("interested")
    await caller.until("response.done")
    failed = caller.all("response.done")[-1]["response"]
    assert failed["status"] == "failed"
    assert failed["status_details"]["error"]["code"] == "rate_limit_exceeded"
    if not caller.all("conversation.item.input_audio_transcription.failed"):
        await caller.until("conversation.item.input_audio_transcription.failed")


async def test_garbage_and_unknown_events_can_be_ordered(port, connect):
    caller = await connect()
    await caller.configure()
    await caller.until("session.capabilities.updated")
    await order(port, kind="unknown_event", live=True)
    await caller.until("response.output_emotion.delta")
    await order(port, kind="garbage", live=True)
    with pytest.raises(ValueError, match="Expecting value"):
        await caller.next_event()
    await caller.say("greeting")
    await caller.until("response.done")


async def test_stalled_session_stays_open_and_silent(port, connect):
    caller = await connect()
    await caller.configure()
    await caller.until("session.capabilities.updated")
    await order(port, kind="stall", live=True)
    await caller.say("greeting")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            await caller.next_event()


async def test_slow_response_keeps_its_client_waiting(port, connect):
    await order(port, kind="slow", delay_ms=8000)  # 200 ms at the tests' speed
    caller = await connect()
    await caller.configure()
    await caller.wire.response.create()
    await caller.until("response.created")
    started = asyncio.get_running_loop().time()
    await caller.until("response.output_audio.delta")
    assert asyncio.get_running_loop().time() - started >= 0.2


@pytest.mark.parametrize(
    "fault", [{"kind": "earthquake"}, {"kind": "refuse", "live": True}, {"kind": "slow", "delay": 5}, {}]
)
async def test_orders_that_make_no_sense_are_refused(port, fault):
    status, answer = await order(port, **fault)
    assert status == 400
    assert answer["error"]["message"]


async def test_history_tells_what_was_said_and_done(port, connect):
    caller = await connect(extra_headers={"OpenAI-Safety-Identifier": "abc"})
    await caller.configure()
    await caller.say("not_interested")
    await caller.answer_tools(await caller.until("response.done"))
    await caller.until("conversation.item.done")
    one = (await look(port, "/_sandbox/sessions"))[1]["sessions"][0]
    assert one["safety_identifier"] == "abc"
    assert [turn["who"] for turn in one["turns"]] == ["caller", "ai"]
    assert one["turns"][0]["intents"] == ["not_interested"]
    assert [call["name"] for call in one["tool_calls"]] == ["set_disposition", "end_call"]
    assert one["audio_in_bytes"] == len(clip("not_interested")) + 600 * 8
    assert (await look(port, f"/_sandbox/sessions/{one['id']}"))[1]["id"] == one["id"]
    assert (await look(port, "/_sandbox/sessions/nobody"))[0] == 404
    assert (await look(port, "/healthz"))[0] == 200
