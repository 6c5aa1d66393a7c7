"""The voice AI as a process of its own, knowing every persona."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from .client import KEY, Caller, client, line


@pytest.fixture
def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def start(port, **environ):
    command = [sys.executable, "-m", "apps.sandbox.voice_ai", "--port", str(port), "--speed", "40"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    return subprocess.Popen(command, env=kept | environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def wait_until_ready(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


async def test_it_knows_the_personas_and_stops_when_told(free_port, tmp_path):
    secret = tmp_path / "key"
    secret.write_text(f"{KEY}\n")
    process = start(free_port, OPENAI_API_KEY_FILE=str(secret))
    try:
        wait_until_ready(free_port)
        async with client(free_port) as sdk, sdk.realtime.connect(model="gpt-realtime-2.1") as connection:
            caller = Caller(connection)
            await caller.configure()
            await caller.say("ivr_connecting", "cs")
            done = await caller.until("conversation.item.input_audio_transcription.completed")
            assert done["transcript"] == line("ivr_connecting", "cs").text
            process.send_signal(signal.SIGTERM)
            assert [event async for event in connection if event.type == "error"] == []
            assert connection._connection.close_code == 1001
        process.communicate(timeout=10)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def test_without_a_key_it_says_what_to_set(free_port):
    process = start(free_port)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("Set OPENAI_API_KEY")


def test_busy_port_is_one_clear_line(free_port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port))
        taken.listen()
        process = start(free_port, OPENAI_API_KEY=KEY)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{free_port}" in errors
    assert "Traceback" not in errors
