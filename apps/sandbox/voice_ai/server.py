"""The server: OpenAI Realtime's handshake and the socket's two ends, beside what it has of the other providers.

The wire:      GET /v1/realtime?model=… (upgrade), GET /v1/models; both want `Authorization: Bearer <key>`.
Alive:         GET /healthz answers 200, or 503 while there is nothing it could recognise.
Control:       desk.py; no key, JSON; meant for loopback.
"""

from __future__ import annotations

import hmac
import socket
import ssl
from collections.abc import Iterable
from typing import Final

from aiohttp import WSMsgType, web

from .chat.completions import ChatCompletions
from .deepgram.door import DeepgramDoor
from .desk import Desk, error, json_response
from .gemini.api import GeminiApi
from .hearing import Line
from .outgoing import Outgoing
from .session import Session
from .session_config import MODELS, SHUTDOWN_DATES, TRANSCRIPTION_MODELS
from .world import Synthesise

_LARGEST_MESSAGE: Final = 22 * 2**20  # 15 MiB of audio in base64, and what is around it
_SAFETY_HEADER: Final = "OpenAI-Safety-Identifier"
_REFUSALS: Final[dict[int, tuple[str, str, str]]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    503: ("service_unavailable", "service_unavailable", "The service is temporarily unavailable."),
}


class VoiceAiServer:
    """synthesise(text, language, voice): 8 kHz μ-law in whole frames."""

    def __init__(
        self,
        *,
        api_key: str,
        gemini_key: str = "",
        deepgram_key: str = "",
        synthesise: Synthesise,
        speed: float = 1.0,
        listen_patience_s: float = 10.0,
    ) -> None:
        """api_key: OpenAI's. Without its key a provider lets nobody in.

        listen_patience_s: after so long without a word from the client Deepgram stops to listen.
        """
        self._api_key = api_key
        self.desk = Desk(synthesise=synthesise, speed=speed)
        self._gemini = GeminiApi(self.desk, gemini_key)
        self._deepgram = DeepgramDoor(self.desk, deepgram_key, listen_patience_s=listen_patience_s)
        self._chat = ChatCompletions(self.desk, api_key)

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/v1/realtime", self._realtime), web.get("/v1/models", self._models)])
        app.add_routes([*self._gemini.routes(), *self._deepgram.routes(), *self._chat.routes(), *self.desk.routes()])
        app.on_shutdown.append(self.desk.close_all)
        return app

    def learn(self, clips: Iterable[tuple[Line, bytes]]) -> None:
        """Every sentence that may be heard, with its μ-law."""
        self.desk.learn(clips)

    def _refusal(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._api_key}".encode()):
            return _refused(401)
        return None

    async def _models(self, request: web.Request) -> web.Response:
        names = (*MODELS, *TRANSCRIPTION_MODELS)
        models = [
            {"id": name, "object": "model", "created": 1767225600, "owned_by": "openai"}
            | ({"shutdown_date": SHUTDOWN_DATES[name]} if name in SHUTDOWN_DATES else {})
            for name in names
        ]
        return self._refusal(request) or json_response({"object": "list", "data": models})

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        ordered = self.desk.faults.refusal("openai")
        refusal = _refused(ordered) if ordered is not None else self._refusal(request)
        if refusal is not None:
            return refusal
        model = request.query.get("model", "")
        if not model:
            return error(400, "invalid_request_error", "missing_model", "You must provide a model parameter.")
        if model not in MODELS:
            message = f"The model `{model}` does not exist or you do not have access to it."
            return error(404, "invalid_request_error", "model_not_found", message)
        ws = web.WebSocketResponse(max_msg_size=_LARGEST_MESSAGE, compress=False, decode_text=False, timeout=2.0)
        await ws.prepare(request)
        await self._serve(request, ws, model)
        return ws

    async def _serve(self, request: web.Request, ws: web.WebSocketResponse, model: str) -> None:
        line = Outgoing(ws, request)
        faults = self.desk.faults.for_new_session("openai")
        session = Session(self.desk.world, model, line.send, line.hang_up, faults)
        session.record.safety_identifier = request.headers.get(_SAFETY_HEADER)
        with self.desk.attended("openai", session, ws, line):
            session.open()
            while (message := await ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                session.receive(message.data)


def _refused(status: int) -> web.Response:
    type_, code, message = _REFUSALS.get(status, ("server_error", "server_error", "The request was refused."))
    response = error(status, type_, code, message)
    if status in (429, 503):
        response.headers["Retry-After"] = "1"
    return response


async def started(
    server: VoiceAiServer,
    listening: socket.socket,
    *,
    encrypted: socket.socket | None = None,
    tls: ssl.SSLContext | None = None,
) -> web.AppRunner:
    """Serving on a socket that listens, and with tls on another one; clean the runner up to stop."""
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    if encrypted is not None and tls is not None:
        await web.SockSite(runner, encrypted, ssl_context=tls).start()
    return runner
