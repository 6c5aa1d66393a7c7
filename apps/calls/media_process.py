"""The media process around its conversations: how many it takes, how it stops, how it is asked about its health."""

import asyncio
import contextvars
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.db import close_old_connections, connection
from django_redis import get_redis_connection
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

from apps.calls import adapters
from apps.calls.bridge import metrics, phrase_book
from apps.calls.command_bus import CommandBus
from apps.calls.garbage import GarbageCollection
from apps.calls.journal import Journal
from apps.calls.message_sounds import MessageSounds
from apps.calls.recorders import Recorders
from apps.core import breaker

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_DB_THREADS = 4
# Tools ask services of others, which may take many seconds each: no call is to wait for its plan, or its end, for them.
_TOOL_THREADS = 16
_CHECK_S = 3.0
_SYNC_S = 1.0
# How long another thread may keep the interpreter from the event loop; the default of 5 ms would be heard by all calls.
_SWITCH_INTERVAL_S = 0.0005


class MediaProcess:
    """What the process's conversations share. There is one, see ``media_process``."""

    def __init__(self, *, max_calls: int, drain_s: float) -> None:
        self.journal = Journal()
        self.recorders = Recorders(settings.RECORDING_SPOOL_DIR)
        self.commands = CommandBus(settings.REDIS_URL)
        self.phrases = phrase_book.load(settings.CALL_PHRASES_DIR)
        self.messages = MessageSounds()
        self.is_draining = False
        self.n_calls = 0
        self._max_calls = max_calls
        self._drain_s = drain_s
        self._threads = ThreadPoolExecutor(_DB_THREADS, thread_name_prefix="media-db")
        self._tool_threads = ThreadPoolExecutor(_TOOL_THREADS, thread_name_prefix="media-tools")
        self._garbage = GarbageCollection()
        self._drained = asyncio.Event()
        self._syncing: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None

    @property
    def has_room(self) -> bool:
        return not self.is_draining and self.n_calls < self._max_calls and not self.journal.is_full

    @property
    def fill(self) -> float:
        """How full it is, 0–1."""
        return self.n_calls / self._max_calls if self._max_calls else 1.0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the process's places for a conversation."""
        self.n_calls += 1
        try:
            yield
        finally:
            self.n_calls -= 1
            self._garbage.call_ended()
            if self.n_calls == 0:
                self._drained.set()

    async def in_thread(self, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Run short blocking work beside the event loop, under the caller's log context."""
        return await _run_in(self._threads, partial(work, *args, **named))

    async def in_tool_thread(self, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """The same for work that may take its time."""
        return await _run_in(self._tool_threads, partial(work, *args, **named))

    # ── Start and stop ──────────────────────────────────────────────────────────────────────────────────────
    async def lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self._syncing is not None:
                    self._syncing.cancel()
                await self.commands.stop()
                await asyncio.to_thread(self.journal.stop)
                await asyncio.to_thread(self.recorders.stop)
                for threads in (self._threads, self._tool_threads):
                    threads.shutdown(wait=False, cancel_futures=True)
                self.messages.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def start(self) -> None:
        adapters.load_voice_ais()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        self._garbage.start()
        self.journal.start()
        self.recorders.start()
        self.commands.start()
        self._syncing = asyncio.create_task(self._sync())
        self._drain_on_sigterm()
        log.info("media_process_started", max_calls=self._max_calls)

    async def _sync(self) -> None:
        """Exchange with the other processes which providers are in trouble, and say how full this one is."""
        metrics.MEDIA_CALLS_MAX.set(self._max_calls)
        while True:
            metrics.MEDIA_CALLS.set(self.n_calls)
            metrics.MEDIA_FILL.set(self.fill)
            metrics.MEDIA_TASKS.set(len(asyncio.all_tasks()))
            metrics.CALLER_SOUND_WAITING.set(sum(session.unheard_s for session in self.commands.sessions))
            self._garbage.tick(n_live=self.n_calls)
            try:
                await self.in_thread(breaker.sync)
            except RedisError as error:
                log.warning("breakers_not_shared", error=type(error).__name__)
            except Exception:
                log.exception("breakers_not_shared")
            await asyncio.sleep(_SYNC_S)

    def _drain_on_sigterm(self) -> None:
        """Let the server's own way of stopping wait until the conversations are over, or long enough."""
        server_stops = signal.getsignal(signal.SIGTERM)
        if not callable(server_stops):
            return
        stop = partial(server_stops, signal.SIGTERM, None)
        loop = asyncio.get_running_loop()

        def begin() -> None:
            if self._draining is not None:  # asked a second time: now
                self._drained.set()
                return
            self.is_draining = True
            log.info("media_process_draining", n_calls=self.n_calls)
            self._draining = loop.create_task(self._drain(stop))

        loop.add_signal_handler(signal.SIGTERM, begin)

    async def _drain(self, stop: Callable[[], object]) -> None:
        self._drained.clear()
        if self.n_calls:
            try:
                async with asyncio.timeout(self._drain_s):
                    await self._drained.wait()
            except TimeoutError:
                log.warning("media_process_drained_late", n_calls=self.n_calls)
        stop()

    # ── Questions by HTTP ───────────────────────────────────────────────────────────────────────────────────
    async def answer_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/healthz":
            await _respond(send, 200, b"ok", b"text/plain")
        elif path == "/readyz":
            checks = await self._checks()
            is_ready = all(checks.values())
            body = orjson.dumps(
                {
                    "ready": is_ready,
                    "checks": checks,
                    "n_calls": self.n_calls,
                    "max_calls": self._max_calls,
                    "fill": round(self.fill, 3),
                }
            )
            await _respond(send, 200 if is_ready else 503, body, b"application/json")
        elif path == "/metrics":
            body = await asyncio.to_thread(generate_latest)
            await _respond(send, 200, body, CONTENT_TYPE_LATEST.encode())
        else:
            await _respond(send, 404, b"not found", b"text/plain")

    async def _checks(self) -> dict[str, bool]:
        checks = {"takes_calls": not self.is_draining, "has_room": self.n_calls < self._max_calls}
        checks["journal"] = not self.journal.is_full
        for name, check in (("database", _database_answers), ("redis", _redis_answers)):
            try:
                async with asyncio.timeout(_CHECK_S):
                    await self.in_thread(check)
                checks[name] = True
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is not ready
                log.warning("check_failed", check=name, error=type(error).__name__)
                checks[name] = False
        return checks


async def _run_in(threads: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
    call = partial(contextvars.copy_context().run, _and_let_go, work)
    return await asyncio.get_running_loop().run_in_executor(threads, call)


def _and_let_go(work: Callable[[], Any]) -> Any:
    """Do database work and give the connection back to the pool."""
    try:
        return work()
    finally:
        close_old_connections()


def _database_answers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _redis_answers() -> None:
    get_redis_connection("default").ping()


async def _respond(send: Send, status: int, body: bytes, content_type: bytes) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def make_media_process() -> MediaProcess:
    return MediaProcess(max_calls=settings.MEDIA_MAX_CALLS, drain_s=float(settings.MEDIA_DRAIN_S))
