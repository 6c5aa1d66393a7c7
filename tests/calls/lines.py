"""Whole calls over loopback: what the tests of it share."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import websockets
from django.utils import timezone

from apps.calls.carriers.media import codec_for
from apps.calls.media.frames import Audio, StreamStarted
from apps.calls.models import Call, Leg
from apps.calls.services.placing import place_calls
from tests.factories.calls import make_callable, make_request

_SOUND = bytes([0x10, 0x90])
_HALF_A_MINUTE = Audio.of(_SOUND * 119_000)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MediaServer:
    """Takes the carrier's media sockets, keeps them open, and notes who came."""

    def __init__(self) -> None:
        self.port = free_port()
        self.opened: list[tuple[str, dict]] = []  # path, and what an ASGI server would make of the request
        self.frames: list = []
        self.speaks = False  # a second of sound, every three seconds
        self.talks_on = False  # minutes of it at once: on the carrier's fast clock people do not wait for a slow test
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._sockets: set = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(5)

    def cut(self) -> None:
        """As a killed process would."""

        async def close() -> None:
            for stream in list(self._sockets):
                stream.transport.abort()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(5)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        async with websockets.serve(self._take, "127.0.0.1", self.port):
            self._ready.set()
            await self._done.wait()

    async def _take(self, stream) -> None:
        path, headers = stream.request.path, stream.request.headers
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.raw_items()]
        self.opened.append((path, {"raw_path": path.encode(), "query_string": b"", "headers": raw}))
        self._sockets.add(stream)
        codec = codec_for(path.split("/")[2])
        try:
            async for message in stream:
                if (frame := codec.decode(message)) is None:
                    continue
                self.frames.append(frame)
                if self.talks_on and isinstance(frame, StreamStarted):
                    for _ in range(12):
                        await stream.send(codec.encode(_HALF_A_MINUTE))
                if self.speaks and isinstance(frame, Audio) and not len(self.frames) % 150:
                    await stream.send(codec.encode(Audio.of(_SOUND * 4000)))
        except websockets.ConnectionClosed:
            pass
        finally:
            self._sockets.discard(stream)


def call_number(carrier: str, to: str, **brief) -> Leg:
    (call,) = place_calls([make_request(make_callable(to), carrier=carrier, **brief)], now=timezone.now())
    assert isinstance(call, Call)
    return Leg.objects.get(call=call)


def wait_for(leg: Leg, *states: str, within_s: float = 20) -> Leg:
    until = time.monotonic() + within_s
    while True:
        leg.refresh_from_db()
        if leg.state in states:
            return leg
        assert time.monotonic() < until, f"still {leg.state}: {list(leg.events.values_list('kind', 'data'))}"
        time.sleep(0.05)


def wait_until(condition: Callable[[], object], *, within_s: float = 30, story: Leg | None = None) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, list(story.call.events.values_list("kind", "data")) if story else "not so"
        time.sleep(0.05)
