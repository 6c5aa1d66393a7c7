"""python -m apps.sandbox.voice_ai --port 8120: an OpenAI Realtime server on this machine.

OPENAI_API_KEY or OPENAI_API_KEY_FILE: the key that clients have to show. SANDBOX_SPEED: how many times faster than
life it speaks, in step with the sandbox's carrier.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvloop

from apps.sandbox.speech import synthesise

from .clips import persona_clips
from .hearing import Line
from .server import VoiceAiServer, started


def _api_key() -> str:
    path = os.environ.get("OPENAI_API_KEY_FILE")
    key = Path(path).read_text().strip() if path else os.environ.get("OPENAI_API_KEY", "")
    if not key:
        sys.exit("Set OPENAI_API_KEY or OPENAI_API_KEY_FILE: clients have to show that key.")
    return key


def _listen(host: str, port: int) -> socket.socket:
    """Before the clips are made: who comes meanwhile waits in the queue, and a busy port is noticed at once."""
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        sys.exit(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port by --port.")


async def _serve(api_key: str, clips: list[tuple[Line, bytes]], speed: float, listening: socket.socket) -> None:
    server = VoiceAiServer(api_key=api_key, synthesise=synthesise, speed=speed)
    server.learn(clips)
    runner = await started(server, listening)
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    host, port = listening.getsockname()[:2]
    print(f"voice AI sandbox at ws://{host}:{port}/v1/realtime", flush=True)
    await stopped.wait()
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m apps.sandbox.voice_ai", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8120)
    parser.add_argument("--speed", type=float, default=float(os.environ.get("SANDBOX_SPEED", "1.0")))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with contextlib.suppress(KeyboardInterrupt):  # stopped while it was still learning
        api_key, listening = _api_key(), _listen(options.host, options.port)
        uvloop.run(_serve(api_key, persona_clips(), options.speed, listening))


if __name__ == "__main__":
    main()
