"""The Telnyx account: dials legs, takes calls in, knows them by their call_control_id."""

from __future__ import annotations

import secrets
from typing import Final

from apps.sandbox.carrier.call import PhoneCall
from apps.sandbox.carrier.config import TelnyxConfig
from apps.sandbox.carrier.exchange import Exchange
from apps.sandbox.carrier.records import CallRecord
from apps.sandbox.carrier.telnyx.call import TelnyxCall
from apps.sandbox.carrier.telnyx.errors import not_found, unknown_call
from apps.sandbox.carrier.telnyx.events import Route, TelnyxEvents
from apps.sandbox.carrier.telnyx.recordings import Recordings
from apps.sandbox.carrier.telnyx.requests import LegRequest
from apps.sandbox.carrier.telnyx.signing import load_key
from apps.sandbox.carrier.telnyx.stream import USER_ID
from apps.sandbox.personas import CalleeScript, persona_for

_DIAL_ID_S: Final = 60.0


class TelnyxAccount:
    """Everything the product has at Telnyx. `origin`: this server as the product reaches it.

    routes: where the events of a Call Control application go unless a command says otherwise, by connection_id.
    """

    def __init__(self, exchange: Exchange, config: TelnyxConfig) -> None:
        self.exchange, self.api_key, self.user_id = exchange, config.api_key, USER_ID
        self.owned_numbers = exchange.config.owned_numbers
        self.events = TelnyxEvents(load_key(config.signing_key), exchange.clock, exchange.faults)
        self.recordings = Recordings(self)
        self.routes: dict[str, Route] = {}
        self.origin = f"http://{exchange.config.host}:{exchange.config.port}"
        self._dialled: dict[str, tuple[float, TelnyxCall]] = {}
        exchange.join(self.events, on_reset=self._dialled.clear)

    def dial(self, request: LegRequest, command_id: str = "", *, link: TelnyxCall | None = None) -> TelnyxCall:
        """Dial at once. A command_id seen within the last minute dials nobody: its earlier call is returned.

        link: the leg to be bridged with on answer.
        """
        at = self.exchange.clock.monotonic()
        if command_id and command_id in self._dialled:
            earlier_at, call = self._dialled[command_id]
            if at - earlier_at < _DIAL_ID_S:
                call.record.note("command_repeated", command_id=command_id)
                return call
        call = self._new_call(request, "outbound-dial" if link else "outbound-api", persona_for(request.to), link)
        if command_id:
            self._dialled[command_id] = (at, call)
        call.record.note("dialled", queue_ms=0)
        self.exchange.start(call)
        return call

    def receive(self, request: LegRequest, script: CalleeScript) -> TelnyxCall:
        """Start a call from outside to a number of the product."""
        call = self._new_call(request, "inbound", script, None)
        self.exchange.start(call)
        return call

    def know(self, connection_id: str, webhook_url: str) -> None:
        """A Call Control application and where its events go; nothing without both."""
        if connection_id and webhook_url:
            self.routes[connection_id] = Route(webhook_url)

    def find(self, call_control_id: str) -> TelnyxCall:
        """For commands; raises TelnyxError 90015."""
        call = self.leg(self.exchange.calls.get(call_control_id))
        if call is None:
            raise unknown_call()
        return call

    def fetch(self, call_control_id: str) -> TelnyxCall:
        """For reading; raises TelnyxError 10005."""
        call = self.leg(self.exchange.calls.get(call_control_id))
        if call is None:
            raise not_found(f"/calls/{call_control_id}")
        return call

    def leg(self, call: PhoneCall | None) -> TelnyxCall | None:
        return call if isinstance(call, TelnyxCall) else None

    def active(self, connection_id: str) -> list[TelnyxCall]:
        """Oldest first."""
        legs = [leg for leg in map(self.leg, self.exchange.calls.values()) if leg is not None]
        return [leg for leg in legs if leg.is_alive and leg.request.connection_id == connection_id]

    def _new_call(
        self, request: LegRequest, direction: str, script: CalleeScript, link: TelnyxCall | None
    ) -> TelnyxCall:
        sid = "v3:" + secrets.token_urlsafe(48)
        record = CallRecord(sid, "telnyx", self.user_id, request.to, request.from_, direction)
        is_refused = direction != "inbound" and bool(self.owned_numbers) and request.from_ not in self.owned_numbers
        session_id = link.session_id if link else ""
        record.parent_sid = link.record.sid if link else None
        call = TelnyxCall(self, record, request, script, session_id=session_id, link=link, is_refused=is_refused)
        self.exchange.adopt(call)
        return call
