"""The rehearser's own interface, `/_sandbox/`: faults on demand, the true history, inbound calls; and a status page."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping

from aiohttp import web

from apps.sandbox.carrier import fields
from apps.sandbox.carrier.call import PhoneCall
from apps.sandbox.carrier.exchange import Exchange
from apps.sandbox.carrier.faults import KINDS, FaultError, parse_fault
from apps.sandbox.carrier.fields import BadRequest
from apps.sandbox.carrier.inbound import InboundCalls
from apps.sandbox.carrier.messages import MessageDesk
from apps.sandbox.carrier.numbers import DEFAULT, NumberBook
from apps.sandbox.carrier.records import Carrier
from apps.sandbox.carrier.telnyx.account import TelnyxAccount

_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #182433; background: #fff; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #dce1e7; }
@media (prefers-color-scheme: dark) { body { color: #dce1e7; background: #151f2c; } td, th { border-color: #25384f; } }
"""


class ControlApi:
    """What a rehearsal or a test asks of the sandbox itself. No credentials: it belongs on loopback."""

    def __init__(
        self,
        exchange: Exchange,
        numbers: NumberBook,
        inbound_calls: InboundCalls,
        desks: Mapping[Carrier, MessageDesk],
        telnyx: TelnyxAccount | None,
    ) -> None:
        self._exchange, self._numbers, self._inbound_calls = exchange, numbers, inbound_calls
        self._desks, self._telnyx = desks, telnyx

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", self._page)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/_sandbox/calls", self._calls)
        app.router.add_get("/_sandbox/calls/{call}", self._call)
        app.router.add_post("/_sandbox/calls/{call}/hang-up", self._hang_up)
        app.router.add_post("/_sandbox/calls/{call}/drop-media", self._drop_media)
        app.router.add_get("/_sandbox/faults", self._list_faults)
        app.router.add_post("/_sandbox/faults", self._add_fault)
        app.router.add_delete("/_sandbox/faults", self._clear_faults)
        app.router.add_post("/_sandbox/inbound", self._inbound)
        app.router.add_get("/_sandbox/messages", self._list_messages)
        app.router.add_post("/_sandbox/messages", self._inbound_message)
        app.router.add_get("/_sandbox/numbers", self._list_numbers)
        app.router.add_put("/_sandbox/numbers/{number}", self._set_number)
        app.router.add_post("/_sandbox/reset", self._reset)

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    def _summary(self, call: PhoneCall) -> dict[str, object]:
        record = call.record
        return {
            "sid": record.sid,
            "carrier": record.carrier,
            "to": record.to,
            "from": record.from_,
            "direction": record.direction,
            "status": record.status,
            "persona": call.script.persona.key,
            "language": call.script.language,
            "answered_by": record.answered_by,
            "duration_s": record.duration_s,
            "queue_ms": record.queue_ms,
            "heard_s": round(call.line.callee.heard_s, 2) if call.line is not None else 0.0,
            "keys_heard": "".join(_facts(call, "key_heard", "digit")),
            "keys_pressed": "".join(_facts(call, "callee_pressed", "digit")),
            "bridged_with": _facts(call, "bridged", "with_sid"),
            "recordings": _facts(call, "recording_started", "recording"),
            "history": record.history,
        }

    def _known(self, request: web.Request) -> PhoneCall:
        """The call named in the path; HTTP 404 if there is none."""
        sid = request.match_info["call"]
        if (call := self._exchange.calls.get(sid)) is None:
            raise web.HTTPNotFound(text=json.dumps({"error": f"no call {sid}"}), content_type="application/json")
        return call

    async def _calls(self, request: web.Request) -> web.Response:
        """Every call with its history, every create request, how often each number was dialled."""
        to = _number_in(request, "to")
        calls = [call for call in self._exchange.calls.values() if to in {None, call.record.to}]
        body = {
            "calls": [self._summary(call) for call in calls],
            "creates": [entry for entry in self._exchange.creates if to in {None, entry["to"]}],
            "times_dialled": self._exchange.times_dialled(),
            "n_live": sum(not call.record.is_over for call in calls),
            "n_frames_given_up": self._exchange.pacer.n_frames_given_up,
        }
        return web.json_response(body)

    async def _call(self, request: web.Request) -> web.Response:
        call = self._known(request)
        return web.json_response(self._summary(call) | {"webhooks": call.record.webhooks})

    async def _hang_up(self, request: web.Request) -> web.Response:
        """The callee puts the phone down."""
        call = self._known(request)
        call.hang_up("callee")
        return web.Response(status=204)

    async def _drop_media(self, request: web.Request) -> web.Response:
        """Cut the call's media sockets now, as a failing network does."""
        call = self._known(request)
        for stream in list(call.streams):
            stream.abort()
        return web.Response(status=204)

    async def _list_faults(self, _request: web.Request) -> web.Response:
        return web.json_response({"faults": self._exchange.faults.as_json(), "kinds": KINDS})

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            self._exchange.faults.add(parse_fault(await fields.read_json(request)))
        except (FaultError, BadRequest) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"faults": self._exchange.faults.as_json()}, status=201)

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        self._exchange.faults.reset()
        return web.Response(status=204)

    async def _reset(self, _request: web.Request) -> web.Response:
        await self._exchange.reset()
        return web.Response(status=204)

    async def _inbound(self, request: web.Request) -> web.Response:
        """Somebody calls one of the product's numbers: {from, to, persona?, language?, …}."""
        try:
            call = self._inbound_calls.begin(await fields.read_json(request))
        except BadRequest as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"sid": call.record.sid}, status=201)

    async def _list_messages(self, request: web.Request) -> web.Response:
        """Every message in either direction, of `?to=` or `?from=` only if wanted."""
        to, from_ = _number_in(request, "to"), _number_in(request, "from")
        messages = [message for desk in self._desks.values() for message in desk.messages.values()]
        found = [m for m in messages if to in {None, m.to} and from_ in {None, m.from_}]
        return web.json_response({"messages": [message.as_truth() for message in found]})

    async def _inbound_message(self, request: web.Request) -> web.Response:
        """Somebody writes to one of the product's numbers: {from, to, body, carrier?, sms_url? …}."""
        try:
            data = await fields.read_json(request)
            from_, to, body = fields.number(data, "from"), fields.number(data, "to"), fields.text(data, "body")
            known = self._numbers.find(to, fields.carrier(data))
            own = known.changed(data)
            desk = self._desks.get(own.carrier)
            if desk is None:
                raise BadRequest(f"this sandbox has no {own.carrier} account")
        except BadRequest as error:
            return web.json_response({"error": str(error)}, status=400)
        if own != known:
            self._numbers.keep(own)
        message = desk.receive(from_=from_, to=to, body=body, scope=own.messaging_profile_id)
        return web.json_response({"sid": message.sid}, status=201)

    async def _list_numbers(self, _request: web.Request) -> web.Response:
        return web.json_response({"numbers": [own.as_json() for own in self._numbers.all()]})

    async def _set_number(self, request: web.Request) -> web.Response:
        """Set up one of the product's numbers: {carrier, voice_url, webhook_url, …}."""
        try:
            data = await fields.read_json(request)
            name = request.match_info["number"]
            number = name if name == DEFAULT else fields.number(request.match_info, "number")
            own = self._numbers.find(number, fields.carrier(data)).changed(data)
        except BadRequest as error:
            return web.json_response({"error": str(error)}, status=400)
        self._numbers.keep(own)
        if own.carrier == "telnyx" and self._telnyx is not None:
            self._telnyx.know(own.connection_id, own.webhook_url)
        return web.json_response(own.as_json())

    async def _page(self, _request: web.Request) -> web.Response:
        calls = list(self._exchange.calls.values())
        live = [call for call in calls if not call.record.is_over]
        rows = "".join(_row(call) for call in live) or "<tr><td colspan='7'>No calls right now.</td></tr>"
        config = self._exchange.config
        page = (
            "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta http-equiv='refresh' content='2'>"
            "<meta name='viewport' content='width=device-width'>"
            f"<title>Sandbox carrier: {len(live)} live</title><style>{_STYLE}</style></head><body>"
            "<h1>Sandbox carrier</h1>"
            f"<p>{len(live)} live, {len(calls)} in all; {config.cps:g} calls per second, speed {config.speed:g}; "
            f"{len(self._exchange.faults.as_json())} faults in force. <a href='/_sandbox/calls'>History</a></p>"
            "<table><thead><tr><th>Carrier<th>To<th>From<th>Status<th>Persona<th>Language<th>Last said</tr></thead>"
            f"<tbody>{rows}</tbody></table></body></html>"
        )
        return web.Response(text=page, content_type="text/html")


def _facts(call: PhoneCall, event: str, name: str) -> list[str]:
    return [str(entry[name]) for entry in call.record.history if entry["event"] == event]


def _number_in(request: web.Request, name: str) -> str | None:
    """A number in the query, whose plus may have been read as a space."""
    given = request.query.get(name)
    return "+" + given.strip(" +") if given else None


def _row(call: PhoneCall) -> str:
    said = [str(entry["text"]) for entry in call.record.history if entry["event"] == "callee_said"]
    cells = (
        call.record.carrier,
        call.record.to,
        call.record.from_,
        call.record.status,
        call.script.persona.key,
        call.script.language,
        said[-1] if said else "",
    )
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
