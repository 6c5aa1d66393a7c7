"""OpenAI Realtime (GA wire) through the official SDK's connection.

The SDK opens, authenticates and frames; its event models stay out of the audio path: messages are read as bytes and
written as finished text, because fifty of each pass per call and second.
"""

import asyncio
import ssl
import time
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from openai import AsyncOpenAI, OpenAIError
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from apps.calls.media.frames import PCMU_8K, AiEvent, AiTranscript, Audio, CallerTranscript, Expiring, Ready, ToolCall
from apps.calls.voice_ai import openai_events as wire
from apps.calls.voice_ai.base import PastTurn, VoiceAIError, VoiceBrief
from apps.calls.voice_ai.capabilities import OPENAI
from apps.calls.voice_ai.uplink import Uplink
from apps.core.breaker import CircuitOpen

if TYPE_CHECKING:
    from openai.resources.realtime.realtime import AsyncRealtimeConnection
    from openai.types.websocket_connection_options import WebSocketConnectionOptions

_BUFFER_BYTES: Final = 16_384  # some 1.2 s of the caller
_MAX_MESSAGE_BYTES: Final = 4_194_304
_MAX_GARBAGE: Final = 10
_MAX_EARLY: Final = 50
# A session lasts an hour; so long before that it is time to look for a good moment to open another one.
_LEAVE_S: Final = 300.0
# Refusals of a moment: asking again soon is reasonable.
_RETRYABLE_STATUS: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 529})

_RETRYABLE_CODES: Final = frozenset({"rate_limit_exceeded", "server_error", "service_unavailable"})


