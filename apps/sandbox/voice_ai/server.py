"""The server: handshake, the socket's two ends, and a control API for rehearsals and tests.

The wire:      GET /v1/realtime?model=… (upgrade), GET /v1/models; both want `Authorization: Bearer <key>`.
Alive:         GET /healthz answers 200, or 503 while there is nothing it could recognise.
Control API:   no key, JSON; meant for loopback.
  GET    /_sandbox/sessions            newest first: turns, tool calls, usage, errors, how each ended
  GET    /_sandbox/sessions/{id}
  GET    /_sandbox/faults              orders that still wait for a session
  DELETE /_sandbox/faults
  POST   /_sandbox/faults              trouble to order; README.md lists the kinds and their settings
"""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from .checks import Refused
from .faults import FaultQueue, order_from
from .hearing import ClipIndex, Line
from .response import Synthesise
from .session import Session, World
from .session_config import MODELS, SHUTDOWN_DATES, TRANSCRIPTION_MODELS

_REMEMBERED: Final = 500
_LARGEST_MESSAGE: Final = 22 * 2**20  # 15 MiB of audio in base64, and what is around it
_SAFETY_HEADER: Final = "OpenAI-Safety-Identifier"
_REFUSALS: Final[dict[int, tuple[str, str, str]]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    503: ("service_unavailable", "service_unavailable", "The service is temporarily unavailable."),
}


class VoiceAiServer:
    """synthesise(text, language, voice): 8 kHz μ-law in whole frames."""

    def __init__(self, *, api_key: str, synthesise: Synthesise, speed: float = 1.0) -> None:
        self._api_key = api_key
        self._index = ClipIndex(())
        self._by_text: dict[str, Line] = {}
        self._is_ready = False
        self._world = World(lambda: self._index, synthesise, self._line_of, speed)
        self._faults = FaultQueue()
        self._live: dict[str, tuple[Session, web.WebSocketResponse]] = {}
        self._past: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/realtime", self._realtime),
                web.get("/v1/models", self._models),
                web.get("/healthz", self._healthz),
                web.get("/_sandbox/sessions", self._list_sessions),
                web.get("/_sandbox/sessions/{id}", self._show_session),
                web.get("/_sandbox/faults", self._list_faults),
                web.post("/_sandbox/faults", self._order_fault),
                web.delete("/_sandbox/faults", self._clear_faults),
            ]
        )
        app.on_shutdown.append(self._close_all)
        return app

    def learn(self, clips: Iterable[tuple[Line, bytes]]) -> None:
        """Every sentence that may be heard, with its μ-law."""
        self._index = ClipIndex(clips)
        self._by_text = {clip.line.text.casefold(): clip.line for clip in self._index.clips}
        self._is_ready = True

    def _line_of(self, text: str) -> Line | None:
        """A client that replays a transcript sends a line, or the part of one that was heard."""
        wanted = text.strip().casefold()
        exact = self._by_text.get(wanted)
        if exact is not None or " " not in wanted:
            return exact
        return next((line for known, line in self._by_text.items() if wanted in known or known in wanted), None)

    # The wire

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
        return self._refusal(request) or _json({"object": "list", "data": models})

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        ordered = self._faults.refusal()
        refusal = _refused(ordered) if ordered is not None else self._refusal(request)
        if refusal is not None:
            return refusal
        model = request.query.get("model", "")
        if not model:
            return _error(400, "invalid_request_error", "missing_model", "You must provide a model parameter.")
        if model not in MODELS:
            message = f"The model `{model}` does not exist or you do not have access to it."
            return _error(404, "invalid_request_error", "model_not_found", message)
        ws = web.WebSocketResponse(max_msg_size=_LARGEST_MESSAGE, compress=False, decode_text=False, timeout=2.0)
        await ws.prepare(request)
        await self._serve(request, ws, model)
        return ws

    async def _serve(self, request: web.Request, ws: web.WebSocketResponse, model: str) -> None:
        line = _Line(ws, request)
        session = Session(self._world, model, line.send, line.hang_up, self._faults.for_new_session())
        session.record.safety_identifier = request.headers.get(_SAFETY_HEADER)
        self._live[session.id] = session, ws
        writing = asyncio.get_running_loop().create_task(line.write())
        try:
            session.open()
            while (message := await ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                session.receive(message.data)
        finally:
            writing.cancel()
            session.close(line.code if line.is_cut else ws.close_code, line.reason)
            del self._live[session.id]
            self._past.append(session.report())

    async def _close_all(self, app: web.Application) -> None:
        for _, ws in list(self._live.values()):
            await ws.close(code=WSCloseCode.GOING_AWAY, message=b"Server shutdown")

    # Control

    async def _healthz(self, request: web.Request) -> web.Response:
        return _json({"ready": self._is_ready}, status=200 if self._is_ready else 503)

    async def _list_sessions(self, request: web.Request) -> web.Response:
        return _json({"sessions": self._reports()})

    async def _show_session(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        found = next((one for one in self._reports() if one["id"] == wanted), None)
        return _json(found) if found else _error(404, "not_found", "not_found", f"There is no session {wanted}.")

    def _reports(self) -> list[dict[str, Any]]:
        live = [session.report() for session, _ in reversed(self._live.values())]
        return live + list(reversed(self._past))

    async def _list_faults(self, request: web.Request) -> web.Response:
        return _json({"faults": self._faults.as_json()})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return _json({"faults": []})

    async def _order_fault(self, request: web.Request) -> web.Response:
        try:
            order = order_from(orjson.loads(await request.read()))
        except orjson.JSONDecodeError:
            return _error(400, "invalid_request_error", "invalid_json", "The body is not valid JSON.")
        except Refused as refused:
            return _error(400, "invalid_request_error", refused.code or "", refused.message)
        if not order.is_live and order.session_id is None:
            self._faults.put(order.fault)
            return _json({"struck": 0, "waiting": self._faults.as_json()}, status=201)
        struck = [s for s, _ in self._live.values() if order.session_id in (None, s.id)]
        for session in struck:
            session.suffer(order.fault.copy(), at_once=True)
        if not struck and order.session_id is not None:
            return _error(404, "not_found", "not_found", f"There is no open session {order.session_id}.")
        return _json({"struck": len(struck), "waiting": self._faults.as_json()}, status=201)


class _Line:
    """The outgoing end of a socket: messages leave in the order in which they were given, from one task."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self._ws = ws
        self._request = request
        self._waiting: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self.is_cut = False
        self.code: int | None = None
        self.reason = ""

    def send(self, message: bytes) -> None:
        if not self.is_cut:
            self._waiting.append(message)
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
                    await self._ws.send_frame(self._waiting.popleft(), WSMsgType.TEXT)
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


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _error(status: int, type_: str, code: str, message: str) -> web.Response:
    return _json({"error": {"message": message, "type": type_, "param": None, "code": code}}, status=status)


def _refused(status: int) -> web.Response:
    type_, code, message = _REFUSALS.get(status, ("server_error", "server_error", "The request was refused."))
    response = _error(status, type_, code, message)
    if status in (429, 503):
        response.headers["Retry-After"] = "1"
    return response


async def started(server: VoiceAiServer, listening: socket.socket) -> web.AppRunner:
    """Serving on a socket that listens; clean the runner up to stop."""
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner
