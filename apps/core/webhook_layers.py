"""What stands between the Internet and a webhook, whoever sends it: the layers that need to know no carrier.

A webhook passes, in this order: ``admit`` (how often, and from where), ``read_body`` (how much), the signature, which
its own app checks, ``check_time`` and ``is_repeat``; once it has had its effect, ``remember``. What fails raises
WebhookRefused, which ``refusal`` turns into an answer, a count and a log line.

The counts live in Redis, on its clock, shared by every web process. Without Redis these two layers let everything
pass, and say so: the signature still stands, and an event that is told twice has no effect twice anyway.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError

from apps.core.addresses import is_listed, read_address
from apps.core.client import client_ip
from apps.core.metrics import WEBHOOK_LAYERS_SKIPPED, WEBHOOK_REQUESTS_REFUSED

log = structlog.get_logger(__name__)

WINDOW_S = 10  # the rates are counted over so long, so that a burst within a second limits nobody
MAX_AHEAD_S = 300  # a clock that is ahead of ours
_REDIS_TIMEOUT_S = 0.5  # a carrier waits for us; better to go without than to let it wait


class Layer(StrEnum):
    """Which layer stopped a webhook; a metric label."""

    RATE = "rate"
    ADDRESS = "address"
    SIZE = "size"
    FORM = "form"
    SIGNATURE = "signature"
    TIME = "timestamp"
    REPLAY = "replay"  # answered as if for the first time, without effect
    UNKNOWN = "unknown"  # genuine, of nothing that we know
    CONTENT = "content"  # genuine, and not to be understood
    ERROR = "error"  # our own failure


_LINES = {
    Layer.RATE: "webhook_rate_limited",
    Layer.ADDRESS: "webhook_from_unlisted_address",
    Layer.SIZE: "webhook_too_large",
    Layer.FORM: "webhook_of_wrong_type",
    Layer.SIGNATURE: "webhook_signature_wrong",
    Layer.TIME: "webhook_out_of_time",
    Layer.REPLAY: "webhook_repeated",
    Layer.UNKNOWN: "webhook_of_nothing_known",
    Layer.CONTENT: "webhook_not_understood",
}


class WebhookRefused(Exception):
    """A layer says no. status: the HTTP answer. facts: for the log line, nothing secret."""

    def __init__(self, layer: Layer, status: int, *, retry_after_s: float = 0, **facts: object) -> None:
        super().__init__(layer)
        self.layer = layer
        self.status = status
        self.retry_after_s = retry_after_s
        self.facts = facts


# Sliding windows: the moments of the last so many requests. The oldest of them within the window means: too many.
# Who is over the limit is not counted again, so whoever slows down to it passes.
_ADMIT = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local window = tonumber(ARGV[3])
for i, who in ipairs({'source', 'account'}) do
  local oldest = redis.call('LINDEX', KEYS[i], tonumber(ARGV[i]) - 1)
  if oldest and now - tonumber(oldest) < window then
    return {who, string.format('%.0f', tonumber(oldest) + window - now)}
  end
end
redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[1]) - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
return {'', '0'}
"""
_ACCEPT = """
local t = redis.call('TIME')
redis.call('LPUSH', KEYS[1], string.format('%.0f', tonumber(t[1]) * 1000000 + tonumber(t[2])))
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[1]) - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2]) / 1000))
if KEYS[2] then return redis.call('EXISTS', KEYS[2]) end
return 0
"""


