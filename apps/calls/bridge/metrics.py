"""Prometheus metrics of the audio path. Labels are looked up once, here, never per frame."""

import re
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

SESSIONS_ACTIVE = Gauge(
    "callcentre_sessions_active", "Conversations running.", ["voice_ai"], multiprocess_mode="livesum"
)
SESSIONS_ENDED = Counter("callcentre_sessions_ended_total", "Conversations that ended.", ["voice_ai", "cause"])
STREAMS_REFUSED = Counter(
    "callcentre_media_streams_refused_total", "Media streams turned away before a conversation began.", ["reason"]
)
PROTOCOL_ERRORS = Counter(
    "callcentre_media_protocol_errors_total", "Streams closed because of what the carrier sent.", ["carrier", "code"]
)
FRAMES = Counter("callcentre_media_frames_total", "Audio messages passed on.", ["source"])
FRAMES_DROPPED = Counter(
    "callcentre_media_frames_dropped_total",
    "Audio messages thrown away: caller, where the AI does not read; ai, beyond what a carrier may hold.",
    ["source"],
)
FRAMES_MISSING = Counter("callcentre_media_frames_missing_total", "Numbered messages that never came.", ["carrier"])
VOICE_AI_LOST = Counter(
    "callcentre_voice_ai_lost_total", "Connections to a provider that were lost.", ["voice_ai", "code"]
)
RECONNECTS = Counter(
    "callcentre_reconnects_total",
    "Conversations given back to the provider that lost them: back, planned (before it would have closed), or failed.",
    ["voice_ai", "result"],
)
RECONNECT_SECONDS = Histogram(
    "callcentre_reconnect_seconds",
    "From losing a provider to having one again, the same or the next.",
    ["voice_ai"],
    buckets=(0.25, 0.5, 1, 2, 4, 8, 16, 32, 64),
)
FAILOVERS = Counter(
    "callcentre_failovers_total", "Conversations that another provider took over.", ["from_voice_ai", "to_voice_ai"]
)
GIVEN_UP = Counter("callcentre_sessions_without_voice_ai_total", "Conversations that no provider could go on with.")
VOICE_AI_ERRORS = Counter("callcentre_voice_ai_errors_total", "Errors a provider reported.", ["voice_ai"])
VOICE_AI_OPEN_SECONDS = Histogram(
    "callcentre_voice_ai_open_seconds",
    "From asking a provider for a session to having it configured.",
    ["voice_ai"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8),
)
TURN_RESPONSE_SECONDS = Histogram(
    "callcentre_turn_response_seconds",
    "From the provider noticing that the caller stopped to the first sound of the answer.",
    ["voice_ai"],
    buckets=(0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
)
INTERRUPTION_SECONDS = Histogram(
    "callcentre_interruption_seconds",
    "From the provider noticing that the caller speaks to the carrier being told to be silent.",
    ["voice_ai"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
)
ANSWER_VERDICTS = Counter(
    "callcentre_answer_verdicts_total", "Who picked up, each verdict and revision.", ["verdict", "source"]
)
LANGUAGE_CHANGES = Counter(
    "callcentre_language_changes_total", "Conversations that went on in another language.", ["before", "to"]
)
TOOL_CALLS = Counter("callcentre_tool_calls_total", "Tools used by virtual agents.", ["tool", "result"])
MEDIA_CALLS = Gauge("callcentre_media_calls", "Calls a media process holds.", multiprocess_mode="livesum")
MEDIA_CALLS_MAX = Gauge(
    "callcentre_media_calls_max", "Calls a media process takes at most.", multiprocess_mode="livesum"
)
MEDIA_FILL = Gauge(
    "callcentre_media_fill_ratio", "How full the fullest media process is, 0 to 1.", multiprocess_mode="livemax"
)
MEDIA_TASKS = Gauge("callcentre_media_tasks", "Tasks on a media process's event loop.", multiprocess_mode="livesum")
CALLER_SOUND_WAITING = Gauge(
    "callcentre_caller_sound_waiting_seconds",
    "Sound of callers that is kept for providers that are away or catch up.",
    multiprocess_mode="livesum",
)
JOURNAL_WAITING = Gauge(
    "callcentre_journal_records_waiting", "Records not yet in the database.", multiprocess_mode="livesum"
)
JOURNAL_LOST = Counter(
    "callcentre_journal_records_lost_total", "Records that could not be kept or were refused.", ["why"]
)
JOURNAL_SECONDS = Histogram(
    "callcentre_journal_write_seconds", "Writing one batch.", buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
)

# Which part of a pipeline, and then a word of ours, a close code or a status. Providers make up words of their own.
_LOSS: Final = re.compile(r"(?:(?:listen|think|speak)_)?(?P<what>closed_[1-4]\d{3}|http_[1-5]\d{2}|[a-z_]+)")
_OWN_LOSSES: Final = frozenset(
    (
        *("circuit_open", "closed", "cut_short", "deaf", "empty", "flushes", "internal", "malformed", "no_voice"),
        *("no_transcription_model", "no_voice_ai", "quota", "refused", "response_failed", "silent", "unknown_model"),
        *("unreachable",),
        *("voice_ai_not_configured", "insufficient_quota", "rate_limit_exceeded", "server_error", "session_expired"),
    )
)


def loss_label(code: str) -> str:
    """The code of a VoiceAIError as a label: of what a provider calls its errors only the usual ones."""
    found = _LOSS.fullmatch(code)
    if found is None:
        return "other"
    what = found["what"]
    return code if what[-1].isdigit() or what in _OWN_LOSSES else "other"
