"""Gemini's adapter: a provider written out by hand for what a good one never does, the sandbox's for what it does."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from google.genai import Client, types
from websockets.asyncio.server import ServerConnection, serve

from apps.calls.media.frames import (
    AiTranscript,
    Audio,
    CallerTranscript,
    Expiring,
    Ready,
    SpeechStarted,
    TurnDone,
    Used,
)
from apps.calls.voice_ai.base import PastTurn, VoiceAIError
from apps.calls.voice_ai.gemini_live import GeminiLive
from apps.core.breaker import CircuitOpen
from tests.calls.voice_ai.conftest import reading
from tests.calls.voice_ai.providers import PROVIDERS, Host, gemini
from tests.sandbox.voice_ai.client import clip, line, silence

BRIEF = next(one for one in PROVIDERS if one.name == "gemini").brief
FRAME = Audio.of(b"\x55" * 160)


async def until(condition) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a test looks again until it is so
            await asyncio.sleep(0.005)


@dataclass
class Wire:
    """One connection as the provider sees it; everything received parses as the SDK's own type."""

    peer: ServerConnection
    received: list[types.LiveClientMessage] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)

    async def send(self, *messages: dict[str, Any] | str) -> None:
        for message in messages:
            await self.peer.send(message if isinstance(message, str) else json.dumps(message).encode())

    async def content(self, **content: Any) -> None:
        await self.send({"serverContent": content})

    async def sound(self, ms: int = 100) -> None:
        data = base64.b64encode(bytes(48 * ms)).decode()
        await self.content(modelTurn={"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}]})

    def told(self) -> list[str]:
        return [
            part.text
            for message in self.received
            if message.client_content
            for turn in message.client_content.turns or ()
            for part in turn.parts or ()
        ]

    def answers(self) -> list[list[str]]:
        return [
            [str(one.id) for one in message.tool_response.function_responses or ()]
            for message in self.received
            if message.tool_response
        ]


@dataclass
class Provider:
    """greets: it says that the setup is complete."""

    base: str = ""
    tls: Any = None
    greets: bool = True
    wires: list[Wire] = field(default_factory=list)
    setups: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def converse(self, peer: ServerConnection) -> None:
        assert peer.request is not None
        self.headers.append(dict(peer.request.headers.raw_items()) | {":path": peer.request.path})
        self.setups.append(json.loads(await peer.recv())["setup"])
        wire = Wire(peer)
        if self.greets:
            await wire.send({"setupComplete": {}})
        self.wires.append(wire)
        async for raw in peer:
            message = types.LiveClientMessage.model_validate_json(raw)
            if message.realtime_input is not None and message.realtime_input.audio is not None:
                assert message.realtime_input.audio.mime_type == "audio/pcm;rate=16000"
                wire.audio += message.realtime_input.audio.data or b""
            else:
                wire.received.append(message)

    def ai(self, **options: Any) -> GeminiLive:
        http = types.HttpOptions(base_url=self.base, api_version="v1beta", async_client_args={"ssl": self.tls})
        client = Client(enterprise=False, api_key="secret", http_options=http)
        return GeminiLive(client, **{"open_timeout_s": 2.0, "quiet_s": 0.1} | options)


@pytest.fixture
async def provider(tls) -> AsyncIterator[Provider]:
    provider = Provider(tls=tls[1])
    async with serve(provider.converse, "127.0.0.1", 0, ssl=tls[0]) as server:
        provider.base = f"https://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield provider


@pytest.fixture
async def ai(provider) -> AsyncIterator[GeminiLive]:
    ai = provider.ai()
    yield ai
    await ai.close()


# ── Opening ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_opening_sets_up_and_says_nothing_more(provider, ai):
    await ai.open(BRIEF)
    await asyncio.sleep(0.05)
    [setup] = provider.setups
    assert setup["model"] == "models/gemini-3.8-live"
    assert provider.headers[0]["x-goog-api-key"] == "secret"
    assert "v1beta.GenerativeService.BidiGenerateContent" in provider.headers[0][":path"]
    assert provider.wires[0].received == []
    async with reading(ai) as frames:
        await until(lambda: frames)
    assert frames == [Ready()]


async def test_what_was_said_before_is_told_before_the_sound(provider, ai):
    await ai.send_audio(FRAME)
    await ai.open(BRIEF, [PastTurn("ai", "Hello."), PastTurn("caller", "Yes?")])
    await ai.send_audio(FRAME)
    wire = provider.wires[0]
    await until(lambda: len(wire.audio) == 2 * 640)
    assert provider.setups[0]["historyConfig"] == {"initial_history_in_client_content": True}
    [told] = wire.received
    assert [turn.role for turn in told.client_content.turns] == ["model", "user"]
    assert told.client_content.turn_complete is True


async def test_a_provider_that_says_nothing_is_given_up(provider):
    provider.greets = False
    ai = provider.ai(open_timeout_s=0.2)
    with pytest.raises(VoiceAIError) as error:
        await ai.open(BRIEF)
    assert (error.value.code, error.value.retryable) == ("unreachable", True)


async def test_an_open_circuit_asks_nobody(provider):
    @contextmanager
    def guard():
        raise CircuitOpen("gemini")
        yield

    with pytest.raises(VoiceAIError) as error:
        await provider.ai(guard=guard).open(BRIEF)
    assert (error.value.code, error.value.retryable) == ("circuit_open", True)
    assert provider.wires == []


@pytest.mark.parametrize(
    ("code", "reason", "found", "retryable"),
    [
        (1007, "Request contains an invalid argument.", "closed_1007", False),
        (1008, "models/x is not found for API version v1beta", "closed_1008", False),
        (1011, "Internal error encountered.", "closed_1011", True),
        (1011, "You exceeded your current quota, please check your plan.", "quota", True),
        (1013, "Try again later.", "closed_1013", True),
    ],
)
async def test_a_setup_that_is_refused_says_whether_to_try_again(host, code, reason, found, retryable):
    await host.order("refuse_setup", provider="gemini", code=code, reason=reason)
    ai = gemini(host)
    with pytest.raises(VoiceAIError) as error:
        await ai.open(BRIEF)
    assert (error.value.code, error.value.retryable) == (found, retryable)
    await ai.open(BRIEF)
    await ai.close()


# ── Sound ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_callers_sound_goes_out_at_twice_the_rate_in_whole_frames(provider, ai):
    await ai.open(BRIEF)
    for _ in range(10):
        await ai.send_audio(FRAME)
    await until(lambda: len(provider.wires[0].audio) == 10 * 640)


async def test_sound_comes_in_as_whole_frames_of_the_line(provider, ai):
    await ai.open(BRIEF)
    async with reading(ai) as frames:
        await provider.wires[0].sound(130)
        await until(lambda: len(frames) == 2)
    assert (type(frames[1]), frames[1].ms) == (Audio, 120)


async def test_a_provider_that_does_not_read_costs_old_sound_only(provider, ai):
    await ai.open(BRIEF)
    provider.wires[0].peer.transport.pause_reading()
    began = time.monotonic()
    for _ in range(20_000):
        await ai.send_audio(FRAME)
    assert ai.n_dropped > 0
    assert len(ai._uplink.waiting) <= 50
    assert time.monotonic() - began < 10
    provider.wires[0].peer.transport.resume_reading()


async def test_a_session_that_does_not_keep_up_makes_the_provider_wait(provider, ai):
    await ai.open(BRIEF)
    frames = ai.events()
    assert await anext(frames) == Ready()
    sending = asyncio.create_task(_flood(provider.wires[0]))
    await asyncio.sleep(0.3)
    assert len(ai._frames.waiting) <= 501
    n = 0
    async for frame in frames:
        n += type(frame) is Audio
        if n == 1500:
            break
    await sending


async def _flood(wire: Wire) -> None:
    for _ in range(1500):
        await wire.sound(20)


# ── Having it speak ─────────────────────────────────────────────────────────────────────────────────────────
async def test_a_prompt_waits_until_it_has_finished_speaking(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await wire.sound()
        await until(lambda: len(frames) == 2)
        await ai.speak("Say goodbye.")
        await asyncio.sleep(0.05)
        assert wire.told() == []
        await wire.content(turnComplete=True)
        await until(wire.told)
    assert wire.told() == ["[Say goodbye.]"]
    assert wire.received[0].client_content.turn_complete is True


async def test_a_prompt_does_not_wait_for_an_end_that_is_never_told(provider, ai, monkeypatch):
    monkeypatch.setattr("apps.calls.voice_ai.gemini_live._NUDGE_AFTER_S", 0.1)
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await wire.sound()
        await until(lambda: len(frames) == 2)
        await ai.speak("Say goodbye.")
        await until(wire.told)


async def test_a_model_that_waits_for_something_live_gets_it(provider, ai, monkeypatch):
    monkeypatch.setattr("apps.calls.voice_ai.gemini_live._NUDGE_AFTER_S", 0.05)
    await ai.open(BRIEF)
    wire = provider.wires[0]
    await ai.speak("Greet.")
    await until(lambda: any(message.realtime_input for message in wire.received))
    assert [message.realtime_input.text for message in wire.received if message.realtime_input] == [" "]
    async with reading(ai) as frames:
        await wire.sound()
        await until(lambda: len(frames) == 2)
        await wire.content(turnComplete=True)
        await ai.speak("Again.")
        await wire.sound()
        await until(lambda: len([frame for frame in frames if type(frame) is Audio]) > 2)
        await asyncio.sleep(0.1)
    assert len([message for message in wire.received if message.realtime_input]) == 1


# ── Cuts ────────────────────────────────────────────────────────────────────────────────────────────────────
async def spoken(wire: Wire, frames: list, text: str, ms: int) -> str:
    await wire.sound(ms)
    await wire.content(outputTranscription={"text": text})
    await wire.content(generationComplete=True)
    await wire.content(turnComplete=True)
    await until(lambda: any(type(frame) is TurnDone for frame in frames))
    return next(frame.item_id for frame in frames if type(frame) is Audio)


async def test_a_cut_that_the_provider_knows_nothing_of_is_noted(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        item_id = await spoken(wire, frames, "One two three four five six", 3000)
        await ai.cut(item_id, 1000)
        await until(wire.told)
    [noted] = wire.told()
    assert "“One two”" in noted
    assert wire.received[0].client_content.turn_complete is False


async def test_a_cut_that_the_provider_made_itself_or_that_costs_a_word_is_not(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        item_id = await spoken(wire, frames, "One two three four five six", 3000)
        await ai.cut(item_id, 2500)
        await wire.sound(3000)
        await wire.content(interrupted=True)
        await until(lambda: any(type(frame) is SpeechStarted for frame in frames))
        await ai.cut([frame.item_id for frame in frames if type(frame) is Audio][-1], 100)
        await ai.cut("unknown", 0)
        await asyncio.sleep(0.05)
    assert wire.told() == []


# ── Tools ───────────────────────────────────────────────────────────────────────────────────────────────────
def calls(*ids: str) -> dict[str, Any]:
    return {"toolCall": {"functionCalls": [{"id": one, "name": "opt_out", "args": {}} for one in ids]}}


async def test_answers_leave_together_once_all_are_there(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await wire.send(calls("f1", "f2"))
        await until(lambda: len(frames) == 4)
        await ai.answer_tool("f2", "two")
        await asyncio.sleep(0.05)
        assert wire.answers() == []
        await ai.answer_tool("f1", "one")
        await until(wire.answers)
    assert wire.answers() == [["f1", "f2"]]


async def test_calls_that_were_taken_back_are_not_answered(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await wire.send(calls("f1", "f2"))
        await wire.send({"toolCallCancellation": {"ids": ["f1"]}})
        await wire.content(outputTranscription={"text": "x"})
        await until(lambda: frames and type(frames[-1]) is AiTranscript)
        await ai.answer_tool("f1", "one")
        await ai.answer_tool("f2", "two")
        await until(wire.answers)
    assert wire.answers() == [["f2"]]


# ── Going on after a loss ───────────────────────────────────────────────────────────────────────────────────
async def test_a_connection_that_is_gone_as_soon_as_it_is_made_is_a_loss_like_any_other(provider, ai, monkeypatch):
    def is_closed(connection):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(ai._uplink, "attach", is_closed)
    with pytest.raises(VoiceAIError) as lost:
        await ai.open(BRIEF)
    assert (lost.value.code, lost.value.retryable) == ("unreachable", True)


async def test_an_answer_of_which_nothing_was_heard_is_no_part_of_what_is_told_again(provider, ai):
    await ai.open(BRIEF)
    ai._handle, ai._handle_model, ai._handle_at = "h1", BRIEF.model, time.monotonic()
    ai._since_handle["a1"] = PastTurn("ai", "")
    ai._since_handle["u1"] = PastTurn("caller", "Hello?")
    await ai.open(BRIEF)
    await until(lambda: provider.wires[-1].received)
    [told] = provider.wires[-1].received
    assert [part.text for turn in told.client_content.turns for part in turn.parts] == ["Hello?"]


async def test_the_same_conversation_goes_on_by_its_handle(host: Host):
    ai = gemini(host)
    await ai.open(BRIEF)
    async with reading(ai) as frames:
        await ai.speak("Say exactly this: “Hello, this is Ada.”")
        await until(lambda: ai._handle)
        await _say(ai, "interested")
        await until(lambda: any(type(frame) is CallerTranscript and frame.is_final for frame in frames))
    history = [PastTurn("ai", "Hello, this is Ada."), PastTurn("caller", line("interested").text)]
    await ai.open(BRIEF, history)
    async with reading(ai) as frames:
        await ai.speak("The connection was disturbed. Apologise and go on where it stopped.")
        await until(lambda: any(type(frame) is TurnDone for frame in frames))
    await ai.close()
    said = [frame.text for frame in frames if type(frame) is AiTranscript and frame.is_final]
    assert "glad to hear that" in said[0]
    session = (await host.sessions())[0]
    assert session["resumed_from"]
    callers = [turn["text"] for turn in session["turns"] if turn["who"] == "caller"]
    assert callers == [line("interested").text]  # told once, though the handle is older than it


async def _say(ai: GeminiLive, intent: str) -> None:
    sound = clip(intent) + silence(700)
    for at in range(0, len(sound), 160):
        await ai.send_audio(Audio.of(sound[at : at + 160]))
        await asyncio.sleep(0)


async def test_where_the_handle_is_refused_the_text_goes_on(host: Host):
    ai = gemini(host)
    await ai.open(BRIEF)
    async with reading(ai):
        await ai.speak("Say exactly this: “Hello, this is Ada.”")
        await until(lambda: ai._handle)
    await host.order("refuse_resume", provider="gemini")
    await ai.open(BRIEF, [PastTurn("ai", "Hello, this is Ada."), PastTurn("caller", line("interested").text)])
    async with reading(ai) as frames:
        await ai.speak("The connection was disturbed. Apologise and go on where it stopped.")
        await until(lambda: any(type(frame) is TurnDone for frame in frames))
    await ai.close()
    assert "glad to hear that" in "".join(frame.text for frame in frames if type(frame) is AiTranscript)
    assert (await host.sessions())[0]["resumed_from"] is None


async def test_a_handle_of_another_model_is_of_no_use(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai):
        await wire.send({"sessionResumptionUpdate": {"newHandle": "", "resumable": False}})
        await wire.send({"sessionResumptionUpdate": {"newHandle": "h1", "resumable": True}})
        await until(lambda: ai._handle)
    await ai.open(BRIEF)
    assert provider.setups[1]["sessionResumption"] == {"handle": "h1"}
    await ai.open(replace(BRIEF, model="gemini-3.1-flash-live-preview"))
    assert provider.setups[2]["sessionResumption"] == {}


async def test_it_says_when_it_will_go(host: Host):
    await host.order("expire", provider="gemini", after_s=5, announce=True)
    ai = gemini(host)
    await ai.open(BRIEF)
    seen: list = []
    with pytest.raises(VoiceAIError) as error:
        await asyncio.wait_for(_read(ai, seen), 5)
    assert seen == [Ready(), Expiring(5)]
    assert (error.value.code, error.value.retryable) == ("closed_1011", True)
    await ai.close()


async def _read(ai: GeminiLive, seen: list) -> None:
    async for frame in ai.events():
        seen.append(frame)


async def test_opening_anew_before_that_ends_what_was_read_and_loses_nothing(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    async with reading(ai) as frames:
        await wire.send({"sessionResumptionUpdate": {"newHandle": "h1", "resumable": True}})
        await wire.send({"goAway": {"timeLeft": "50s"}})
        await until(lambda: frames[-1:] == [Expiring(50)])
        opening = asyncio.create_task(ai.open(BRIEF))
        for _ in range(20):
            await ai.send_audio(FRAME)
            await asyncio.sleep(0)
        await opening
    await ai.send_audio(FRAME)
    await until(lambda: len(wire.audio) + len(provider.wires[1].audio) == 21 * 640)
    assert ai.n_dropped == 0
    assert provider.setups[1]["sessionResumption"] == {"handle": "h1"}


async def test_words_that_were_not_yet_whole_outlive_the_connection(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    await wire.content(inputTranscription={"text": "Tell me "})
    await wire.peer.close(1011)
    seen: list = []
    with pytest.raises(VoiceAIError):
        await _read(ai, seen)
    assert [frame.text for frame in seen if type(frame) is CallerTranscript and frame.is_final] == ["Tell me"]


async def test_what_nobody_has_taken_yet_outlives_a_connection_that_is_given_up(provider, ai):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    await wire.sound()
    await wire.content(outputTranscription={"text": "Good day."}, generationComplete=True)
    await wire.content(inputTranscription={"text": "Tell me"})
    await wire.send({"serverContent": {"interrupted": True}, "usageMetadata": {"promptTokenCount": 7}})
    await until(lambda: len(ai._frames.waiting) > 5)
    await ai.open(BRIEF)
    async with reading(ai) as frames:
        await provider.wires[1].sound()
        await until(lambda: frames and type(frames[-1]) is Audio)
    assert {type(frame) for frame in frames[1:-1]} == {AiTranscript, CallerTranscript, Used}
    assert [frame.text for frame in frames if type(frame) is CallerTranscript and frame.is_final] == ["Tell me"]


# ── Trouble ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("code", [1000, 1001, 1007, 1008, 1011])
async def test_a_provider_that_closes_is_lost_whatever_code_it_gives(provider, ai, code):
    await ai.open(BRIEF)
    wire = provider.wires[0]
    await wire.sound()
    await wire.peer.close(code, "Deadline expired before operation could complete.")
    seen: list = []
    with pytest.raises(VoiceAIError) as error:
        await _read(ai, seen)
    assert [type(frame) for frame in seen] == [Ready, Audio]
    assert (error.value.code, error.value.retryable) == (f"closed_{code}", True)
    await ai.send_audio(FRAME)  # says nothing
    await ai.note("nor this")


async def test_a_socket_that_breaks_is_lost(provider, ai):
    await ai.open(BRIEF)
    provider.wires[0].peer.transport.abort()
    with pytest.raises(VoiceAIError) as error:
        async for _ in ai.events():
            pass
    assert error.value.code == "closed_1006"


async def test_messages_of_tomorrow_and_some_garbage_are_survived(provider, ai):
    await ai.open(BRIEF)
    async with reading(ai) as frames:
        await provider.wires[0].send(
            {"hologramUpdate": {"x": 1}}, "not json", "[]", {"serverContent": "?"}, {"toolCall": {"x": 1}}
        )
        await provider.wires[0].content(inputTranscription={"text": "Yes"})
        await until(lambda: len(frames) == 3)
    assert frames[2].text == "Yes"


async def test_a_provider_that_sends_nothing_but_garbage_is_lost(provider, ai):
    await ai.open(BRIEF)
    await provider.wires[0].send(*["not json"] * 20)
    with pytest.raises(VoiceAIError) as error:
        async for _ in ai.events():
            pass
    assert (error.value.code, error.value.retryable) == ("malformed", True)


async def test_a_peer_that_never_answers_the_close_does_not_hold_us_up(provider, ai, monkeypatch):
    monkeypatch.setattr("apps.calls.voice_ai.gemini_live._CLOSE_S", 0.2)
    await ai.open(BRIEF)
    provider.wires[0].peer.transport.pause_reading()
    began = time.monotonic()
    await ai.close()
    assert time.monotonic() - began < 2
    provider.wires[0].peer.transport.abort()