def admit(request: HttpRequest, *, account: str, allowed: Sequence[str] = ()) -> None:
    """Layers 1 and 2: not too often, and from an address on the list. Raises WebhookRefused.

    account: whose webhooks these are, for example ``twilio``. Its window counts only what proved to be genuine (see
    ``is_repeat``), so that a flood of forgeries cannot use it up. allowed: networks in CIDR notation; none: any.
    """
    peer = client_ip(request)
    address = read_address(peer)
    try:
        over, wait_us = _redis(settings.REDIS_URL).eval(
            _ADMIT,
            2,
            f"cc:hook:source:{_source(address, peer)}",
            _account_key(account),
            settings.WEBHOOK_SOURCE_PER_S * WINDOW_S,
            settings.WEBHOOK_ACCOUNT_PER_S * WINDOW_S,
            WINDOW_S * 1_000_000,
        )
    except RedisError as error:
        _skipped(Layer.RATE, error)
    else:
        if over:
            raise WebhookRefused(Layer.RATE, 429, retry_after_s=int(wait_us) / 1_000_000, over=over.decode())
    if allowed and not is_listed(address, allowed):
        raise WebhookRefused(Layer.ADDRESS, 403)


def read_body(request: HttpRequest, *, max_bytes: int) -> bytes:
    """The whole body, if it is not too large. Raises WebhookRefused."""
    size = request.META.get("CONTENT_LENGTH") or "0"
    if not size.isdecimal() or not size.isascii() or int(size) > max_bytes:
        raise WebhookRefused(Layer.SIZE, 413)
    body = request.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise WebhookRefused(Layer.SIZE, 413)
    return body


def check_time(signed_at: datetime, *, max_age: timedelta) -> None:
    """Layer 4, first half: the time that the sender has signed lies within the window. Raises WebhookRefused."""
    age_s = (timezone.now() - signed_at).total_seconds()
    if not -MAX_AHEAD_S <= age_s <= max_age.total_seconds():
        raise WebhookRefused(Layer.TIME, 403, age_s=round(age_s))


def is_repeat(*, account: str, key: str) -> bool:
    """Layer 4, second half: whether a genuine webhook has had its effect before; it is counted for its account.

    key: made of signed fields, the same for each copy; "" where there is none. A carrier whose connection broke sends
    again what we have taken: that is no attack, and deserves the answer it missed.
    """
    most, window_us = settings.WEBHOOK_ACCOUNT_PER_S * WINDOW_S, WINDOW_S * 1_000_000
    keys = [_account_key(account)] + ([_once_key(account, key)] if key else [])
    try:
        return bool(_redis(settings.REDIS_URL).eval(_ACCEPT, len(keys), *keys, most, window_us))
    except RedisError as error:
        _skipped(Layer.REPLAY, error)
        return False


def remember(*, account: str, key: str, keep: timedelta) -> None:
    """A webhook has had its effect. keep: longer than the window of ``check_time``, or a replay outlives it."""
    if not key:
        return
    try:
        _redis(settings.REDIS_URL).set(_once_key(account, key), b"1", ex=keep)
    except RedisError as error:
        _skipped(Layer.REPLAY, error)


def refusal(error: WebhookRefused, request: HttpRequest, **facts: object) -> HttpResponse:
    """The answer to a webhook that a layer stopped, counted and with its line in the log."""
    note(error.layer, request, **error.facts, **facts)
    response = HttpResponse(status=error.status)
    if error.retry_after_s:
        response["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return response


def note(layer: Layer, request: HttpRequest, **facts: object) -> None:
    """Count and log that a webhook had no effect."""
    WEBHOOK_REQUESTS_REFUSED.labels(layer).inc()
    write = log.info if layer is Layer.REPLAY else log.warning
    write(_LINES[layer], layer=str(layer), client_ip=client_ip(request), **facts)


def _source(address: IPv4Address | IPv6Address | None, text: str) -> str:
    """Who is counted together: an IPv4 address, or the network that one household of IPv6 is given."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address) if address is not None else text[:64]


def _account_key(account: str) -> str:
    return f"cc:hook:account:{account}"


def _once_key(account: str, key: str) -> str:
    return f"cc:hook:once:{account}:{key}"


@lru_cache
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S)


def _skipped(layer: Layer, error: RedisError) -> None:
    WEBHOOK_LAYERS_SKIPPED.labels(layer).inc()
    log.error("webhook_layer_skipped", layer=str(layer), error=type(error).__name__)
