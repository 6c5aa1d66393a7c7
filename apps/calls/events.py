"""What happens in a call: the kinds of CallEvent, and the shape of what open pages are told."""

from typing import TypedDict

from django.db import models
from django.utils.translation import gettext_lazy as _

LIVE_GROUP = "live"


class EventKind(models.TextChoices):
    """One line of a call's story. What each bears in ``data`` stands behind it."""

    CREATED = "created", _("queued to be dialled")  # to, from, rule_version
    NOT_CALLABLE = "not_callable", _("not dialled: the rules do not allow it now")  # reason
    EXPIRED = "expired", _("not dialled in time")
    PUT_BACK = "put_back", _("put back to be dialled a little later")  # reason, code
    REQUESTED = "requested", _("asking the carrier to dial")
    REFUSED = "refused", _("the carrier refused")  # fault, code, message
    UNKNOWN = "unknown", _("the carrier did not answer: being checked")  # message
    FOUND = "found", _("found at the carrier")
    NOT_FOUND = "not_found", _("the carrier knows no such call")
    QUEUED = "queued", _("accepted by the carrier")
    RINGING = "ringing", _("ringing")
    ANSWERED = "answered", _("answered")
    MACHINE_VERDICT = "machine_verdict", _("the carrier listened who picked up")  # answered_by, verdict, took_ms
    ANSWER_VERDICT = "answer_verdict", _("who picked up")  # verdict, source, action, at_ms, evidence
    VERDICT_CORRECTED = "verdict_corrected", _("who picked up: corrected")  # verdict, before, by
    MESSAGE_LEFT = "message_left", _("the message is left")  # after: beep, pause, carrier, time_limit; how, ms
    LANGUAGE_CHANGED = "language_changed", _("the language changed")  # from, to, scores, heard; by, if a person did it
    STREAM_STARTED = "stream_started", _("audio connected")
    STREAM_STOPPED = "stream_stopped", _("audio disconnected")
    STREAM_ERROR = "stream_error", _("the audio connection failed")  # error
    MEDIA_LOST = "media_lost", _("audio lost: connecting again")  # n
    SESSION_STARTED = "session_started", _("the AI joined")
    DTMF = "dtmf", _("key pressed")  # digit
    SESSION_ENDED = "session_ended", _("the AI left")
    TOOL_CALLED = "tool_called", _("the AI used a tool")
    AI_FAILED = "ai_failed", _("the voice AI failed")
    RECONNECTED = "reconnected", _("the voice AI is back")  # voice_ai, after_ms, n_tries
    FAILED_OVER = "failed_over", _("another voice AI took over")  # from, to, error
    GAVE_UP = "gave_up", _("no voice AI could go on: the caller was told")  # is_transferred
    END_REQUESTED = "end_requested", _("hanging up")  # reason, by
    HANG_UP_FAILED = "hang_up_failed", _("the carrier could not be told to hang up")  # code
    DISPOSITION_SET = "disposition_set", _("disposition chosen")  # code, before, note, by
    DISPOSITION_CORRECTED = "disposition_corrected", _("disposition corrected")  # code, before, note, by
    CALLBACK_REQUESTED = "callback_requested", _("callback agreed")  # at, note, by
    OPTED_OUT = "opted_out", _("asked not to be contacted again")  # channels
    TRANSFER_REQUESTED = "transfer_requested", _("to be connected on")  # to (masked), target, reason
    TRANSFER_REFUSED = "transfer_refused", _("not connected on")  # to (masked), target, reason
    TEXT_REQUESTED = "text_requested", _("a text message is to be sent")  # text
    TEXT_REFUSED = "text_refused", _("no text message: the rules do not allow it")  # reason
    HTTP_TOOL_USED = "http_tool_used", _("the AI asked an outside service")  # tool, status, took_ms, result
    KEYS_SENT = "keys_sent", _("keys pressed by the AI")  # digits
    RECORDING_STARTED = "recording_started", _("recording started")  # need (of the rule pack), source
    RECORDING_ASKED = "recording_asked", _("recording: asked for by staff")  # act (pause, resume), by
    RECORDING_PAUSED = "recording_paused", _("recording paused")  # reason, by, at_ms
    RECORDING_RESUMED = "recording_resumed", _("recording resumed")  # is_automatic, by, at_ms
    RECORDING_FAILED = "recording_failed", _("the recording was lost")  # reason; act, source
    RECORDING_ERASED = "recording_erased", _("recording erased")  # reason (models.recording.ErasedWhy), by
    RECORDING_PLAYED = "recording_played", _("recording listened to")  # by, recording
    RECORDING_DOWNLOADED = "recording_downloaded", _("recording downloaded")  # by, recording
    RECORDING_SAVED = "recording_saved", _("the carrier has finished its recording")
    INBOUND = "inbound", _("called us")  # caller, to
    TRANSFER_STARTED = "transfer_started", _("the other number is being rung")  # to
    TRANSFERRED = "transferred", _("passed on: both are talking")  # to
    TRANSFER_FAILED = "transfer_failed", _("could not be passed on")  # to, reason
    OUTCOME_CORRECTED = "outcome_corrected", _("outcome corrected by the carrier's later word")  # before, outcome
    ENDED = "ended", _("ended")  # outcome, end_reason, sip_code, duration_s


class CallCard(TypedDict):
    """A call as the live page shows it: codes and times (ISO 8601), never words; the phone number masked."""

    id: int
    state: str
    outcome: str
    end_reason: str
    contact_name: str
    phone_masked: str
    campaign_id: int | None
    campaign_name: str
    language: str
    agent_name: str
    created_at: str
    answered_at: str | None
    ended_at: str | None
    disposition: str


class LiveTurn(TypedDict):
    """Something that was said, or is being said (is_final False: more of it follows under the same item_id)."""

    call_id: int
    item_id: str
    speaker: str
    text: str
    started_ms: int
    ended_ms: int
    was_interrupted: bool
    language: str
    is_final: bool