class OpenAIRealtime:
    """One conversation. client is shared by all: it holds the key and the address; each open() makes a connection.

    guard: a context manager around each open(), such as a circuit breaker. now: Unix seconds.
    """

    name = "openai"
    capabilities = OPENAI

    def __init__(
        self,
        client: AsyncOpenAI,
        *,
        ssl_context: ssl.SSLContext | None = None,
        open_timeout_s: float = 10.0,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
        now: Callable[[], float] = time.time,
        transcription_models: Sequence[str] = ("gpt-transcribe", "gpt-realtime-whisper"),
    ) -> None:
        self._client = client
        self._ssl = ssl_context
        self._open_timeout_s = open_timeout_s
        self._guard = guard
        self._now = now
        self._transcription_models = transcription_models
        self._transcription_model = ""
        self._connection: AsyncRealtimeConnection | None = None
        self._uplink: Uplink[str] = Uplink(_audio_message, buffer_bytes=_BUFFER_BYTES)
        self._reset()

    def _reset(self) -> None:
        self._is_closed = False
        self._expires_at: float | None = None
        self._early: list[dict[str, Any]] = []
        self._response_id = ""
        self._is_responding = False
        self._is_caller_speaking = False
        self._dead_responses: set[str] = set()
        self._open_tools: set[str] = set()
        self._next_response: dict[str, Any] | None = None
        self._asked_for: dict[str, Any] = {}
        self._n_asked = 0

    @property
    def n_dropped(self) -> int:
        return self._uplink.n_dropped

    # ── Opening ─────────────────────────────────────────────────────────────────────────────────────────────
    async def open(self, brief: VoiceBrief, history: Sequence[PastTurn] = ()) -> None:
        await self._disconnect()
        self._reset()
        try:
            with self._guard():
                await self._open(brief, history)
        except CircuitOpen as error:
            raise VoiceAIError("circuit_open", retryable=True) from error

    async def _open(self, brief: VoiceBrief, history: Sequence[PastTurn]) -> None:
        try:
            async with asyncio.timeout(self._open_timeout_s):
                await self._connect(brief)
                await self._configure(brief)
                for turn in history:
                    await self._send(wire.past_turn(turn))
                # Only now: sound given before would be taken for another format.
                if self._connection is not None:
                    self._uplink.attach(self._connection._connection)
        except VoiceAIError:
            await self._disconnect()
            raise
        except wire.Refused as error:
            await self._disconnect()
            raise VoiceAIError(error.code, error.message, retryable=error.code in _RETRYABLE_CODES) from error
        except InvalidStatus as error:
            status = error.response.status_code
            raise VoiceAIError(f"http_{status}", retryable=status in _RETRYABLE_STATUS) from error
        except (TimeoutError, OSError, InvalidHandshake, ConnectionClosed) as error:
            await self._disconnect()
            raise VoiceAIError("unreachable", type(error).__name__, retryable=True) from error
        except (OpenAIError, WebSocketException) as error:
            await self._disconnect()
            raise VoiceAIError("refused", str(error)[:200], retryable=False) from error

    async def _connect(self, brief: VoiceBrief) -> None:
        options: dict[str, Any] = {
            "open_timeout": self._open_timeout_s,
            "ping_interval": 20,
            "ping_timeout": 20,
            "close_timeout": 2,
            "max_size": _MAX_MESSAGE_BYTES,
        }
        if self._ssl is not None:
            options["ssl"] = self._ssl
        self._connection = await self._client.realtime.connect(
            model=brief.model,
            extra_headers={"OpenAI-Safety-Identifier": brief.caller_id} if brief.caller_id else {},
            websocket_connection_options=cast("WebSocketConnectionOptions", options),
        ).enter()

    async def _configure(self, brief: VoiceBrief) -> None:
        created = await self._expect("session.created")
        expires_at = created.get("session", {}).get("expires_at")
        self._expires_at = float(expires_at) if isinstance(expires_at, int | float) else None
        refusal: VoiceAIError | None = None
        for model in self._transcription_models:
            self._transcription_model = model
            await self._send(wire.session_update(brief, transcription_model=model))
            try:
                await self._expect("session.updated")
                return
            except wire.Refused as error:
                refusal = VoiceAIError(error.code, error.message, retryable=False)
                if "transcription" not in error.param:
                    break
        raise refusal or VoiceAIError("no_transcription_model", retryable=False)

    async def _expect(self, kind: str) -> dict[str, Any]:
        """The next event of that kind; others wait for events(). Raises wire.Refused on an error event."""
        assert self._connection is not None  # noqa: S101 - only called between connect and close
        while True:
            try:
                event = cast("dict[str, Any]", orjson.loads(await self._connection.recv_bytes()))
                found = event["type"]
            except (ValueError, KeyError, TypeError):
                raise VoiceAIError("malformed", retryable=True) from None
            if found == kind:
                return event
            if found == "error":
                raise wire.Refused(event)
            if len(self._early) < _MAX_EARLY:
                self._early.append(event)

    # ── To the provider ─────────────────────────────────────────────────────────────────────────────────────
    async def send_audio(self, audio: Audio) -> None:
        self._uplink.send(audio.text)

    def forget_unsent(self) -> None:
        self._uplink.forget()

    async def speak(self, prompt: str) -> None:
        await self._create_response({"instructions": prompt})

    async def note(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "system", "content": content}
        await self._send({"type": "conversation.item.create", "item": item})

    async def change(self, brief: VoiceBrief) -> None:
        """The voice stays: the provider fixes it with the first sound it makes."""
        await self._send(wire.session_change(brief, transcription_model=self._transcription_model))

    async def cut(self, item_id: str, heard_ms: int) -> None:
        await self._send(
            {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": heard_ms}
        )

    async def answer_tool(self, tool_call_id: str, result: str, *, respond: bool = True) -> None:
        item = {"type": "function_call_output", "call_id": tool_call_id, "output": result}
        await self._send({"type": "conversation.item.create", "item": item})
        self._open_tools.discard(tool_call_id)
        if respond:
            await self._create_response({})

    async def end_of_caller_audio(self) -> None:
        if self._is_caller_speaking:
            await self._send({"type": "input_audio_buffer.commit"})

    async def close(self) -> None:
        self._is_closed = True
        await self._disconnect()

    async def _disconnect(self) -> None:
        self._uplink.detach()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _send(self, event: Mapping[str, Any]) -> None:
        """Lost if the provider is gone: events() tells the session, which then opens anew with what was said."""
        if self._connection is not None:
            try:
                await self._connection.send_raw(orjson.dumps(event).decode())
            except ConnectionClosed:
                self._uplink.detach()

    async def _create_response(self, wanted: dict[str, Any]) -> None:
        """Ask for a response as soon as none is running and every tool call has its answer."""
        if wanted or self._next_response is None:
            self._next_response = wanted
        if self._is_responding or self._open_tools or self._is_caller_speaking:
            return
        wanted, self._next_response = self._next_response, None
        self._is_responding = True
        self._n_asked += 1
        self._asked_for = wanted
        asked = {"type": "response.create", "event_id": self._ask_id}
        await self._send({**asked, "response": wanted} if wanted else asked)

    @property
    def _ask_id(self) -> str:
        return f"ask_{self._n_asked}"

    # ── From the provider ───────────────────────────────────────────────────────────────────────────────────
    async def events(self) -> AsyncIterator[AiEvent]:
        yield Ready(self._expires_at)
        for early in self._early:
            async for frame in self._translate(early):
                yield frame
        self._early = []
        connection = self._connection
        if connection is None:
            return
        n_garbage = 0
        while True:
            try:
                raw = await connection.recv_bytes()
            except ConnectionClosed as error:
                if self._is_closed:
                    return
                self._uplink.detach()
                code = error.rcvd.code if error.rcvd is not None else 1006
                raise VoiceAIError(f"closed_{code}", error.rcvd.reason if error.rcvd else "", retryable=True) from error
            try:
                event = orjson.loads(raw)
                if event["type"] == "response.output_audio.delta":
                    if event["response_id"] not in self._dead_responses:
                        text = event["delta"]
                        # The text goes on into other JSON as it is: it must be base64 and nothing else.
                        yield Audio(text, len(a2b_base64(text, strict_mode=True)), PCMU_8K, event["item_id"])
                    continue
                async for frame in self._translate(event):
                    yield frame
                if self._expires_at is not None and (left_s := self._expires_at - self._now()) < _LEAVE_S:
                    self._expires_at = None
                    yield Expiring(max(0.0, left_s))
            except (ValueError, KeyError, TypeError, AttributeError, Base64Error) as error:
                n_garbage += 1
                if n_garbage >= _MAX_GARBAGE:
                    raise VoiceAIError("malformed", type(error).__name__, retryable=True) from error

    async def _translate(self, event: dict[str, Any]) -> AsyncIterator[AiEvent]:
        """Frames of one event that is not audio, after it has left its trace in our own state."""
        kind = event["type"]
        if kind in wire.TRANSLATORS:
            translate: Callable[[dict[str, Any]], AiEvent | None] = wire.TRANSLATORS[kind]
            frame = translate(event)
            if isinstance(frame, CallerTranscript) and frame.usage is not None:
                frame = replace(frame, usage=replace(frame.usage, model=self._transcription_model))
            if isinstance(frame, AiTranscript) and event.get("response_id") in self._dead_responses:
                return  # words of sound that nobody will hear
            if isinstance(frame, ToolCall):
                self._open_tools.add(frame.id)
            await self._follow(kind, event)
            if frame is not None:
                yield frame
        else:
            await self._follow(kind, event)

    async def _follow(self, kind: str, event: dict[str, Any]) -> None:
        if kind == "response.created":
            self._response_id = event["response"]["id"]
            self._is_responding = True
            self._next_response = None if self._next_response == {} else self._next_response
        elif kind == "response.done":
            self._dead_responses.discard(event["response"]["id"])
            self._is_responding = False
            self._response_id = ""
            if self._next_response is not None:
                await self._create_response(self._next_response)
        elif kind == "input_audio_buffer.speech_started":
            self._is_caller_speaking = True
            if self._response_id:
                self._dead_responses.add(self._response_id)  # what is still on its way is not to be heard
        elif kind == "input_audio_buffer.speech_stopped":
            self._is_caller_speaking = False
            # The provider answers the caller by itself; a response owed for a tool is part of that answer.
            self._next_response = None if self._next_response == {} else self._next_response
        elif kind == "error":
            if not self._response_id:
                self._is_responding = False
            elif wire.is_crossed(event, self._ask_id):  # it had just begun to answer the caller by itself
                self._next_response = self._next_response or self._asked_for or None


def _audio_message(text: str) -> bytes:
    return f'{{"type":"input_audio_buffer.append","audio":"{text}"}}'.encode()
