"""Media Streams over a real socket."""

from __future__ import annotations

import asyncio
import base64
import itertools

import pytest

from apps.sandbox.carrier.tones import key_tone
from apps.sandbox.personas import persona_for
from apps.sandbox.speech import FRAME_BYTES, SILENCE_FRAME, synthesise
from tests.sandbox.carrier.product import SID, wait_until

SILENT = "+15550100108"  # picks up and says nothing for half a minute
TALKER = "+15550100100"


async def place(carrier, product, to=SILENT, rest="", attributes="", **kwargs):
    product.documents["/voice/t0"] = product.connect(rest, attributes=attributes)
    return await carrier.place(to, url=f"{product.origin}/voice/t0", **kwargs)


async def test_the_opening_and_the_numbering(carrier, product):
    finished = asyncio.Event()

    async def talk(session):
        for _ in range(50):
            await session.receive()
        finished.set()
        await session.until_closed()

    product.talk = talk
    call = await place(carrier, product)
    await asyncio.wait_for(finished.wait(), 5)
    await carrier.call(carrier.sdk.calls(call.sid).update, status="completed")
    await carrier.ended(call.sid)
    (session,) = product.sessions
    connected, start, *rest = session.messages
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start["start"] == {
        "accountSid": SID,
        "streamSid": start["streamSid"],
        "callSid": call.sid,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"attempt": "42"},
    }
    media, stop = rest[:-1], rest[-1]
    assert {message["event"] for message in media} == {"media"}
    assert [m["media"]["chunk"] for m in media] == [str(i) for i in range(1, len(media) + 1)]
    assert [m["media"]["timestamp"] for m in media] == [str(i * 20) for i in range(1, len(media) + 1)]
    assert stop["event"] == "stop"
    assert stop["stop"] == {"accountSid": SID, "callSid": call.sid}
    numbers = [int(m["sequenceNumber"]) for m in session.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert base64.b64decode(media[0]["media"]["payload"]) == SILENCE_FRAME


async def test_callee_speech_arrives_byte_for_byte(carrier, product):
    product.talk = lambda session: session.until_utterance()
    call = await place(carrier, product, TALKER)
    await carrier.ended(call.sid)
    line = persona_for(TALKER).line("greeting")
    clip = synthesise(line.text, line.language)
    heard = bytes(product.sessions[0].heard)
    assert heard.find(clip) >= 0
    assert heard.find(clip) % FRAME_BYTES == 0


async def test_audio_flows_in_step_with_the_clock(carrier, product):
    async def talk(session):
        loop = asyncio.get_running_loop()
        await session.until("media")
        began = loop.time()
        for _ in range(200):
            await session.until("media")
        session.took_s = loop.time() - began

    product.talk = talk
    call = await place(carrier, product)
    await carrier.ended(call.sid)
    assert 0.18 < product.sessions[0].took_s < 2  # four seconds, twenty times as fast on an idle machine


async def test_marks_come_back_when_their_audio_has_been_played(carrier, product):
    sentence = "This sentence takes about two seconds to say."
    synthesise(sentence, "en", "b")

    async def talk(session):
        await session.send("mark", mark={"name": "at-once"})
        await session.until("mark")
        session.before = len(session.messages)
        session.bytes = await session.say(sentence, mark="said")
        await session.until("mark")
        session.after = len(session.messages)

    product.talk = talk
    call = await place(carrier, product)
    await carrier.ended(call.sid)
    (session,) = product.sessions
    marks = [m["mark"]["name"] for m in session.messages if m["event"] == "mark"]
    assert marks == ["at-once", "said"]
    n_media = sum(m["event"] == "media" for m in session.messages[session.before : session.after])
    n_played = session.bytes / FRAME_BYTES
    assert n_played - 2 <= n_media <= n_played + 60  # a busy machine catches up in bursts


async def test_clear_drops_audio_and_returns_its_marks(carrier, product):
    async def talk(session):
        await session.say("First a long sentence that will never be heard to its end, whatever happens.", mark="a")
        await session.say("And another one behind it.", mark="b")
        for _ in range(20):
            await session.until("media")
        await session.send("clear")
        first, second = await session.until("mark"), await session.until("mark")
        session.gap = int(second["sequenceNumber"]) - int(first["sequenceNumber"])
        await session.send("mark", mark={"name": "empty"})
        await session.until("mark")

    product.talk = talk
    call = await place(carrier, product)
    history = await carrier.ended(call.sid)
    (session,) = product.sessions
    assert [m["mark"]["name"] for m in session.messages if m["event"] == "mark"] == ["a", "b", "empty"]
    assert session.gap == 1  # no audio between them
    (cleared,) = [entry for entry in history["history"] if entry["event"] == "cleared"]
    assert cleared["waiting_ms"] > 2000


async def test_server_close_moves_on_to_the_next_verb(carrier, product):
    async def talk(session):
        await session.until("media")

    product.talk = talk
    product.documents["/next"] = "<Response><Hangup/></Response>"
    call = await place(carrier, product, rest=f"<Redirect>{product.origin}/next</Redirect>")
    await carrier.ended(call.sid)
    assert [p["CallStatus"] for p in product.of("/next")] == ["in-progress"]


async def test_connect_action_is_asked_instead_of_the_verb_below(carrier, product):
    product.documents["/voice/t0"] = product.connect("<Redirect>/never</Redirect>").replace(
        "<Connect>", "<Connect action='/after'>"
    )
    product.documents["/after"] = "<Response/>"

    async def talk(session):
        await session.until("media")

    product.talk = talk
    call = await carrier.place(SILENT, url=f"{product.origin}/voice/t0")
    await carrier.ended(call.sid)
    assert len(product.of("/after")) == 1
    assert product.of("/never") == []


async def test_new_twiml_ends_the_stream_with_a_stop(carrier, product):
    stopped = asyncio.Event()

    async def talk(session):
        if await session.until("stop"):
            stopped.set()

    product.talk = talk
    call = await place(carrier, product)
    await product.wait_for("/voice/t0")
    await wait_until(lambda: product.sessions)
    await carrier.call(carrier.sdk.calls(call.sid).update, twiml="<Response><Pause length='1'/><Hangup/></Response>")
    await asyncio.wait_for(stopped.wait(), 5)
    assert (await carrier.ended(call.sid))["status"] == "completed"


async def test_a_refused_handshake_is_reported_and_passed_over(carrier, product):
    product.refuses_media = True
    call = await place(
        carrier,
        product,
        rest="<Redirect>/next</Redirect>",
        attributes=f"statusCallback='{product.origin}/stream' name='ai'",
    )
    product.documents["/next"] = "<Response/>"
    await carrier.ended(call.sid)
    (error,) = await product.wait_for("/stream")
    assert (error["StreamEvent"], error["StreamName"], error["CallSid"]) == ("stream-error", "ai", call.sid)
    assert error["StreamError"].startswith("31920")
    assert len(product.of("/next")) == 1


async def test_stream_events_are_reported(carrier, product):
    async def talk(session):
        await session.until("media")

    product.talk = talk
    call = await place(carrier, product, attributes=f"statusCallback='{product.origin}/stream'")
    await carrier.ended(call.sid)
    events = await product.wait_for("/stream", 2)
    assert {p["StreamEvent"] for p in events} == {"stream-started", "stream-stopped"}
    assert {p["StreamSid"] for p in events} == {product.sessions[0].start["streamSid"]}


async def test_a_query_string_on_the_url_fails(carrier, product):
    product.documents["/voice/t0"] = product.connect(path="/media/t0?x=1")
    call = await carrier.place(SILENT, url=f"{product.origin}/voice/t0")
    history = await carrier.ended(call.sid)
    assert [e["code"] for e in history["history"] if e["event"] == "debugger"] == [31920]
    assert product.sessions == []


async def test_invalid_messages_are_ignored_with_one_warning(carrier, product):
    async def talk(session):
        await session.ws.send_str("not json")
        await session.ws.send_str('{"event":"media","streamSid":"MZ0","media":{"payload":""}}')
        await session.send("dance")
        await session.send("media", media={"payload": "?"})
        await session.say("Still here.", mark="alive")
        await session.until("mark")

    product.talk = talk
    call = await place(carrier, product)
    history = await carrier.ended(call.sid)
    assert [m["event"] for m in product.sessions[0].messages].count("mark") == 1
    assert [e["code"] for e in history["history"] if e["event"] == "debugger" and e["code"] == 31951] == [31951]


async def test_a_key_pressed_arrives_as_dtmf(carrier, product):
    async def talk(session):
        await session.until_utterance()
        await session.say("Press nine if you would rather not be called.")
        session.dtmf = await session.until("dtmf")

    product.talk = talk
    call = await place(carrier, product, "+15550100127")
    await carrier.ended(call.sid)
    assert product.sessions[0].dtmf["dtmf"] == {"track": "inbound_track", "digit": "9"}


async def test_a_copy_of_both_tracks_runs_beside_the_document(carrier, product):
    async def talk(session):
        await session.until_closed()

    product.talk = talk
    product.documents["/voice/t0"] = (
        f"<Response><Start><Stream url='{product.media_origin}/media/tap' track='both_tracks' name='tap'/></Start>"
        "<Say>This is what the carrier says.</Say><Stop><Stream name='tap'/></Stop><Pause length='2'/></Response>"
    )
    call = await carrier.place(SILENT, url=f"{product.origin}/voice/t0")
    await carrier.ended(call.sid)
    (session,) = product.sessions
    assert session.start["tracks"] == ["inbound", "outbound"]
    said = b"".join(
        base64.b64decode(m["media"]["payload"])
        for m in session.messages
        if m["event"] == "media" and m["media"]["track"] == "outbound"
    )
    assert synthesise("This is what the carrier says.", "en", "b") in said
    chunks = [m["media"]["chunk"] for m in session.messages if m["event"] == "media"]
    assert chunks[:4] == ["1", "1", "2", "2"]
    assert session.messages[-1]["event"] == "stop"
    assert len(said) < 3.5 * 8000  # stopped before the pause was over


async def test_talking_back_on_a_one_way_stream_is_an_error(carrier, product):
    async def talk(session):
        await session.say("Hello?")
        await session.until_closed()

    product.talk = talk
    product.documents["/voice/t0"] = (
        f"<Response><Start><Stream url='{product.media_origin}/media/tap'/></Start><Pause length='2'/></Response>"
    )
    call = await carrier.place(SILENT, url=f"{product.origin}/voice/t0")
    history = await carrier.ended(call.sid)
    assert 31924 in [e["code"] for e in history["history"] if e["event"] == "debugger"]
    assert history["status"] == "completed"


async def test_a_stream_is_started_and_stopped_by_rest(carrier, product):
    product.documents["/voice/t0"] = "<Response><Pause length='20'/></Response>"
    call = await carrier.place(SILENT, url=f"{product.origin}/voice/t0")
    await product.wait_for("/voice/t0")
    url = f"{product.media_origin}/media/tap"
    stream = await carrier.call(
        carrier.sdk.calls(call.sid).streams.create, url=url, name="tap", parameter1_name="a", parameter1_value="b"
    )
    await wait_until(lambda: product.sessions[0].start)
    assert stream.sid == product.sessions[0].start["streamSid"]
    assert product.sessions[0].start["customParameters"] == {"a": "b"}
    stopped = await carrier.call(carrier.sdk.calls(call.sid).streams(stream.sid).update, status="stopped")
    assert stopped.status == "stopped"
    await wait_until(lambda: product.sessions[0].messages[-1]["event"] == "stop")


class TestManyCallsAtOnce:
    @pytest.fixture
    def carrier_options(self):
        return {"speed": 8.0, "cps": 50.0}

    async def test_their_frames_are_kept_apart(self, carrier, product):
        product.talk = product.converse
        product.documents["/voice/t0"] = product.connect()
        numbers = [f"+1555{i:04}1{persona:02}" for i, persona in itertools.product(range(3), (0, 30, 60, 2))]
        calls = [await carrier.place(number, url=f"{product.origin}/voice/t0") for number in numbers]
        for call, number in zip(calls, numbers, strict=True):
            history = await carrier.ended(call.sid)
            assert history["status"] == "completed"
            said = [e["intent"] for e in history["history"] if e["event"] == "callee_said"]
            said = [intent for intent in said if intent != "still_there"]  # a busy machine answers late
            wanted = "not_interested" if number.endswith("02") else "interested"
            assert said[:2] == ["greeting", wanted], (number, said)


async def test_a_menu_hears_keys_that_are_played_into_the_stream(carrier, product):
    async def talk(session):
        for _ in range(50):
            await session.until("media")
        await session.send("media", media={"payload": base64.b64encode(key_tone("1")).decode()})
        await session.until_utterance()

    product.talk = talk
    call = await place(carrier, product, "+15550100111")
    history = await carrier.ended(call.sid)
    heard = [entry for entry in history["history"] if entry["event"] == "key_heard"]
    assert [(entry["digit"], entry["how"]) for entry in heard] == [("1", "tones")]
    assert any(entry.get("intent") == "ivr_connecting" for entry in history["history"])
