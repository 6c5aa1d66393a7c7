import asyncio
import base64
from contextlib import contextmanager
from http import HTTPStatus

import pytest

from apps.calls.media.frames import (
    AiTranscript,
    Audio,
    CallerTranscript,
    Expiring,
    Failed,
    Ready,
    SpeechStarted,
    ToolCall,
    TurnDone,
    Usage,
)
from apps.calls.voice_ai.base import PastTurn, VoiceAIError
from apps.core.breaker import CircuitOpen
from tests.calls.voice_ai.conftest import BRIEF, open_ai, reading

FRAME = Audio.of(b"\x55" * 160)


def audio_delta(response_id: str, data: bytes, item_id: str = "a1") -> dict:
    return {
        "type": "response.output_audio.delta",
        "response_id": response_id,
        "item_id": item_id,
        "delta": base64.b64encode(data).decode(),
    }


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a test looks again until it is so
            await asyncio.sleep(0.005)


# ── Opening ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_opening_configures_before_anything_else(provider, ai):
    await ai.open(BRIEF)
    [wire] = provider.wires
    assert [event["type"] for event in wire.received] == ["session.update"]
    assert provider.headers[0]["OpenAI-Safety-Identifier"] == "pseudonym"
    assert provider.headers[0]["Authorization"].startswith("Bearer ")
    async with reading(ai) as frames:
        await until(lambda: frames)
    assert frames == [Ready(4_000_000_000.0)]


async def test_a_session_near_its_end_says_so_once(provider):
    now = 4_000_000_000 - 200.0
    ai = open_ai(provider.base, now=lambda: now)
    await ai.open(BRIEF)
    async with reading(ai) as frames:
        for _ in range(2):
            await provider.wires[0].send({"type": "rate_limits.updated"})
        await provider.wires[0].send({"type": "input_audio_buffer.speech_started", "item_id": "u", "audio_start_ms": 0})
        await until(lambda: any(isinstance(frame, SpeechStarted) for frame in frames))
    assert [frame for frame in frames if isinstance(frame, Expiring)] == [Expiring(200.0)]
    await ai.close()


async def test_what_was_said_before_follows_the_configuration(provider, ai):
    await ai.open(BRIEF, [PastTurn("ai", "Hello."), PastTurn("caller", "Yes?")])
    wire = provider.wires[0]
    await wire.until("conversation.item.create", 2)
    assert [event["item"]["role"] for event in wire.of("conversation.item.create")] == ["assistant", "user"]


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(401, False), (403, False), (404, False), (408, True), (429, True), (500, True), (503, True)],
)
async def test_a_refused_handshake_says_whether_to_try_again(provider, ai, status, retryable):
    provider.status = HTTPStatus(status)
    with pytest.raises(VoiceAIError) as error:
        await ai.open(BRIEF)
    assert (error.value.code, error.value.retryable) == (f"http_{status}", retryable)


async def test_a_provider_that_is_not_there_may_be_there_later():
    with pytest.raises(VoiceAIError) as error:
        await open_ai("ws://127.0.0.1:9/v1").open(BRIEF)
    assert (error.value.code, error.value.retryable) == ("unreachable", True)


async def test_a_provider_that_says_nothing_is_given_up(provider):
    provider.greets = False
    ai = open_ai(provider.base)
    ai._open_timeout_s = 0.1
    with pytest.raises(VoiceAIError) as error:
        await ai.open(BRIEF)
    assert error.value.retryable
    await until(lambda: provider.wires[0].peer.close_code is not None)


async def test_another_transcription_model_is_tried_when_one_is_refused(provider, ai):
    def answer(update: dict) -> dict:
        if update["session"]["audio"]["input"]["transcription"]["model"] == "gpt-transcribe":
            error = {"code": "invalid_value", "message": "No.", "param": "session.audio.input.transcription.model"}
            return {"type": "error", "error": error}
        return {"type": "session.updated", "session": {}}

    provider.answer = answer
    await ai.open(BRIEF)
    models = [
        event["session"]["audio"]["input"]["transcription"]["model"] for event in provider.wires[0].of("session.update")
    ]
    assert models == ["gpt-transcribe", "gpt-realtime-whisper"]


