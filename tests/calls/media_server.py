"""The media process as it runs, a carrier's end of its sockets, and a provider behind it that a test can command."""

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from apps.calls.models import Leg
from tests.factories.calls import signature

ROOT = Path(__file__).resolve().parents[2]
FRAME = base64.b64encode(b"\x55" * 160).decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], Any], within_s: float = 30.0) -> Any:
    """Wait until the condition holds and return what it said."""
    deadline = time.monotonic() + within_s
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


class EchoProvider:
    """OpenAI Realtime that says back what it hears, in a thread of its own. received: all events, by contact's name.

    deaf: names of contacts whose sockets are never read after the session is set up.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.received: dict[str, list[dict[str, Any]]] = {}
        self.sockets: dict[str, ServerConnection] = {}
        self.deaf: set[str] = set()
        self.is_refusing = False
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "EchoProvider":
        self._thread.start()
        assert self._up.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(5)

    def send(self, name: str, *events: dict[str, Any]) -> None:
        async def send() -> None:
            for event in events:
                await self.sockets[name].send(json.dumps(event))

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(5)

    def close(self, name: str, code: int) -> None:
        asyncio.run_coroutine_threadsafe(self.sockets[name].close(code), self._loop).result(5)

    def of(self, name: str, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.received.get(name, []) if event["type"] == kind]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._done = asyncio.Event()

        def admit(peer: ServerConnection, _request: object) -> Any:
            return peer.respond(401, "no") if self.is_refusing else None

        async with serve(self._converse, "127.0.0.1", self.port, process_request=admit):
            self._up.set()
            await self._done.wait()

    async def _converse(self, peer: ServerConnection) -> None:
        await peer.send(json.dumps({"type": "session.created", "session": {}}))
        name = ""
        async for raw in peer:
            event = json.loads(raw)
            if event["type"] == "session.update":
                facts = event["session"]["instructions"].splitlines()
                name = next(line for line in facts if line.startswith("Contact: ")).split()[1]
                self.sockets[name] = peer
                self.received.setdefault(name, [])
                await peer.send(json.dumps({"type": "session.updated", "session": {}}))
                if name in self.deaf:
                    peer.transport.pause_reading()
            elif event["type"] == "input_audio_buffer.append":
                delta = {
                    "type": "response.output_audio.delta",
                    "response_id": "r",
                    "item_id": "a1",
                    "delta": event["audio"],
                }
                await peer.send(json.dumps(delta))
            self.received[name].append(event)


class Carrier:
    """The carrier's end of one media socket."""

    def __init__(self, socket_: ClientConnection, leg: Leg) -> None:
        self.socket = socket_
        self.leg = leg
        self.stream_sid = (leg.carrier_call_id or "").replace("CA", "MZ", 1)
        self.number = 0
        self.close_code: int | None = None

    def start(self, **changes: str) -> None:
        self.number = 1
        self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        start = {
            "accountSid": settings.TWILIO_ACCOUNT_SID,
            "streamSid": self.stream_sid,
            "callSid": self.leg.carrier_call_id,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {},
        }
        self.send({"event": "start", "sequenceNumber": "1", "streamSid": self.stream_sid, "start": start | changes})

    def speak(self, n: int = 1, payload: str = FRAME) -> None:
        for _ in range(n):
            media = {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": payload}
            self.send(self.numbered({"event": "media", "media": media}))

    def stop(self) -> None:
        self.send(self.numbered({"event": "stop", "stop": {}}))

    def numbered(self, message: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        return message | {"sequenceNumber": str(self.number), "streamSid": self.stream_sid}

    def send(self, message: dict[str, Any] | str | bytes) -> None:
        self.socket.send(json.dumps(message) if isinstance(message, dict) else message)

    def hear(self, kind: str = "media", timeout_s: float = 10.0) -> dict[str, Any]:
        """The next message of that kind."""
        deadline = time.monotonic() + timeout_s
        while True:
            message: dict[str, Any] = json.loads(self.socket.recv(timeout=max(0.0, deadline - time.monotonic())))
            if message["event"] == kind:
                return message

    def wait_closed(self) -> int | None:
        """The code with which we were closed."""
        with suppress(ConnectionClosed):
            for _ in self.socket:
                pass
        return self.socket.close_code


class MediaServer:
    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def open(self, leg: Leg, *, path: str | None = None, signed: str | None = "") -> ClientConnection:
        """Open a leg's media socket as the carrier does. signed: another URL that was signed instead, None for none."""
        path = f"/media/twilio/{leg.media_token}" if path is None else path
        url = f"ws://127.0.0.1:{self.port}{path}"
        headers = {} if signed is None else {"X-Twilio-Signature": signature(signed or url, {})}
        return connect(
            url, additional_headers=headers, compression=None, max_size=None, ping_interval=None, open_timeout=20
        )

    @contextmanager
    def call(self, leg: Leg) -> Iterator[Carrier]:
        with self.open(leg) as socket_:
            carrier = Carrier(socket_, leg)
            carrier.start()
            yield carrier

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @property
    def n_calls(self) -> int:
        return int(json.loads(self.get("/readyz")[1])["n_calls"])

    def wait_idle(self) -> None:
        eventually(lambda: self.n_calls == 0)


@contextmanager
def media_server(provider: EchoProvider, log: Path, **environment: str) -> Iterator[MediaServer]:
    """The process that the Procfile names, on the database of the tests."""
    port = free_port()
    line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("media:"))
    found = connection.settings_dict
    database = f"postgresql://{found['USER']}:{found['PASSWORD']}@{found['HOST']}:{found['PORT']}/{found['NAME']}"
    variables = os.environ | {
        "DATABASE_URL": database,
        "BIND": "127.0.0.1",
        "MEDIA_PORT": str(port),
        "PUBLIC_MEDIA_ORIGIN": f"ws://127.0.0.1:{port}",
        "OPENAI_REALTIME_BASE": f"ws://127.0.0.1:{provider.port}/v1",
        "TWILIO_ACCOUNT_SID": settings.TWILIO_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": settings.TWILIO_AUTH_TOKEN,
        "OPENAI_API_KEY": "sk-test",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        **environment,
    }
    with log.open("wb") as output:
        command = ["sh", "-c", f"exec {line.removeprefix('media:')}"]
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT)
    server = MediaServer(process, port, log)
    try:
        eventually(lambda: _answers(server), within_s=40)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _answers(server: MediaServer) -> bool:
    assert server.process.poll() is None, server.log.read_text()[-3000:]
    try:
        return server.get("/healthz") == (200, "ok")
    except OSError:
        return False
