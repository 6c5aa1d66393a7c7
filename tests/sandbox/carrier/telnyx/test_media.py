"""Telnyx's media socket over a real connection."""

from __future__ import annotations

import asyncio
import audioop
import base64
import itertools

import pytest
import telnyx

from apps.sandbox.carrier.tones import key_tone
from apps.sandbox.personas import persona_for
from apps.sandbox.speech import FRAME_BYTES, SILENCE_FRAME, synthesise
from tests.sandbox.carrier.product import wait_until

SILENT = "+15550100108"
TALKER = "+15550100100"
SENTENCE = "This sentence takes about two seconds to say."


async def test_the_opening_and_the_numbering(line, product):
    finished = asyncio.Event()

    async def talk(session):
        for _ in range(50):
            await session.receive()
        finished.set()
        await session.until_closed()

    product.talk = talk
    state = base64.b64encode(b"attempt=42").decode()
    call = await line.dial(SILENT, client_state=state, **product.stream(stream_url=product.stream_url + "?a=1"))
    await asyncio.wait_for(finished.wait(), 5)
    await line.act("hangup", call.call_control_id)
    await line.carrier.ended(call.call_control_id)
    (session,) = product.sessions
    assert session.headers["x-telnyx-streaming-auth-token"] == "per-call-secret"
    assert session.query == {"a": "1"}
    connected, start, *rest = session.messages
    assert (connected["event"], connected["version"]) == ("connected", "1.0.0")
    assert (start["event"], start["sequence_number"]) == ("start", "1")
    opening = start["start"]
    assert opening["call_control_id"] == call.call_control_id
    assert opening["call_session_id"] == call.call_session_id
    assert (opening["from"], opening["to"], opening["client_state"]) == ("+15550100500", SILENT, state)
    assert opening["media_format"] == {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
    media, stop = rest[:-1], rest[-1]
    assert {message["event"] for message in media} == {"media"}
    assert [m["media"]["chunk"] for m in media] == [str(i) for i in range(1, len(media) + 1)]
    assert [m["media"]["timestamp"] for m in media] == [str(i * 20) for i in range(1, len(media) + 1)]
    assert stop["event"] == "stop"
    assert stop["stop"]["call_control_id"] == call.call_control_id
    numbers = [int(m["sequence_number"]) for m in session.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {m["stream_id"] for m in session.messages[1:]} == {start["stream_id"]}
    assert base64.b64decode(media[0]["media"]["payload"]) == SILENCE_FRAME


async def test_callee_speech_arrives_byte_for_byte(line, product):
    product.talk = lambda session: session.until_utterance()
    call = await line.dial(TALKER, **product.stream())
    await wait_until(lambda: product.of("streaming.stopped"))
    await line.act("hangup", call.call_control_id)  # the end of the stream is not the end of the call
    await line.carrier.ended(call.call_control_id)
    line_said = persona_for(TALKER).line("greeting")
    clip = synthesise(line_said.text, line_said.language)
    heard = bytes(product.sessions[0].heard)
    assert heard.find(clip) % FRAME_BYTES == 0


async def test_without_a_codec_the_negotiated_one_is_sent(line, product):
    product.talk = lambda session: session.until_utterance()
    number = "+34600000130"
    stream = product.stream()
    del stream["stream_codec"]
    await line.dial(number, **stream)
    await wait_until(lambda: product.of("streaming.stopped"))
    (session,) = product.sessions
    assert session.start["start"]["media_format"]["encoding"] == "PCMA"
    line_said = persona_for(number).line("greeting")
    clip = synthesise(line_said.text, line_said.language)
    assert bytes(session.heard).find(audioop.lin2alaw(audioop.ulaw2lin(clip, 2), 2)) >= 0


async def test_marks_come_back_when_their_audio_has_been_played(line, product):
    synthesise(SENTENCE, "en", "b")

    async def talk(session):
        await session.send("mark", mark={"name": "at-once"})
        await session.until("mark")
        session.before = len(session.messages)
        session.bytes = await session.say(SENTENCE, mark="said")
        await session.until("mark")
        session.after = len(session.messages)

    product.talk = talk
    await line.dial(SILENT, **product.stream())
    await product.wait_for("streaming.stopped")
    (session,) = product.sessions
    assert [m["mark"]["name"] for m in session.of("mark")] == ["at-once", "said"]
    n_media = sum(m["event"] == "media" for m in session.messages[session.before : session.after])
    n_played = session.bytes / FRAME_BYTES
    assert n_played - 2 <= n_media <= n_played + 60  # a busy machine catches up in bursts


async def test_clear_drops_audio_and_returns_its_marks(line, product):
    async def talk(session):
        await session.say("First a long sentence that will never be heard to its end, whatever happens.", mark="a")
        await session.say("And another one behind it.", mark="b")
        for _ in range(20):
            await session.until("media")
        await session.send("clear")
        first, second = await session.until("mark"), await session.until("mark")
        session.names = [first["mark"]["name"], second["mark"]["name"]]
        session.gap = int(second["sequence_number"]) - int(first["sequence_number"])

    product.talk = talk
    call = await line.dial(SILENT, **product.stream())
    await product.wait_for("streaming.stopped")
    assert product.sessions[0].names == ["a", "b"]
    assert product.sessions[0].gap == 1
    (cleared,) = await line.carrier.events(call.call_control_id, "cleared")
    assert cleared["waiting_ms"] > 1000


@pytest.mark.parametrize(("legs", "is_heard"), [("self", True), ("both", True), ("opposite", False)])
async def test_only_the_own_leg_hears_what_is_played_to_it(line, product, legs, is_heard):
    async def talk(session):
        await session.say(SENTENCE, mark="said")
        await session.until("mark")
        for _ in range(60):
            await session.until("media")

    product.talk = talk
    call = await line.dial(SILENT, **product.stream(stream_bidirectional_target_legs=legs))
    await product.wait_for("streaming.stopped")
    assert bool(await line.carrier.events(call.call_control_id, "callee_heard")) is is_heard


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", 100003),
        ('{"event":"nonsense"}', 100003),
        ('{"event":"media","media":{"payload":"***"}}', 100004),
        ('{"event":"media","media":{"payload":"' + base64.b64encode(b"\xff" * 100).decode() + '"}}', 100004),
        ('{"event":"media","media":{"payload":"' + base64.b64encode(b"\xff" * 240_160).decode() + '"}}', 100004),
    ],
)
async def test_what_cannot_be_played_is_refused_and_the_stream_goes_on(line, product, text, code):
    async def talk(session):
        await session.ws.send_str(text)
        session.error = await session.until("error")
        await session.until("media")

    product.talk = talk
    await line.dial(SILENT, **product.stream())
    await product.wait_for("streaming.stopped")
    (session,) = product.sessions
    assert session.error["payload"]["code"] == code
    assert session.error["stream_id"] == session.start["stream_id"]


