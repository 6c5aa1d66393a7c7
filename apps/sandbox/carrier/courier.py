"""Requests to the product, spoiled where a fault says so. How they look and are signed is each carrier's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from yarl import URL

from apps.sandbox.carrier.clock import Clock
from apps.sandbox.carrier.faults import FaultPlan

log = logging.getLogger(__name__)

_MAX_BODY = 64 * 1024
_HOLD_S = 5.0  # a callback held back for reordering goes out by then even if none follows


@dataclass(frozen=True, slots=True)
class Hook:
    """Where to call back: a URL as given, and the HTTP method."""

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Real seconds."""

    connect_s: float = 5.0
    read_s: float = 15.0
    total_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. status 0: nothing did, and `failure` says why ("ct", "rt" or "bad-url")."""

    status: int
    body: bytes = b""
    content_type: str = ""
    failure: str = ""

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


class Subject(Protocol):
    """What a callback is about: a call or a message."""

    sid: str
    to: str
    webhooks: list[dict[str, object]]

    def note(self, event: str, **facts: object) -> None: ...


class Courier:
    """Sends requests to the product. `open` before, `close` after use."""

    def __init__(self, clock: Clock, faults: FaultPlan, headers: Mapping[str, str]) -> None:
        self._clock, self._faults, self._headers = clock, faults, headers
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[str, asyncio.Event] = {}

    async def open(self) -> None:
        # Carriers open a connection for each request ("connection: close").
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def settle(self, timeout_s: float) -> None:
        """Wait until nothing is under way; what is after `timeout_s` real seconds is given up."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        for task in self._tasks:
            task.cancel()

    def dispatch(
        self,
        subject: Subject,
        deliver: Callable[[], Awaitable[Reply]],
        *,
        kind: str,
        event: str,
        aliases: tuple[str, ...] = (),
    ) -> None:
        """Deliver a callback whose answer does not matter, once, several times, late or never.

        kind: its family ("status", "amd", "recording", "stream", "message"); event: its name; it and the aliases
        are what a fault may know it by.
        """
        facts, names = {"kind": kind, "name": event}, (event, *aliases)
        if self._faults.take("callback_drop", to=subject.to, events=names):
            subject.note("callback_dropped", **facts)
            return
        copies = 1
        if fault := self._faults.take("callback_duplicate", to=subject.to, events=names):
            copies += int(fault.number("copies", 1))
        delay_s = 0.0
        if fault := self._faults.take("callback_delay", to=subject.to, events=names):
            delay_s = fault.number("delay_s", 5.0)
        holds = self._faults.take("callback_reorder", to=subject.to, events=names) is not None
        overtaken = self._held.pop(subject.sid, None)
        released = asyncio.Event() if holds else None
        if released is not None:
            self._held[subject.sid] = released
        self._spawn(self._dispatch(subject, deliver, facts, copies, delay_s, released, overtaken))

    async def _dispatch(
        self,
        subject: Subject,
        deliver: Callable[[], Awaitable[Reply]],
        facts: dict[str, str],
        copies: int,
        delay_s: float,
        released: asyncio.Event | None,
        overtaken: asyncio.Event | None,
    ) -> None:
        if delay_s:
            subject.note("callback_delayed", delay_s=delay_s, **facts)
            await self._clock.sleep(delay_s)
        if released is not None:
            subject.note("callback_held", **facts)
            try:
                await asyncio.wait_for(released.wait(), self._clock.real(_HOLD_S))
            except TimeoutError:
                self._held.pop(subject.sid, None)
        for _ in range(copies):
            reply = await deliver()
            subject.note("callback", status=reply.status, failure=reply.failure, **facts)
            if not reply.is_ok:
                subject.note("debugger", code=15003 if reply.status else 11200, **facts)
        if overtaken is not None:
            overtaken.set()

    async def http(
        self,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeouts: Timeouts,
        *,
        follows: bool,
    ) -> Reply:
        """One request, redirects followed or not; at most 64 KiB of its answer are read.

        Never raises for what the network does."""
        assert self._session is not None, "open() first"  # noqa: S101 - a programming error, not an input
        timeout = aiohttp.ClientTimeout(
            total=timeouts.total_s, sock_connect=timeouts.connect_s, sock_read=timeouts.read_s
        )
        try:
            target = URL(url, encoded=True)  # byte for byte what the product named
            async with self._session.request(
                method, target, data=body, headers=headers, timeout=timeout, allow_redirects=follows
            ) as response:
                content = await response.content.read(_MAX_BODY)
                while len(content) < _MAX_BODY and not response.content.at_eof():
                    content += await response.content.read(_MAX_BODY - len(content))
                return Reply(response.status, content, response.content_type)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError):
            return Reply(0, failure="ct")
        except (TimeoutError, aiohttp.ClientError):
            return Reply(0, failure="rt")
        except ValueError:
            return Reply(0, failure="bad-url")

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a callback failed in the carrier itself", exc_info=error)
