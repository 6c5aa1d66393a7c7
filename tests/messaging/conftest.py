"""Carriers on loopback, a letter box for what they tell, and channels that only pretend."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from celery import Celery
from django.test import Client

from apps.core import breaker
from apps.messaging import adapters
from apps.messaging.channels.base import TextNews, TextRequest, TextStatus
from tests.calls.conftest import CarrierProcess, Sent, carrier_process

__all__ = ["carrier_process"]


@pytest.fixture
def tasks(monkeypatch) -> list[Sent]:
    """What was handed to Celery, instead of a worker taking it."""
    sent: list[Sent] = []
    monkeypatch.setattr(
        Celery, "send_task", lambda self, name, args=None, **options: sent.append(Sent(name, tuple(args), options))
    )
    return sent


@dataclass
class FakeChannel:
    """answers: what each request gets, one after the other; an exception is raised."""

    name: str = "twilio"
    finds: bool = True
    answers: list[object] = field(default_factory=list)
    found: list[TextNews] = field(default_factory=list)
    sent: list[TextRequest] = field(default_factory=list)
    n_asked: int = 0

    def send(self, request: TextRequest) -> TextNews:
        self.sent.append(request)
        answer = self.answers.pop(0) if self.answers else TextNews(f"SM{len(self.sent)}x{id(self)}", TextStatus.QUEUED)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, TextNews)
        return answer

    def fetch(self, carrier_message_id: str) -> TextNews | None:
        self.n_asked += 1
        return next((news for news in self.found if news.carrier_message_id == carrier_message_id), None)

    def find(self, request: TextRequest, *, since: datetime) -> list[TextNews]:
        self.n_asked += 1
        return list(self.found)


@pytest.fixture
def channel(monkeypatch) -> Iterator[FakeChannel]:
    fake = FakeChannel()
    monkeypatch.setattr(adapters, "channel_for", lambda carrier: fake)
    for carrier in ("twilio", "telnyx"):
        breaker.configure(adapters.circuit_of(carrier), ignore=adapters.proves_service_is_up)
    yield fake
    for carrier in ("twilio", "telnyx"):
        breaker.close(adapters.circuit_of(carrier))


class LetterBox:
    """Takes the carrier's webhooks, and hands them on to the product, signature and all."""

    def __init__(self) -> None:
        self.letters: queue.Queue[tuple[str, dict[str, str], bytes]] = queue.Queue()
        box = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                box.letters.put((self.path, dict(self.headers.items()), body))
                self.send_response(200)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", "11")
                self.end_headers()
                self.wfile.write(b"<Response/>")

            def log_message(self, *args: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def next(self) -> tuple[str, dict[str, str], bytes]:
        return self.letters.get(timeout=10)

    def deliver(self, client: Client, letter: tuple[str, dict[str, str], bytes] | None = None) -> int:
        """Hand the next letter, or this one, to the product; its answer's status."""
        path, headers, body = letter or self.next()
        kind = headers.pop("Content-Type")
        kept = {name: value for name, value in headers.items() if name.lower().startswith(("x-twilio", "telnyx"))}
        return client.post(path, body, content_type=kind, headers=kept).status_code

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def box(settings) -> Iterator[LetterBox]:
    box = LetterBox()
    settings.PUBLIC_ORIGIN = box.origin
    yield box
    box.close()


@pytest.fixture
def carrier(carrier_process: CarrierProcess, settings) -> Iterator[CarrierProcess]:
    """The product talks to the carrier process; nothing of another test is left in it."""
    settings.TWILIO_API_BASE = carrier_process.base
    settings.TELNYX_API_BASE = f"{carrier_process.base}/v2"
    settings.CARRIER_TIMEOUT_S = 1
    adapters.channel_for.cache_clear()
    clients = [adapters.channel_for(name) for name in ("twilio", "telnyx")]
    yield carrier_process
    carrier_process.control("POST", "reset")
    for client in clients:
        breaker.close(adapters.circuit_of(client.name))
        client.close()
    adapters.channel_for.cache_clear()


Deliver = Callable[[], int]
