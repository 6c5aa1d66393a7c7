"""A small product for the carrier to talk to: answers webhooks, keeps them, and speaks over the media socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web
from twilio.request_validator import RequestValidator

from apps.sandbox.carrier.ear import Ear
from apps.sandbox.speech import synthesise

SID = "AC" + "0" * 31 + "1"
TOKEN = "0123456789abcdef0123456789abcdef"


async def wait_until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Poll for what sends no signal of its own."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.01)


class MediaSession:
    """The product's end of one media socket; as Twilio speaks there, unless a carrier says otherwise."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self.ws = ws
        self.messages: list[dict] = []
        self.raw: list[object] = []
        self.heard = bytearray()
        self.start: dict = {}
        self.n_utterances = 0
        self._ear = Ear()

    async def receive(self) -> dict | None:
        """The next message, None when the socket is closed."""
        message = await self.ws.receive()
        self.raw.append(message.data)
        if message.type is not WSMsgType.TEXT:
            return None if message.type is not WSMsgType.BINARY else {"event": "binary"}
        try:
            data: dict = json.loads(message.data)
        except ValueError:
            return {"event": "broken"}
        self.messages.append(data)
        if data["event"] == "start":
            self.start = self.start_in(data)
        elif data["event"] == "media" and data.get("media", {}).get("track") == "inbound":
            try:
                frame = base64.b64decode(data["media"]["payload"], validate=True)
            except (ValueError, KeyError):
                return data
            self.heard += frame
            if self._ear.hear(frame):
                self.n_utterances += 1
        return data

    async def until(self, event: str) -> dict | None:
        while (data := await self.receive()) is not None:
            if data["event"] == event:
                return data
        return None

    async def until_utterance(self) -> bool:
        """Wait for the callee to have said something more."""
        wanted = self.n_utterances + 1
        while self.n_utterances < wanted:
            if await self.receive() is None:
                return False
        return True

    async def until_closed(self) -> None:
        while await self.receive() is not None:
            pass

    def start_in(self, message: dict) -> dict:
        return dict(message["start"])

    async def send(self, event: str, **content: object) -> None:
        await self.ws.send_str(json.dumps({"event": event, "streamSid": self.start["streamSid"], **content}))

    async def play(self, mulaw: bytes) -> None:
        await self.send("media", media={"payload": base64.b64encode(mulaw).decode()})

    async def say(self, text: str, mark: str = "") -> int:
        """Send a sentence at once; returns its length in bytes."""
        mulaw = await asyncio.to_thread(synthesise, text, "en", "b")
        await self.play(mulaw)
        if mark:
            await self.send("mark", mark={"name": mark})
        return len(mulaw)


class Product:
    """Webhooks and media sockets under `origin`; every request must carry a valid signature."""

    def __init__(self) -> None:
        self.origin = ""
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.tokens: list[str] = []
        self.documents: dict[str, str | tuple[int, str, str]] = {}
        self.answers: dict[str, list[int]] = {}
        self.sessions: list[MediaSession] = []
        self.talk: Callable[[MediaSession], Awaitable[None]] = self.listen
        self.refuses_media = False
        self.conversations: list[asyncio.Task] = []
        self._changed = asyncio.Event()
        self._validator = RequestValidator(TOKEN)

    @property
    def media_origin(self) -> str:
        return self.origin.replace("http", "ws", 1)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/media/{token}", self._media)
        app.router.add_route("*", "/{path:.*}", self._hook)
        return app

    def connect(self, rest: str = "", path: str = "/media/t0", attributes: str = "") -> str:
        """A document that connects the call to the media socket."""
        return (
            f"<Response><Connect><Stream url='{self.media_origin}{path}' {attributes}>"
            f"<Parameter name='attempt' value='42'/></Stream></Connect>{rest}</Response>"
        )

    def of(self, path: str, **wanted: str) -> list[dict[str, str]]:
        """The parameters of the requests to a path, in order of arrival."""
        return [p for at, p in self.requests if at == path and all(p.get(k) == v for k, v in wanted.items())]

    async def wait_for(self, path: str, n: int = 1, **wanted: str) -> list[dict[str, str]]:
        """At least n such requests; fails after five seconds."""
        async with asyncio.timeout(5):
            while len(self.of(path, **wanted)) < n:
                self._changed.clear()
                await self._changed.wait()
        return self.of(path, **wanted)

    async def listen(self, session: MediaSession) -> None:
        await session.until_closed()

    async def converse(self, session: MediaSession) -> None:
        """Answer whatever the callee says, politely, until they hang up."""
        sentences = ["Hello, this is the virtual agent of Northwind.", "I see, thank you.", "Very well.", "Goodbye."]
        while await session.until_utterance():
            await session.say(sentences.pop(0) if sentences else "Goodbye.")

    async def _hook(self, request: web.Request) -> web.Response:
        form = await request.post()
        params = {name: str(value) for name, value in form.items()}
        signature = request.headers.get("X-Twilio-Signature", "")
        url = self.origin + request.raw_path
        if not self._validator.validate(url, params, signature):
            return web.Response(status=403)
        self.requests.append((request.path, params | dict(request.query)))
        self.tokens.append(request.headers["I-Twilio-Idempotency-Token"])
        self._changed.set()
        if self.answers.get(request.path):
            return web.Response(status=self.answers[request.path].pop(0))
        document = self.documents.get(request.path)
        if document is None:
            return web.Response(status=204)
        if isinstance(document, tuple):
            status, content_type, text = document
            return web.Response(status=status, text=text, content_type=content_type)
        return web.Response(text=document, content_type="text/xml")

    async def _media(self, request: web.Request) -> web.StreamResponse:
        signature = request.headers.get("X-Twilio-Signature", "")
        if self.refuses_media or not self._validator.validate(self.media_origin + request.raw_path, {}, signature):
            return web.Response(status=403)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        session = MediaSession(ws)
        self.sessions.append(session)
        await session.until("start")
        await self.talk(session)
        await ws.close()
        return ws
