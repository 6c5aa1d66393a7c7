"""The sandbox's chat completions by the official SDK."""

import json
import socket

import openai
import pytest
from openai import AsyncOpenAI
from openai.lib._parsing._completions import type_to_response_format_param
from pydantic import BaseModel, Field

from apps.sandbox.speech import synthesise
from apps.sandbox.voice_ai.server import VoiceAiServer, started

from .client import INSTRUCTIONS, KEY, TOOLS, line
from .test_deepgram import order

MODEL = "gpt-6-luna"
NESTED = [{"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} for tool in TOOLS]
SYSTEM = {"role": "developer", "content": INSTRUCTIONS}


@pytest.fixture
async def port(clips):
    server = VoiceAiServer(api_key=KEY, synthesise=synthesise, speed=40)
    server.learn(clips)
    listening = socket.create_server(("127.0.0.1", 0))
    runner = await started(server, listening)
    yield listening.getsockname()[1]
    await runner.cleanup()


@pytest.fixture
async def sdk(port):
    async with AsyncOpenAI(api_key=KEY, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as sdk:
        yield sdk


def said(text):
    return {"role": "user", "content": text}


async def ask(sdk, *messages, **options):
    usual = {"model": MODEL, "tools": NESTED, "reasoning_effort": "none", "max_completion_tokens": 300}
    return await sdk.chat.completions.create(messages=[SYSTEM, *messages], **usual | options)


async def stream(sdk, *messages, **options):
    """Text, tool calls by index, finish reason and usage of a streamed answer."""
    text, calls, reason, usage = "", {}, None, None
    answer = await ask(sdk, *messages, stream=True, stream_options={"include_usage": True}, **options)
    async for chunk in answer:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
            for delta in choice.delta.tool_calls or ():
                call = calls.setdefault(delta.index, {"id": delta.id, "name": delta.function.name, "arguments": ""})
                call["arguments"] += delta.function.arguments or ""
    return text, list(calls.values()), reason, usage


async def test_it_greets_and_answers(sdk):
    text, calls, reason, usage = await stream(sdk)
    assert text.startswith("Hello! This is Ada, an AI assistant calling on behalf of Northwind.")
    assert (calls, reason) == ([], "stop")
    assert usage.prompt_tokens > 20
    assert usage.completion_tokens > 10
    answer = await ask(sdk, {"role": "assistant", "content": text}, said(line("interested").text))
    assert "glad to hear that" in answer.choices[0].message.content
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_a_stream_and_a_whole_answer_say_the_same(sdk):
    history = [{"role": "assistant", "content": "Hello, this is Ada."}, said(line("not_interested", "es").text)]
    text, calls, reason, _ = await stream(sdk, *history)
    [choice] = (await ask(sdk, *history)).choices
    assert choice.message.content == text
    assert [call.function.name for call in choice.message.tool_calls] == [call["name"] for call in calls]
    assert [json.loads(call.function.arguments) for call in choice.message.tool_calls] == [
        json.loads(call["arguments"]) for call in calls
    ]
    assert choice.finish_reason == reason == "tool_calls"


async def test_tools_are_called_and_their_results_known(sdk):
    history = [{"role": "assistant", "content": "Hello, this is Ada."}, said(line("opt_out").text)]
    _, [call], reason, _ = await stream(sdk, *history)
    assert (call["name"], reason) == ("opt_out", "tool_calls")
    asked = {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
    history += [
        {"role": "assistant", "content": None, "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": call["id"], "content": "Failed: the list cannot be reached."},
    ]
    text, calls, _, _ = await stream(sdk, *history)
    assert "do not want to be called again" in text
    assert [call["name"] for call in calls] == ["set_disposition", "end_call"]


@pytest.mark.parametrize(
    ("note", "says"),
    [
        ("Say exactly this and nothing else: “Good morning, Ann.”", "Good morning, Ann."),
        ("Nobody has said anything for a while. Say goodbye politely.", "I can not hear anybody"),
        ("(The person says nothing.)", "Hello, are you there?"),
    ],
)
async def test_what_the_developer_says_last_comes_first(sdk, note, says):
    history = [{"role": "assistant", "content": "Hello, this is Ada."}, {"role": "developer", "content": note}]
    assert (await stream(sdk, *history))[0].startswith(says)


async def test_an_answer_that_was_cut_off_is_given_again(sdk):
    cut = [said(line("greeting").text), {"role": "assistant", "content": "Hello! This is Ada, an AI"}]
    text, *_ = await stream(sdk, *cut, {"role": "developer", "content": "Apologise and go on where it stopped."})
    assert text.startswith("I am sorry")
    assert "Northwind" in text


# ── After the call ──────────────────────────────────────────────────────────────────────────────────────────
class Check(BaseModel):
    question: str
    answer: str = Field(json_schema_extra={"enum": ["yes", "no", "unclear"]})


class Insight(BaseModel):
    summary: str
    sentiment: str = Field(json_schema_extra={"enum": ["positive", "neutral", "negative"]})
    score: int = Field(ge=0, le=100)
    call_back_on: str | None
    checks: list[Check]


@pytest.mark.parametrize(("intent", "mood"), [("interested", "positive"), ("opt_out", "negative")])
async def test_a_schema_is_answered_with_what_it_asks_for(sdk, intent, mood):
    talk = f"AI: Hello, this is Ada.\nCaller: {line(intent).text}\n"
    answer = await ask(
        sdk,
        said(talk),
        tools=openai.omit,
        response_format=type_to_response_format_param(Insight),
    )
    found = Insight.model_validate_json(answer.choices[0].message.content)
    assert found.sentiment == mood
    assert line(intent).text in found.summary
    assert (found.score > 50) == (mood == "positive")
    assert found.checks[0].answer in {"yes", "no", "unclear"}


# ── Refusals ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError),
        ({"reasoning_effort": "low"}, openai.BadRequestError),
        ({"max_tokens": 5}, openai.BadRequestError),
    ],
)
async def test_what_the_api_would_refuse_is_refused(sdk, changes, error):
    with pytest.raises(error):
        await ask(sdk, **changes)


async def test_a_tool_call_without_its_result_is_refused(sdk):
    asked = {"id": "c1", "type": "function", "function": {"name": "opt_out", "arguments": "{}"}}
    with pytest.raises(openai.BadRequestError):
        await ask(sdk, {"role": "assistant", "content": None, "tool_calls": [asked]}, said("Hello?"))
    with pytest.raises(openai.BadRequestError):
        await ask(sdk, {"role": "tool", "tool_call_id": "c1", "content": "ok"})


async def test_a_wrong_key_is_refused(port):
    async with AsyncOpenAI(api_key="wrong", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0) as sdk:
        with pytest.raises(openai.AuthenticationError):
            await ask(sdk)


async def test_a_busy_service_says_when_to_come_back(port, sdk):
    await order(port, "refuse", provider="openai/chat", status=429, retry_after_s=3)
    with pytest.raises(openai.RateLimitError) as error:
        await ask(sdk)
    assert error.value.response.headers["Retry-After"] == "3"
    await ask(sdk)


async def test_a_stream_breaks_when_ordered(port, sdk):
    await order(port, "disconnect", provider="openai/chat")
    with pytest.raises(openai.APIConnectionError):
        await stream(sdk)
    await order(port, "response_failed", provider="openai/chat")
    with pytest.raises(openai.APIError, match="error while processing"):
        await stream(sdk)
    await order(port, "garbage", provider="openai/chat")
    with pytest.raises(json.JSONDecodeError):
        await stream(sdk)
