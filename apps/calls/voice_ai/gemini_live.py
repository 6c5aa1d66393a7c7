"""Gemini Live through the official SDK's connection.

The SDK opens, authenticates and sets up; its message models stay out of the audio path, where they would cost 40 µs for
each frame of the caller and 100 µs for each message of the AI: messages are read as bytes and written as finished text.
The provider speaks 16 and 24 kHz; both ends of this adapter speak the line's 8 kHz μ-law.
"""

import asyncio
import time
from base64 import b64encode
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
import structlog
from google.genai import Client, errors
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from apps.calls.media.audio import Resampler, decode_pcmu, loudness
from apps.calls.media.frames import AiEvent, AiTranscript, Audio, CallerTranscript, Ready, Used
from apps.calls.voice_ai import gemini_events as wire
from apps.calls.voice_ai.base import PastTurn, VoiceAIError, VoiceBrief
from apps.calls.voice_ai.capabilities import GEMINI
from apps.calls.voice_ai.gemini_dialogue import Dialogue
from apps.calls.voice_ai.uplink import Uplink
from apps.core.breaker import CircuitOpen

if TYPE_CHECKING:
    from google.genai.live import AsyncSession
    from google.genai.types import LiveConnectConfigDict
    from websockets.asyncio.client import ClientConnection

log = structlog.get_logger(__name__)

_MIME: Final = wire.MIME_16K.encode()
_BUFFER_BYTES: Final = 32_768  # some 0.7 s of the caller
_MAX_FRAMES_AHEAD: Final = 500
_MAX_GARBAGE: Final = 10
_CLOSE_S: Final = 2.0
_HANDLE_LIVES_S: Final = 7200.0
_NUDGE_AFTER_S: Final = 2.5
# What was said and what it cost is told also when the connection it came by has been given up.
_OUTLIVES: Final = (CallerTranscript, AiTranscript, Used)
# A cut the provider knows nothing of is worth a word only if the person missed more than this.
_MISSED_MS: Final = 1000.0
_RETRYABLE_STATUS: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 529})
# Close codes that mean the request itself is wrong: 1002 protocol, 1003 data, 1007 invalid argument, 1008 policy.
_FINAL_CLOSES: Final = frozenset({1002, 1003, 1007, 1008})


class _Frames:
    """What one connection has brought for the session, and how it ended."""

    def __init__(self, told: Sequence[AiEvent] = ()) -> None:
        """told: by the connection before, and not taken yet."""
        self.waiting: deque[AiEvent] = deque(told)
        self.failure: VoiceAIError | None = None
        self.is_closed = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def put(self, frame: AiEvent) -> None:
        self.waiting.append(frame)
        self._news.set()
        if len(self.waiting) >= _MAX_FRAMES_AHEAD:
            self._room.clear()

    def end(self, failure: VoiceAIError | None) -> None:
        self.failure = self.failure or failure
        self.is_closed = True
        self._news.set()

    async def room(self) -> None:
        """Waits while the session is far behind: then the provider has to wait as well."""
        if not self._room.is_set():
            await self._room.wait()

    async def next(self) -> AiEvent | None:
        """None: the end. Raises VoiceAIError, after all that came before."""
        waiting = self.waiting
        while not waiting:
            if self.is_closed:
                if self.failure is not None:
                    raise self.failure
                return None
            self._news.clear()
            await self._news.wait()
        frame = waiting.popleft()
        if not waiting:
            self._room.set()
        return frame


