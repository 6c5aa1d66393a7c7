"""Speak, version 1 (Aura): text in, sound of that voice out, flush by flush."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import orjson

from ..faults import Fault
from ..g711 import BYTES_PER_MS
from ..outgoing import Outgoing
from ..world import World
from .part import Part

_FIRST_SOUND_S: Final = 0.15
_TIMES_REAL_TIME: Final = 8  # how much faster than speech the sound is made
_CHUNK_BYTES: Final = 1777  # of no frame's length: clients have to put them together
_MOST_FLUSHES: Final = 20
_FLUSH_WINDOW_S: Final = 60.0
_LONGEST_TEXT: Final = 2000
_KINDS: Final = frozenset({"Speak", "Flush", "Clear", "Close"})


class SpeakSession(Part):
    """encode: μ-law to the encoding that was asked for."""

    def __init__(
        self,
        world: World,
        model: str,
        encode: Callable[[bytes], bytes],
        line: Outgoing,
        faults: list[Fault],
    ) -> None:
        super().__init__(world, "speak", model, line, faults)
        self._encode = encode
        self._language = model.rpartition("-")[2]
        self._text: list[str] = []
        self._waiting: deque[str] = deque()
        self._flushes: deque[float] = deque()
        self._sequence = 0
        self._is_closing = False
        self._late_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        super().open()
        self.emit(
            "Metadata",
            request_id=self.id,
            model_name=self.record.model,
            model_version="2026-09-01.0",
            model_uuid="0bb159e1-5c0a-48fb-aa29-ed7c0401f116",
        )

    def receive_audio(self, data: bytes) -> None:
        self.hang_up(1008, "DATA-0001")

    def receive_text(self, data: bytes) -> None:
        try:
            message = orjson.loads(data)
            kind = str(message["type"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            kind, message = "", {}
        self.record.received[kind] += 1
        if kind not in _KINDS or (kind == "Speak" and not isinstance(message.get("text"), str)):
            self.record.errors.append(f"unknown message {kind}")
            self.emit("Error", code="DATA-0001", description="The message could not be understood.")
            self.hang_up(1008, "DATA-0001")
        elif kind == "Speak":
            self._speak(message["text"])
        elif kind == "Flush":
            self._flush()
        elif kind == "Clear":
            self._clear()
        else:
            self._is_closing = True
            self._give_all()

    def _speak(self, text: str) -> None:
        if len(text) > _LONGEST_TEXT:
            self.emit("Error", code="DATA-0003", description=f"A message may have {_LONGEST_TEXT} characters.")
            return
        self.record.characters += len(text)
        self._text.append(text)

    def _flush(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._flushes and now - self._flushes[0] >= _FLUSH_WINDOW_S:
            self._flushes.popleft()
        if len(self._flushes) >= _MOST_FLUSHES:
            self.emit("Warning", code="EXCESSIVE_FLUSH", description="Too many Flush messages; this one is ignored.")
            return
        self._flushes.append(now)
        self._give_all()

    def _give_all(self) -> None:
        self._waiting.append(" ".join(self._text).strip())
        self._text.clear()
        if self._task is None or self._task.done():
            # What comes while it is still speaking belongs to the same answer.
            self._late_s = self.begin()
            self._task = asyncio.get_running_loop().create_task(self._make_sound())

    def _clear(self) -> None:
        self._text.clear()
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        self.emit("Cleared", sequence_id=self._next())

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1

    async def _make_sound(self) -> None:
        while self._waiting:
            text = self._waiting.popleft()
            if text:
                await self._say(text)
            if not self._is_closing or self._waiting:
                self.emit("Flushed", sequence_id=self._next())
        if self._is_closing:
            self.hang_up(1000)

    async def _say(self, text: str) -> None:
        late_s, self._late_s = self._late_s, 0.0
        await asyncio.sleep(_FIRST_SOUND_S / self.world.speed + late_s)
        sound = self.world.synthesise(text, self._language, "b")
        fault = self.trouble("disconnect")
        turn = {"who": "ai", "text": text, "intents": []}
        self.record.turns.append(turn)
        for at in range(0, len(sound), _CHUNK_BYTES):
            piece = sound[at : at + _CHUNK_BYTES]
            self.emit_audio(self._encode(piece))
            if fault is not None:
                self.strike(fault)
                return
            await asyncio.sleep(len(piece) / BYTES_PER_MS / 1000 / _TIMES_REAL_TIME / self.world.speed)

    def close(self, code: int | None, reason: str) -> None:
        if self._task is not None:
            self._task.cancel()
        super().close(code, reason)
