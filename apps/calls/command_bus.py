"""The media process's end of the command bus: one subscription, and the session each command is for."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

import orjson
import redis.asyncio
import structlog
from redis.exceptions import RedisError

from apps.calls.bridge.commands import Command
from apps.calls.bridge.session import Session
from apps.calls.services.media_commands import CHANNEL

log = structlog.get_logger(__name__)

_AGAIN_S = (0.1, 0.5, 1.0, 2.0, 5.0)
_ALIVE_S = 10


class CommandBus:
    """add() and remove() a session while it runs. start() on the event loop, stop() before it ends."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._sessions: dict[int, Session] = {}
        self._task: asyncio.Task[None] | None = None
        self.is_listening = asyncio.Event()

    @property
    def sessions(self) -> Collection[Session]:
        return self._sessions.values()

    def add(self, call_id: int, session: Session) -> None:
        self._sessions[call_id] = session

    def remove(self, call_id: int, session: Session) -> None:
        if self._sessions.get(call_id) is session:  # a later stream of the call may have come already
            del self._sessions[call_id]

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        n_lost = 0
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                delay_s = _AGAIN_S[min(n_lost, len(_AGAIN_S) - 1)]
                n_lost = 0 if self.is_listening.is_set() else n_lost + 1
                self.is_listening.clear()
                log.warning("command_bus_lost", error=type(error).__name__)
                await asyncio.sleep(delay_s)

    async def _listen(self) -> None:
        client = redis.asyncio.Redis.from_url(
            self._redis_url, socket_connect_timeout=_ALIVE_S, socket_timeout=None, health_check_interval=_ALIVE_S
        )
        async with client, client.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            self.is_listening.set()
            while True:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=_ALIVE_S)
                if message is not None:
                    self._dispatch(message["data"])

    def _dispatch(self, message: bytes) -> None:
        try:
            said = orjson.loads(message)
            call_id, command = int(said["call_id"]), Command(str(said["kind"]), dict(said["data"]))
        except (ValueError, KeyError, TypeError):
            log.warning("command_malformed")
            return
        session = self._sessions.get(call_id)
        if session is None:
            return  # another process has it, or nobody
        try:
            session.command(command)
        except Exception:
            log.exception("command_failed", call_id=call_id, kind=command.kind)
