"""A provider written out by hand, for what a well-behaved one never does, and the sandbox's, for what it does."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI
from websockets.asyncio.server import ServerConnection, serve

from apps.calls.voice_ai.base import ToolSpec, VoiceBrief
from apps.calls.voice_ai.openai_realtime import OpenAIRealtime
from apps.sandbox.speech import synthesise
from apps.sandbox.voice_ai.server import VoiceAiServer, started
from tests.calls.voice_ai.providers import DEEPGRAM_KEY, GEMINI_KEY, PROVIDERS, Candidate, Host
from tests.sandbox.voice_ai.client import KEY, clip, line
from tests.sandbox.voice_ai.gemini_client import loopback_tls

BRIEF = VoiceBrief(
    model="gpt-realtime-2.1",
    voice="marin",
    instructions="Company: Northwind\nYou are: Ada\nLanguage: en\nNow: 2026-11-22T10:00\nGreeting: Hello, this is Ada.",
    language="en",
    languages=["en", "es", "cs"],
    tools=[ToolSpec("end_call", "Hang up.", {"type": "object", "properties": {}})],
    caller_id="pseudonym",
)


def open_ai(base: str, **options: Any) -> OpenAIRealtime:
    client = AsyncOpenAI(api_key=KEY, base_url=base.replace("ws", "http", 1), websocket_base_url=base)
    return OpenAIRealtime(client, open_timeout_s=2.0, **options)


@dataclass
class Wire:
    """One connection as the provider sees it."""

    peer: ServerConnection
    received: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, *events: dict[str, Any] | str) -> None:
        for event in events:
            await self.peer.send(event if isinstance(event, str) else json.dumps(event))

    async def until(self, kind: str, n: int = 1) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while len(self.of(kind)) < n:  # noqa: ASYNC110 - a test looks again until it is there
                await asyncio.sleep(0.005)
        return self.of(kind)[n - 1]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.received if event["type"] == kind]


@dataclass
class Provider:
    """answer: what to send for a session.update; the default accepts it."""

    base: str = ""
    status: HTTPStatus | None = None
    greets: bool = True
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda _update: {"type": "session.updated", "session": {}}
    wires: list[Wire] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def converse(self, peer: ServerConnection) -> None:
        wire = Wire(peer)
        self.wires.append(wire)
        if self.greets:
            await wire.send({"type": "session.created", "session": {"id": "s", "expires_at": 4_000_000_000}})
        async for raw in peer:
            event = json.loads(raw)
            wire.received.append(event)
            if event["type"] == "session.update":
                await wire.send(self.answer(event))

    def admit(self, connection, request):
        self.headers.append(dict(request.headers.raw_items()))
        if self.status is not None:
            return connection.respond(self.status, "no")
        return None


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    async with serve(provider.converse, "127.0.0.1", 0, process_request=provider.admit) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        provider.base = f"ws://127.0.0.1:{port}/v1"
        yield provider


@pytest.fixture
async def ai(provider: Provider) -> AsyncIterator[OpenAIRealtime]:
    ai = open_ai(provider.base)
    yield ai
    await ai.close()


@dataclass
class Sandbox:
    base: str

    async def order(self, kind: str, **settings: Any) -> None:
        address = self.base.replace("ws", "http", 1).removesuffix("/v1")
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{address}/_sandbox/faults", json={"kind": kind, **settings}) as answer,
        ):
            assert answer.status < 300, await answer.text()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    server = VoiceAiServer(api_key=KEY, synthesise=synthesise, speed=20)
    intents = ("greeting", "interested", "opt_out", "goodbye")
    server.learn([(line(intent), clip(intent)) for intent in intents])
    listening = socket.create_server(("127.0.0.1", 0))
    runner = await started(server, listening)
    yield Sandbox(f"ws://127.0.0.1:{listening.getsockname()[1]}/v1")
    await runner.cleanup()


INTENTS = ("greeting", "interested", "opt_out", "goodbye", "interruption")


@pytest.fixture(scope="session")
def tls(tmp_path_factory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The sandbox's own, and one that trusts it."""
    return loopback_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def host(tls) -> AsyncIterator[Host]:
    """All providers."""
    server = VoiceAiServer(
        api_key=KEY, gemini_key=GEMINI_KEY, deepgram_key=DEEPGRAM_KEY, synthesise=synthesise, speed=20
    )
    known = [*((intent, "en") for intent in INTENTS), ("interested", "cs")]
    server.learn([(line(*one), clip(*one)) for one in known])
    plain, encrypted = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    runner = await started(server, plain, encrypted=encrypted, tls=tls[0])
    host = Host(plain.getsockname()[1], encrypted.getsockname()[1], tls[1])
    yield host
    for client in host.clients:
        await client.close()
    await runner.cleanup()


@pytest.fixture(params=PROVIDERS, ids=str)
def provider_under_test(request) -> Candidate:
    return request.param


@asynccontextmanager
async def reading(ai: OpenAIRealtime) -> AsyncIterator[list]:
    """Collect the frames of a conversation while the block runs."""
    frames: list = []

    async def read() -> None:
        async for frame in ai.events():
            frames.append(frame)

    task = asyncio.create_task(read())
    try:
        yield frames
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
