"""Calls and recordings as Twilio's REST interface shows them."""

from __future__ import annotations

from typing import Final

from apps.sandbox.carrier.records import CallRecord, RecordingRecord, rfc2822

API: Final = "/2010-04-01"
_SUBRESOURCES: Final = ("Notifications", "Recordings", "Streams", "Payments", "Events", "Siprec", "Transcriptions")


def call_uri(record: CallRecord) -> str:
    return f"{API}/Accounts/{record.account_sid}/Calls/{record.sid}.json"


def call_json(record: CallRecord) -> dict[str, object]:
    base = call_uri(record).removesuffix(".json")
    return {
        "sid": record.sid,
        "parent_call_sid": record.parent_sid,
        "account_sid": record.account_sid,
        "to": record.to,
        "to_formatted": record.to,
        "from": record.from_,
        "from_formatted": record.from_,
        "phone_number_sid": "",
        "status": record.status,
        "start_time": rfc2822(record.started_at),
        "end_time": rfc2822(record.ended_at),
        "duration": None if record.duration_s is None else str(record.duration_s),
        "price": None,
        "price_unit": "USD",
        "direction": record.direction,
        "answered_by": record.answered_by,
        "annotation": None,
        "api_version": "2010-04-01",
        "forwarded_from": None,
        "group_sid": None,
        "caller_name": None,
        "queue_time": str(record.queue_ms),
        "trunk_sid": None,
        "date_created": rfc2822(record.created_at),
        "date_updated": rfc2822(record.updated_at),
        "uri": call_uri(record),
        "subresource_uris": {name.lower(): f"{base}/{name}.json" for name in _SUBRESOURCES},
    }


def recording_path(record: RecordingRecord) -> str:
    return f"{API}/Accounts/{record.account_sid}/Recordings/{record.sid}"


def recording_json(record: RecordingRecord, *, origin: str) -> dict[str, object]:
    """origin: this server as the product reaches it."""
    return {
        "sid": record.sid,
        "account_sid": record.account_sid,
        "call_sid": record.call_sid,
        "conference_sid": None,
        "status": record.status,
        "source": record.source,
        "channels": record.channels,
        "track": record.track,
        "duration": None if record.duration_s is None else str(record.duration_s),
        "error_code": record.error_code or None,
        "start_time": rfc2822(record.created_at),
        "date_created": rfc2822(record.created_at),
        "date_updated": rfc2822(record.updated_at),
        "price": None,
        "price_unit": "USD",
        "encryption_details": None,
        "api_version": "2010-04-01",
        "media_url": origin + recording_path(record),
        "uri": recording_path(record) + ".json",
        "subresource_uris": {},
    }
