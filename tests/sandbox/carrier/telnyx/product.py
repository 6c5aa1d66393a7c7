"""A small product at Telnyx: takes events, checks each signature with the SDK, and speaks over the media socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from telnyx.lib import WebhookVerificationError, verify_webhook_signature

from tests.sandbox.carrier.product import MediaSession

API_KEY = "KEY0123456789"
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNING_KEY = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_KEY = base64.b64encode(_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


class TelnyxMedia(MediaSession):
    """As Telnyx speaks there: what comes is not addressed to a stream, and the start tells more around it."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        super().__init__(ws)
        self.path, self.query, self.headers = request.path, dict(request.query), request.headers.copy()

    def start_in(self, message: dict) -> dict:
        return message

    async def send(self, event: str, **content: object) -> None:
        await self.ws.send_str(json.dumps({"event": event, **content}))

    def of(self, event: str) -> list[dict]:
        return [message for message in self.messages if message["event"] == event]


class TelnyxProduct:
    """Webhooks and media sockets under `origin`; an event whose signature is wrong is refused."""

    def __init__(self) -> None:
        self.origin = ""
        self.events: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.refused = 0
        self.answers: dict[str, list[int]] = {}
        self.sessions: list[TelnyxMedia] = []
        self.talk: Callable[[TelnyxMedia], Awaitable[None]] = self.listen
        self.refuses_media = False
        self.files: dict[str, tuple[bytes, str]] = {}
        self._changed = asyncio.Event()

    @property
    def hook(self) -> str:
        return f"{self.origin}/hooks/telnyx/t0"

    @property
    def stream_url(self) -> str:
        return self.origin.replace("http", "ws", 1) + "/media/telnyx/t0"

    def stream(self, **changes: object) -> dict:
        """The stream fields of a dial as they should be."""
        return {
            "stream_url": self.stream_url,
            "stream_track": "inbound_track",
            "stream_codec": "PCMU",
            "stream_bidirectional_mode": "rtp",
            "stream_bidirectional_codec": "PCMU",
            "stream_bidirectional_target_legs": "self",
            "stream_auth_token": "per-call-secret",
        } | changes

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/media/telnyx/{token}", self._media)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_post("/{path:.*}", self._hook)
        return app

    def of(self, event_type: str, **wanted: object) -> list[dict]:
        """The `data` of the events of a type, in order of arrival."""
        found = [event["data"] for event in self.events if event["data"]["event_type"] == event_type]
        return [data for data in found if all(data["payload"].get(k) == v for k, v in wanted.items())]

    async def wait_for(self, event_type: str, n: int = 1, **wanted: object) -> list[dict]:
        """At least n such events; fails after five seconds."""
        async with asyncio.timeout(5):
            while len(self.of(event_type, **wanted)) < n:
                self._changed.clear()
                await self._changed.wait()
        return self.of(event_type, **wanted)

    async def listen(self, session: TelnyxMedia) -> None:
        await session.until_closed()

    async def converse(self, session: TelnyxMedia) -> None:
        """Answer whatever the callee says, politely, until they hang up."""
        sentences = ["Hello, this is the virtual agent of Northwind.", "I see, thank you.", "Very well.", "Goodbye."]
        while await session.until_utterance():
            await session.say(sentences.pop(0) if sentences else "Goodbye.")

    async def _hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            verify_webhook_signature(body, dict(request.headers), PUBLIC_KEY)
        except WebhookVerificationError:
            self.refused += 1
            return web.Response(status=403)
        event = json.loads(body)
        self.events.append(event)
        self.headers.append(dict(request.headers))
        self._changed.set()
        event_type = event["data"]["event_type"]
        if self.answers.get(event_type):
            return web.Response(status=self.answers[event_type].pop(0))
        return web.Response(status=200)

    async def _file(self, request: web.Request) -> web.Response:
        body, content_type = self.files[request.match_info["name"]]
        return web.Response(body=body, content_type=content_type)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_media:
            return web.Response(status=403)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        session = TelnyxMedia(ws, request)
        self.sessions.append(session)
        await session.until("start")
        await self.talk(session)
        await ws.close()
        return ws
