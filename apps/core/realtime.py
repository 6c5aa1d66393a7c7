"""Tell open pages what happened: published after commit, numbered per group so that a gap shows.

A page subscribes, reads a snapshot, then applies deltas; on a gap in ``seq`` it asks for a new snapshot.
"""

from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django_redis import get_redis_connection

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
