"""The sandbox carrier as an aiohttp application."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from apps.sandbox.carrier.config import CarrierConfig
from apps.sandbox.carrier.control import ControlApi
from apps.sandbox.carrier.exchange import Exchange
from apps.sandbox.carrier.telnyx.account import TelnyxAccount
from apps.sandbox.carrier.telnyx.rest import TelnyxApi
from apps.sandbox.carrier.twilio.account import TwilioAccount
from apps.sandbox.carrier.twilio.rest import RestApi


def make_app(config: CarrierConfig) -> web.Application:
    """REST, control interface and status page around one exchange, which lives as long as the application."""
    app = web.Application(client_max_size=1 << 20)
    exchange = Exchange(config)
    twilio = TwilioAccount(exchange)
    telnyx = TelnyxAccount(exchange, config.telnyx) if config.telnyx is not None else None

    async def lifetime(_app: web.Application) -> AsyncIterator[None]:
        await exchange.open()
        yield
        await exchange.close()

    app.cleanup_ctx.append(lifetime)
    ControlApi(exchange, twilio, telnyx).add_to(app)
    RestApi(twilio).add_to(app)
    if telnyx is not None:
        api = TelnyxApi(telnyx)
        api.add_to(app)
        api.close(app)
    return app
