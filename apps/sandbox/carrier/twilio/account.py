"""The Twilio account: takes calls in, dials them at its pace."""

from __future__ import annotations

import asyncio

from apps.sandbox.carrier.exchange import Exchange
from apps.sandbox.carrier.records import CallRecord, new_sid
from apps.sandbox.carrier.twilio.call import TwilioCall
from apps.sandbox.carrier.twilio.errors import ApiError
from apps.sandbox.carrier.twilio.requests import CallRequest
from apps.sandbox.carrier.twilio.webhooks import TwilioWebhooks
from apps.sandbox.personas import CalleeScript, persona_for


class TwilioAccount:
    """Everything the product has at Twilio. `origin`: this server as the product reaches it."""

    def __init__(self, exchange: Exchange) -> None:
        config = exchange.config
        self.exchange = exchange
        self.sid, self.auth_token = config.account_sid, config.auth_token
        self.owned_numbers = config.owned_numbers
        self.webhooks = TwilioWebhooks(config.auth_token, exchange.clock, exchange.faults)
        self.origin = f"http://{config.host}:{config.port}"
        self._queue: asyncio.Queue[tuple[TwilioCall, float]] = asyncio.Queue()
        exchange.join(self.webhooks, self._dial_queue(), on_reset=self._forget_queue)

    def place(self, request: CallRequest) -> TwilioCall:
        """Queue a call; it is dialled when its turn comes."""
        call = self._new_call(request, direction="outbound-api", script=persona_for(request.to))
        self._queue.put_nowait((call, self.exchange.clock.monotonic()))
        return call

    def receive(self, request: CallRequest, script: CalleeScript) -> TwilioCall:
        """Start a call from outside to a number of the product."""
        call = self._new_call(request, direction="inbound", script=script)
        self.exchange.start(call)
        return call

    def dial_leg(self, parent: TwilioCall, request: CallRequest) -> TwilioCall:
        """The second leg of a `<Dial>`; dialled at once."""
        call = self._new_call(request, direction="outbound-dial", script=persona_for(request.to), parent=parent)
        self.exchange.start(call)
        return call

    def cancel_queued(self, call: TwilioCall) -> None:
        """Take back a call that has not been dialled."""
        call.record.sip_code = 487
        call.record.duration_s = 0
        call.record.set_status("canceled")
        call.progress("completed")
        call.over.set_result(None)

    def live_call(self, sid: str) -> TwilioCall:
        """A call by its sid; raises ApiError 20404."""
        call = self.exchange.calls.get(sid)
        if not isinstance(call, TwilioCall):
            raise ApiError(404, 20404, f"The requested resource /Calls/{sid} was not found")
        return call

    def calls(self) -> list[TwilioCall]:
        """All of them, oldest first."""
        return [call for call in self.exchange.calls.values() if isinstance(call, TwilioCall)]

    def _new_call(
        self, request: CallRequest, *, direction: str, script: CalleeScript, parent: TwilioCall | None = None
    ) -> TwilioCall:
        record = CallRecord(new_sid("CA"), "twilio", self.sid, request.to, request.from_, direction)
        record.parent_sid = parent.record.sid if parent else None
        call = TwilioCall(self, record, request, script, is_child=parent is not None)
        self.exchange.adopt(call)
        return call

    def _forget_queue(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()

    async def _dial_queue(self) -> None:
        clock = self.exchange.clock
        gap_s = 1 / self.exchange.config.cps
        last_at = clock.monotonic() - gap_s
        while True:
            call, queued_at = await self._queue.get()
            wait_s = last_at + gap_s - clock.monotonic()
            if wait_s > 0:
                await clock.sleep(wait_s)
            if call.record.is_over:
                continue
            last_at = clock.monotonic()
            call.record.queue_ms = round((last_at - queued_at) * 1000)
            call.record.note("dialled", queue_ms=call.record.queue_ms)
            self.exchange.start(call)
