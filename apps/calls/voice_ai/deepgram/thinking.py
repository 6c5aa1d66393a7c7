"""Who thinks: chat completions of OpenAI, or of anything that speaks the same wire, as a stream."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, cast

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError, AsyncOpenAI, OpenAIError

from apps.calls.media.frames import Usage
from apps.calls.voice_ai.base import VoiceAIError
from apps.calls.voice_ai.deepgram.dialogue import AiSaid, CallerSaid, ToolUse
from apps.calls.voice_ai.deepgram.parts import RETRYABLE_STATUS, Task, Thought, Words
from apps.core.breaker import CircuitOpen

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam
    from openai.types.completion_usage import CompletionUsage

MAX_ANSWER_TOKENS: Final = 400
STILL_RUNNING: Final = "Still being worked on; the result is not known yet."


def chat_messages(task: Task) -> list[dict[str, Any]]:
    """The conversation in the words of the wire: each tool call is followed by its result at once, as it demands."""
    messages: list[dict[str, Any]] = [{"role": "developer", "content": task.instructions}]
    for item in task.dialogue.items:
        if isinstance(item, CallerSaid):
            messages.append({"role": "user", "content": item.text})
        elif isinstance(item, AiSaid):
            messages += _answer(item)
        else:
            messages.append({"role": "developer", "content": item.text})
    if task.told:
        messages.append({"role": "developer", "content": task.told})
    return messages


def _answer(item: AiSaid) -> list[dict[str, Any]]:
    if not item.text and not item.tools:
        return []
    said: dict[str, Any] = {"role": "assistant", "content": item.text or None}
    if item.tools:
        said["tool_calls"] = [
            {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": tool.arguments}}
            for tool in item.tools
        ]
    results = [
        {"role": "tool", "tool_call_id": tool.id, "content": STILL_RUNNING if tool.result is None else tool.result}
        for tool in item.tools
    ]
    return [said, *results]


def chat_tools(task: Task) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in task.tools
    ]


def reasoning_effort(model: str) -> str | None:
    """The least a model allows, since somebody is on the line; None where the field is not known."""
    if model.startswith(("gpt-5-", "gpt-5.0")) or model == "gpt-5":
        return "minimal"
    return "none" if model.startswith(("gpt-5", "gpt-6", "gpt-7")) else None


class ChatThinker:
    """client: shared, without retries of its own. guard: a context manager around each request, such as a breaker.

    silence_s: how long it may say nothing, before the first word and between two.
    """

    def __init__(
        self,
        client: AsyncOpenAI,
        *,
        service: str,
        model: str,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
        silence_s: float = 8.0,
    ) -> None:
        self._client = client
        self._service = service
        self._model = model
        self._guard = guard
        self._silence_s = silence_s

    async def think(self, task: Task) -> AsyncIterator[Thought]:
        try:
            with self._guard():
                async for thought in self._stream(task):
                    yield thought
        except CircuitOpen as error:
            raise VoiceAIError("think_circuit_open", retryable=True) from error

    async def _stream(self, task: Task) -> AsyncIterator[Thought]:
        try:
            async for thought in self._ask(task):
                yield thought
        except APIStatusError as error:
            status = error.status_code
            raise VoiceAIError(
                f"think_http_{status}", error.message[:200], retryable=status in RETRYABLE_STATUS
            ) from error
        except (TimeoutError, APITimeoutError) as error:
            raise VoiceAIError("think_silent", retryable=True) from error
        except APIConnectionError as error:
            raise VoiceAIError("think_unreachable", type(error.__cause__ or error).__name__, retryable=True) from error
        except APIError as error:
            code = str(error.code or "error")
            raise VoiceAIError(f"think_{code}", error.message[:200], retryable=code != "insufficient_quota") from error
        except OpenAIError as error:
            raise VoiceAIError("think_refused", str(error)[:200], retryable=False) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise VoiceAIError("think_malformed", type(error).__name__, retryable=True) from error

    async def _ask(self, task: Task) -> AsyncIterator[Thought]:
        options: dict[str, Any] = {"tools": tools} if (tools := chat_tools(task)) else {}
        if (effort := reasoning_effort(self._model)) is not None:
            options["reasoning_effort"] = effort
        if task.caller_id:
            options["safety_identifier"] = task.caller_id
        async with asyncio.timeout(self._silence_s):
            stream = await self._client.chat.completions.create(
                model=self._model,
                messages=cast("list[ChatCompletionMessageParam]", chat_messages(task)),
                stream=True,
                stream_options={"include_usage": True},
                max_completion_tokens=MAX_ANSWER_TOKENS,
                timeout=self._silence_s,
                **options,
            )
        wishes: dict[int, ToolUse] = {}
        has_finished = False
        async with stream:
            chunks = aiter(stream)
            while True:
                async with asyncio.timeout(self._silence_s):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                if chunk.usage is not None:
                    yield _usage(chunk.usage, self._service, self._model)
                for choice in chunk.choices[:1]:
                    if choice.delta.content:
                        yield Words(choice.delta.content)
                    _gather(wishes, choice.delta.tool_calls or ())
                    has_finished = has_finished or choice.finish_reason is not None
        if not has_finished:
            raise VoiceAIError("think_cut_short", retryable=True)
        for wish in wishes.values():
            yield wish


def _gather(wishes: dict[int, ToolUse], deltas: Sequence[Any]) -> None:
    """Names come whole, arguments in pieces."""
    for delta in deltas:
        wish = wishes.setdefault(delta.index, ToolUse("", "", ""))
        wish.id = delta.id or wish.id
        if delta.function is not None:
            wish.name = delta.function.name or wish.name
            wish.arguments += delta.function.arguments or ""


def _usage(usage: "CompletionUsage", service: str, model: str) -> Usage:
    """Cached tokens are a part of the prompt's on the wire; here each token counts once."""
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens if details is not None else 0) or 0
    return Usage(
        text_in=max(0, usage.prompt_tokens - cached),
        cached_in=cached,
        text_out=usage.completion_tokens,
        service=service,
        model=model,
    )
