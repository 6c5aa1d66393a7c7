"""A carrier that takes every call at once and never says anything more: Twilio's ``create`` on loopback, as a process.

``python -m benchmarks.dialler_carrier PORT``; ``GET /`` answers with the moments of all requests so far (seconds,
JSON), ``DELETE /`` forgets them.
"""

import asyncio
import json
import sys
import time
from typing import cast

import httptools
import uvloop

_arrivals: list[float] = []


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        method = self._parser.get_method()
        if method == b"POST":
            _arrivals.append(time.monotonic())
            body = json.dumps({"sid": f"CA{len(_arrivals):032x}", "status": "queued", "direction": "outbound-api"})
            self._answer("201 Created", body)
        else:
            self._answer("200 OK", json.dumps(_arrivals))
            if method == b"DELETE":
                _arrivals.clear()

    def _answer(self, status: str, body: str) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write((head + body).encode())


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
