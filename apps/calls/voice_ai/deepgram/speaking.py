"""Who speaks: Deepgram's Aura voices, one connection per voice."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

import structlog
from deepgram import AsyncDeepgramClient

from apps.calls.voice_ai.base import VoiceAIError
from apps.calls.voice_ai.deepgram.parts import Sound, Spoken, new_stretch
from apps.calls.voice_ai.deepgram.sockets import Socket

log = structlog.get_logger(__name__)

_FRAME_BYTES: Final = 160
_SILENCE: Final = b"\xff"
_LONGEST_TEXT: Final = 1900
_FLUSHES: Final = 20
_SPARE_FLUSHES: Final = 6
_FLUSH_WINDOW_S: Final = 60.0
_CLEAR_S: Final = 2.0


class FlushBudget:
    """The provider ignores more than twenty flushes a minute; some are kept for the ends of answers. Pure."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def take(self, now: float, *, is_needed: bool) -> bool:
        while self._times and now - self._times[0] >= _FLUSH_WINDOW_S:
            self._times.popleft()
        if len(self._times) >= (_FLUSHES if is_needed else _FLUSHES - _SPARE_FLUSHES):
            return False
        self._times.append(now)
        return True


class Framer:
    """Sound of any length to whole frames of 160 bytes. Pure."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> bytes:
        data = self._rest + data
        whole = len(data) - len(data) % _FRAME_BYTES
        self._rest = data[whole:]
        return data[:whole]

    def rest(self) -> bytes:
        """What is left, filled up with silence."""
        rest, self._rest = self._rest, b""
        return rest + _SILENCE * (-len(rest) % _FRAME_BYTES)

    def drop(self) -> None:
        self._rest = b""


class AuraSpeaker:
    """Each sentence is flushed, so that it is spoken at once and its end is known; near the limit several share one.

    The connection idles between answers: lost then, it is made again for the next sentence.
    """

    service = "deepgram"

    def __init__(self, client: AsyncDeepgramClient, *, voice: str, open_timeout_s: float) -> None:
        self._client = client
        self._voice = voice
        self._open_timeout_s = open_timeout_s
        self._socket = Socket("speak")
        self._framer = Framer()
        self._budget = FlushBudget()
        self._next = new_stretch()  # the stretch of the next sentence
        self._held: int | None = None  # the stretch that waits for its flush
        self._waiting: deque[int] = deque()  # flushed, and not yet wholly spoken
        self._n_clearing = 0
        self._cleared_at = 0.0
        self._reopened = asyncio.Event()
        self._is_closed = False

    @property
    def model(self) -> str:
        return self._voice

    @property
    def _owes(self) -> bool:
        return self._held is not None or bool(self._waiting)

    async def open(self) -> None:
        self._forget()
        self._n_clearing = 0
        self._budget = FlushBudget()
        await self._socket.open(
            self._client.speak.v1.connect(model=self._voice, encoding="mulaw", sample_rate=8000, mip_opt_out=True),
            timeout_s=self._open_timeout_s,
        )
        self._reopened.set()

    def next_stretch(self) -> int:
        return self._next

    async def say(self, text: str) -> None:
        if not self._socket.is_open or (self._n_clearing and _now() - self._cleared_at > _CLEAR_S):
            if self._owes:
                raise VoiceAIError("speak_closed", retryable=True)
            await self.open()
        self._held = self._next
        for at in range(0, len(text), _LONGEST_TEXT):
            await self._socket.send({"type": "Speak", "text": text[at : at + _LONGEST_TEXT]})
        if self._budget.take(_now(), is_needed=False):
            await self._flush()

    async def finish(self) -> None:
        if self._held is None:
            return
        if not self._budget.take(_now(), is_needed=True):
            raise VoiceAIError("speak_flushes", "too many answers in a minute", retryable=True)
        await self._flush()

    async def _flush(self) -> None:
        assert self._held is not None  # noqa: S101 - both callers have looked
        self._waiting.append(self._held)
        self._held, self._next = None, new_stretch()
        await self._socket.send({"type": "Flush"})

    async def clear(self) -> None:
        if not self._owes:
            return
        self._forget()
        self._next = new_stretch()
        if await self._socket.send({"type": "Clear"}):
            self._n_clearing += 1
            self._cleared_at = _now()

    def _forget(self) -> None:
        self._held = None
        self._waiting.clear()
        self._framer.drop()

    async def events(self) -> AsyncIterator[Sound | Spoken]:
        while not self._is_closed:
            await self._reopened.wait()
            self._reopened.clear()
            try:
                async for message in self._socket.messages():
                    for event in self._sound(message) if isinstance(message, bytes) else self._read(message):
                        yield event
            except VoiceAIError as error:
                if self._owes:
                    raise
                log.info("idle_voice_lost", code=error.code)

    def _sound(self, data: bytes) -> list[Sound | Spoken]:
        if self._n_clearing:
            return []  # on its way before it was told to be silent
        stretch = self._waiting[0] if self._waiting else self._held
        if stretch is None:
            return []
        whole = self._framer.take(data)
        return [Sound(stretch, whole)] if whole else []

    def _read(self, message: dict[str, Any]) -> list[Sound | Spoken]:
        kind = message["type"]
        if kind == "Cleared":
            self._n_clearing = max(0, self._n_clearing - 1)
        elif kind == "Flushed" and not self._n_clearing and self._waiting:
            stretch = self._waiting.popleft()
            rest = self._framer.rest()
            return [*([Sound(stretch, rest)] if rest else []), Spoken(stretch)]
        elif kind == "Warning":
            log.warning("speak_warning", code=message.get("code") or message.get("warn_code"))
        elif kind == "Error":
            code = str(message.get("code") or "error").lower()
            raise VoiceAIError(f"speak_{code}", str(message.get("description") or "")[:200], retryable=True)
        return []

    async def close(self) -> None:
        self._is_closed = True
        self._reopened.set()
        await self._socket.send({"type": "Close"})
        await self._socket.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
