"""python -m apps.sandbox.voice_ai --port 8120: the voice AIs' servers on this machine.

OPENAI_API_KEY or OPENAI_API_KEY_FILE: the key that clients have to show; GEMINI_API_KEY, DEEPGRAM_API_KEY likewise.
SANDBOX_TLS_FILE: key and certificate for --tls-port, where all of it is served encrypted, as Gemini's SDK insists.
SANDBOX_SPEED: how many times faster than life it speaks, in step with the sandbox's carrier.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from pathlib import Path

import uvloop

from apps.sandbox.speech import synthesise

from .clips import persona_clips
from .hearing import Line
from .server import VoiceAiServer, started


def _secret(name: str) -> str:
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text().strip() if path else os.environ.get(name, "")


def _api_key() -> str:
    key = _secret("OPENAI_API_KEY")
    if not key:
        sys.exit("Set OPENAI_API_KEY or OPENAI_API_KEY_FILE: clients have to show that key.")
    return key


def _tls() -> ssl.SSLContext:
    path = os.environ.get("SANDBOX_TLS_FILE", "")
    if not path:
        sys.exit("Set SANDBOX_TLS_FILE, a PEM file of key and certificate, or leave --tls-port away.")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


def _listen(host: str, port: int) -> socket.socket:
    """Before the clips are made: who comes meanwhile waits in the queue, and a busy port is noticed at once."""
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        sys.exit(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port by --port.")


async def _serve(
    server: VoiceAiServer, clips: list[tuple[Line, bytes]], listening: socket.socket, encrypted: socket.socket | None
) -> None:
    server.learn(clips)
    runner = await started(server, listening, encrypted=encrypted, tls=_tls() if encrypted is not None else None)
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
    parser.add_argument("--tls-port", type=int, help="besides, encrypted")
    parser.add_argument("--speed", type=float, default=float(os.environ.get("SANDBOX_SPEED", "1.0")))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with contextlib.suppress(KeyboardInterrupt):  # stopped while it was still learning
        server = VoiceAiServer(
            api_key=_api_key(),
            gemini_key=_secret("GEMINI_API_KEY"),
            deepgram_key=_secret("DEEPGRAM_API_KEY"),
            synthesise=synthesise,
            speed=options.speed,
        )
        listening = _listen(options.host, options.port)
        encrypted = _listen(options.host, options.tls_port) if options.tls_port else None
        uvloop.run(_serve(server, persona_clips(), listening, encrypted))


if __name__ == "__main__":
    main()
