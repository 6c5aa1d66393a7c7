"""Twilio's requests to the product: forms, signed, retried as their URLs ask."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode

from apps.sandbox.carrier.clock import Clock
from apps.sandbox.carrier.courier import Courier, Hook, Reply, Subject, Timeouts
from apps.sandbox.carrier.faults import FaultPlan
from apps.sandbox.carrier.records import now, rfc2822
from apps.sandbox.carrier.twilio.signing import signature


@dataclass(frozen=True, slots=True)
class Delivery:
    """How hard to try; Twilio's defaults, overridden by the URL's fragment."""

    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})
    timeouts: Timeouts = field(default_factory=Timeouts)


def split_overrides(url: str) -> tuple[str, Delivery]:
    """The URL as it is called and signed, and the delivery its `#rc=2&rp=5xx,ct…` asks for.

    Values out of range are ignored, as is a fragment that means nothing.
    """
    base, _, fragment = url.partition("#")
    delivery, timeouts = Delivery(), Timeouts()
    for name, value in parse_qsl(fragment):
        if name == "rp":
            delivery = replace(delivery, retry_on=frozenset(value.split(",")))
        elif value.isdigit():
            number = int(value)
            if name == "rc" and number <= 5:
                delivery = replace(delivery, retries=number)
            elif name == "ct" and 100 <= number <= 10000:
                timeouts = replace(timeouts, connect_s=number / 1000)
            elif name == "rt" and 100 <= number <= 15000:
                timeouts = replace(timeouts, read_s=number / 1000)
            elif name == "tt" and 1000 <= number <= 15000:
                timeouts = replace(timeouts, total_s=number / 1000)
    return base, replace(delivery, timeouts=timeouts)


class TwilioWebhooks(Courier):
    """Callbacks and requests for documents."""

    def __init__(self, auth_token: str, clock: Clock, faults: FaultPlan) -> None:
        super().__init__(clock, faults, {"User-Agent": "TwilioProxy/1.1", "Accept": "*/*"})
        self._auth_token = auth_token

    def notify(
        self,
        subject: Subject,
        hook: Hook,
        params: dict[str, str],
        *,
        kind: str,
        event: str,
        aliases: tuple[str, ...] = (),
    ) -> None:
        """Send a callback whose answer does not matter. kind: status, amd, recording, stream or message."""
        token = str(uuid.uuid4())

        async def deliver() -> Reply:
            return await self.request(subject, hook, params, kind=kind, token=token)

        self.dispatch(subject, deliver, kind=kind, event=event, aliases=aliases)

    def fetch(
        self,
        subject: Subject,
        hook: Hook,
        params: dict[str, str],
        *,
        kind: str,
        event: str,
        on_reply: Callable[[bytes], None],
    ) -> None:
        """Send a callback and hand on what a good answer says."""
        token = str(uuid.uuid4())

        async def deliver() -> Reply:
            reply = await self.request(subject, hook, params, kind=kind, token=token)
            if reply.is_ok:
                on_reply(reply.body)
            return reply

        self.dispatch(subject, deliver, kind=kind, event=event)

    async def request(
        self, subject: Subject, hook: Hook, params: dict[str, str], *, kind: str, token: str | None = None
    ) -> Reply:
        """Call a URL of the product and read its answer. Never raises for what the network does."""
        url, delivery = split_overrides(hook.url)
        token = token or str(uuid.uuid4())
        reply = Reply(0, failure="ct")
        for attempt in range(1 + delivery.retries):
            reply = await self._attempt(url, hook.method, params, delivery.timeouts, token)
            subject.webhooks.append(_log_entry(url, hook.method, params, reply, kind, attempt))
            if reply.is_ok or not _is_retried(reply, delivery):
                break
        return reply

    async def _attempt(self, url: str, method: str, params: dict[str, str], timeouts: Timeouts, token: str) -> Reply:
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
        return await self.http(url, method, headers, body, timeouts, follows=True)


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
            "date_created": rfc2822(now()),
        },
    }
