"""Gemini Live as the official SDK sees it: what it sends is taken, what comes is what its types know."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from google.genai import errors, types

from apps.calls.media.audio import Resampler, decode_pcmu

from .client import INSTRUCTIONS, clip, line, silence
from .gemini_client import TOOLS, gemini

MODEL = "gemini-3.8-live"
CONFIG: dict[str, Any] = {
    "response_modalities": ["AUDIO"],
    "system_instruction": INSTRUCTIONS,
    "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
    "input_audio_transcription": {"language_codes": ["en-US", "es-ES", "cs-CZ"]},
    "output_audio_transcription": {},
    "session_resumption": {},
    "context_window_compression": {"trigger_tokens": 16000, "sliding_window": {"target_tokens": 8000}},
    "realtime_input_config": {
        "automatic_activity_detection": {"silence_duration_ms": 500, "prefix_padding_ms": 100},
        "activity_handling": "START_OF_ACTIVITY_INTERRUPTS",
    },
    "tools": TOOLS,
}


class Caller:
    def __init__(self, session: Any) -> None:
        self.wire = session
        self.messages: list[types.LiveServerMessage] = []
        self._up = Resampler(up=2)

    async def play(self, mulaw: bytes, step: int = 800) -> None:
        for at in range(0, len(mulaw), step):
            pcm = self._up(decode_pcmu(mulaw[at : at + step]))
            await self.wire.send_realtime_input(audio=types.Blob(data=pcm, mime_type="audio/pcm;rate=16000"))

    async def say(self, intent: str, language: str = "en") -> None:
        await self.play(clip(intent, language) + silence(700))

    async def tell(self, text: str) -> None:
        content = types.Content(role="user", parts=[types.Part(text=text)])
        await self.wire.send_client_content(turns=content, turn_complete=True)

    async def until(self, wanted) -> types.LiveServerMessage:
        async with asyncio.timeout(5):
            while True:
                message = await self.wire._receive()
                self.messages.append(message)
                if wanted(message):
                    return message

    async def until_complete(self) -> types.LiveServerMessage:
        return await self.until(lambda message: message.server_content and message.server_content.turn_complete)

    async def answer(self, message: types.LiveServerMessage, result: str = "ok") -> list[str]:
        calls = message.tool_call.function_calls
        await self.wire.send_tool_response(
            function_responses=[
                types.FunctionResponse(id=call.id, name=call.name, response={"result": result}) for call in calls
            ]
        )
        return [call.name for call in calls]

    def contents(self) -> list[types.LiveServerContent]:
        return [message.server_content for message in self.messages if message.server_content]

    def spoken(self) -> str:
        return "".join(content.output_transcription.text for content in self.contents() if content.output_transcription)

    def heard(self) -> list[types.Transcription]:
        return [content.input_transcription for content in self.contents() if content.input_transcription]

    def sound(self) -> bytes:
        return b"".join(message.data for message in self.messages if message.data)


def is_tool_call(message: types.LiveServerMessage) -> bool:
    return message.tool_call is not None


@pytest.fixture
def connect(gemini_host):
    @asynccontextmanager
    async def connected(*, key: str | None = None, model: str = MODEL, **changes: Any):
        sdk = gemini(gemini_host) if key is None else gemini(gemini_host, key)
        async with sdk.aio.live.connect(model=model, config={**CONFIG, **changes}) as session:
            yield Caller(session)

    return connected


async def test_it_says_what_it_is_told_to(connect):
    async with connect() as caller:
        assert caller.wire.session_id
        await caller.tell("[Say exactly this: “Hello, this is Ada.”]")
        done = await caller.until_complete()
    assert caller.spoken() == "Hello, this is Ada."
    assert done.usage_metadata.response_tokens_details[0].modality == types.MediaModality.AUDIO
    ends = [(content.generation_complete, content.turn_complete) for content in caller.contents()][-2:]
    assert ends == [(True, None), (None, True)]
    assert 0.9 < len(caller.sound()) / 48000 < 3
    assert abs(np.frombuffer(caller.sound(), "<i2")).max() > 5000


@pytest.mark.parametrize("language", ["en", "es", "cs"])
async def test_it_recognises_a_callee_whose_sound_was_doubled(connect, language):
    async with connect() as caller:
        await caller.say("interested", language)
        await caller.until_complete()
        await caller.tell("[Say exactly this: “Good.”]")
        await caller.until_complete()
    assert "".join(one.text for one in caller.heard()) == line("interested", language).text
    assert {one.language_code for one in caller.heard()} == {{"en": "en-US", "es": "es-ES", "cs": "cs-CZ"}[language]}


async def test_other_ways_of_doubling_are_taken_too(connect):
    sound = np.frombuffer(decode_pcmu(clip("interested") + silence(700)), "<i2")
    between = ((sound[:-1].astype(int) + sound[1:]) // 2).astype("<i2")
    doubled = np.empty(2 * len(sound) - 1, "<i2")
    doubled[::2], doubled[1::2] = sound, between
    async with connect() as caller:
        for at in range(0, len(doubled), 1601):
            pcm = doubled[at : at + 1601].tobytes()
            await caller.wire.send_realtime_input(audio=types.Blob(data=pcm, mime_type="audio/pcm;rate=16000"))
        await caller.until_complete()
        await caller.until(lambda message: message.session_resumption_update)
    assert "glad to hear that" in caller.spoken()


async def test_it_is_interrupted(connect):
    async with connect() as caller:
        await caller.tell("[Say exactly this: “" + "This goes on and on. " * 8 + "”]")
        await caller.until(lambda message: message.data)
        await caller.say("interested")
        await caller.until(lambda message: message.server_content and message.server_content.interrupted)
        done = await caller.until_complete()
        assert done.usage_metadata.response_token_count > 0
        before = len(caller.messages)
        await caller.until_complete()
    assert not any(content.generation_complete for content in caller.contents()[: before - 2])
    assert "glad to hear that" in caller.spoken()


async def test_a_tool_that_blocks_keeps_the_turn_open(connect):
    async with connect() as caller:
        await caller.tell("[Say exactly this: “Hello.”]")
        await caller.until_complete()
        await caller.say("opt_out")
        asked = await caller.until(is_tool_call)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await caller.until_complete()
        assert await caller.answer(asked) == ["opt_out"]
        asked = await caller.until(is_tool_call)
        assert await caller.answer(asked) == ["set_disposition", "end_call"]
    assert "removed your number" in caller.spoken()


async def test_a_call_nobody_waits_for_is_taken_back(connect):
    async with connect() as caller:
        await caller.say("opt_out")
        asked = await caller.until(is_tool_call)
        await caller.say("interested")
        cancelled = await caller.until(lambda message: message.tool_call_cancellation)
        assert cancelled.tool_call_cancellation.ids == [asked.tool_call.function_calls[0].id]


async def test_tools_that_do_not_block_leave_the_turn_behind(connect):
    tools = [
        types.Tool(
            function_declarations=[
                one.model_copy(update={"behavior": None}) for one in TOOLS[0].function_declarations or ()
            ]
        )
    ]
    async with connect(tools=tools) as caller:
        await caller.say("opt_out")
        asked = await caller.until(is_tool_call)
        await caller.until_complete()
        await caller.answer(asked)
        await caller.until(is_tool_call)
    assert "removed your number" in caller.spoken()


async def test_another_connection_goes_on_by_the_handle(connect):
    async with connect() as caller:
        await caller.say("interested")
        await caller.until_complete()
        kept = await caller.until(lambda message: message.session_resumption_update)
    handle = kept.session_resumption_update.new_handle
    assert kept.session_resumption_update.resumable
    async with connect(session_resumption={"handle": handle}) as caller:
        await caller.tell("[The line was disturbed. Apologise and go on where it stopped.]")
        await caller.until_complete()
    assert "glad to hear that" in caller.spoken()


async def test_history_is_told_first_and_not_answered(connect):
    async with connect(history_config={"initial_history_in_client_content": True}) as caller:
        turns = [
            types.Content(role="model", parts=[types.Part(text="Hello!")]),
            types.Content(role="user", parts=[types.Part(text=line("interested").text)]),
        ]
        await caller.wire.send_client_content(turns=turns, turn_complete=True)
        await caller.tell("[Apologise and go on where it stopped.]")
        await caller.until_complete()
    assert "glad to hear that" in caller.spoken()


async def test_instructions_may_change_on_the_way(connect):
    async with connect() as caller:
        await caller.wire.send_context_update(system_instruction="Language: cs\nGreeting: Dobrý den, tady Ada.")
        await caller.tell("[Greet the person.]")
        await caller.until_complete()
    assert caller.spoken() == "Dobrý den, tady Ada."


async def test_the_end_of_the_sound_ends_the_utterance(connect):
    async with connect() as caller:
        await caller.play(clip("interested"))
        await caller.wire.send_realtime_input(audio_stream_end=True)
        await caller.until_complete()
    assert "glad to hear that" in caller.spoken()


async def test_a_client_may_say_itself_when_somebody_speaks(connect):
    config = {"automatic_activity_detection": {"disabled": True}}
    async with connect(realtime_input_config=config) as caller:
        await caller.wire.send_realtime_input(activity_start=types.ActivityStart())
        await caller.play(clip("interested"))
        await caller.wire.send_realtime_input(activity_end=types.ActivityEnd())
        await caller.until_complete()
    assert "glad to hear that" in caller.spoken()


# ── Refusals ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"model": "gemini-9-live"}, 1008, "not found"),
        ({"key": "wrong"}, 1007, "API key"),
        ({"thinking_config": {"thinking_level": "LOW"}}, 1007, "Thinking"),
        ({"response_modalities": ["TEXT"]}, 1007, "TEXT"),
        ({"proactivity": {"proactive_audio": False}}, 1007, "Unknown"),
        ({"session_resumption": {"handle": "nobody's"}}, 1008, "handle"),
        ({"model": "gemini-3.8-live-extended-thinking"}, 1007, "thinking level"),
    ],
)
async def test_a_setup_is_refused_by_the_close(connect, changes, code, word):
    with pytest.raises(errors.APIError) as error:
        async with connect(**changes):
            pass
    assert error.value.code == code
    assert word in str(error.value)


async def test_what_makes_no_sense_ends_the_session(connect):
    async with connect() as caller:
        await caller.wire._ws.send('{"realtime_input": {"smell": "roses"}}')
        with pytest.raises(errors.APIError) as error:
            await caller.until_complete()
    assert error.value.code == 1007


async def test_a_tool_that_was_not_called_has_no_answer(connect):
    async with connect() as caller:
        await caller.wire.send_tool_response(function_responses=types.FunctionResponse(id="x", name="y", response={}))
        with pytest.raises(errors.APIError):
            await caller.until_complete()


# ── Trouble ─────────────────────────────────────────────────────────────────────────────────────────────────
async def test_it_says_that_it_goes_away(connect, gemini_host):
    await gemini_host.order("expire", after_s=4, announce=True)
    async with connect() as caller:
        going = await caller.until(lambda message: message.go_away)
        assert going.go_away.time_left == "4s"
        with pytest.raises(errors.APIError) as error:
            await caller.until_complete()
    assert error.value.code == 1011


@pytest.mark.parametrize("kind", ["slow", "voice_activity"])
async def test_trouble_that_is_survived(connect, gemini_host, kind):
    await gemini_host.order(kind)
    async with connect() as caller:
        await caller.say("interested")
        await caller.until_complete()
    told = [message.voice_activity.voice_activity_type for message in caller.messages if message.voice_activity]
    assert told == (["ACTIVITY_START", "ACTIVITY_END"] if kind == "voice_activity" else [])
    [session] = await gemini_host.sessions()
    assert (session["provider"], session["faults"]) == ("gemini/live", [kind])


async def test_a_sleepy_one_answers_text_only_once_something_comes_in_live(connect, gemini_host):
    await gemini_host.order("sleepy")
    async with connect() as caller:
        await caller.tell("[Say exactly this: “Hello, this is Ada.”]")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await caller.until_complete()
        await caller.wire.send_realtime_input(text=" ")
        await caller.until_complete()
    assert caller.spoken() == "Hello, this is Ada."


async def test_a_failed_answer_says_why(connect, gemini_host):
    await gemini_host.order("response_failed")
    async with connect() as caller:
        await caller.say("interested")
        done = await caller.until_complete()
    assert done.server_content.turn_complete_reason == types.TurnCompleteReason.RESPONSE_REJECTED


@pytest.mark.parametrize(("settings", "code"), [({}, 1011), ({"code": None}, 1006)])
async def test_it_breaks_off_in_mid_sentence(connect, gemini_host, settings, code):
    await gemini_host.order("disconnect", **settings)
    async with connect() as caller:
        await caller.say("interested")
        with pytest.raises(errors.APIError) as error:
            await caller.until_complete()
    assert error.value.code == code
    assert caller.sound()
