"""The live page's socket: subscribe, then a snapshot, then deltas; a page that sees a gap subscribes again."""

import asyncio
import contextlib
import json
import time
from importlib import import_module
from typing import Any

import structlog
from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.permissions import allowed
from apps.accounts.roles import Permission
from apps.calls.events import LIVE_GROUP
from apps.cockpit.services_view import services_away
from apps.cockpit.snapshot import Snapshot, take_snapshot, today_code
from apps.core.realtime import current_seq

log = structlog.get_logger(__name__)

BAD_MESSAGE = 4400
SIGNED_OUT = 4401
NOT_ALLOWED = 4403


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Says ``snapshot``, ``call``, ``turn``, ``campaign`` and, so that silence means trouble, ``beat``.

    Understands ``{"type": "subscribe"}``. Closes with 4400 (not our protocol), 4401 (signed out, session over or
    revoked) or 4403 (the role may not watch); a page that sees 4401 or 4403 does not come back by itself.
    """

    beat_s = 10.0
    recheck_s = 10.0  # for at most so long does a page outlive the session it was opened with
    least_pause_s = 1.0  # between two snapshots of one page: a page that asks in a loop must not keep the database busy

    async def connect(self) -> None:
        self.user: User | None = None
        self._is_subscribed = False
        self._beating: asyncio.Task[None] | None = None
        self._snapshot_at = 0.0
        await self.accept()
        user = self.scope["user"]
        if not allowed(user, Permission.LIVE_VIEW):
            await self.close(NOT_ALLOWED if user.is_authenticated else SIGNED_OUT)
            return
        self.user = user
        await self.channel_layer.group_add(LIVE_GROUP, self.channel_name)
        self._beating = asyncio.create_task(self._beat())

    async def disconnect(self, code: int) -> None:
        if self._beating is not None:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating
        if self.user is not None:
            await self.channel_layer.group_discard(LIVE_GROUP, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        try:
            message = json.loads(text_data or "")
        except json.JSONDecodeError:
            message = None
        if not isinstance(message, dict) or message.get("type") != "subscribe":
            await self.close(BAD_MESSAGE)
            return
        if self.user is not None:
            await self._send_snapshot(self.user)

    async def realtime_event(self, message: dict[str, Any]) -> None:
        """A delta, as apps.core.realtime sent it to the group."""
        if self._is_subscribed:
            await self.send_json({"type": message["event"], "seq": message["seq"], "data": message["data"]})

    async def _send_snapshot(self, user: User) -> None:
        wait_s = self._snapshot_at + self.least_pause_s - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._snapshot_at = time.monotonic()
        # From here on deltas go out too: those that overtake the snapshot wait in the page until it is there.
        self._is_subscribed = True
        snapshot: Snapshot = await database_sync_to_async(take_snapshot)(user)
        await self.send_json({"type": "snapshot", **snapshot})

    async def _beat(self) -> None:
        """Prove life, tell the newest number (a lost last delta shows), and look whether the person may still watch."""
        checked_at = time.monotonic()
        while True:
            await asyncio.sleep(self.beat_s)
            if time.monotonic() - checked_at >= self.recheck_s:
                checked_at = time.monotonic()
                code = await self._refusal()
                if code:
                    log.info("live_page_closed", code=code)
                    await self.close(code)
                    return
            now = timezone.now()
            seq = await database_sync_to_async(current_seq)(LIVE_GROUP)
            away = await database_sync_to_async(services_away)()
            beat = {"type": "beat", "seq": seq, "at": now.isoformat(), "day": today_code(now), "services_away": away}
            await self.send_json(beat)

    async def _refusal(self) -> int:
        """The close code if the session has ended or the role has changed since; 0 while all is well."""
        store = import_module(settings.SESSION_ENGINE).SessionStore
        user = await get_user({"session": store(self.scope["session"].session_key)})
        if not user.is_authenticated:
            return SIGNED_OUT
        return 0 if allowed(user, Permission.LIVE_VIEW) else NOT_ALLOWED
