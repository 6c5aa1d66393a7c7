"""One answer of the model on its way to the client: sound, words and tool calls, and the silence while it is heard."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final, Protocol

import orjson

from ..conversation import Conversation, Item, new_id
from ..g711 import BYTES_PER_MS, pcm24k_of
from ..hearing import words_within
from ..scene import Call, Reply, Say
from ..usage import Tokens, ai_audio_tokens, text_tokens
from ..world import Synthesise

log = logging.getLogger(__name__)

_CHUNKS_MS: Final = (40, 130, 200, 75)  # of any length, as they come from the real one
_TIMES_REAL_TIME: Final = 6  # how much faster than speech the audio is made


class Send(Protocol):
    def __call__(self, message: dict[str, Any]) -> None: ...


@dataclass(slots=True, eq=False)
class Answer:
    """speed: how many times faster than life. decide: asked when the thinking time is over.

    on_sound: told after each piece of sound. on_calls: told the calls that were made; on_generated: all is made;
    on_heard: and by now it has been heard, if it was played at once.
    """

    send: Send
    conversation: Conversation
    synthesise: Synthesise
    transcribes: bool
    latency_s: float
    speed: float
    prompt: Tokens
    decide: Callable[[], Reply]
    on_sound: Callable[[], None]
    on_calls: Callable[[list[Item]], None]
    on_generated: Callable[[], None]
    on_heard: Callable[[], None]
    output: Tokens = field(default_factory=Tokens)
    audio_bytes: int = 0
    """μ-law behind the sound that was sent."""
    has_begun: bool = False
    is_waiting: bool = False
    """For the answers to its tool calls."""
    _item: Item | None = None
    _began_at: float = 0.0
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Nothing more is generated; the words that can not have been heard by now were never said."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if self._item is not None:
            heard_ms = (time.monotonic() - self._began_at) * self.speed * 1000
            whole_ms = self._item.audio_ms
            if heard_ms < whole_ms:
                self._item.said = words_within(self._item.said, 0.0, heard_ms / whole_ms)
                self._item.audio = self._item.audio[: int(heard_ms * BYTES_PER_MS)]
                self._item.is_truncated = True

    async def _run(self) -> None:
        try:
            await asyncio.sleep(self.latency_s)
            reply = self.decide()
            for part in reply:
                if isinstance(part, Say):
                    await self._say(part)
            if calls := [part for part in reply if isinstance(part, Call)]:
                self._call(calls)
                return
            self.on_generated()
            left_s = self._began_at + self._sounds_s() - time.monotonic() if self._began_at else 0.0
            await asyncio.sleep(max(0.0, left_s))
            self.on_heard()
        except Exception:
            log.exception("answer_failed")
            self.on_heard()

    def _sounds_s(self) -> float:
        """How long all of it sounds, on the wall's clock."""
        return self.audio_bytes / BYTES_PER_MS / 1000 / self.speed

    async def _say(self, say: Say) -> None:
        item = self._item = Item(new_id("item"), "message", role="assistant")
        self.conversation.add(item)
        self.has_begun = True
        audio = self.synthesise(say.text, say.language, "b")
        sound = pcm24k_of(audio)
        words = [f"{word} " for word in say.text.split(" ")]
        words[-1] = words[-1].rstrip()
        self._began_at = self._began_at or time.monotonic()
        at = n_said = 0
        lengths = cycle(_CHUNKS_MS)
        while at < len(audio):
            end = min(len(audio), at + next(lengths) * BYTES_PER_MS)
            # The transcript is written ahead of the voice.
            n_due = min(len(words), round(len(words) * (end + 400 * BYTES_PER_MS) / len(audio)))
            text, n_said = "".join(words[n_said:n_due]), n_due
            item.said += text
            item.audio += audio[at:end]
            self.output += Tokens(0, ai_audio_tokens((end - at) / BYTES_PER_MS))
            self.send(self._message(sound[at * 6 : end * 6], text))
            self.audio_bytes += end - at
            self.on_sound()
            await asyncio.sleep((end - at) / BYTES_PER_MS / 1000 / _TIMES_REAL_TIME / self.speed)
            at = end
        item.content = [{"type": "output_audio", "transcript": item.said}]

    def _message(self, pcm: bytes, text: str) -> dict[str, Any]:
        data = base64.b64encode(pcm).decode()
        content: dict[str, Any] = {
            "modelTurn": {
                "role": "model",
                "parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}],
            }
        }
        if text and self.transcribes:
            content["outputTranscription"] = {"text": text}
        return {"serverContent": content}

    def _call(self, calls: Sequence[Call]) -> None:
        items = [
            Item(
                new_id("item"),
                "function_call",
                name=call.name,
                call_id=new_id("fc"),
                arguments=orjson.dumps(call.arguments).decode(),
            )
            for call in calls
        ]
        for item in items:
            self.conversation.add(item)
            self.output += Tokens(text_tokens(item.name + item.arguments) + 4)
        self.has_begun = self.is_waiting = True
        functions = [
            {"id": item.call_id, "name": item.name, "args": call.arguments}
            for item, call in zip(items, calls, strict=True)
        ]
        self.send({"toolCall": {"functionCalls": functions}})
        self.on_calls(items)
