"""One response on its way to the client: items, deltas and the closing events, in the documented order."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from .conversation import Conversation, Item, new_id
from .faults import Fault
from .g711 import BYTES_PER_MS, mulaw_to_alaw, pcm24k_of
from .scene import Call, Reply, Say
from .usage import Tokens, ai_audio_tokens, response_usage, text_tokens
from .world import Synthesise

log = logging.getLogger(__name__)

CHUNK_MS: Final = 400
_ARGUMENT_PIECES: Final = 3

Emit = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a response is spoken. Durations in seconds of wall clock."""

    synthesise: Synthesise
    audio_type: str
    """audio/pcmu, audio/pcma or audio/pcm"""
    as_text: bool
    latency_s: float
    chunk_s: float
    """Pause after each 400 ms of audio."""
    max_output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    type: str
    code: str
    message: str


def failure_of(fault: Fault) -> Failure:
    """As it was ordered."""
    settings = fault.settings
    return Failure(
        settings.get("type", "server_error"),
        settings.get("code", "server_error"),
        settings.get("message", "The server had an error while processing your request. Sorry about that!"),
    )


@dataclass(slots=True, eq=False)
class Response:
    emit: Emit
    conversation: Conversation | None
    """None: out of band, the items join no conversation."""
    prompt: Tokens
    cached: Tokens
    delivery: Delivery
    modalities: list[str]
    max_output_tokens: int | str
    metadata: dict[str, Any] | None
    voice: Any
    on_audio: Callable[[int], None]
    """Told the bytes of μ-law behind each audio delta."""
    on_done: Callable[[Response], None]
    failure: Failure | None = None
    id: str = field(default_factory=lambda: new_id("resp"))
    status: str = "in_progress"
    details: dict[str, Any] | None = None
    items: list[Item] = field(default_factory=list)
    output: Tokens = field(default_factory=Tokens)
    sent_bytes: int = 0
    _open: Item | None = None
    _task: asyncio.Task[None] | None = None

    @property
    def is_active(self) -> bool:
        return self.status == "in_progress"

    def start(self, reply: Callable[[], Reply]) -> None:
        """reply is asked for when the thinking time is over."""
        self.emit("response.created", response=self.as_json())
        self._task = asyncio.get_running_loop().create_task(self._stream(reply))

    def as_json(self) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": self.details,
            "output": [item.as_json() for item in self.items],
            "conversation_id": self.conversation.id if self.conversation else None,
            "output_modalities": self.modalities,
            "max_output_tokens": self.max_output_tokens,
            "audio": {"output": {"format": {"type": self.delivery.audio_type}, "voice": self.voice}},
            "usage": None if self.is_active else response_usage(self.prompt, self.cached, self.output),
            "metadata": self.metadata,
        }

    def cancel(self, reason: str) -> None:
        """reason: turn_detected or client_cancelled. The client is told at once; nothing more is generated."""
        self._finish("cancelled", {"type": "cancelled", "reason": reason})

    def drop(self) -> None:
        """The client has gone: stop without a word."""
        if self._task is not None:
            self._task.cancel()

    async def _stream(self, reply: Callable[[], Reply]) -> None:
        try:
            await self._generate(reply)
        except Exception as error:
            log.exception("response_failed")
            details = {"type": "server_error", "code": type(error).__name__, "message": str(error)}
            self._finish("failed", {"type": "failed", "error": details})

    async def _generate(self, reply: Callable[[], Reply]) -> None:
        await asyncio.sleep(self.delivery.latency_s)
        if self.failure is not None:
            error = {"type": self.failure.type, "code": self.failure.code, "message": self.failure.message}
            self._finish("failed", {"type": "failed", "error": error})
            return
        for part in reply():
            fits = await self._say(part) if isinstance(part, Say) else await self._call(part)
            if not fits:
                self._finish("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
                return
        self._finish("completed", None)

    def _finish(self, status: str, details: dict[str, Any] | None) -> None:
        if not self.is_active:
            return
        if self._open is not None:
            self._close_item("incomplete")
        self.status, self.details = status, details
        self.emit("response.done", response=self.as_json())
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self.on_done(self)

    def _at(self, item: Item) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": item.id, "output_index": self.items.index(item)}

    def _open_item(self, item: Item) -> None:
        item.status = "in_progress"
        self.items.append(item)
        self._open = item
        self.emit(
            "response.output_item.added",
            response_id=self.id,
            output_index=len(self.items) - 1,
            item=item.as_json(),
        )
        if self.conversation is not None:
            before = self.conversation.add(item)
            self.emit("conversation.item.added", previous_item_id=before, item=item.as_json())

    def _close_item(self, status: str) -> None:
        item = self._open
        if item is None:
            return
        if item.type == "message":
            self._close_part(item)
        elif status == "completed":
            self.emit(
                "response.function_call_arguments.done",
                **self._at(item),
                call_id=item.call_id,
                name=item.name,
                arguments=item.arguments,
            )
        item.status, self._open = status, None
        shown = item.as_json()
        self.emit("response.output_item.done", response_id=self.id, output_index=self.items.index(item), item=shown)
        if self.conversation is not None and self.conversation.get(item.id) is item:
            self.emit("conversation.item.done", previous_item_id=self.conversation.id_before(item), item=shown)

    def _close_part(self, item: Item) -> None:
        at = self._at(item) | {"content_index": 0}
        if self.delivery.as_text:
            self.emit("response.output_text.done", **at, text=item.said)
            part = {"type": "text", "text": item.said}
            item.content = [{"type": "output_text", "text": item.said}]
        else:
            self.emit("response.output_audio.done", **at)
            self.emit("response.output_audio_transcript.done", **at, transcript=item.said)
            part = {"type": "audio", "transcript": item.said}
            item.content = [{"type": "output_audio", "transcript": item.said}]
        self.emit("response.content_part.done", **at, part=part)

    async def _say(self, say: Say) -> bool:
        item = Item(id=new_id("item"), type="message", role="assistant")
        self._open_item(item)
        at = self._at(item) | {"content_index": 0}
        part = {"type": "text", "text": ""} if self.delivery.as_text else {"type": "audio", "transcript": ""}
        self.emit("response.content_part.added", **at, part=part)
        words = _pieces(say.text)
        fits = await (self._write(item, words, at) if self.delivery.as_text else self._speak(item, say, words, at))
        if fits:
            self._close_item("completed")
        return fits

    async def _write(self, item: Item, words: Sequence[str], at: dict[str, Any]) -> bool:
        for n, word in enumerate(words):
            if not self._spend(Tokens(text_tokens(word), 0)):
                return False
            item.said += word
            self.emit("response.output_text.delta", **at, delta=word)
            if n % 8 == 7:
                await asyncio.sleep(self.delivery.chunk_s)
        return True

    async def _speak(self, item: Item, say: Say, words: Sequence[str], at: dict[str, Any]) -> bool:
        audio = self.delivery.synthesise(say.text, say.language, "b")
        wire = _encoded(audio, self.delivery.audio_type)
        ratio = len(wire) // max(len(audio), 1)
        step = CHUNK_MS * BYTES_PER_MS
        n_said = 0
        for start in range(0, len(audio), step):
            end = min(start + step, len(audio))
            # The transcript is written a little ahead of the voice.
            n_due = min(len(words), round(len(words) * (end + step) / len(audio)))
            text = "".join(words[n_said:n_due])
            if not self._spend(Tokens(text_tokens(text), ai_audio_tokens((end - start) / BYTES_PER_MS))):
                return False
            if text:
                item.said += text
                n_said = n_due
                self.emit("response.output_audio_transcript.delta", **at, delta=text)
            item.audio += audio[start:end]
            delta = base64.b64encode(wire[start * ratio : end * ratio]).decode()
            self.emit("response.output_audio.delta", **at, delta=delta)
            self.sent_bytes += end - start
            self.on_audio(end - start)
            await asyncio.sleep(self.delivery.chunk_s)
        return True

    async def _call(self, call: Call) -> bool:
        item = Item(id=new_id("item"), type="function_call", name=call.name, call_id=new_id("call"))
        arguments = orjson.dumps(call.arguments).decode()
        if not self._spend(Tokens(text_tokens(call.name + arguments) + 4, 0)):
            return False
        self._open_item(item)
        size = -(-len(arguments) // _ARGUMENT_PIECES)
        for start in range(0, len(arguments), size):
            piece = arguments[start : start + size]
            item.arguments += piece
            self.emit("response.function_call_arguments.delta", **self._at(item), call_id=item.call_id, delta=piece)
            await asyncio.sleep(0)
        self._close_item("completed")
        return True

    def _spend(self, tokens: Tokens) -> bool:
        limit = self.delivery.max_output_tokens
        if limit is not None and self.output.total + tokens.total > limit:
            return False
        self.output += tokens
        return True


def _pieces(text: str) -> list[str]:
    """Words with the space that follows them: joined, they are the text."""
    words = text.split(" ")
    return [f"{word} " for word in words[:-1]] + words[-1:]


def _encoded(mulaw: bytes, audio_type: str) -> bytes:
    if audio_type == "audio/pcma":
        return mulaw_to_alaw(mulaw)
    if audio_type == "audio/pcm":
        return pcm24k_of(mulaw)
    return mulaw
