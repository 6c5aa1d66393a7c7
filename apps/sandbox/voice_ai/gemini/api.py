"""The Live API's end of a socket, beside the REST calls.

The wire: GET /ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent (upgrade), with the key
in `x-goog-api-key` or `?key=`. A wrong key is refused only after the setup, by the close, as the real one does.
"""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import WSMsgType, web

from ..desk import Desk
from ..outgoing import Outgoing
from .content import ContentApi, refused
from .handles import Handles
from .session import Session

LIVE: Final = "gemini/live"
_SERVICE: Final = r"/ws/google.ai.generativelanguage.{version:v1|v1beta|v1alpha}.GenerativeService.BidiGenerateContent"
_LARGEST_MESSAGE: Final = 22 * 2**20


class GeminiApi:
    def __init__(self, desk: Desk, api_key: str) -> None:
        self._desk = desk
        self._api_key = api_key
        self._handles = Handles()
        self._content = ContentApi(desk, self._knows)

    def routes(self) -> list[web.RouteDef]:
        return [web.get(_SERVICE, self._live), *self._content.routes()]

    def _knows(self, request: web.Request) -> bool:
        if not self._api_key:
            return False
        given = request.headers.get("x-goog-api-key") or request.query.get("key", "")
        return hmac.compare_digest(given.encode(), self._api_key.encode())

    async def _live(self, request: web.Request) -> web.StreamResponse:
        ordered = self._desk.faults.refusal(LIVE)
        if ordered is not None:
            return refused(ordered, "The request was refused.")
        ws = web.WebSocketResponse(max_msg_size=_LARGEST_MESSAGE, compress=False, decode_text=False, timeout=2.0)
        await ws.prepare(request)
        line = Outgoing(ws, request, WSMsgType.BINARY)
        session = Session(
            self._desk.world,
            self._handles,
            line.send,
            line.hang_up,
            is_welcome=self._knows(request),
            faults=self._desk.faults.for_new_session(LIVE),
        )
        with self._desk.attended(LIVE, session, ws, line):
            while (message := await ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                session.receive(message.data)
        return ws
