"""`/v2/messages`."""

from __future__ import annotations

from aiohttp import web

from apps.sandbox.carrier.telnyx.messages import TelnyxMessages
from apps.sandbox.carrier.telnyx.rest import TelnyxApi, read_body


class MessageApi:
    """Send and fetch."""

    def __init__(self, messages: TelnyxMessages) -> None:
        self._messages = messages

    def add_to(self, app: web.Application, api: TelnyxApi) -> None:
        api.route(app, "POST", "/v2/messages", self._create)
        api.route(app, "GET", "/v2/messages/{message}", self._fetch)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        message = self._messages.create(await read_body(request), request.headers.get("Idempotency-Key", ""))
        return web.json_response({"data": self._messages.as_json(message)})

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        message = self._messages.find(request.match_info["message"])
        return web.json_response({"data": self._messages.as_json(message)})
