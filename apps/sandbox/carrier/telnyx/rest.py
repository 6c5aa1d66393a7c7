"""Telnyx's API v2: calls, their commands, recordings; what is refused is refused with its codes."""

from __future__ import annotations

import hmac
import json
import uuid

from aiohttp import web

from apps.sandbox.carrier.faults import Fault
from apps.sandbox.carrier.spoiling import Handler, carry_out, fault_of_request
from apps.sandbox.carrier.telnyx import errors
from apps.sandbox.carrier.telnyx.account import TelnyxAccount
from apps.sandbox.carrier.telnyx.commands import Commands
from apps.sandbox.carrier.telnyx.errors import TelnyxError
from apps.sandbox.carrier.telnyx.events import Route
from apps.sandbox.carrier.telnyx.recordings import PATH as RECORDINGS_PATH
from apps.sandbox.carrier.telnyx.requests import Body, parse_dial
from apps.sandbox.personas import persona_for


async def read_body(request: web.Request) -> Body:
    """The JSON object of a request; an empty body is an empty object."""
    text = await request.text()
    if not text.strip():
        return Body({})
    try:
        data = json.loads(text)
    except ValueError:
        raise TelnyxError(400, "10015", "Bad Request", "The request body is not JSON.") from None
    if not isinstance(data, dict):
        raise TelnyxError(400, "10015", "Bad Request", "The request body is not an object.")
    return Body(data)


