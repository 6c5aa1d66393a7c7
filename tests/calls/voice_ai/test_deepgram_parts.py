"""Ears and voice against a provider written by hand, for what a well-behaved one never does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from deepgram.listen.v1.types.listen_v1close_stream import ListenV1CloseStream
from deepgram.listen.v1.types.listen_v1finalize import ListenV1Finalize
from deepgram.listen.v1.types.listen_v1keep_alive import ListenV1KeepAlive
from deepgram.listen.v2.types.listen_v2close_stream import ListenV2CloseStream
from deepgram.listen.v2.types.listen_v2force_end_turn import ListenV2ForceEndTurn
from deepgram.speak.v1.types.speak_v1clear import SpeakV1Clear
from deepgram.speak.v1.types.speak_v1cleared import SpeakV1Cleared
from deepgram.speak.v1.types.speak_v1close import SpeakV1Close
from deepgram.speak.v1.types.speak_v1flush import SpeakV1Flush
from deepgram.speak.v1.types.speak_v1flushed import SpeakV1Flushed
from deepgram.speak.v1.types.speak_v1metadata import SpeakV1Metadata
from deepgram.speak.v1.types.speak_v1text import SpeakV1Text
from deepgram.speak.v1.types.speak_v1warning import SpeakV1Warning
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from pydantic import TypeAdapter
from websockets.asyncio.server import ServerConnection, serve

from apps.calls.voice_ai.base import ToolSpec, VoiceAIError
from apps.calls.voice_ai.deepgram.dialogue import AiSaid, CallerSaid, Dialogue, Noted, Stretch, ToolUse
from apps.calls.voice_ai.deepgram.listening import FluxListener, NovaListener
from apps.calls.voice_ai.deepgram.parts import Sound, Spoken, Task
from apps.calls.voice_ai.deepgram.sockets import deepgram_client
from apps.calls.voice_ai.deepgram.speaking import AuraSpeaker, FlushBudget, Framer
from apps.calls.voice_ai.deepgram.thinking import chat_messages, chat_tools

FLUSHED = SpeakV1Flushed(type="Flushed", sequence_id=0).model_dump(mode="json")
CLEARED = SpeakV1Cleared(type="Cleared", sequence_id=1).model_dump(mode="json")
SENT = {
    "Speak": SpeakV1Text,
    "Flush": SpeakV1Flush,
    "Clear": SpeakV1Clear,
    "Close": SpeakV1Close,
    "KeepAlive": ListenV1KeepAlive,
    "Finalize": ListenV1Finalize,
    "CloseStream": ListenV1CloseStream,
    "ForceEndTurn": ListenV2ForceEndTurn,
}


@dataclass
class Wire:
    peer: ServerConnection
    received: list[Any] = field(default_factory=list)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.peer.request.path).query)

    @property
    def texts(self) -> list[dict[str, Any]]:
        return [one for one in self.received if isinstance(one, dict)]

    @property
    def kinds(self) -> list[str]:
        return [one["type"] for one in self.texts]

    async def send(self, *messages: dict[str, Any] | bytes) -> None:
        for message in messages:
            await self.peer.send(message if isinstance(message, bytes) else json.dumps(message))


@dataclass
class Provider:
    base: str = ""
    refusal: tuple[HTTPStatus, str] | None = None
    wires: list[Wire] = field(default_factory=list)

    async def converse(self, peer: ServerConnection) -> None:
        wire = Wire(peer)
        self.wires.append(wire)
        async for raw in peer:
            wire.received.append(raw if isinstance(raw, bytes) else json.loads(raw))

    def admit(self, connection, request):
        if self.refusal is None:
            return None
        response = connection.respond(self.refusal[0], "")
        response.headers["dg-error"] = self.refusal[1]
        return response


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    async with serve(provider.converse, "127.0.0.1", 0, process_request=provider.admit) as server:
        provider.base = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield provider


@pytest.fixture
async def voice(provider) -> AsyncIterator[AuraSpeaker]:
    client = deepgram_client(api_key="k", api_base=provider.base)
    voice = AuraSpeaker(client, voice="aura-2-celeste-es", open_timeout_s=2.0)
    await voice.open()
    yield voice
    await voice.close()


@pytest.fixture
def ears(provider):
    def made(kind, **options):
        client = deepgram_client(api_key="k", api_base=provider.base)
        usual = {"model": "nova-3", "languages": ["en", "es", "cs"], "open_timeout_s": 2.0}
        return kind(client, **usual | options)

    return made


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a test looks again until it is so
            await asyncio.sleep(0.005)


@asynccontextmanager
async def reading(part) -> AsyncIterator[list]:
    events: list = []

    async def read() -> None:
        async for event in part.events():
            events.append(event)

    task = asyncio.create_task(read())
    try:
        yield events
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def say(voice, text) -> int:
    stretch = voice.next_stretch()
    await voice.say(text)
    return stretch


# ── Speaking ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_sound_of_any_length_comes_as_whole_frames_of_its_sentence(provider, voice):
    wire = provider.wires[0]
    assert wire.query["model"] == ["aura-2-celeste-es"]
    assert (wire.query["encoding"], wire.query["sample_rate"]) == (["mulaw"], ["8000"])
    async with reading(voice) as events:
        metadata = {"request_id": "r", "model_name": "a", "model_version": "1", "model_uuid": "u"}
        await wire.send(SpeakV1Metadata(**metadata).model_dump(mode="json"))
        first, second = await say(voice, "Hola."), await say(voice, "¿Qué tal?")
        await wire.send(b"\x11" * 100, b"\x12" * 200, FLUSHED, b"\x13" * 160, FLUSHED)
        await until(lambda: len(events) == 5)
    assert events == [
        Sound(first, b"\x11" * 100 + b"\x12" * 60),
        Sound(first, b"\x12" * 140 + b"\xff" * 20),
        Spoken(first),
        Sound(second, b"\x13" * 160),
        Spoken(second),
    ]


async def test_what_it_is_told_is_what_the_sdk_would_say(provider, voice, ears):
    await voice.say("Hola.")
    await voice.clear()
    await voice.close()
    nova = ears(NovaListener)
    await nova.open()
    nova._sent_at -= 5
    await nova.stay_awake()
    await nova.finish()
    await nova.close()
    flux = ears(FluxListener, model="flux-general-multi")
    await flux.open()
    await flux.finish()
    await flux.close()
    await until(lambda: sum(len(wire.texts) for wire in provider.wires) == 9)
    for wire in provider.wires:
        for message in wire.texts:
            assert SENT[message["type"]](**message).model_dump(exclude_none=True, mode="json") == message
    assert ListenV2CloseStream(**provider.wires[2].texts[-1])


async def test_told_to_be_silent_it_discards_what_was_on_its_way(provider, voice):
    wire = provider.wires[0]
    async with reading(voice) as events:
        await voice.say("Uno.")
        await wire.send(b"\x11" * 160)
        await until(lambda: events)
        await voice.clear()
        await until(lambda: "Clear" in wire.kinds)
        second = await say(voice, "Dos.")
        await wire.send(b"\x11" * 200, FLUSHED, CLEARED, b"\x22" * 160, FLUSHED)
        await until(lambda: len(events) == 3)
    assert events[1:] == [Sound(second, b"\x22" * 160), Spoken(second)]


async def test_with_nothing_to_say_there_is_nothing_to_clear(provider, voice):
    async with reading(voice) as events:
        await voice.say("Uno.")
        await provider.wires[0].send(b"\x11" * 160, FLUSHED)
        await until(lambda: len(events) == 2)
        await voice.clear()
        await asyncio.sleep(0.02)
    assert "Clear" not in provider.wires[0].kinds


async def test_near_the_limit_of_flushes_sentences_share_one(provider, voice):
    wire = provider.wires[0]
    stretches = [await say(voice, f"Frase {n}.") for n in range(17)]
    await voice.finish()
    await until(lambda: wire.kinds.count("Flush") == 15)
    assert len(set(stretches[:14])) == 14
    assert len(set(stretches[14:])) == 1
    assert wire.kinds[-4:] == ["Speak", "Speak", "Speak", "Flush"]


async def test_a_silence_that_is_not_confirmed_costs_a_new_connection(provider, voice):
    async with reading(voice) as events:
        await voice.say("Uno.")
        await voice.clear()
        voice._cleared_at -= 10
        await voice.say("Dos.")
        await until(lambda: len(provider.wires) == 2 and "Flush" in provider.wires[1].kinds)
        await provider.wires[1].send(b"\x22" * 160, FLUSHED)
        await until(lambda: len(events) == 2)


async def test_warnings_and_novelties_are_passed_over(provider, voice):
    async with reading(voice) as events:
        await voice.say("Uno.")
        warning = SpeakV1Warning(code="EXCESSIVE_FLUSH", description="Slow down.").model_dump(mode="json")
        await provider.wires[0].send(warning, {"type": "Novelty"}, b"\x11" * 160, FLUSHED)
        await until(lambda: len(events) == 2)


async def test_nothing_but_garbage_is_a_loss(provider, voice):
    await voice.say("Uno.")
    for _ in range(12):
        await provider.wires[0].peer.send("[1, 2")
    with pytest.raises(VoiceAIError) as error:
        await anext(voice.events())
    assert (error.value.code, error.value.retryable) == ("speak_malformed", True)


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [(401, "Invalid credentials.", False), (429, "Too many requests.", True), (503, "Later.", True)],
)
async def test_a_refused_handshake_tells_the_providers_reason(provider, ears, status, reason, retryable):
    provider.refusal = HTTPStatus(status), reason
    with pytest.raises(VoiceAIError) as error:
        await ears(NovaListener).open()
    assert (error.value.code, error.value.retryable) == (f"listen_http_{status}", retryable)
    assert reason in str(error.value)


def test_flushes_are_counted_by_the_minute():
    budget = FlushBudget()
    assert [budget.take(0.0, is_needed=False) for _ in range(15)] == [True] * 14 + [False]
    assert [budget.take(30.0, is_needed=True) for _ in range(7)] == [True] * 6 + [False]
    assert budget.take(60.0, is_needed=False)


def test_frames_are_made_of_whatever_comes():
    framer = Framer()
    assert framer.take(b"a" * 159) == b""
    assert framer.take(b"b" * 162) == b"a" * 159 + b"b" * 161
    assert framer.rest() == b"b" + b"\xff" * 159
    assert framer.rest() == b""


# ── Listening ───────────────────────────────────────────────────────────────────────────────────────────────
async def test_nova_is_told_which_languages_to_expect(provider, ears):
    nova = ears(NovaListener)
    await nova.open()
    query = provider.wires[0].query
    assert query["language"] == ["multi"]
    assert query["language_hint"] == ["en", "es", "cs"]
    assert query["interim_results"] == ["true"]
    assert provider.wires[0].peer.request.headers["Authorization"] == "Token k"
    assert nova.send(b"\x22" * 160)
    await until(lambda: provider.wires[0].received == [b"\x22" * 160])
    assert nova.sent_ms == 20
    await nova.close()


async def test_one_language_is_listened_to_by_itself(provider, ears):
    nova = ears(NovaListener, languages=["cs"])
    await nova.open()
    assert provider.wires[0].query["language"] == ["cs"]
    assert "language_hint" not in provider.wires[0].query
    await nova.close()


async def test_flux_is_given_larger_pieces_and_silence_where_there_is_no_sound(provider, ears):
    flux = ears(FluxListener, model="flux-general-multi")
    await flux.open()
    wire = provider.wires[0]
    assert wire.query["language_hint"] == ["en", "es"]
    for n in range(5):
        assert flux.send(bytes([n]) * 160)
    await until(lambda: wire.received)
    assert wire.received == [b"".join(bytes([n]) * 160 for n in range(4))]
    flux._sent_at -= 1.0
    await flux.stay_awake()
    await until(lambda: len(wire.received) == 2)
    assert wire.received[1].startswith(b"\x04" * 160 + b"\xff" * 7900)
    await flux.close()


async def test_flux_that_does_not_read_is_given_no_silence_without_end(provider, ears, monkeypatch):
    flux = ears(FluxListener, model="flux-general-multi")
    await flux.open()
    monkeypatch.setattr(flux._socket, "try_send", lambda data: False)
    for _ in range(20):
        flux._sent_at -= 5.0
        await flux.stay_awake()
    assert len(flux._held) < 100_000
    await flux.close()


async def test_sound_that_nobody_takes_is_refused(ears):
    nova = ears(NovaListener)
    assert not nova.send(b"\x22" * 160)


async def test_nothing_is_kept_awake_that_hears_something(provider, ears):
    nova = ears(NovaListener)
    await nova.open()
    await nova.stay_awake()
    await nova.close()
    await until(lambda: provider.wires[0].texts)
    assert provider.wires[0].kinds == ["CloseStream"]


# ── Thinking ────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_the_language_model_is_asked_parses_as_the_sdks_request():
    dialogue = Dialogue()
    said = AiSaid("a1", [Stretch("One moment.", 500, is_complete=True)], [ToolUse("c1", "opt_out", "{}", "ok")])
    for item in (CallerSaid("Stop."), Noted("They pressed 9."), said):
        dialogue.add(item)
    spec = ToolSpec("opt_out", "Never call again.", {"type": "object", "properties": {}})
    task = Task("Be kind.", dialogue, [spec], "Say goodbye.", "x")
    request = {
        "model": "gpt-6-luna",
        "messages": chat_messages(task),
        "tools": chat_tools(task),
        "stream": True,
        "stream_options": {"include_usage": True},
        "reasoning_effort": "none",
        "max_completion_tokens": 400,
        "safety_identifier": "x",
    }
    parsed = TypeAdapter(CompletionCreateParamsStreaming).validate_python(request)
    assert next(iter(parsed["messages"]))["role"] == "developer"
