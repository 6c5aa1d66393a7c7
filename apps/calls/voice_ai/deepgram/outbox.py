"""What the pipeline has for the session, in order; sound of an interrupted answer can be taken back."""

import asyncio
from collections import deque
from typing import Final

from apps.calls.media.frames import AiEvent, Audio
from apps.calls.voice_ai.base import VoiceAIError

# About half a minute of speech in the chunks in which it comes; who makes more has to wait for the session.
_ROOM: Final = 200


class Outbox:
    def __init__(self) -> None:
        self._waiting: deque[AiEvent | VoiceAIError | None] = deque()
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._taken_ms: dict[str, float] = {}

    def put(self, event: AiEvent) -> None:
        self._add(event)

    def fail(self, error: VoiceAIError) -> None:
        """The conversation is lost; what came before is still told."""
        self._add(error)

    def end(self) -> None:
        self._add(None)

    def _add(self, event: AiEvent | VoiceAIError | None) -> None:
        self._waiting.append(event)
        self._something.set()
        if len(self._waiting) >= _ROOM:
            self._room.clear()

    async def wait_for_room(self) -> None:
        await self._room.wait()

    async def take(self) -> AiEvent | None:
        """The next event; None at the end. Raises VoiceAIError."""
        while not self._waiting:
            self._something.clear()
            await self._something.wait()
        event = self._waiting.popleft()
        if len(self._waiting) < _ROOM:
            self._room.set()
        if isinstance(event, VoiceAIError):
            raise event
        if type(event) is Audio:
            self._taken_ms[event.item_id] = self._taken_ms.get(event.item_id, 0.0) + event.ms
        return event

    def taken_ms(self, item_id: str) -> float:
        """Sound of an item that the session has."""
        return self._taken_ms.get(item_id, 0.0)

    def forget(self, item_id: str) -> None:
        self._taken_ms.pop(item_id, None)

    def drop_audio(self) -> None:
        self._waiting = deque(event for event in self._waiting if type(event) is not Audio)
        if len(self._waiting) < _ROOM:
            self._room.set()