def page_of(request: web.Request, items: list[dict[str, object]]) -> web.Response:
    """A list as Telnyx pages it: page[number] from 1, page[size]."""
    size = max(1, min(_whole(request.query.get("page[size]"), 20), 250))
    number = max(1, _whole(request.query.get("page[number]"), 1))
    meta = {
        "page_number": number,
        "page_size": size,
        "total_pages": -(-len(items) // size),
        "total_results": len(items),
    }
    return web.json_response({"data": items[(number - 1) * size : number * size], "meta": meta})


class TelnyxApi:
    """Handlers under `/v2`."""

    def __init__(self, account: TelnyxAccount) -> None:
        self._account, self._exchange = account, account.exchange
        self._commands = Commands(account)

    def add_to(self, app: web.Application) -> None:
        self.route(app, "POST", "/v2/calls", self._dial)
        self.route(app, "GET", "/v2/calls/{call}", self._fetch)
        self.route(app, "*", "/v2/calls/{call}/actions/{action}", self._act)
        self.route(app, "GET", "/v2/connections/{connection}/active_calls", self._active_calls)
        self.route(app, "GET", "/v2/recordings", self._list_recordings)
        self.route(app, "GET", "/v2/recordings/{recording}", self._fetch_recording)
        self.route(app, "DELETE", "/v2/recordings/{recording}", self._delete_recording)
        app.router.add_get(RECORDINGS_PATH + "/{recording}.wav", self._account.recordings.download)

    def close(self, app: web.Application) -> None:
        """After every other handler has been added: the rest of /v2 is answered as not found."""
        self.route(app, "*", "/v2/{rest:.*}", self._nothing_here)

    def route(self, app: web.Application, method: str, path: str, handler: Handler) -> None:
        async def guarded(request: web.Request) -> web.StreamResponse:
            return await self.guarded(request, handler)

        app.router.add_route(method, path, guarded)

    async def guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer to a request with our key, unless a fault befalls it."""
        try:
            self._check_credentials(request)
            self._account.origin = str(request.url.origin())  # as the product reaches this server
            response = await self._spoiled(request, handler)
        except TelnyxError as error:
            response = error.response()
        response.headers["x-request-id"] = str(uuid.uuid4())
        return response

    def _check_credentials(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not hmac.compare_digest(given.encode(), self._account.api_key.encode()):
            raise errors.authentication_failed()

    async def _spoiled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        data = (await read_body(request)).data if request.method == "POST" else {}
        to, from_ = data.get("to"), data.get("from")
        to = to[0] if isinstance(to, list) and to else to
        is_create = request.path in {"/v2/calls", "/v2/messages"} and request.method == "POST"
        fault = fault_of_request(self._exchange, request, to=to if isinstance(to, str) else "", is_create=is_create)
        refused = _refusal(fault) if fault else None
        if refused is not None:
            if request.path == "/v2/calls":
                self._log_create(to, from_, None, refused.code)
            raise refused
        return await carry_out(request, handler, fault)

    def _log_create(self, to: object, from_: object, sid: str | None, code: str | None) -> None:
        self._exchange.log_create(
            "telnyx", to=str(to), from_=str(from_), sid=sid, code=int(code) if code is not None else None
        )

    async def _nothing_here(self, request: web.Request) -> web.StreamResponse:
        raise errors.not_found(request.path)

    # ---- calls

    async def _dial(self, request: web.Request) -> web.StreamResponse:
        body = await read_body(request)
        connection_id = body.data.get("connection_id")
        default = self._account.routes.get(connection_id, Route()) if isinstance(connection_id, str) else Route()
        try:
            wanted = parse_dial(body, default)
            if persona_for(wanted.to).fault == "rest_invalid_to":
                raise errors.not_e164("to", wanted.to)
        except TelnyxError as error:
            self._log_create(body.data.get("to"), body.data.get("from"), None, error.code)
            raise
        n_before = len(self._exchange.calls)
        call = self._account.dial(wanted, body.text("command_id"))
        if len(self._exchange.calls) > n_before:
            self._log_create(wanted.to, wanted.from_, call.record.sid, None)
        data = call.as_json() | {"is_alive": False}  # dialling is asynchronous
        return web.json_response({"data": data})

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"data": self._account.fetch(request.match_info["call"]).as_json()})

    async def _act(self, request: web.Request) -> web.StreamResponse:
        action, body = request.match_info["action"], await read_body(request)
        result = self._commands.carry_out(request.match_info["call"], request.method, action, body)
        return web.json_response({"data": {"result": "ok"} | result})

    async def _active_calls(self, request: web.Request) -> web.StreamResponse:
        legs = self._account.active(request.match_info["connection"])
        names = ("record_type", "call_control_id", "call_leg_id", "call_session_id", "call_duration", "client_state")
        shown = [leg.as_json() for leg in legs]
        return page_of(request, [{name: data[name] or "" for name in names} for data in shown])

    # ---- recordings

    async def _list_recordings(self, request: web.Request) -> web.StreamResponse:
        recordings, query = self._account.recordings, request.query
        found = [recordings.as_json(recorder) for recorder in recordings.all()]
        for name in ("call_control_id", "call_leg_id", "call_session_id", "connection_id", "from", "to"):
            if wanted := query.get(f"filter[{name}]"):
                found = [data for data in found if data.get(name) == wanted]
        return page_of(request, found)

    async def _fetch_recording(self, request: web.Request) -> web.StreamResponse:
        recordings = self._account.recordings
        recorder = recordings.find(request.match_info["recording"])
        return web.json_response({"data": recordings.as_json(recorder)})

    async def _delete_recording(self, request: web.Request) -> web.StreamResponse:
        recordings = self._account.recordings
        recorder = recordings.find(request.match_info["recording"])
        recordings.delete(recorder)
        return web.json_response({"data": {"record_type": "recording", "id": recorder.record.sid}})


def _refusal(fault: Fault) -> TelnyxError | None:
    """The error a fault answers with before anything is processed."""
    if fault.kind == "rest_429":
        return errors.too_many_requests(fault.number("retry_after_s", 1))
    if fault.kind == "rest_500":
        return errors.unexpected()
    if fault.kind == "rest_error":
        status, code = int(fault.number("status", 422)), str(int(fault.number("code", 10027)))
        return TelnyxError(status, code, "Refused on demand", fault.text("message", "Refused on demand"))
    return None


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default