async def test_a_configuration_that_is_refused_is_not_tried_again(provider, ai):
    provider.answer = lambda _: {"type": "error", "error": {"code": "invalid_value", "param": "session.tools"}}
    with pytest.raises(VoiceAIError) as error:
        await ai.open(BRIEF)
    assert (error.value.code, error.value.retryable) == ("invalid_value", False)


async def test_an_admission_that_is_refused_after_the_handshake_says_why(provider, ai):
    provider.greets = False
    opening = asyncio.create_task(ai.open(BRIEF))
    await until(lambda: provider.wires)
    await provider.wires[0].send({"type": "error", "error": {"code": "rate_limit_exceeded", "message": "Later."}})
    with pytest.raises(VoiceAIError) as error:
        await opening
    assert (error.value.code, error.value.retryable) == ("rate_limit_exceeded", True)


async def test_an_open_circuit_asks_nobody(provider):
    @contextmanager
    def guard():
        raise CircuitOpen("openai")
        yield

    with pytest.raises(VoiceAIError) as error:
        await open_ai(provider.base, guard=guard).open(BRIEF)
    assert (error.value.code, error.value.retryable) == ("circuit_open", True)
    assert provider.wires == []


# ── Sound ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_sound_passes_both_ways_as_the_text_it_came_in(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    await ai.send_audio(FRAME)
    assert (await wire.until("input_audio_buffer.append"))["audio"] == FRAME.text
    async with reading(ai) as frames:
        await wire.send(audio_delta("r1", b"\x11" * 3200))
        await until(lambda: len(frames) == 2)
    assert frames[1] == Audio.of(b"\x11" * 3200, item_id="a1")


