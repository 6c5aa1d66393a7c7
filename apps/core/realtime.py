"""Tell open pages what happened: published after commit, numbered per group so that a gap shows.

A page subscribes, reads a snapshot, then applies deltas; on a gap in ``seq`` it asks for a new snapshot.
"""

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import Any

import structlog
from channels.layers import get_channel_layer
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from apps.core.db import after_commit

log = structlog.get_logger(__name__)

_SEQ_KEY = "cc:realtime:seq:{group}"
_SEND_S = 5.0


def publish(group: str, event: str, data: dict[str, Any]) -> None:
    """Send ``{"type": event, "seq": n, "data": data}`` to a group after commit. data: plain JSON, codes not words."""
    after_commit(_send, group, event, data)


def current_seq(group: str) -> int:
    """The number of the latest event of the group, 0 before the first."""
    raw = get_redis_connection("default").get(_SEQ_KEY.format(group=group))
    return int(raw or 0)


def publish_many(group: str, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """As ``publish`` for many events (type and data of each), at little more than the price of one."""
    after_commit(_send_all, group, list(events))


def _send(group: str, event: str, data: dict[str, Any]) -> None:
    _send_all(group, [(event, data)])


def _send_all(group: str, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
    layer = get_channel_layer()
    if layer is None or not events:
        return
    last = int(get_redis_connection("default").incrby(_SEQ_KEY.format(group=group), len(events)))
    sending = asyncio.run_coroutine_threadsafe(
        Publisher.send_each(layer, group, last - len(events), events), _loop_of_this_process()
    )
    try:
        sending.result(_SEND_S)
    except TimeoutError:
        sending.cancel()
        log.warning("realtime_not_sent", n=len(events), error="TimeoutError")


_loops: dict[int, asyncio.AbstractEventLoop] = {}
_loops_lock = threading.Lock()


def _loop_of_this_process() -> asyncio.AbstractEventLoop:
    """One event loop in a thread of its own, kept as long as the process: it keeps the layer's connections.

    A loop per send, as ``async_to_sync`` makes one, would connect to Redis each time.
    """
    with _loops_lock:
        loop = _loops.get(os.getpid())  # a forked child inherits the entry, and not the thread
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="realtime", daemon=True).start()
    return loop


class Publisher:
    """Sends in batches and at once, from one thread that keeps its connections: for what comes many times a second.

    What cannot be sent is dropped: pages see the gap in ``seq`` and ask for a new snapshot.
    """

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def send(self, group: str, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """events: type and data of each, as for ``publish``."""
        layer = get_channel_layer()
        if not events or layer is None:
            return
        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            last = int(get_redis_connection("default").incrby(_SEQ_KEY.format(group=group), len(events)))
            self._runner.run(self.send_each(layer, group, last - len(events), events))
        except (RedisError, OSError) as error:
            log.warning("realtime_not_sent", n=len(events), error=type(error).__name__)

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()

    @staticmethod
    async def send_each(layer: Any, group: str, seq: int, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        for number, (event, data) in enumerate(events, start=seq + 1):
            await layer.group_send(group, {"type": "realtime.event", "event": event, "seq": number, "data": data})
