"""What the providers' servers share: the world, the orders of trouble, the sessions, and the interface to look at them.

GET    /_sandbox/sessions            newest first: turns, tool calls, usage, errors, how each ended
GET    /_sandbox/sessions/{id}
GET    /_sandbox/faults              orders that still wait for a session
DELETE /_sandbox/faults
POST   /_sandbox/faults              trouble to order; README.md lists the kinds and their settings
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import orjson
from aiohttp import WSCloseCode, web

from .checks import Refused
from .faults import Fault, FaultQueue, order_from
from .hearing import ClipIndex, Line
from .outgoing import Outgoing
from .world import Synthesise, World

_REMEMBERED: Final = 500


class Conversing(Protocol):
    """A session of whichever provider."""

    @property
    def id(self) -> str: ...

    def suffer(self, fault: Fault, *, at_once: bool = False) -> None: ...

    def close(self, code: int | None, reason: str) -> None:
        """The socket is gone."""
        ...

    def report(self) -> dict[str, Any]: ...


class Desk:
    def __init__(self, *, synthesise: Synthesise, speed: float = 1.0) -> None:
        self._index = ClipIndex(())
        self._by_text: dict[str, Line] = {}
        self.is_ready = False
        self.world = World(lambda: self._index, synthesise, self._line_of, speed)
        self.faults = FaultQueue()
        self._live: dict[str, tuple[str, Conversing, web.WebSocketResponse]] = {}
        self._past: deque[dict[str, Any]] = deque(maxlen=_REMEMBERED)
        self.conversations: list[Callable[[], list[dict[str, Any]]]] = []
        """Reports of conversations that have no socket."""

    def learn(self, clips: Iterable[tuple[Line, bytes]]) -> None:
        """Every sentence that may be heard, with its μ-law."""
        self._index = ClipIndex(clips)
        self._by_text = {clip.line.text.casefold(): clip.line for clip in self._index.clips}
        self.is_ready = True

    def _line_of(self, text: str) -> Line | None:
        """A client that replays a transcript sends a line, or the part of one that was heard."""
        wanted = text.strip().casefold()
        exact = self._by_text.get(wanted)
        if exact is not None or " " not in wanted:
            return exact
        return next((line for known, line in self._by_text.items() if wanted in known or known in wanted), None)

    def lines_in(self, text: str) -> list[Line]:
        """The known lines that a text contains, in their order."""
        lowered = text.casefold()
        found = [(lowered.find(known), line) for known, line in self._by_text.items()]
        return [line for at, line in sorted((one for one in found if one[0] >= 0), key=lambda one: one[0])]

    @contextmanager
    def attended(self, provider: str, session: Conversing, ws: web.WebSocketResponse, line: Outgoing) -> Iterator[None]:
        """Sends what the session says, and lists it, for as long as the block runs; it is closed in the end."""
        self._live[session.id] = provider, session, ws
        writing = asyncio.get_running_loop().create_task(line.write())
        try:
            yield
        finally:
            writing.cancel()
            session.close(line.code if line.is_cut else ws.close_code, line.reason)
            del self._live[session.id]
            self._past.append({"provider": provider} | session.report())

    async def close_all(self, app: web.Application) -> None:
        for _, _, ws in list(self._live.values()):
            await ws.close(code=WSCloseCode.GOING_AWAY, message=b"Server shutdown")

    # Control

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/healthz", self._healthz),
            web.get("/_sandbox/sessions", self._list_sessions),
            web.get("/_sandbox/sessions/{id}", self._show_session),
            web.get("/_sandbox/faults", self._list_faults),
            web.post("/_sandbox/faults", self._order_fault),
            web.delete("/_sandbox/faults", self._clear_faults),
        ]

    async def _healthz(self, request: web.Request) -> web.Response:
        return json_response({"ready": self.is_ready}, status=200 if self.is_ready else 503)

    async def _list_sessions(self, request: web.Request) -> web.Response:
        return json_response({"sessions": self._reports()})

    async def _show_session(self, request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        found = next((one for one in self._reports() if one["id"] == wanted), None)
        return json_response(found) if found else error(404, "not_found", "not_found", f"There is no session {wanted}.")

    def _reports(self) -> list[dict[str, Any]]:
        live = [
            {"provider": provider} | session.report() for provider, session, _ in reversed(list(self._live.values()))
        ]
        return live + list(reversed(self._past)) + [one for reports in self.conversations for one in reports()]

    async def _list_faults(self, request: web.Request) -> web.Response:
        return json_response({"faults": self.faults.as_json()})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return json_response({"faults": []})

    async def _order_fault(self, request: web.Request) -> web.Response:
        try:
            order = order_from(orjson.loads(await request.read()))
        except orjson.JSONDecodeError:
            return error(400, "invalid_request_error", "invalid_json", "The body is not valid JSON.")
        except Refused as refused:
            return error(400, "invalid_request_error", refused.code or "", refused.message)
        if not order.is_live and order.session_id is None:
            self.faults.put(order.fault)
            return json_response({"struck": 0, "waiting": self.faults.as_json()}, status=201)
        struck = [
            session
            for provider, session, _ in self._live.values()
            if order.session_id in (None, session.id) and order.fault.is_for(provider)
        ]
        for session in struck:
            session.suffer(order.fault.copy(), at_once=True)
        if not struck and order.session_id is not None:
            return error(404, "not_found", "not_found", f"There is no open session {order.session_id}.")
        return json_response({"struck": len(struck), "waiting": self.faults.as_json()}, status=201)


def json_response(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def error(status: int, type_: str, code: str, message: str) -> web.Response:
    return json_response({"error": {"message": message, "type": type_, "param": None, "code": code}}, status=status)
