"""Deepgram's sockets: the SDK names address, parameters and credentials, the connection under it is ours.

The SDK's own connection makes a TLS context for each socket (tens of milliseconds in which no other call is served) and
knows no time limits; a transport of one's own is what it offers instead. Its message models stay out of the audio path.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import urlsplit

import orjson
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.protocol import State

from apps.calls.voice_ai.base import VoiceAIError
from apps.calls.voice_ai.deepgram.parts import RETRYABLE_STATUS

# What a stalled provider has not taken shall wait where it can be dropped, and not in the kernel.
_SEND_BUFFER_BYTES: Final = 32_768
_BUFFER_LIMIT: Final = 16_384
_MAX_MESSAGE_BYTES: Final = 4_194_304
_MAX_GARBAGE: Final = 10


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Transport:
    """One connection. The SDK makes it without waiting; open() connects."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = headers
        self.connection: ClientConnection | None = None

    async def open(self, timeout_s: float) -> ClientConnection:
        self.connection = await connect(
            self._url,
            additional_headers={name: value for name, value in self._headers.items() if name != "User-Agent"},
            user_agent_header=self._headers.get("User-Agent"),
            ssl=_tls() if urlsplit(self._url).scheme == "wss" else None,
            compression=None,
            open_timeout=timeout_s,
            ping_interval=20,
            ping_timeout=20,
            close_timeout=2,
            max_size=_MAX_MESSAGE_BYTES,
        )
        raw = self.connection.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        return self.connection

    async def send(self, data: str | bytes) -> None:
        if self.connection is not None:
            await self.connection.send(data)

    async def recv(self) -> str | bytes:
        if self.connection is None:
            raise ConnectionError("not connected")
        return await self.connection.recv()

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        if self.connection is not None:
            async for message in self.connection:
                yield message

    async def close(self) -> None:
        if self.connection is not None:
            await self.connection.close()


def deepgram_client(*, api_key: str, api_base: str) -> AsyncDeepgramClient:
    """api_base: https://api.deepgram.com, or where else it is."""
    sockets = api_base.replace("http", "ws", 1)
    return AsyncDeepgramClient(
        api_key=api_key,
        environment=DeepgramClientEnvironment(base=api_base, production=sockets, agent=sockets, agent_rest=api_base),
        transport_factory=Transport,
    )


class Socket:
    """A connection of one part. part: a word for error codes, such as listen."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._stack: AsyncExitStack | None = None
        self._connection: ClientConnection | None = None
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        return self._connection is not None and self._connection.protocol.state is State.OPEN

    async def open(self, connecting: AbstractAsyncContextManager[Any], *, timeout_s: float) -> None:
        """connecting: what the SDK's connect() returned. Raises VoiceAIError."""
        await self._release()
        self._is_closed = False
        stack = self._stack = AsyncExitStack()
        try:
            async with asyncio.timeout(timeout_s):
                connected = await stack.enter_async_context(connecting)
                self._connection = await cast("Transport", connected._websocket).open(timeout_s)
        except InvalidStatus as error:
            await self._release()
            status = error.response.status_code
            reason = error.response.headers.get("dg-error", "")
            raise VoiceAIError(
                f"{self._part}_http_{status}", reason[:200], retryable=status in RETRYABLE_STATUS
            ) from error
        except (TimeoutError, OSError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
            await self._release()
            raise VoiceAIError(f"{self._part}_unreachable", type(error).__name__, retryable=True) from error

    def try_send(self, data: bytes) -> bool:
        """Write a binary message if there is room, without waiting; False if there is none.

        Straight to the protocol under the connection: its send() would only add waiting, which is never wanted here.
        """
        connection = self._connection
        if (
            connection is None
            or connection.protocol.state is not State.OPEN
            or connection.transport.get_write_buffer_size() > _BUFFER_LIMIT
        ):
            return False
        connection.protocol.send_binary(data)
        connection.send_data()
        return True

    async def send(self, message: Mapping[str, Any]) -> bool:
        """Send a message of words; False if the provider is gone: receiving tells the rest."""
        if self._connection is None:
            return False
        try:
            await self._connection.send(orjson.dumps(message).decode())
        except ConnectionClosed:
            return False
        return True

    async def messages(self) -> AsyncIterator[dict[str, Any] | bytes]:
        """Sound as bytes, all else as objects that have a type. Ends with our own close. Raises VoiceAIError."""
        n_garbage = 0
        connection = self._connection
        while connection is not None:
            try:
                raw = await connection.recv()
            except ConnectionClosed as error:
                if self._is_closed or self._connection is not connection:
                    return
                raise self._lost(error) from error
            if isinstance(raw, bytes):
                yield raw
                continue
            message = _read(raw)
            if message is not None:
                yield message
                continue
            n_garbage += 1
            if n_garbage > _MAX_GARBAGE:
                raise VoiceAIError(f"{self._part}_malformed", retryable=True)

    def _lost(self, error: ConnectionClosed) -> VoiceAIError:
        code = error.rcvd.code if error.rcvd is not None else 1006
        reason = error.rcvd.reason if error.rcvd is not None else ""
        return VoiceAIError(f"{self._part}_closed_{code}", reason[:200], retryable=True)

    async def close(self) -> None:
        self._is_closed = True
        await self._release()

    async def _release(self) -> None:
        stack, self._stack, self._connection = self._stack, None, None
        if stack is not None:
            await stack.aclose()


def _read(raw: str) -> dict[str, Any] | None:
    """A message, or None if it is none."""
    try:
        message = orjson.loads(raw)
    except ValueError:
        return None
    return message if isinstance(message, dict) and isinstance(message.get("type"), str) else None
