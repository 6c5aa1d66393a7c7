"""Gemini as a part: who thinks, by a stream of content; who speaks where Deepgram has no voice."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from typing import Any, Final, cast
from uuid import uuid4

import orjson
from google.genai import Client, errors, types

from apps.calls.media.audio import ToLine
from apps.calls.media.frames import Usage
from apps.calls.voice_ai.base import VoiceAIError
from apps.calls.voice_ai.deepgram.dialogue import AiSaid, CallerSaid, ToolUse
from apps.calls.voice_ai.deepgram.parts import (
    RETRYABLE_STATUS,
    Sound,
    Spoken,
    Task,
    Thought,
    Words,
    new_stretch,
)
from apps.calls.voice_ai.deepgram.thinking import MAX_ANSWER_TOKENS, STILL_RUNNING
from apps.core.breaker import CircuitOpen

# The SDK talks through whichever of these is there, and lets their errors pass.
_HTTP_LIBRARIES: Final = frozenset({"aiohttp", "httpx", "httpx2", "httpcore", "httpcore2", "anyio"})
_RATE_HZ: Final = 24_000
_AHEAD: Final = 2


@contextmanager
def _as_loss(part: str) -> Iterator[None]:
    """The SDK's and the network's errors as VoiceAIError. part: think or speak."""
    try:
        yield
    except CircuitOpen as error:
        raise VoiceAIError(f"{part}_circuit_open", retryable=True) from error
    except errors.APIError as error:
        status = int(error.code or 0)
        message = str(error.message or "")[:200]
        raise VoiceAIError(f"{part}_http_{status}", message, retryable=status in RETRYABLE_STATUS) from error
    except TimeoutError as error:
        raise VoiceAIError(f"{part}_silent", retryable=True) from error
    except OSError as error:
        raise VoiceAIError(f"{part}_unreachable", type(error).__name__, retryable=True) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VoiceAIError(f"{part}_malformed", type(error).__name__, retryable=True) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _HTTP_LIBRARIES:
            raise
        raise VoiceAIError(f"{part}_unreachable", type(error).__name__, retryable=True) from error


# ── Thinking ────────────────────────────────────────────────────────────────────────────────────────────────
def contents_of(task: Task) -> list[types.Content]:
    """The conversation; what is no one's words stands in brackets, since only two may speak here."""
    contents: list[types.Content] = []

    def add(role: str, *parts: types.Part) -> None:
        if contents and contents[-1].role == role and contents[-1].parts is not None:
            contents[-1].parts.extend(parts)
        else:
            contents.append(types.Content(role=role, parts=list(parts)))

    for item in task.dialogue.items:
        if isinstance(item, CallerSaid):
            add("user", types.Part(text=item.text))
        elif not isinstance(item, AiSaid):
            add("user", types.Part(text=f"[{item.text}]"))
        else:
            calls = [
                types.Part(
                    function_call=types.FunctionCall(id=tool.id, name=tool.name, args=_arguments(tool)),
                    thought_signature=tool.signature,
                )
                for tool in item.tools
            ]
            if item.text or calls:
                add("model", *([types.Part(text=item.text)] if item.text else []), *calls)
            if item.tools:
                add("user", *(_result(tool) for tool in item.tools))
    if task.told:
        add("user", types.Part(text=f"[{task.told}]"))
    elif not contents:
        add("user", types.Part(text="[The person is on the line now.]"))
    return contents


def _arguments(tool: ToolUse) -> dict[str, Any]:
    try:
        arguments = orjson.loads(tool.arguments or "{}")
    except orjson.JSONDecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _result(tool: ToolUse) -> types.Part:
    result = STILL_RUNNING if tool.result is None else tool.result
    return types.Part(function_response=types.FunctionResponse(id=tool.id, name=tool.name, response={"output": result}))