async def test_sound_of_an_interrupted_response_that_comes_late_is_left_out(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await wire.send(
            {"type": "response.created", "response": {"id": "r1"}},
            audio_delta("r1", b"\x11" * 800),
            {"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0},
            audio_delta("r1", b"\x22" * 800, "a2"),
            {"type": "response.done", "response": {"id": "r1", "status": "cancelled", "output": []}},
            {"type": "response.created", "response": {"id": "r2"}},
            audio_delta("r2", b"\x33" * 800, "a3"),
        )
        await until(lambda: len(frames) == 5)
    assert [frame.item_id for frame in frames if isinstance(frame, Audio)] == ["a1", "a3"]
    assert [type(frame) for frame in frames] == [Ready, Audio, SpeechStarted, TurnDone, Audio]


async def test_a_provider_that_does_not_read_costs_old_sound_only(provider, ai):
    await ai.open(BRIEF)
    provider.wires[0].peer.transport.pause_reading()
    before = asyncio.get_running_loop().time()
    for _ in range(20_000):
        await ai.send_audio(FRAME)
    assert ai.n_dropped > 0
    assert len(ai._uplink.waiting) <= 50
    assert ai._uplink._socket.transport.get_write_buffer_size() < 40_000
    assert asyncio.get_running_loop().time() - before < 5
    provider.wires[0].peer.transport.resume_reading()
    await until(lambda: ai._uplink._socket.transport.get_write_buffer_size() == 0)
    await ai.send_audio(Audio.of(b"\x77" * 160))
    newest = Audio.of(b"\x77" * 160).text
    await until(lambda: provider.wires[0].received[-1].get("audio") == newest)
    assert not ai._uplink.waiting


async def test_sound_while_nobody_is_connected_waits_a_second_at_most(provider, ai):
    for _ in range(80):
        await ai.send_audio(FRAME)
    assert ai.n_dropped == 30
    await ai.open(BRIEF)
    await ai.send_audio(FRAME)
    await provider.wires[0].until("input_audio_buffer.append", 51)


# ── Control ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_response_is_asked_for_once_all_tools_have_their_answers(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await wire.send({"type": "response.created", "response": {"id": "r1"}})
        for call in ("c1", "c2"):
            await wire.send(
                {"type": "response.function_call_arguments.done", "call_id": call, "name": "t", "arguments": "{}"}
            )
        await until(lambda: [type(frame) for frame in frames] == [Ready, ToolCall, ToolCall])
        await ai.answer_tool("c1", "one")
        await wire.send({"type": "response.done", "response": {"id": "r1", "status": "completed", "output": []}})
        await until(lambda: len(frames) == 4)
        assert wire.of("response.create") == []
        await ai.answer_tool("c2", "two")
        await wire.until("response.create")
    outputs = [event["item"]["output"] for event in wire.of("conversation.item.create")]
    assert outputs == ["one", "two"]


async def test_no_response_is_asked_for_while_one_is_running(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await wire.send({"type": "response.created", "response": {"id": "r1"}}, audio_delta("r1", b"\x11" * 8))
        await until(lambda: len(frames) == 2)
        await ai.speak("Say goodbye.")
        await ai.cut("a1", 1)
        await wire.until("conversation.item.truncate")
        assert wire.of("response.create") == []
        await wire.send({"type": "response.done", "response": {"id": "r1", "status": "completed", "output": []}})
        assert (await wire.until("response.create"))["response"] == {"instructions": "Say goodbye."}


async def test_a_prompt_that_crosses_with_an_answer_of_the_providers_own_comes_after_it(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await ai.speak("Say goodbye.")
        asked = await wire.until("response.create")
        crossed = {"code": "conversation_already_has_active_response", "event_id": asked["event_id"]}
        await wire.send(
            {"type": "response.created", "response": {"id": "r1"}},
            {"type": "error", "error": {**crossed, "event_id": "another"}},
            {"type": "error", "error": crossed},
            {"type": "response.done", "response": {"id": "r1", "status": "completed", "output": []}},
        )
        await until(lambda: len(wire.of("response.create")) == 2)
        assert wire.of("response.create")[1]["response"] == {"instructions": "Say goodbye."}
        await wire.send(
            {"type": "response.created", "response": {"id": "r2"}},
            {"type": "response.done", "response": {"id": "r2", "status": "completed", "output": []}},
        )
        await until(lambda: len(frames) == 3)
    assert len(wire.of("response.create")) == 2


async def test_a_cut_tells_how_much_was_heard(provider, ai):
    await ai.open(BRIEF)
    await ai.cut("a1", 1240)
    event = await provider.wires[0].until("conversation.item.truncate")
    assert (event["item_id"], event["content_index"], event["audio_end_ms"]) == ("a1", 0, 1240)


async def test_speech_that_was_under_way_is_committed_at_the_end(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    await ai.end_of_caller_audio()
    async with reading(ai) as frames:
        await wire.send({"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0})
        await until(lambda: len(frames) == 2)
    await ai.end_of_caller_audio()
    await wire.until("input_audio_buffer.commit")
    assert len(wire.of("input_audio_buffer.commit")) == 1


async def test_transcription_is_priced_by_its_own_model(provider, ai):
    await ai.open(BRIEF)
    event = {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "u1",
        "transcript": "Yes.",
        "usage": {"type": "tokens", "total_tokens": 5},
    }
    async with reading(ai) as frames:
        await provider.wires[0].send(event)
        await until(lambda: len(frames) == 2)
    assert frames[1].usage == Usage(transcription=5, model="gpt-transcribe")


# ── Trouble ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 4000])
async def test_a_provider_that_closes_is_lost_whatever_code_it_gives(provider, ai, code):
    await ai.open(BRIEF)
    await provider.wires[0].peer.close(code, "Your session hit the maximum duration of 60 minutes.")
    with pytest.raises(VoiceAIError) as error:
        async for _ in ai.events():
            pass
    assert (error.value.code, error.value.retryable) == (f"closed_{code}", True)
    await ai.send_audio(FRAME)  # says nothing


async def test_a_socket_that_breaks_is_lost(provider, ai):
    await ai.open(BRIEF)
    provider.wires[0].peer.transport.abort()
    with pytest.raises(VoiceAIError) as error:
        async for _ in ai.events():
            pass
    assert error.value.code == "closed_1006"


async def test_our_own_close_is_the_end_and_no_loss(provider, ai):
    await ai.open(BRIEF)

    async def read() -> list:
        return [frame async for frame in ai.events()]

    task = asyncio.create_task(read())
    await asyncio.sleep(0.02)
    await ai.close()
    assert await asyncio.wait_for(task, 3) == [Ready(4_000_000_000.0)]


async def test_after_a_loss_the_same_object_opens_anew(provider, ai):
    await ai.open(BRIEF)
    await provider.wires[0].peer.close(1001)
    await ai.open(BRIEF, [PastTurn("ai", "Hello.")])
    await ai.send_audio(FRAME)
    await provider.wires[1].until("input_audio_buffer.append")


async def test_events_of_tomorrow_and_some_garbage_are_survived(provider, ai):
    await ai.open(BRIEF)
    async with reading(ai) as frames:
        await provider.wires[0].send(
            {"type": "response.hologram.delta", "x": 1},
            "not json",
            "[]",
            '{"type": 7}',
            '{"type": "response.output_audio.delta"}',
            '{"type": "response.output_audio.delta", "response_id": "r", "item_id": "a", "delta": "\\"}],\\"x"}',
            {"type": "conversation.item.input_audio_transcription.delta", "item_id": "u1", "delta": "Yes"},
        )
        await until(lambda: len(frames) == 2)
    assert frames[1] == CallerTranscript("u1", "Yes")


async def test_a_provider_that_sends_nothing_but_garbage_is_lost(provider, ai):
    await ai.open(BRIEF)
    await provider.wires[0].send(*["not json"] * 20)
    with pytest.raises(VoiceAIError) as error:
        async for _ in ai.events():
            pass
    assert (error.value.code, error.value.retryable) == ("malformed", True)


# ── The sandbox, which speaks the whole wire ────────────────────────────────────────────────────────────────
@pytest.fixture
async def sandbox_ai(sandbox):
    ai = open_ai(sandbox.base)
    yield ai
    await ai.close()


async def test_a_conversation_with_the_sandbox(sandbox_ai):
    from tests.sandbox.voice_ai.client import clip, line, silence

    ai = sandbox_ai
    await ai.open(BRIEF)
    async with reading(ai) as frames:
        await ai.speak("Say exactly this and nothing else: “Hello, this is Ada.”")
        await until(lambda: any(isinstance(frame, TurnDone) for frame in frames))
        said = [frame for frame in frames if isinstance(frame, AiTranscript) and frame.is_final]
        assert [frame.text for frame in said] == ["Hello, this is Ada."]
        assert sum(frame.ms for frame in frames if isinstance(frame, Audio)) > 800
        sound = clip("interested") + silence(800)
        for at in range(0, len(sound), 160):
            await ai.send_audio(Audio.of(sound[at : at + 160]))
        await until(lambda: any(isinstance(frame, CallerTranscript) and frame.is_final for frame in frames))
        heard = next(frame for frame in frames if isinstance(frame, CallerTranscript) and frame.is_final)
        assert (heard.text, heard.language) == (line("interested").text, "en")
        await until(lambda: len([frame for frame in frames if isinstance(frame, TurnDone)]) == 2)
    assert frames[-1].usage is not None


@pytest.mark.parametrize(("status", "retryable"), [(503, True), (401, False)])
async def test_the_sandbox_refuses(sandbox, sandbox_ai, status, retryable):
    await sandbox.order("refuse", status=status)
    with pytest.raises(VoiceAIError) as error:
        await sandbox_ai.open(BRIEF)
    assert error.value.retryable is retryable
    await sandbox_ai.open(BRIEF)


@pytest.mark.parametrize(
    ("fault", "code"), [({"kind": "expire", "after_s": 0.1}, "closed_1001"), ({"kind": "disconnect"}, "closed")]
)
async def test_the_sandbox_goes_away_in_mid_call(sandbox, sandbox_ai, fault, code):
    await sandbox.order(**fault)
    await sandbox_ai.open(BRIEF)
    with pytest.raises(VoiceAIError) as error:
        await asyncio.wait_for(_speak_and_read(sandbox_ai), 5)
    assert error.value.code.startswith(code)
    assert error.value.retryable


async def _speak_and_read(ai) -> None:
    await ai.speak("Say exactly this: “Hello there, how are you today?”")
    async for frame in ai.events():
        assert not isinstance(frame, Failed) or frame.code == "session_expired"
