"""A carrier twenty times as fast as the world, a small product, and the official SDK between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import web
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from apps.sandbox.carrier.config import CarrierConfig, TelnyxConfig
from apps.sandbox.carrier.server import make_app
from tests.sandbox.carrier.product import SID, TOKEN, Product
from tests.sandbox.carrier.telnyx.product import API_KEY, SIGNING_KEY

FROM = "+15550100500"


class _LoopbackHttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK carries no types
    """The official client with its host exchanged."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=10)
        self.base = base

    def request(self, method, url, *args, **kwargs):
        return super().request(method, url.replace("https://api.twilio.com", self.base, 1), *args, **kwargs)

    def close(self) -> None:
        self.session.close()


class Carrier:
    """The sandbox under test: its SDK client and its control interface."""

    def __init__(self, base: str, http: aiohttp.ClientSession) -> None:
        self.base, self.http = base, http
        self._sdk_http = _LoopbackHttpClient(base)
        self.sdk = Client(SID, TOKEN, http_client=self._sdk_http)

    def close(self) -> None:
        self._sdk_http.close()

    async def call(self, function: Callable, /, *args, **kwargs):
        """The SDK blocks, so it runs beside the loop."""
        return await asyncio.to_thread(function, *args, **kwargs)

    async def place(self, to: str, **kwargs):
        return await self.call(self.sdk.calls.create, to=to, from_=kwargs.pop("from_", FROM), **kwargs)

    async def control(self, method: str, path: str, data: object = None) -> dict:
        async with self.http.request(method, f"{self.base}/_sandbox/{path}", json=data) as response:
            body = await response.json() if response.content_type == "application/json" else {}
            return body | {"http_status": response.status}

    async def fault(self, kind: str, **options: object) -> None:
        answer = await self.control("POST", "faults", {"kind": kind, **options})
        assert answer["http_status"] == 201, answer

    async def history(self, sid: str) -> dict:
        return await self.control("GET", f"calls/{sid}")

    async def events(self, sid: str, event: str) -> list[dict]:
        return [entry for entry in (await self.history(sid))["history"] if entry["event"] == event]

    async def ended(self, sid: str) -> dict:
        """The call's true history once it is over; fails after ten seconds."""
        async with asyncio.timeout(10):
            while True:
                history = await self.history(sid)
                if history["status"] in {"completed", "busy", "no-answer", "failed", "canceled"}:
                    return history
                await asyncio.sleep(0.02)


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"http://127.0.0.1:{port}"


@pytest.fixture
async def product() -> AsyncIterator[Product]:
    product = Product()
    runner, product.origin = await serve(product.app())
    yield product
    await runner.cleanup()


@pytest.fixture
def carrier_options() -> dict:
    """Overridden by tests that need another pace."""
    return {"speed": 20.0, "cps": 50.0}


@pytest.fixture
async def carrier(product, carrier_options) -> AsyncIterator[Carrier]:
    app = make_app(CarrierConfig(SID, TOKEN, telnyx=TelnyxConfig(API_KEY, SIGNING_KEY), **carrier_options))
    runner, base = await serve(app)
    async with aiohttp.ClientSession() as http:
        carrier = Carrier(base, http)
        yield carrier
        await carrier.control("POST", "reset")
        carrier.close()
    await runner.cleanup()