class GeminiThinker:
    """client: shared. guard: a context manager around each request. silence_s: as ChatThinker's."""

    def __init__(
        self,
        client: Client,
        *,
        model: str,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
        silence_s: float = 8.0,
    ) -> None:
        self._client = client
        self._model = model
        self._guard = guard
        self._silence_s = silence_s

    async def think(self, task: Task) -> AsyncIterator[Thought]:
        with _as_loss("think"), self._guard(), _as_loss("think"):
            async with asyncio.timeout(self._silence_s):
                stream = await self._client.aio.models.generate_content_stream(
                    model=self._model,
                    contents=cast("types.ContentListUnion", contents_of(task)),
                    config=self._config(task),
                )
            usage: types.GenerateContentResponseUsageMetadata | None = None
            has_finished = False
            async with aclosing(cast("Any", stream)) as chunks:
                while True:
                    async with asyncio.timeout(self._silence_s):
                        chunk: types.GenerateContentResponse | None = await anext(chunks, None)
                    if chunk is None:
                        break
                    usage = chunk.usage_metadata or usage
                    for candidate in (chunk.candidates or [])[:1]:
                        has_finished = has_finished or candidate.finish_reason is not None
                        for part in (candidate.content.parts if candidate.content is not None else None) or []:
                            thought = _thought(part)
                            if thought is not None:
                                yield thought
            if usage is not None:
                yield _usage(usage, self._model)
            if not has_finished:
                raise VoiceAIError("think_cut_short", retryable=True)

    def _config(self, task: Task) -> types.GenerateContentConfig:
        functions = [
            types.FunctionDeclaration(
                name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters)
            )
            for tool in task.tools
        ]
        return types.GenerateContentConfig(
            system_instruction=task.instructions,
            max_output_tokens=MAX_ANSWER_TOKENS,
            thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL),
            tools=[types.Tool(function_declarations=functions)] if functions else None,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )


def _thought(part: types.Part) -> Thought | None:
    if part.function_call is not None and part.function_call.name:
        call = part.function_call
        arguments = orjson.dumps(call.args or {}).decode()
        return ToolUse(call.id or f"call_{uuid4().hex[:16]}", str(call.name), arguments, None, part.thought_signature)
    return Words(part.text) if part.text and not part.thought else None


def _usage(usage: types.GenerateContentResponseUsageMetadata, model: str) -> Usage:
    """Cached tokens are a part of the prompt's on the wire; what it thought in silence is billed as written."""
    cached = usage.cached_content_token_count or 0
    return Usage(
        text_in=max(0, (usage.prompt_token_count or 0) - cached),
        cached_in=cached,
        text_out=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        service="gemini",
        model=model,
    )


# ── Speaking ────────────────────────────────────────────────────────────────────────────────────────────────
class GeminiSpeaker:
    """One request a sentence, the next one made while the one before is being passed on."""

    service = "gemini"

    def __init__(
        self,
        client: Client,
        *,
        model: str,
        voice: str,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
        timeout_s: float = 8.0,
    ) -> None:
        self._client = client
        self._model = model
        self._voice = voice
        self._guard = guard
        self._timeout_s = timeout_s
        self._next = new_stretch()
        self._waiting: deque[tuple[int, asyncio.Task[bytes]]] = deque()
        self._something = asyncio.Event()
        self._ahead = asyncio.Semaphore(_AHEAD)
        self._is_closed = False

    @property
    def model(self) -> str:
        return self._model

    async def open(self) -> None:
        """Nothing to open: each sentence is a request of its own."""

    def next_stretch(self) -> int:
        return self._next

    async def say(self, text: str) -> None:
        self._waiting.append((self._next, asyncio.create_task(self._make(text))))
        self._next = new_stretch()
        self._something.set()

    async def finish(self) -> None:
        """Nothing is held back."""

    async def clear(self) -> None:
        dropped, self._waiting = self._waiting, deque()
        for _, task in dropped:
            task.cancel()
        await asyncio.gather(*(task for _, task in dropped), return_exceptions=True)

    async def events(self) -> AsyncIterator[Sound | Spoken]:
        while not self._is_closed:
            if not self._waiting:
                self._something.clear()
                await self._something.wait()
                continue
            stretch, task = self._waiting[0]
            await asyncio.wait([task])
            if not self._waiting or self._waiting[0][0] != stretch:
                continue  # it was told to be silent
            self._waiting.popleft()
            yield Sound(stretch, task.result())
            yield Spoken(stretch)

    async def _make(self, text: str) -> bytes:
        async with self._ahead:
            with _as_loss("speak"), self._guard(), _as_loss("speak"):
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._client.aio.models.generate_content(
                        model=self._model, contents=text, config=self._config()
                    )
                parts = answer.candidates[0].content.parts if answer.candidates and answer.candidates[0].content else []
                pcm = b"".join(part.inline_data.data or b"" for part in parts or [] if part.inline_data is not None)
                if not pcm:
                    raise VoiceAIError("speak_empty", retryable=True)
        line = ToLine(_RATE_HZ)
        return line(pcm[: len(pcm) // 2 * 2]) + line.flush()

    def _config(self) -> types.GenerateContentConfig:
        voice = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=self._voice))
        return types.GenerateContentConfig(
            response_modalities=["AUDIO"],
            speech_config=types.SpeechConfig(voice_config=voice),
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        )

    async def close(self) -> None:
        self._is_closed = True
        await self.clear()
        self._something.set()
