"""A turn-taking clock shared by every worker: so many starts per second and not one more.

Two steps, each one Lua script on the server's own clock. *Reserve* gives out slots a little more than 1/rate apart,
so that waiting threads are served in order and none starves. *Start* is asked when the slot has come, and looks back
at the starts that really happened: a thread that woke late must not make the next ones pile up within one second.
What stands under several paces at once starts when all of them allow it. A pace can be *held*, for everybody, until a
moment that somebody else has named.
"""

import math
import time
from collections.abc import Sequence
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
local held = tonumber(redis.call('GET', KEYS[2]) or '0') - now
if held > 0 then return {'-2', string.format('%.0f', held)} end
local slot = now
local last = redis.call('GET', KEYS[1])
if last then slot = math.max(now, tonumber(last) + tonumber(ARGV[1])) end
local wait = slot - now
if wait > tonumber(ARGV[2]) then return {'-1', '0'} end
redis.call('SET', KEYS[1], string.format('%.0f', slot), 'PX', math.ceil((wait + tonumber(ARGV[1])) / 1000) + 1000)
return {string.format('%.0f', wait), string.format('%.0f', slot)}
"""
# KEYS: starts and hold of each pace. ARGV: the window, the latest of the slots, starts per window of each pace.
_START = """
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local from = tonumber(ARGV[2])
for i = 1, #KEYS / 2 do
    local held = tonumber(redis.call('GET', KEYS[2 * i]) or '0') - now
    if held > 0 then return {'-2', string.format('%.0f', held)} end
    local oldest = redis.call('LINDEX', KEYS[2 * i - 1], tonumber(ARGV[2 + i]) - 1)
    if oldest then from = math.max(from, tonumber(oldest) + tonumber(ARGV[1])) end
end
if from > now then return {string.format('%.0f', from - now), '0'} end
for i = 1, #KEYS / 2 do
    redis.call('LPUSH', KEYS[2 * i - 1], string.format('%.0f', now))
    redis.call('LTRIM', KEYS[2 * i - 1], 0, tonumber(ARGV[2 + i]) - 1)
    redis.call('PEXPIRE', KEYS[2 * i - 1], 5000)
end
return {'0', '0'}
"""
# A hold is only ever made longer: of two answers that name a moment, the later one holds.
_HOLD = """
local t = redis.call('TIME')
local until_us = tonumber(t[1]) * 1000000 + tonumber(t[2]) + tonumber(ARGV[1])
if until_us > tonumber(redis.call('GET', KEYS[1]) or '0') then
    redis.call('SET', KEYS[1], string.format('%.0f', until_us), 'PX', math.ceil(tonumber(ARGV[1]) / 1000))
end
"""
_HELD = -2


class Held(Exception):
    """Nobody starts under this pace for so long. Nothing was started."""

    def __init__(self, for_s: float) -> None:
        super().__init__(f"held for {for_s:.1f} s")
        self.for_s = for_s


@dataclass(frozen=True, slots=True)
class Turn:
    """A slot that is about to come. Not started, it is lost, and nobody waits for it."""

    key: str
    per_second: float
    slot_us: int  # on Redis's clock

    def start(self) -> None:
        """As ``start_together``, for what stands under this pace only."""
        start_together([self])


def start_together(turns: Sequence[Turn]) -> None:
    """Block this thread until all turns have come, and count one start for each; right before what is paced.

    Raises Held where one of the paces is held meanwhile, and redis.RedisError. Then none of them counts.
    """
    clock = get_redis_connection("default")
    keys = [f"cc:rate:{turn.key}:{part}" for turn in turns for part in ("starts", "hold")]
    latest_us = max(turn.slot_us for turn in turns)
    most = [math.ceil(turn.per_second) for turn in turns]
    while True:
        wait_us, held_us = (int(part) for part in clock.eval(_START, len(keys), *keys, _WINDOW_US, latest_us, *most))
        if wait_us == _HELD:
            raise Held(held_us / 1_000_000)
        if wait_us == 0:
            return
        time.sleep(wait_us / 1_000_000)


def near_turn(key: str, *, per_second: float, max_wait_s: float) -> Turn | None:
    """Block this thread until shortly before its turn; None, at once, if that would take longer than max_wait_s.

    key: what is paced, the same string in every process. per_second: starts per second, > 0, may be a fraction;
    in any sliding second there are never more than that (rounded up to a whole start), and over time at most 2 % fewer.
    Raises Held, at once, while the pace is held, and redis.RedisError when the clock cannot be asked: without it
    nothing may be started.
    """
    if per_second <= 0:
        raise ValueError("per_second must be above 0")
    clock = get_redis_connection("default")
    keys = (f"cc:rate:{key}:slot", f"cc:rate:{key}:hold")
    interval_us, longest_us = 1_000_000 / per_second * _SLACK, max_wait_s * 1_000_000
    reserved = clock.eval(_RESERVE, len(keys), *keys, f"{interval_us:.0f}", f"{longest_us:.0f}")
    wait_us, slot_us = (int(part) for part in reserved)
    if wait_us == _HELD:
        raise Held(slot_us / 1_000_000)
    if wait_us < 0:
        return None
    time.sleep(max(0.0, wait_us / 1_000_000 - _LEAD_S))
    return Turn(key, per_second, slot_us)


def hold(key: str, for_s: float) -> None:
    """Let nobody start under this pace for so long, in any process. Raises redis.RedisError."""
    if for_s > 0:
        get_redis_connection("default").eval(_HOLD, 1, f"cc:rate:{key}:hold", f"{for_s * 1_000_000:.0f}")


def held_s(keys: Sequence[str]) -> list[float]:
    """For how long each pace is still held; 0 where it is not. One question to Redis. Raises redis.RedisError."""
    with get_redis_connection("default").pipeline() as pipe:
        for key in keys:
            pipe.pttl(f"cc:rate:{key}:hold")
        return [max(0, left_ms) / 1000 for left_ms in pipe.execute()]


def wait_turn(key: str, *, per_second: float, max_wait_s: float) -> bool:
    """Block this thread until its turn; False, at once, if that would take longer. As ``near_turn`` and ``start``."""
    turn = near_turn(key, per_second=per_second, max_wait_s=max_wait_s)
    if turn is None:
        return False
    turn.start()
    return True
