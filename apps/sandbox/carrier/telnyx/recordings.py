"""Recordings at Telnyx: listed, fetched, deleted, and downloaded from addresses that soon expire."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING, Final

from aiohttp import web

from apps.sandbox.carrier.recorder import Recorder, render_wav
from apps.sandbox.carrier.records import RecordingRecord, iso8601
from apps.sandbox.carrier.telnyx.errors import not_found

if TYPE_CHECKING:
    from apps.sandbox.carrier.telnyx.account import TelnyxAccount

PATH: Final = "/telnyx-recordings"
_VALID_S = 600  # real seconds


class Recordings:
    """The finished and unfinished recordings of the account."""

    def __init__(self, account: TelnyxAccount) -> None:
        self._account = account
        self._secret = secrets.token_bytes(32)

    def url(self, record: RecordingRecord) -> str:
        """Where the WAV can be fetched without credentials for the next ten minutes."""
        expires = str(int(time.time()) + _VALID_S)
        signature = self._signature(record.sid, expires)
        return f"{self._account.origin}{PATH}/{record.sid}.wav?expires={expires}&signature={signature}"

    def all(self) -> list[Recorder]:
        """Newest first."""
        ours = self._account.user_id
        recorders = [r for r in self._account.exchange.recordings.values() if r.record.account_sid == ours]
        return recorders[::-1]

    def find(self, recording_id: str) -> Recorder:
        """Raises TelnyxError 10005."""
        for recorder in self.all():
            if recorder.record.sid == recording_id:
                return recorder
        raise not_found(f"/recordings/{recording_id}")

    def as_json(self, recorder: Recorder) -> dict[str, object]:
        record = recorder.record
        call = self._account.exchange.calls.get(record.call_sid)
        data: dict[str, object] = {
            "record_type": "recording",
            "id": record.sid,
            "call_control_id": record.call_sid,
            "channels": "dual" if record.channels == 2 else "single",
            "status": "completed" if record.status == "completed" else "partial",
            "source": "call",
            "initiated_by": record.source,
            "duration_millis": (record.duration_s or 0) * 1000,
            "recording_started_at": iso8601(record.created_at),
            "recording_ended_at": iso8601(record.updated_at),
            "created_at": iso8601(record.created_at),
            "updated_at": iso8601(record.updated_at),
            "download_urls": {"wav": self.url(record)} if record.status == "completed" else {},
        }
        leg = self._account.leg(call)
        if leg is not None:
            data |= {
                "call_leg_id": leg.leg_id,
                "call_session_id": leg.session_id,
                "connection_id": leg.request.connection_id,
                "from": leg.record.from_,
                "to": leg.record.to,
            }
        return data

    def delete(self, recorder: Recorder) -> None:
        del self._account.exchange.recordings[recorder.record.sid]
        recorder.path.unlink(missing_ok=True)

    async def download(self, request: web.Request) -> web.StreamResponse:
        """The WAV; 403 with a wrong or expired signature."""
        recording_id = request.match_info["recording"]
        expires = request.query.get("expires", "")
        given = request.query.get("signature", "")
        is_valid = hmac.compare_digest(given, self._signature(recording_id, expires))
        if not is_valid or not expires.isdigit() or int(expires) < time.time():
            return web.Response(status=403, text="Request has expired")
        recorder = self._account.exchange.recordings.get(recording_id)
        if recorder is None or recorder.record.status != "completed":
            return web.Response(status=404)
        wav = await asyncio.to_thread(render_wav, recorder.path, recorder.record.channels)
        return web.Response(body=wav, content_type="audio/x-wav")

    def _signature(self, recording_id: str, expires: str) -> str:
        return hmac.new(self._secret, f"{recording_id}.{expires}".encode(), hashlib.sha256).hexdigest()
