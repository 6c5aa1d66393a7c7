"""The yardstick: a bare relay of `websockets` on uvloop that copies messages both ways and knows nothing of them."""

import asyncio
import logging
import sys

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


async def _copy(source: ClientConnection | ServerConnection, target: ClientConnection | ServerConnection) -> None:
    try:
        while True:
            await target.send(await source.recv())
    except ConnectionClosed:
        await target.close()


async def _main(port: int, provider: str) -> None:
    async def relay(caller: ServerConnection) -> None:
        async with connect(provider, compression=None) as ai:
            await asyncio.gather(_copy(caller, ai), _copy(ai, caller))

    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # it is asked over plain HTTP whether it is up
    async with serve(relay, "127.0.0.1", port, compression=None):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), sys.argv[2]))
