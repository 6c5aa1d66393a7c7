"""A carrier on loopback, and a look at what is handed to the queue."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from celery import Celery, current_app
from celery.contrib.testing.worker import start_worker
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from apps.calls import adapters
from apps.calls.carriers.capabilities import CAPABILITIES
from apps.core import breaker
from tests.calls.lines import MediaServer, free_port
from tests.factories.calls import signature
from tests.factories.telnyx import signing_key_pem

FINAL = {"completed", "busy", "no-answer", "failed", "canceled"}


@dataclass
class CarrierProcess:
    """The sandbox carrier as its own process, twenty times as fast as the world."""

    base: str

    def control(self, method: str, path: str, data: object = None) -> dict:
        request = urllib.request.Request(
            f"{self.base}/_sandbox/{path}",
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            body = response.read()
        return json.loads(body) if body else {}

    def fault(self, kind: str, **options: object) -> None:
        self.control("POST", "faults", {"kind": kind, **options})

    def calls_to(self, number: str) -> list[dict]:
        return self.control("GET", f"calls?to={number.replace('+', '%2B')}")["calls"]

    def wait_until_over(self, number: str) -> str:
        """The status with which the number's only call ended."""
        until = time.monotonic() + 10
        while (status := self.calls_to(number)[0]["status"]) not in FINAL:
            assert time.monotonic() < until, f"still {status}"
            time.sleep(0.02)
        return status

    def n_creates(self, number: str) -> int:
        return len(self.control("GET", f"calls?to={number.replace('+', '%2B')}")["creates"])


@pytest.fixture(scope="session")
def carrier_process() -> Iterator[CarrierProcess]:
    port = free_port()
    env = os.environ | {
        "TWILIO_ACCOUNT_SID": django_settings.TWILIO_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": django_settings.TWILIO_AUTH_TOKEN,
        "TELNYX_API_KEY": django_settings.TELNYX_API_KEY,
        "SANDBOX_TELNYX_SIGNING_KEY": signing_key_pem(),
    }
    command = [sys.executable, "-m", "apps.sandbox.carrier", "--port", str(port), "--speed", "20", "--cps", "100"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"{base}/healthz", timeout=1):
                break
        except OSError:
            assert process.poll() is None, "the carrier did not start"
            assert time.monotonic() < until, "the carrier does not answer"
            time.sleep(0.05)
    yield CarrierProcess(base)
    process.terminate()
    process.wait(timeout=10)


@pytest.fixture
def carrier(carrier_process, settings) -> Iterator[CarrierProcess]:
    """The product talks to the carrier process; no fault and no call of another test is left in it."""
    settings.TWILIO_API_BASE = carrier_process.base
    settings.TELNYX_API_BASE = f"{carrier_process.base}/v2"
    settings.CARRIER_TIMEOUT_S = 2
    adapters.carrier_for.cache_clear()
    clients = [adapters.carrier_for(name) for name in CAPABILITIES]
    for name in CAPABILITIES:
        breaker.close(name)
    yield carrier_process
    carrier_process.control("POST", "reset")
    for client in clients:
        breaker.close(client.name)
        client.close()
    adapters.carrier_for.cache_clear()


@dataclass
class Sent:
    name: str
    args: tuple
    options: dict


@pytest.fixture
def queue(monkeypatch) -> list[Sent]:
    """What was handed to Celery, instead of a worker taking it."""
    sent: list[Sent] = []

    def send_task(self, name, args=None, **options):
        sent.append(Sent(name, tuple(args or ()), options))

    monkeypatch.setattr(Celery, "send_task", send_task)
    return sent


@pytest.fixture
def hook(client: Client, settings):
    """Send a webhook as Twilio does; ``signed`` may be a wrong secret, or None for no signature at all."""

    def send(name: str, token: str | None, form: dict[str, str], *, signed: str | None = "", headers=None):
        path = f"/hooks/twilio/{name}" + (f"/{token}" if token is not None else "")
        headers = dict(headers or {})
        if signed is not None:
            headers["X-Twilio-Signature"] = signature(settings.PUBLIC_ORIGIN + path, form, signed or None)
        return client.post(
            path, urlencode(form), content_type="application/x-www-form-urlencoded; charset=UTF-8", headers=headers
        )

    return send


# ── Whole calls ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(params=sorted(CAPABILITIES))
def name(request) -> str:
    """Of the carrier: whoever asks for it is run with each."""
    return str(request.param)


@pytest.fixture
def media(settings) -> Iterator[MediaServer]:
    server = MediaServer()
    settings.PUBLIC_MEDIA_ORIGIN = f"ws://127.0.0.1:{server.port}"
    server.start()
    yield server
    server.stop()


@pytest.fixture
def product(live_server, carrier: CarrierProcess, settings) -> Iterator[CarrierProcess]:
    """A web server and a worker of ours, and the carrier that reaches them."""
    settings.PUBLIC_ORIGIN = live_server.url
    current_app.loader.import_default_modules()
    with start_worker(current_app, pool="threads", concurrency=4, perform_ping_check=False, loglevel="ERROR"):
        yield carrier
    connection.close()
