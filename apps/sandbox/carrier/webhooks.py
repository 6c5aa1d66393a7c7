"""Requests to the product: signed, retried as its URLs ask, and spoiled where a fault says so."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

import aiohttp
from yarl import URL

from apps.sandbox.carrier.clock import Clock
from apps.sandbox.carrier.faults import FaultPlan
from apps.sandbox.carrier.records import CallRecord, rfc2822
from apps.sandbox.carrier.records import now as utc_now
from apps.sandbox.carrier.requests import Hook
from apps.sandbox.carrier.signing import signature

log = logging.getLogger(__name__)

_MAX_BODY = 64 * 1024
_HOLD_S = 5.0  # a callback held back for reordering goes out by then even if none follows


@dataclass(frozen=True, slots=True)
class Delivery:
    """How hard to try; Twilio's defaults, overridden by the URL's fragment. Real seconds."""

    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})
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


def split_overrides(url: str) -> tuple[str, Delivery]:
    """The URL as it is called and signed, and the delivery its `#rc=2&rp=5xx,ct…` asks for.

    Values out of range are ignored, as is a fragment that means nothing.
    """
    base, _, fragment = url.partition("#")
    delivery = Delivery()
    for name, value in parse_qsl(fragment):
        if name == "rp":
            delivery = replace(delivery, retry_on=frozenset(value.split(",")))
        elif value.isdigit():
            number = int(value)
            if name == "rc" and number <= 5:
                delivery = replace(delivery, retries=number)
            elif name == "ct" and 100 <= number <= 10000:
                delivery = replace(delivery, connect_s=number / 1000)
            elif name == "rt" and 100 <= number <= 15000:
                delivery = replace(delivery, read_s=number / 1000)
            elif name == "tt" and 1000 <= number <= 15000:
                delivery = replace(delivery, total_s=number / 1000)
    return base, delivery


class Webhooks:
    """Sends requests to the product. `open` before, `close` after use."""

    def __init__(self, auth_token: str, clock: Clock, faults: FaultPlan) -> None:
        self._auth_token, self._clock, self._faults = auth_token, clock, faults
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[str, asyncio.Event] = {}

    async def open(self) -> None:
        # Twilio opens a connection for each request ("connection: close").
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(
            connector=connector, headers={"User-Agent": "TwilioProxy/1.1", "Accept": "*/*"}
        )

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

    def notify(self, call: CallRecord, hook: Hook, params: dict[str, str], *, kind: str, event: str) -> None:
        """Send a callback whose answer does not matter. kind: status, amd, recording or stream; event: its name."""
        facts = {"kind": kind, "name": event}
        if self._faults.take("callback_drop", to=call.to, event=event):
            call.note("callback_dropped", **facts)
            return
        copies = 1
        if fault := self._faults.take("callback_duplicate", to=call.to, event=event):
            copies += int(fault.number("copies", 1))
        delay_s = 0.0
        if fault := self._faults.take("callback_delay", to=call.to, event=event):
            delay_s = fault.number("delay_s", 5.0)
        holds = self._faults.take("callback_reorder", to=call.to, event=event) is not None
        overtaken = self._held.pop(call.sid, None)
        released = asyncio.Event()
        if holds:
            self._held[call.sid] = released
        self._spawn(self._notify(call, hook, params, facts, copies, delay_s, released if holds else None, overtaken))

    async def _notify(
        self,
        call: CallRecord,
        hook: Hook,
        params: dict[str, str],
        facts: dict[str, str],
        copies: int,
        delay_s: float,
        released: asyncio.Event | None,
        overtaken: asyncio.Event | None,
    ) -> None:
        if delay_s:
            call.note("callback_delayed", delay_s=delay_s, **facts)
            await self._clock.sleep(delay_s)
        if released is not None:
            call.note("callback_held", **facts)
            try:
                await asyncio.wait_for(released.wait(), self._clock.real(_HOLD_S))
            except TimeoutError:
                self._held.pop(call.sid, None)
        token = str(uuid.uuid4())
        for _ in range(copies):
            reply = await self.request(call, hook, params, kind=facts["kind"], token=token)
            call.note("callback", status=reply.status, failure=reply.failure, **facts)
            if not reply.is_ok:
                call.note("debugger", code=15003 if reply.status else 11200, **facts)
        if overtaken is not None:
            overtaken.set()

    async def request(
        self, call: CallRecord, hook: Hook, params: dict[str, str], *, kind: str, token: str | None = None
    ) -> Reply:
        """Call a URL of the product and read its answer, at most 64 KiB. Never raises for what the network does."""
        url, delivery = split_overrides(hook.url)
        token = token or str(uuid.uuid4())
        reply = Reply(0, failure="ct")
        for attempt in range(1 + delivery.retries):
            reply = await self._attempt(url, hook.method, params, delivery, token)
            call.webhooks.append(_log_entry(url, hook.method, params, reply, kind, attempt))
            if reply.is_ok or not _is_retried(reply, delivery):
                break
        return reply

    async def _attempt(self, url: str, method: str, params: dict[str, str], delivery: Delivery, token: str) -> Reply:
        assert self._session is not None, "open() first"  # noqa: S101 - a programming error, not an input
        timeout = aiohttp.ClientTimeout(
            total=delivery.total_s, sock_connect=delivery.connect_s, sock_read=delivery.read_s
        )
        if method == "GET":
            url += ("&" if "?" in url else "?") + urlencode(params)
        headers = {
            "X-Twilio-Signature": signature(self._auth_token, url, {} if method == "GET" else params),
            "I-Twilio-Idempotency-Token": token,
            "X-Home-Region": "us1",
        }
        body: bytes | None = None
        if method != "GET":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
            body = urlencode(params).encode()
        try:
            target = URL(url, encoded=True)  # byte for byte what the product named
            async with self._session.request(method, target, data=body, headers=headers, timeout=timeout) as response:
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


def _is_retried(reply: Reply, delivery: Delivery) -> bool:
    policy = delivery.retry_on
    if "all" in policy:
        return True
    if reply.failure:
        return reply.failure in policy
    return (400 <= reply.status < 500 and "4xx" in policy) or (reply.status >= 500 and "5xx" in policy)


def _log_entry(
    url: str, method: str, params: dict[str, str], reply: Reply, kind: str, attempt: int
) -> dict[str, object]:
    return {
        "request": {"url": url, "method": method, "parameters": params, "kind": kind, "attempt": attempt},
        "response": {
            "response_code": reply.status,
            "content_type": reply.content_type,
            "response_body": reply.body.decode("utf-8", "replace"),
            "failure": reply.failure,
            "date_created": rfc2822(utc_now()),
        },
    }
