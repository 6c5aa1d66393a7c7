"""The sandbox carrier as an aiohttp application."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from apps.sandbox.carrier.config import CarrierConfig
from apps.sandbox.carrier.control import ControlApi
from apps.sandbox.carrier.exchange import Exchange
from apps.sandbox.carrier.rest import RestApi


def make_app(config: CarrierConfig) -> web.Application:
    """REST, control interface and status page around one exchange, which lives as long as the application."""
    app = web.Application(client_max_size=1 << 20)
    exchange = Exchange(config)

    async def lifetime(_app: web.Application) -> AsyncIterator[None]:
        await exchange.open()
        yield
        await exchange.close()

    app.cleanup_ctx.append(lifetime)
    ControlApi(exchange).add_to(app)
    RestApi(exchange).add_to(app)
    return app
