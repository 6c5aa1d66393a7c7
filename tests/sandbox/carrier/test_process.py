"""The carrier as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.sandbox.carrier.product import SID, TOKEN

ENVIRONMENT = os.environ | {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN}


def start(port: int, environ: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "apps.sandbox.carrier", "--port", str(port)]
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_it_serves_until_told_to_stop(port):
    process = start(port, ENVIRONMENT)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def test_a_busy_port_is_one_clear_line(port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        process = start(port, ENVIRONMENT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors
    assert "Traceback" not in errors


def test_missing_credentials_are_one_clear_line(port):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TWILIO_")}
    process = start(port, environ)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "TWILIO_AUTH_TOKEN" in errors
