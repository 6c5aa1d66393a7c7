"""Gemini's generateContent, asked by the official SDK."""

import asyncio
import json

import pytest
from google.genai import Client, errors, types

from .client import INSTRUCTIONS, line
from .gemini_client import KEY, TOOLS, gemini

MODEL = "gemini-3.8-flash"
SPEECH = "gemini-3.8-flash-lite-tts"


@pytest.fixture
def sdk(gemini_host) -> Client:
    return gemini(gemini_host)


def said(role: str, text: str) -> types.Content:
    return types.Content(role=role, parts=[types.Part(text=text)])


CONFIG = types.GenerateContentConfig(
    system_instruction=INSTRUCTIONS,
    tools=TOOLS,
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


async def test_it_goes_on_with_a_conversation(sdk):
    answer = await sdk.aio.models.generate_content(
        model=MODEL, contents=[said("model", "Hello!"), said("user", line("interested").text)], config=CONFIG
    )
    assert "glad to hear that" in answer.text
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata.candidates_token_count > 5


async def test_the_same_comes_in_pieces(sdk):
    stream = await sdk.aio.models.generate_content_stream(
        model=MODEL, contents=[said("model", "Hello!"), said("user", line("interested").text)], config=CONFIG
    )
    pieces = [piece async for piece in stream]
    assert len(pieces) > 3
    assert "glad to hear that" in "".join(piece.text for piece in pieces)
    assert [piece.candidates[0].finish_reason is not None for piece in pieces] == [False] * (len(pieces) - 1) + [True]


async def test_it_asks_for_a_tool_and_says_what_came_of_it(sdk):
    contents = [said("model", "Hello!"), said("user", line("opt_out").text)]
    answer = await sdk.aio.models.generate_content(model=MODEL, contents=contents, config=CONFIG)
    [call] = answer.function_calls
    assert (call.name, call.args) == ("opt_out", {})
    result = types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "ok"}))
    contents += [answer.candidates[0].content, types.Content(role="user", parts=[result])]
    answer = await sdk.aio.models.generate_content(model=MODEL, contents=contents, config=CONFIG)
    assert "removed your number" in answer.text
    assert [call.name for call in answer.function_calls] == ["set_disposition", "end_call"]


async def test_directions_in_brackets_are_followed(sdk):
    answer = await sdk.aio.models.generate_content(
        model=MODEL, contents=[said("user", "[Say exactly this: “Dobrý den, tady Ada.”]")], config=CONFIG
    )
    assert answer.text == "Dobrý den, tady Ada."


async def test_json_keeps_to_its_schema(sdk):
    schema = {
        "type": "object",
        "properties": {
            "summary": {"type": "string"},
            "sentiment": {"type": "string", "enum": ["positive", "neutral", "negative"]},
        },
        "required": ["summary", "sentiment"],
    }
    answer = await sdk.aio.models.generate_content(
        model=MODEL,
        contents=f"Caller: {line('interested').text}",
        config=types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema),
    )
    found = json.loads(answer.text)
    assert found["sentiment"] == "positive"
    assert found["summary"]


@pytest.mark.parametrize("text", ["Dobrý den, přeji hezký den.", "Hello, how are you?", "Hola, ¿cómo está usted?"])
async def test_a_voice_speaks_every_language(sdk, text):
    voice = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
    config = types.GenerateContentConfig(
        response_modalities=["AUDIO"], speech_config=types.SpeechConfig(voice_config=voice)
    )
    answer = await sdk.aio.models.generate_content(model=SPEECH, contents=text, config=config)
    [part] = answer.candidates[0].content.parts
    assert part.inline_data.mime_type == "audio/L16;codec=pcm;rate=24000"
    assert 0.5 < len(part.inline_data.data) / 48000 < 4


@pytest.mark.parametrize(
    ("model", "key", "status"), [("palm-2", KEY, 404), (MODEL, "wrong", 400), ("gemini-3.8-live", KEY, 404)]
)
async def test_refusals(gemini_host, model, key, status):
    with pytest.raises(errors.ClientError) as error:
        await gemini(gemini_host, key).aio.models.generate_content(model=model, contents="Hello")
    assert error.value.code == status


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_can_be_ordered(sdk, gemini_host, status):
    await gemini_host.order("refuse", provider="gemini/rest", status=status)
    with pytest.raises(errors.APIError) as error:
        await sdk.aio.models.generate_content(model=MODEL, contents="Hello")
    assert error.value.code == status
    await sdk.aio.models.generate_content(model=MODEL, contents="Hello")


async def test_a_stream_may_break_off(sdk, gemini_host):
    await gemini_host.order("disconnect", provider="gemini/rest")
    contents = [said("model", "Hello!"), said("user", line("interested").text)]
    stream = await sdk.aio.models.generate_content_stream(model=MODEL, contents=contents, config=CONFIG)

    async def read_on() -> None:
        async for _ in stream:
            pass

    with pytest.raises(Exception, match=r"(?i)payload|connection|peer|closed"):
        await asyncio.wait_for(read_on(), 5)
