"""What may befall a REST request before or after it is carried out, whichever carrier's it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from apps.sandbox.carrier.exchange import Exchange
from apps.sandbox.carrier.faults import Fault
from apps.sandbox.personas import persona_for

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HOLD_S = 60.0
_NUMBER_FAULTS: Final = ("rest_429", "rest_500", "rest_timeout", "rest_reset")


def fault_of_request(exchange: Exchange, request: web.Request, *, to: str, is_create: bool) -> Fault | None:
    """The fault in force for this request, else the one that a called number brings.

    A number brings its fault for the first request to it only, so that trying again helps.
    """
    fault = exchange.faults.take_rest(method=request.method, to=to or None)
    if fault is None and is_create:
        kind = persona_for(to).fault
        if kind in _NUMBER_FAULTS and exchange.faults.first_time(kind, to):
            return Fault(kind)
    return fault


async def carry_out(request: web.Request, handler: Handler, fault: Fault | None) -> web.StreamResponse:
    """The handler's answer, unless a reset or a time-out is to befall it."""
    if fault is not None and fault.kind == "rest_reset" and not fault.flag("processed", default=True):
        return _reset(request)
    response = await handler(request)
    if fault is not None and fault.kind == "rest_reset":
        return _reset(request)
    if fault is not None and fault.kind == "rest_timeout":
        await asyncio.sleep(fault.number("hold_s", _HOLD_S))
    return response


def _reset(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # goes nowhere: the connection is gone
