"""The carrier's end of a media WebSocket.

Built on the Sans-I/O layer of `websockets`: the pacing loop sends a frame with one plain call, so a hundred streams
need no task each and a server that reads slowly cannot hold up the others.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import cast
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

_MAX_MESSAGE = 1 << 20
_MAX_UNSENT = 256 * 1024  # about ten seconds of audio messages
_CLOSE_S = 2.0


class HandshakeFailed(Exception):
    """No WebSocket came about. `code` is the carrier's debugger code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class MediaSocket(asyncio.Protocol):
    """One WebSocket. on_text gets each text message, on_close is called once when no more can come."""

    def __init__(self, url: str, headers: Mapping[str, str], on_text: Callable[[bytes], None]) -> None:
        self._ws = ClientProtocol(parse_uri(url), max_size=_MAX_MESSAGE)
        self._headers = headers
        self._on_text = on_text
        self._on_close: Callable[[], None] | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._partial = bytearray()
        self._is_closed = False

    @classmethod
    async def connect(
        cls,
        url: str,
        headers: Mapping[str, str],
        on_text: Callable[[bytes], None],
        *,
        timeout_s: float,
        allows_query: bool = False,
    ) -> MediaSocket:
        """Raises HandshakeFailed with 31901 (no connection), 31910 (TLS), 31920 (not 101) or 31922 (not ws)."""
        parts = urlsplit(url)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            raise HandshakeFailed(31922, f"not a WebSocket URL: {url}")
        if parts.query and not allows_query:
            raise HandshakeFailed(31920, "the URL of a stream must not have a query string")
        is_tls = parts.scheme == "wss"
        port = parts.port or (443 if is_tls else 80)
        socket: MediaSocket | None = None
        try:
            async with asyncio.timeout(timeout_s):
                _, socket = await asyncio.get_running_loop().create_connection(
                    lambda: cls(url, headers, on_text), parts.hostname, port, ssl=is_tls or None
                )
                await socket._opened
        except InvalidURI as error:
            raise HandshakeFailed(31922, str(error)) from error
        except ssl.SSLError as error:
            raise HandshakeFailed(31910, str(error)) from error
        except InvalidHandshake as error:
            if socket is not None:
                socket.abort()
            status = error.response.status_code if isinstance(error, InvalidStatus) else None
            raise HandshakeFailed(31920, f"handshake answered with {status or error}") from error
        except (TimeoutError, OSError, EOFError) as error:
            if socket is not None:
                socket.abort()
            raise HandshakeFailed(31901, f"no connection: {error!r}") from error
        return socket

    def watch(self, on_close: Callable[[], None]) -> None:
        self._on_close = on_close
        if self._is_closed:
            on_close()

    @property
    def is_open(self) -> bool:
        return self._ws.state is State.OPEN

    def send(self, text: bytes) -> bool:
        """Send a text message. False: it was discarded, the other side reads too slowly or is gone."""
        if self._transport is None or not self.is_open or self._transport.get_write_buffer_size() > _MAX_UNSENT:
            return False
        self._ws.send_text(text)
        self._flush()
        return True

    def send_binary(self, data: bytes) -> None:
        if self.is_open:
            self._ws.send_binary(data)
            self._flush()

    def close(self) -> None:
        """Close in good order; the connection is cut if the other side does not answer."""
        if self.is_open:
            self._ws.send_close(1000)
            self._flush()
        asyncio.get_running_loop().call_later(_CLOSE_S, self.abort)

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        request = self._ws.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._ws.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._ws.receive_data(data)
        self._flush()
        self._take_events()

    def eof_received(self) -> None:
        self._ws.receive_eof()
        self._flush()
        self._take_events()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ws.receive_eof()
        self._take_events()
        self._closed()

    def _take_events(self) -> None:
        for event in self._ws.events_received():
            if isinstance(event, Frame):
                self._take_frame(event)
        if not self._opened.done():
            if self._ws.handshake_exc is not None:
                self._opened.set_exception(self._ws.handshake_exc)
            elif self.is_open:
                self._opened.set_result(None)
        elif not self.is_open:
            self._closed()

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            self._partial += frame.data
            if frame.fin:
                message = bytes(self._partial)
                self._partial.clear()
                self._on_text(message)

    def _closed(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            if not self._opened.done():
                self._opened.set_exception(EOFError("closed during the handshake"))
            if self._on_close is not None:
                self._on_close()

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        for data in self._ws.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
