"""Who listens: nova-3 on the listen socket of version 1, or Flux on that of version 2."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import structlog
from deepgram import AsyncDeepgramClient

from apps.calls.voice_ai.base import VoiceAIError
from apps.calls.voice_ai.deepgram.parts import Listened
from apps.calls.voice_ai.deepgram.sockets import Socket
from apps.calls.voice_ai.deepgram.turns import FluxTurns, NovaTurns

log = structlog.get_logger(__name__)

FLUX_LANGUAGES: Final = frozenset({"de", "en", "es", "fr", "hi", "it", "ja", "nl", "pt", "ru"})

_BYTES_PER_MS: Final = 8
_SILENCE: Final = b"\xff"
_MAX_GARBAGE: Final = 10
# After ten seconds without sound or word from us the provider closes.
_KEEP_ALIVE_S: Final = 4.0
# Flux has no such word: it wants to hear silence, and takes sound by 80 ms.
_FLUX_QUIET_S: Final = 0.5
_FLUX_CHUNK_BYTES: Final = 640
_ENDPOINTING_MS: Final = 500
_UTTERANCE_END_MS: Final = 1000
_FLUX_TURN_MS: Final = 5000


class _Listening:
    """What both have in common. languages: what callers may speak."""

    def __init__(
        self, client: AsyncDeepgramClient, *, model: str, languages: Sequence[str], open_timeout_s: float
    ) -> None:
        self._client = client
        self._model = model
        self._languages = languages
        self._open_timeout_s = open_timeout_s
        self._socket = Socket("listen")
        self._turns: NovaTurns | FluxTurns = NovaTurns()
        self._sent_bytes = 0
        self._sent_at = 0.0

    @property
    def model(self) -> str:
        return self._model

    @property
    def sent_ms(self) -> int:
        return self._sent_bytes // _BYTES_PER_MS

    async def open(self) -> None:
        self._sent_bytes = 0
        await self._socket.open(self._connect(), timeout_s=self._open_timeout_s)
        self._sent_at = asyncio.get_running_loop().time()

    def _connect(self) -> AbstractAsyncContextManager[Any]:
        raise NotImplementedError

    def _give(self, mulaw: bytes) -> bool:
        if not self._socket.try_send(mulaw):
            return False
        self._sent_bytes += len(mulaw)
        self._sent_at = asyncio.get_running_loop().time()
        return True

    async def events(self) -> AsyncIterator[Listened]:
        n_garbage = 0
        async for message in self._socket.messages():
            try:
                if isinstance(message, bytes):
                    raise TypeError
                if message["type"] == "Warning":
                    log.warning("listen_warning", code=message.get("code"), description=message.get("description"))
                for event in self._turns.read(message):
                    yield event
            except (KeyError, IndexError, TypeError, ValueError, AttributeError):
                n_garbage += 1
                if n_garbage > _MAX_GARBAGE:
                    raise VoiceAIError("listen_malformed", retryable=True) from None

    async def close(self) -> None:
        await self._socket.send({"type": "CloseStream"})
        await self._socket.close()


class NovaListener(_Listening):
    async def open(self) -> None:
        self._turns = NovaTurns()
        await super().open()

    def _connect(self) -> AbstractAsyncContextManager[Any]:
        several = len(self._languages) > 1
        connecting: AbstractAsyncContextManager[Any] = self._client.listen.v1.connect(
            model=self._model,
            language="multi" if several else self._languages[0],
            language_hint=list(self._languages) if several else None,
            encoding="mulaw",
            sample_rate=8000,
            channels=1,
            interim_results=True,
            smart_format=True,
            endpointing=_ENDPOINTING_MS,
            utterance_end_ms=_UTTERANCE_END_MS,
            vad_events=True,
            mip_opt_out=True,
        )
        return connecting

    def send(self, mulaw: bytes) -> bool:
        return self._give(mulaw)

    async def stay_awake(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._sent_at >= _KEEP_ALIVE_S and await self._socket.send({"type": "KeepAlive"}):
            self._sent_at = now

    async def finish(self) -> None:
        await self._socket.send({"type": "Finalize"})


class FluxListener(_Listening):
    async def open(self) -> None:
        self._turns = FluxTurns()
        self._held = bytearray()
        await super().open()

    def _connect(self) -> AbstractAsyncContextManager[Any]:
        hints = [code for code in self._languages if code in FLUX_LANGUAGES]
        connecting: AbstractAsyncContextManager[Any] = self._client.listen.v2.connect(
            model=self._model,
            encoding="mulaw",
            sample_rate=8000,
            eot_timeout_ms=_FLUX_TURN_MS,
            language_hint=hints if self._model.endswith("-multi") else None,
            mip_opt_out=True,
        )
        return connecting

    def send(self, mulaw: bytes) -> bool:
        if len(self._held) >= _FLUX_CHUNK_BYTES and not self._give_held():
            return False
        self._held += mulaw
        if len(self._held) >= _FLUX_CHUNK_BYTES:
            self._give_held()
        return True

    def _give_held(self) -> bool:
        if not self._give(bytes(self._held)):
            return False
        self._held.clear()
        return True

    async def stay_awake(self) -> None:
        """Without sound a turn would never end."""
        quiet_s = asyncio.get_running_loop().time() - self._sent_at
        if quiet_s >= _FLUX_QUIET_S and len(self._held) < _FLUX_CHUNK_BYTES:  # else it is the provider that waits
            self._held += _SILENCE * (int(quiet_s * 1000) * _BYTES_PER_MS)
            self._give_held()

    async def finish(self) -> None:
        self._give_held()
        await self._socket.send({"type": "ForceEndTurn"})


def listener_for(
    client: AsyncDeepgramClient, *, model: str, language: str, languages: Sequence[str], open_timeout_s: float
) -> NovaListener | FluxListener:
    """Flux where it is asked for and understands the language; nova-3 understands them all."""
    options: dict[str, Any] = {"languages": languages, "open_timeout_s": open_timeout_s}
    if model.startswith("flux"):
        if language in FLUX_LANGUAGES and not (model.endswith("-en") and language != "en"):
            return FluxListener(client, model=model, **options)
        model = "nova-3"
    return NovaListener(client, model=model, **options)
