"""Tell open pages what happened: published after commit, numbered per group so that a gap shows.

A page subscribes, reads a snapshot, then applies deltas; on a gap in ``seq`` it asks for a new snapshot.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django_redis import get_redis_connection
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

_SEQ_KEY = "cc:realtime:seq:{group}"


def publish(group: str, event: str, data: dict[str, Any]) -> None:
    """Send ``{"type": event, "seq": n, "data": data}`` to a group after commit. data: plain JSON, codes not words."""
    transaction.on_commit(partial(_send, group, event, data), robust=True)


def current_seq(group: str) -> int:
    """The number of the latest event of the group, 0 before the first."""
    raw = get_redis_connection("default").get(_SEQ_KEY.format(group=group))
    return int(raw or 0)


def _send(group: str, event: str, data: dict[str, Any]) -> None:
    seq = int(get_redis_connection("default").incr(_SEQ_KEY.format(group=group)))
    layer = get_channel_layer()
    if layer is not None:
        async_to_sync(layer.group_send)(group, {"type": "realtime.event", "event": event, "seq": seq, "data": data})


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
            self._runner.run(self._send_all(layer, group, last - len(events), events))
        except (RedisError, OSError) as error:
            log.warning("realtime_not_sent", n=len(events), error=type(error).__name__)

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()

    @staticmethod
    async def _send_all(layer: Any, group: str, seq: int, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        for number, (event, data) in enumerate(events, start=seq + 1):
            await layer.group_send(group, {"type": "realtime.event", "event": event, "seq": number, "data": data})
