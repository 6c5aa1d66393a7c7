"""A turn-taking clock shared by every worker: so many starts per second and not one more.

Two steps, each one Lua script on the server's own clock. *Reserve* gives out slots a little more than 1/rate apart,
so that waiting threads are served in order and none starves. *Start* is asked when the slot has come, and looks back
at the starts that really happened: a thread that woke late must not make the next ones pile up within one second.
"""

import math
import time
from dataclasses import dataclass

from django_redis import get_redis_connection

# Slots lie 1.5 % further apart than 1/rate: room for threads that wake late, within the 2 % that pace may fall short.
_SLACK = 1.015
# The window looked back at, longer than a second by what may pass between our answer and the packet on the wire.
_WINDOW_US = 1_012_000
# How long before its slot a thread comes back, to do what has to be done last.
_LEAD_S = 0.02

_RESERVE = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local slot = now
local last = redis.call('GET', KEYS[1])
if last then slot = math.max(now, tonumber(last) + tonumber(ARGV[1])) end
local wait = slot - now
if wait > tonumber(ARGV[2]) then return {'-1', '0'} end
redis.call('SET', KEYS[1], string.format('%.0f', slot), 'PX', math.ceil((wait + tonumber(ARGV[1])) / 1000) + 1000)
return {string.format('%.0f', wait), string.format('%.0f', slot)}
"""
_START = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local most = tonumber(ARGV[1])
local from = tonumber(ARGV[3])
local oldest = redis.call('LINDEX', KEYS[1], most - 1)
if oldest then from = math.max(from, tonumber(oldest) + tonumber(ARGV[2])) end
if from > now then return string.format('%.0f', from - now) end
redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], 0, most - 1)
redis.call('PEXPIRE', KEYS[1], 5000)
return '0'
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """A slot that is about to come. Not started, it is lost, and nobody waits for it."""

    key: str
    per_second: float
    slot_us: int  # on Redis's clock

    def start(self) -> None:
        """Block this thread until the moment; call it right before what is paced. Raises redis.RedisError."""
        clock = get_redis_connection("default")
        most = math.ceil(self.per_second)
        while wait_us := int(clock.eval(_START, 1, f"cc:rate:{self.key}:starts", most, _WINDOW_US, self.slot_us)):
            time.sleep(wait_us / 1_000_000)


def near_turn(key: str, *, per_second: float, max_wait_s: float) -> Turn | None:
    """Block this thread until shortly before its turn; None, at once, if that would take longer than max_wait_s.

    key: what is paced, the same string in every process. per_second: starts per second, > 0, may be a fraction;
    in any sliding second there are never more than that (rounded up to a whole start), and over time at most 2 % fewer.
    Raises redis.RedisError when the clock cannot be asked: without it nothing may be started.
    """
    if per_second <= 0:
        raise ValueError("per_second must be above 0")
    clock = get_redis_connection("default")
    interval_us, longest_us = 1_000_000 / per_second * _SLACK, max_wait_s * 1_000_000
    reserved = clock.eval(_RESERVE, 1, f"cc:rate:{key}:slot", f"{interval_us:.0f}", f"{longest_us:.0f}")
    wait_us, slot_us = (int(part) for part in reserved)
    if wait_us < 0:
        return None
    time.sleep(max(0.0, wait_us / 1_000_000 - _LEAD_S))
    return Turn(key, per_second, slot_us)


def wait_turn(key: str, *, per_second: float, max_wait_s: float) -> bool:
    """Block this thread until its turn; False, at once, if that would take longer. As ``near_turn`` and ``start``."""
    turn = near_turn(key, per_second=per_second, max_wait_s=max_wait_s)
    if turn is None:
        return False
    turn.start()
    return True
