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


async def _serve(api_key: str, clips: list[tuple[Line, bytes]], options: argparse.Namespace) -> None:
    server = VoiceAiServer(api_key=api_key, synthesise=synthesise, speed=options.speed)
    server.learn(clips)
    try:
        runner, port = await started(server, host=options.host, port=options.port)
    except OSError as error:
        sys.exit(f"Cannot listen on {options.host}:{options.port}: {error.strerror}. Choose another port by --port.")
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    print(f"voice AI sandbox at ws://{options.host}:{port}/v1/realtime", flush=True)
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
        uvloop.run(_serve(_api_key(), persona_clips(), options))


if __name__ == "__main__":
    main()
