"""The same fast carrier, a product that listens to Telnyx, and the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from telnyx import Telnyx

from tests.sandbox.carrier.conftest import Carrier, serve
from tests.sandbox.carrier.telnyx.product import API_KEY, TelnyxProduct

FROM = "+15550100500"
CONNECTION = "1234567890"


class Line:
    """The Telnyx SDK at the sandbox, and the carrier's control interface beside it."""

    def __init__(self, carrier: Carrier, product: TelnyxProduct) -> None:
        self.carrier, self.product = carrier, product
        self.sdk = Telnyx(api_key=API_KEY, base_url=f"{carrier.base}/v2", timeout=10, max_retries=0)

    async def dial(self, to: str, **kwargs: object):
        given = {"connection_id": CONNECTION, "from_": FROM, "webhook_url": self.product.hook} | kwargs
        response = await self.carrier.call(self.sdk.calls.dial, to=to, **given)
        return response.data

    async def act(self, name: str, call_control_id: str, **kwargs: object):
        return await self.carrier.call(getattr(self.sdk.calls.actions, name), call_control_id, **kwargs)

    async def ring(self, to: str = "+15550100901", from_: str = "+15550100100", **more: object) -> str:
        """Somebody calls in; returns the call_control_id."""
        data = {"carrier": "telnyx", "from": from_, "to": to, "webhook_url": self.product.hook} | more
        answer = await self.carrier.control("POST", "inbound", data)
        assert answer["http_status"] == 201, answer
        return answer["sid"]


@pytest.fixture
async def product() -> AsyncIterator[TelnyxProduct]:
    product = TelnyxProduct()
    runner, product.origin = await serve(product.app())
    yield product
    await runner.cleanup()


@pytest.fixture
async def line(carrier, product) -> AsyncIterator[Line]:
    line = Line(carrier, product)
    yield line
    line.sdk.close()
