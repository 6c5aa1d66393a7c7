"""The outgoing end of a WebSocket."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import WSMsgType, web


class Outgoing:
    """Messages leave in the order in which they were given, from one task: run `write`."""

    def __init__(
        self, ws: web.WebSocketResponse, request: web.Request, message_type: WSMsgType = WSMsgType.TEXT
    ) -> None:
        self._ws = ws
        self._request = request
        self._type = message_type
        self._waiting: deque[tuple[bytes, WSMsgType]] = deque()
        self._wake = asyncio.Event()
        self.is_cut = False
        self.code: int | None = None
        self.reason = ""

    def send(self, message: bytes, message_type: WSMsgType | None = None) -> None:
        if not self.is_cut:
            self._waiting.append((message, message_type or self._type))
            self._wake.set()

    def hang_up(self, code: int | None, reason: str) -> None:
        """After what has been sent so far; nothing after it. code None: no close frame, the connection just ends."""
        if not self.is_cut:
            self.is_cut, self.code, self.reason = True, code, reason
            self._wake.set()

    async def write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._waiting:
                    await self._ws.send_frame(*self._waiting.popleft())
            except ConnectionError:
                return  # the reading end sees it too, and clears up
            if self.is_cut:
                await self._cut()
                return

    async def _cut(self) -> None:
        transport = self._request.transport
        if self.code is None:
            if transport is not None:
                transport.abort()
            return
        await self._ws.close(code=self.code, message=self.reason.encode())