class GeminiLive:
    """One conversation. client is shared by all: it holds key, address and TLS context; each open() makes a connection.

    guard: a context manager around each open(), such as a circuit breaker. quiet_s: so long after the last piece of it,
    a transcript of the caller counts as whole.
    """

    name = "gemini"
    capabilities = GEMINI

    def __init__(
        self,
        client: Client,
        *,
        open_timeout_s: float = 10.0,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
        quiet_s: float = 0.5,
    ) -> None:
        self._client = client
        self._open_timeout_s = open_timeout_s
        self._guard = guard
        self._quiet_s = quiet_s
        self._context: AbstractAsyncContextManager[AsyncSession] | None = None
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._frames = _Frames()
        self._to_16k = Resampler(up=2)
        self._uplink: Uplink[bytes] = Uplink(self._audio_message, buffer_bytes=_BUFFER_BYTES)
        self._dialogue = Dialogue(emit=self._emit, arm=self._arm_quiet, on_idle=self._prompt_idle)
        self._brief: VoiceBrief | None = None
        self._prompts: deque[str] = deque()
        self._answers: dict[str, str] = {}
        self._handle = ""
        self._handle_at = 0.0
        self._handle_model = ""
        self._since_handle: OrderedDict[str, PastTurn] = OrderedDict()

    @property
    def n_dropped(self) -> int:
        return self._uplink.n_dropped

    # ── Opening ─────────────────────────────────────────────────────────────────────────────────────────────
    async def open(self, brief: VoiceBrief, history: Sequence[PastTurn] = ()) -> None:
        await self._disconnect()
        self._dialogue.give_up()
        told = [frame for frame in self._frames.waiting if isinstance(frame, _OUTLIVES)]
        self._frames = _Frames(told)
        self._dialogue.reset()
        self._dialogue.idle_ms = brief.idle_prompt_ms
        self._prompts.clear()
        self._answers.clear()
        try:
            with self._guard():
                await self._open(brief, history)
        except CircuitOpen as error:
            raise VoiceAIError("circuit_open", retryable=True) from error

    async def _open(self, brief: VoiceBrief, history: Sequence[PastTurn]) -> None:
        """Go on where the last connection ended, if the provider lets us, else begin anew with what was said."""
        self._brief = brief
        if self._handle and self._handle_model == brief.model and time.monotonic() - self._handle_at < _HANDLE_LIVES_S:
            try:
                await self._connect(brief, handle=self._handle, has_history=False)
            except VoiceAIError as error:
                if error.retryable:
                    raise
            else:
                missed = [turn for turn in self._since_handle.values() if turn.text]
                await self._begin(missed, turn_complete=False)
                return
        self._handle = ""
        self._since_handle.clear()
        await self._connect(brief, handle="", has_history=bool(history))
        await self._begin(history, turn_complete=True)

    async def _connect(self, brief: VoiceBrief, *, handle: str, has_history: bool) -> None:
        config = wire.live_config(brief, handle=handle, has_history=has_history)
        context = self._client.aio.live.connect(model=brief.model, config=cast("LiveConnectConfigDict", config))
        try:
            async with asyncio.timeout(self._open_timeout_s):
                session = await context.__aenter__()
        except InvalidStatus as error:
            status = error.response.status_code
            raise VoiceAIError(f"http_{status}", retryable=status in _RETRYABLE_STATUS) from error
        except errors.APIError as error:
            raise _refusal(error) from error
        except (TimeoutError, OSError, InvalidHandshake, ConnectionClosed) as error:
            raise VoiceAIError("unreachable", type(error).__name__, retryable=True) from error
        except (ValueError, WebSocketException) as error:  # pydantic's errors are ValueErrors
            raise VoiceAIError("refused", str(error)[:200], retryable=False) from error
        self._context, self._socket = context, session._ws

    async def _begin(self, turns: Sequence[PastTurn], *, turn_complete: bool) -> None:
        if turns:
            await self._send(wire.client_content(turns, turn_complete=turn_complete))
        if self._socket is not None:
            try:
                self._uplink.attach(self._socket)
            except OSError as error:  # closed again already
                raise VoiceAIError("unreachable", type(error).__name__, retryable=True) from error
            self._reader = asyncio.create_task(self._read(self._socket, self._frames))

    # ── To the provider ─────────────────────────────────────────────────────────────────────────────────────
    async def send_audio(self, audio: Audio) -> None:
        pcm = decode_pcmu(audio.data)
        self._dialogue.hear(loudness(pcm), audio.n_bytes / audio.format.bytes_per_ms)
        self._uplink.send(pcm)

    def _audio_message(self, pcm: bytes) -> bytes:
        return b'{"realtimeInput":{"audio":{"mimeType":"%s","data":"%s"}}}' % (_MIME, b64encode(self._to_16k(pcm)))

    def forget_unsent(self) -> None:
        self._uplink.forget()

    async def speak(self, prompt: str) -> None:
        """Asked for while it speaks, the provider would break off: then the prompt waits its turn."""
        self._prompts.append(prompt)
        if self._is_busy:
            # It reckons itself when what it said has been heard, and may never say so.
            self._later("prompt", self._dialogue.playing_ms / 1000 + _NUDGE_AFTER_S, self._next_prompt)
        else:
            await self._send(self._prompt_message())

    @property
    def _is_busy(self) -> bool:
        return self._dialogue.is_answering or bool(self._dialogue.open_tools)

    def _prompt_message(self) -> Mapping[str, Any]:
        self._later("nudge", _NUDGE_AFTER_S, lambda: self._send_soon(wire.NUDGE))
        return wire.client_content([PastTurn("caller", wire.note(self._prompts.popleft()))], turn_complete=True)

    def _next_prompt(self) -> None:
        if self._prompts:
            self._send_soon(self._prompt_message())

    def _prompt_idle(self) -> None:
        if not self._prompts:
            self._prompts.append(wire.IDLE_PROMPT)
            self._next_prompt()

    async def note(self, text: str) -> None:
        await self._send(wire.client_content([PastTurn("caller", wire.note(text))], turn_complete=False))

    async def change(self, brief: VoiceBrief) -> None:
        """The voice stays until the conversation is opened anew: this provider cannot change it."""
        before, self._brief = self._brief, brief
        self._dialogue.idle_ms = brief.idle_prompt_ms
        with_tools = before is None or before.tools != brief.tools
        await self._send(wire.context_update(brief, with_tools=with_tools))

    async def cut(self, item_id: str, heard_ms: int) -> None:
        """It cannot be told; it is only where it does not know of the interruption that a note says what was heard."""
        dialogue = self._dialogue
        dialogue.cut(item_id)
        spoken = dialogue.spoken.get(item_id)
        if spoken is None:
            return
        heard = spoken.heard_text(heard_ms)
        if item_id in self._since_handle:
            self._since_handle[item_id] = PastTurn("ai", heard)
        if not spoken.was_interrupted and spoken.ms - heard_ms > _MISSED_MS:
            last = f"only this of your last words: “{heard}”" if heard else "nothing of your last words"
            await self.note(f"The person spoke over you and heard {last}.")

    async def answer_tool(self, tool_call_id: str, result: str, *, respond: bool = True) -> None:
        """The provider goes on by itself once all calls of its message are answered; respond=False cannot be had."""
        open_tools = self._dialogue.open_tools
        if tool_call_id not in open_tools:
            return  # the caller has spoken meanwhile, and the provider took the call back
        self._answers[tool_call_id] = result
        if all(call_id in self._answers for call_id in open_tools):
            answers = [(call_id, name, self._answers[call_id]) for call_id, name in open_tools.items()]
            open_tools.clear()
            self._answers.clear()
            await self._send(wire.tool_response(answers))

    async def end_of_caller_audio(self) -> None:
        await self._send(wire.AUDIO_END)
        self._dialogue.end_of_audio()

    async def close(self) -> None:
        await self._disconnect()

    async def _send(self, message: Mapping[str, Any]) -> None:
        """Lost if the provider is gone: events() tells the session, which then opens anew with what was said."""
        if self._socket is not None:
            try:
                await self._socket.send(orjson.dumps(message).decode())
            except ConnectionClosed:
                self._uplink.detach()

    def _send_soon(self, message: Mapping[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._send(message))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _disconnect(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        context, self._context = self._context, None
        connection, self._socket = self._socket, None
        reader, self._reader = self._reader, None
        self._uplink.detach()
        self._frames.end(None)
        if reader is not None:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        if context is not None and connection is not None:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await context.__aexit__(None, None, None)
            except TimeoutError:
                connection.transport.abort()

    # ── From the provider ───────────────────────────────────────────────────────────────────────────────────
    async def events(self) -> AsyncIterator[AiEvent]:
        frames = self._frames
        yield Ready()
        while (frame := await frames.next()) is not None:
            yield frame

    async def _read(self, connection: "ClientConnection", frames: _Frames) -> None:
        n_garbage = 0
        try:
            while True:
                raw = await connection.recv(decode=False)
                try:
                    self._take(orjson.loads(raw))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    n_garbage += 1
                    if n_garbage >= _MAX_GARBAGE:
                        raise VoiceAIError("malformed", type(error).__name__, retryable=True) from error
                await frames.room()
        except ConnectionClosed as error:
            self._lost(error, frames)
        except VoiceAIError as error:
            frames.end(error)
        except Exception as error:
            log.exception("voice_ai_reader_failed", voice_ai=self.name)
            frames.end(VoiceAIError("internal", type(error).__name__, retryable=True))
        self._uplink.detach()

    def _take(self, message: Mapping[str, Any]) -> None:
        if update := message.get("sessionResumptionUpdate"):
            self._resumable(update)
        self._dialogue.take(message)
        if self._dialogue.is_answering:
            self._cancel("nudge")
        elif self._prompts and not self._is_busy:
            self._cancel("prompt")
            self._next_prompt()

    def _resumable(self, update: Mapping[str, Any]) -> None:
        handle = update.get("newHandle")
        if handle and update.get("resumable") and self._brief is not None:
            self._handle, self._handle_at = str(handle), time.monotonic()
            self._handle_model = self._brief.model
            self._since_handle.clear()

    def _lost(self, error: ConnectionClosed, frames: _Frames) -> None:
        self._dialogue.give_up()
        code = error.rcvd.code if error.rcvd is not None else 1006
        if code in _FINAL_CLOSES:
            self._handle = ""  # whatever it objects to may be a part of what would be resumed
        frames.end(VoiceAIError(f"closed_{code}", error.rcvd.reason if error.rcvd else "", retryable=True))

    def _emit(self, frame: AiEvent) -> None:
        if type(frame) is CallerTranscript and frame.is_final and frame.text:
            self._since_handle[frame.item_id] = PastTurn("caller", frame.text)
        elif type(frame) is AiTranscript and frame.is_final:
            self._since_handle[frame.item_id] = PastTurn("ai", frame.text)
        self._frames.put(frame)

    # ── Timers ──────────────────────────────────────────────────────────────────────────────────────────────
    def _arm_quiet(self) -> None:
        self._later("quiet", self._quiet_s, self._dialogue.quiet)

    def _later(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        self._cancel(name)
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, act)

    def _cancel(self, name: str) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()


def _refusal(error: errors.APIError) -> VoiceAIError:
    """The SDK gives the WebSocket's close code as the code, and its reason only within the text."""
    text = str(error)[:200]
    code = error.code or 0
    if "quota" in text.casefold() or "RESOURCE_EXHAUSTED" in text:
        return VoiceAIError("quota", text, retryable=True)
    return VoiceAIError(f"closed_{code}" if code >= 1000 else f"http_{code}", text, retryable=code not in _FINAL_CLOSES)
