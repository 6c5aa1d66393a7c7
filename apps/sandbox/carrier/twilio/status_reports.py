"""Status callbacks: what the product is told about a call's progress."""

from __future__ import annotations

from collections.abc import Sequence

from apps.sandbox.carrier.courier import Hook
from apps.sandbox.carrier.records import CallRecord, RecordingRecord, now, rfc2822
from apps.sandbox.carrier.twilio.resources import recording_path
from apps.sandbox.carrier.twilio.webhooks import TwilioWebhooks

_COUNTRIES = (("+1", "US"), ("+34", "ES"), ("+420", "CZ"))


def voice_params(record: CallRecord, status: str | None = None) -> dict[str, str]:
    """What every request about a call carries."""
    params = {
        "CallSid": record.sid,
        "AccountSid": record.account_sid,
        "From": record.from_,
        "To": record.to,
        "Caller": record.from_,
        "Called": record.to,
        "CallStatus": status or record.status,
        "ApiVersion": "2010-04-01",
        "Direction": record.direction,
    }
    for side, number in (("From", record.from_), ("Caller", record.from_), ("To", record.to), ("Called", record.to)):
        country = next((code for prefix, code in _COUNTRIES if number.startswith(prefix)), "")
        params |= {f"{side}City": "", f"{side}State": "", f"{side}Zip": "", f"{side}Country": country}
    if record.parent_sid:
        params["ParentCallSid"] = record.parent_sid
    if record.direction == "inbound":
        params["StirVerstat"] = "TN-Validation-Passed-A"
    return params


class StatusReports:
    """The status callbacks of one call, numbered in the order in which its events happened."""

    def __init__(self, record: CallRecord, webhooks: TwilioWebhooks, hook: Hook | None, events: frozenset[str]) -> None:
        self.hook = hook
        self._record, self._webhooks, self._events = record, webhooks, events
        self._sequence = 0

    def send(self, event: str, *, status: str | None, recordings: Sequence[RecordingRecord], media_origin: str) -> None:
        """Report initiated, ringing, answered or completed, if it was subscribed to.

        status: CallStatus where it differs from the record's. recordings: the call's, of which the last is named.
        """
        if self.hook is None or event not in self._events:
            return
        record = self._record
        params = voice_params(record, status)
        params["CallbackSource"] = "call-progress-events"
        params["SequenceNumber"] = str(self._sequence)
        params["Timestamp"] = rfc2822(now()) or ""
        self._sequence += 1
        if record.answered_by:
            params["AnsweredBy"] = record.answered_by
        if event == "completed":
            duration_s = record.duration_s or 0
            params["CallDuration"] = str(duration_s)
            params["Duration"] = str(-(-duration_s // 60))
            params["SipResponseCode"] = str(record.sip_code)
            if recordings and recordings[-1].status == "completed":
                params["RecordingSid"] = recordings[-1].sid
                params["RecordingUrl"] = media_origin + recording_path(recordings[-1])
                params["RecordingDuration"] = str(recordings[-1].duration_s)
        self._webhooks.notify(record, self.hook, params, kind="status", event=event)
