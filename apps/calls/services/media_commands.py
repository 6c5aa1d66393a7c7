"""Ask something of a conversation that runs in some media process, whichever it is."""

from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django_redis import get_redis_connection

from apps.core.db import after_commit

# Redis' channels know no databases, and two installations may share a server.
CHANNEL = f"cc:media:commands:{urlsplit(settings.REDIS_URL).path.strip('/') or 0}"


def send_to_session(call_id: int, kind: str, **data: Any) -> None:
    """Have the call's session do something after commit. kind and data: see ``bridge.commands.Command``; plain JSON.

    A call that has no session at that moment ignores it: what must last belongs into a row as well.
    """
    after_commit(_publish, orjson.dumps({"call_id": call_id, "kind": kind, "data": data}))


def _publish(message: bytes) -> None:
    get_redis_connection("default").publish(CHANNEL, message)
