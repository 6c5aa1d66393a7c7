"""Twilio's Media Streams: `<Connect><Stream>` (both ways) or `<Start><Stream>` (a copy)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apps.sandbox.carrier.courier import Hook
from apps.sandbox.carrier.media_stream import SILENCE_B64, MediaStream
from apps.sandbox.carrier.records import CallRecord, new_sid
from apps.sandbox.carrier.twilio.signing import signature
from apps.sandbox.carrier.twilio.webhooks import TwilioWebhooks


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A `<Stream>` element or a `POST Streams.json`."""

    url: str
    name: str = ""
    track: str = "inbound_track"
    is_bidirectional: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    status_hook: Hook | None = None


class TwilioStream(MediaStream):
    """One Media Stream."""

    def __init__(self, call: CallRecord, request: StreamRequest, webhooks: TwilioWebhooks, auth_token: str) -> None:
        super().__init__(call, new_sid("MZ"), request.url, request.track)
        self.request = request
        self._webhooks, self._auth_token = webhooks, auth_token
        self._sid_bytes = self.sid.encode()

    async def open(self) -> bool:
        if self.request.is_bidirectional and self.request.track != "inbound_track":
            return self._fail(31941, f"track {self.request.track} is not for <Connect>")
        return await super().open()

    def send_dtmf(self, digit: str) -> None:
        if self.request.is_bidirectional:
            self._send_event("dtmf", {"track": "inbound_track", "digit": digit})

    def _handshake_headers(self) -> Mapping[str, str]:
        return {
            "X-Twilio-Signature": signature(self._auth_token, self.url, {}),
            "User-Agent": "Twilio.TmeWs/1.0",
        }

    def _say_hello(self) -> None:
        self._send(b'{"event":"connected","protocol":"Call","version":"1.0.0"}')
        self._send_event(
            "start",
            {
                "accountSid": self._call.account_sid,
                "streamSid": self.sid,
                "callSid": self._call.sid,
                "tracks": list(self._tracks),
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": self.request.parameters,
            },
        )

    def _say_stop(self) -> None:
        self._send_event("stop", {"accountSid": self._call.account_sid, "callSid": self._call.sid})

    def _send_mark(self, name: str) -> None:
        self._send_event("mark", {"name": name})

    def _media_text(self, track: str, chunk: int, payload: bytes) -> bytes:
        return (
            b'{"event":"media","sequenceNumber":"%d","streamSid":"%s","media":'
            b'{"track":"%s","chunk":"%d","timestamp":"%d","payload":"%s"}}'
        ) % (self._sequence, self._sid_bytes, track.encode(), chunk, chunk * 20, payload)

    def _send_event(self, event: str, content: dict[str, object]) -> None:
        self._sequence += 1
        self._send_json({"event": event, "sequenceNumber": str(self._sequence), "streamSid": self.sid, event: content})

    def _garbage(self, variant: str) -> bytes:
        media: dict[str, object] = {"track": "inbound", "chunk": "1", "timestamp": "20"}
        if variant != "out_of_order":
            self._sequence += 1
        number = "2" if variant == "out_of_order" else str(self._sequence)
        message: dict[str, object] = {"event": "media", "sequenceNumber": number, "streamSid": self.sid, "media": media}
        match variant:
            case "bad_base64":
                media["payload"] = "***not base64***"
            case "missing_fields":
                del message["media"], message["sequenceNumber"]
            case "oversized":
                media["payload"] = "/" * 900_000
            case "out_of_order":
                media["payload"] = SILENCE_B64.decode()
            case _:
                return b'{"event":"media","streamSid":"' + self._sid_bytes + b'","media":{"payl'
        return json.dumps(message).encode()

    def _on_message(self, text: bytes) -> None:
        if not self.request.is_bidirectional:
            self._warn(31924, "data on a one-way stream")
            self.abort()
            return
        try:
            message = json.loads(text)
        except ValueError:
            self._warn(31951, "not JSON")
            return
        if not isinstance(message, dict) or message.get("streamSid") != self.sid:
            self._warn(31951, "unknown streamSid")
            return
        match message:
            case {"event": "media", "media": {"payload": str(payload)}}:
                try:
                    self._feed(base64.b64decode(payload, validate=True))
                except ValueError:
                    self._warn(31951, "payload is not base64")
            case {"event": "mark", "mark": {"name": str(name)}}:
                self._mark(name)
            case {"event": "clear"}:
                self._clear()
            case _:
                self._warn(31951, f"unknown event {message.get('event')!r}")

    def _report(self, event: str, error: str = "") -> None:
        if self.request.status_hook is None:
            return
        params = {
            "AccountSid": self._call.account_sid,
            "CallSid": self._call.sid,
            "StreamSid": self.sid,
            "StreamName": self.request.name or self.sid,
            "StreamEvent": {"failed": "stream-error"}.get(event, f"stream-{event}"),
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if error:
            params["StreamError"] = error
        self._webhooks.notify(self._call, self.request.status_hook, params, kind="stream", event="stream")