async def test_mp3_mode_plays_nothing(line, product):
    async def talk(session):
        await session.say(SENTENCE)
        session.error = await session.until("error")

    product.talk = talk
    stream = product.stream()
    del stream["stream_bidirectional_mode"]
    await line.dial(SILENT, **stream)
    await product.wait_for("streaming.stopped")
    assert product.sessions[0].error["payload"]["title"] == "invalid_media"


async def test_alaw_is_taken_where_it_was_announced(line, product):
    async def talk(session):
        mulaw = synthesise(SENTENCE, "en", "b")
        await session.play(audioop.lin2alaw(audioop.ulaw2lin(mulaw, 2), 2))
        for _ in range(200):
            await session.until("media")

    product.talk = talk
    call = await line.dial(SILENT, **product.stream(stream_bidirectional_codec="PCMA"))
    await product.wait_for("streaming.stopped")
    assert len(await line.carrier.events(call.call_control_id, "callee_heard")) == 1


async def test_keys_arrive_on_the_socket_and_as_events(line, product):
    async def talk(session):
        await session.until_utterance()
        await session.say(SENTENCE)
        session.dtmf = await session.until("dtmf")

    product.talk = talk
    await line.dial("+15550100127", **product.stream())
    (pressed,) = await product.wait_for("call.dtmf.received")
    assert pressed["payload"]["digit"] == "9"
    assert product.sessions[0].dtmf["dtmf"] == {"digit": "9"}


async def test_a_refused_socket_is_told_as_failed(line, product):
    product.refuses_media = True
    call = await line.dial(SILENT, **product.stream())
    (failed,) = await product.wait_for("streaming.failed")
    payload = failed["payload"]
    assert (payload["failure_reason"], payload["stream_type"]) == ("connection_failed", "websocket")
    assert payload["stream_params"] == {"stream_url": product.stream_url, "track": "inbound_track"}
    product.refuses_media = False
    await line.act("start_streaming", call.call_control_id, **product.stream())
    await product.wait_for("streaming.started")


async def test_streams_are_started_and_stopped_by_command(line, product):
    call = await line.dial(SILENT)
    await product.wait_for("call.answered")
    with pytest.raises(telnyx.UnprocessableEntityError) as none:
        await line.act("stop_streaming", call.call_control_id)
    assert none.value.body["errors"][0]["code"] == "90048"
    parameters = [{"name": "call", "value": "42"}]
    await line.act("start_streaming", call.call_control_id, custom_parameters=parameters, **product.stream())
    await product.wait_for("streaming.started")
    with pytest.raises(telnyx.UnprocessableEntityError) as second:
        await line.act("start_streaming", call.call_control_id, **product.stream())
    assert second.value.body["errors"][0]["code"] == "90045"
    await line.act("stop_streaming", call.call_control_id)
    await product.wait_for("streaming.stopped")
    (session,) = product.sessions
    await wait_until(lambda: session.of("stop"))
    assert session.start["start"]["custom_parameters"] == {"call": "42"}
    await line.act("start_streaming", call.call_control_id, **product.stream())
    await product.wait_for("streaming.started", 2)
    assert product.of("call.hangup") == []


async def test_media_may_arrive_out_of_order(line, product, carrier):
    async def talk(session):
        for _ in range(60):
            await session.until("media")

    product.talk = talk
    await carrier.fault("media_reorder", every=5, times=1)
    await line.dial(SILENT, **product.stream())
    await product.wait_for("streaming.stopped")
    chunks = [int(m["media"]["chunk"]) for m in product.sessions[0].of("media")]
    assert any(b < a for a, b in itertools.pairwise(chunks))
    assert set(range(1, 55)) <= set(chunks)


async def test_a_cut_socket_ends_the_stream_and_not_the_call(line, product):
    call = await line.dial(SILENT, **product.stream())
    await product.wait_for("streaming.started")
    await line.carrier.control("POST", f"calls/{call.call_control_id}/drop-media")
    await product.wait_for("streaming.stopped")
    assert (await line.carrier.history(call.call_control_id))["status"] == "in-progress"


async def test_a_menu_hears_keys_that_are_played_into_the_stream(line, product):
    async def talk(session):
        for _ in range(50):
            await session.until("media")
        await session.play(key_tone("1"))
        await session.until_utterance()

    product.talk = talk
    call = await line.dial("+15550100111", **product.stream())
    await product.wait_for("streaming.stopped")
    heard = await line.carrier.events(call.call_control_id, "key_heard")
    assert [(entry["digit"], entry["how"]) for entry in heard] == [("1", "tones")]
