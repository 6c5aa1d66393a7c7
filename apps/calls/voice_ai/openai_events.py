"""OpenAI Realtime events, both ways, as plain JSON objects; pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from apps.calls.media.frames import (
    AiEvent,
    AiTranscript,
    CallerTranscript,
    Failed,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
    Usage,
)
from apps.calls.voice_ai.base import PastTurn, VoiceBrief

_HAS_RESPONSE: Final = "conversation_already_has_active_response"
# Answers to something that has already happened: nobody needs to know.
_HARMLESS: Final = frozenset({"response_cancel_not_active", _HAS_RESPONSE, "input_audio_buffer_commit_empty"})
_FATAL: Final = frozenset({"session_expired", "insufficient_quota", "invalid_api_key", "account_deactivated"})
# Models that take a list of languages to expect.
_TAKES_LANGUAGES: Final = frozenset({"gpt-transcribe", "gpt-live-transcribe"})


# What the provider puts around an utterance, and counts into its times: sound from before, the silence that ended it.
_PREFIX_MS: Final = 300
_SILENCE_MS: Final = 500


class Refused(Exception):
    """The provider answered with an error event. param: the dotted path it objects to."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        error = event.get("error") or {}
        self.code = str(error.get("code") or error.get("type") or "refused")
        self.message = str(error.get("message") or "")[:200]
        self.param = str(error.get("param") or "")
        super().__init__(self.code)


def is_crossed(event: Mapping[str, Any], event_id: str) -> bool:
    """Whether an error event says that the response asked for by that event of ours crossed with another one."""
    error = event.get("error") or {}
    return error.get("code") == _HAS_RESPONSE and error.get("event_id") == event_id


def session_change(brief: VoiceBrief, *, transcription_model: str) -> dict[str, Any]:
    """What may change while the conversation goes on: instructions, tools and the language to expect."""
    transcription = _transcription(brief, transcription_model)
    return {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": brief.instructions,
            "audio": {"input": {"transcription": transcription}},
            "tools": _tools(brief),
        },
    }


def _transcription(brief: VoiceBrief, model: str) -> dict[str, Any]:
    if model in _TAKES_LANGUAGES:
        return {"model": model, "languages": list(brief.languages)}
    return {"model": model, "language": brief.language}


def session_update(brief: VoiceBrief, *, transcription_model: str) -> dict[str, Any]:
    transcription = _transcription(brief, transcription_model)
    pcmu = {"type": "audio/pcmu"}
    return {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": brief.instructions,
            "audio": {
                "input": {
                    "format": pcmu,
                    "transcription": transcription,
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.5,
                        "prefix_padding_ms": _PREFIX_MS,
                        "silence_duration_ms": _SILENCE_MS,
                        "idle_timeout_ms": brief.idle_prompt_ms,
                        "create_response": True,
                        "interrupt_response": True,
                    },
                },
                "output": {"format": pcmu, "voice": brief.voice},
            },
            "tools": _tools(brief),
            "tool_choice": "auto",
            # Dropping more than needed at once keeps the rest cacheable, which is much cheaper.
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
        },
    }


def _tools(brief: VoiceBrief) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        }
        for tool in brief.tools
    ]


def past_turn(turn: PastTurn) -> dict[str, Any]:
    """Something said before this session was opened. The AI's own words can only be given as text."""
    if turn.speaker == "ai":
        role, content = "assistant", {"type": "output_text", "text": turn.text}
    else:
        role, content = "user", {"type": "input_text", "text": turn.text}
    return {"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": [content]}}


def _speech_started(event: dict[str, Any]) -> AiEvent:
    return SpeechStarted(event["item_id"], int(event["audio_start_ms"]) + _PREFIX_MS)


def _speech_stopped(event: dict[str, Any]) -> AiEvent:
    return SpeechStopped(event["item_id"], max(0, int(event["audio_end_ms"]) - _SILENCE_MS))


def _caller_delta(event: dict[str, Any]) -> AiEvent:
    return CallerTranscript(event["item_id"], str(event.get("delta") or ""))


def _caller_final(event: dict[str, Any]) -> AiEvent:
    languages = event.get("languages") or []
    usage = event.get("usage")
    return CallerTranscript(
        event["item_id"],
        str(event["transcript"]).strip(),
        is_final=True,
        language=str(languages[0].get("code") or "") if languages else "",
        usage=_transcription_usage(usage) if usage else None,
    )


def _caller_lost(event: dict[str, Any]) -> AiEvent:
    return CallerTranscript(event["item_id"], "", is_final=True, is_lost=True)


def _ai_delta(event: dict[str, Any]) -> AiEvent:
    return AiTranscript(event["item_id"], str(event["delta"]))


def _ai_final(event: dict[str, Any]) -> AiEvent:
    return AiTranscript(event["item_id"], str(event["transcript"]).strip(), is_final=True)


def _tool_call(event: dict[str, Any]) -> AiEvent:
    return ToolCall(event["call_id"], str(event["name"]), str(event["arguments"]))


def _response_done(event: dict[str, Any]) -> AiEvent:
    response = event["response"]
    usage = response.get("usage")
    details = response.get("status_details") or {}
    error = details.get("error") or {}
    return TurnDone(
        status=str(response["status"]),
        has_speech=any(item.get("type") == "message" and item.get("content") for item in response.get("output") or []),
        usage=response_usage(usage) if usage else None,
        error_code=str(error.get("code") or error.get("type") or ""),
    )


def _error(event: dict[str, Any]) -> AiEvent | None:
    refused = Refused(event)
    if refused.code in _HARMLESS or "already shorter" in refused.message:
        return None
    return Failed(refused.code, refused.message, is_fatal=refused.code in _FATAL)


def response_usage(usage: Mapping[str, Any]) -> Usage:
    """Cached tokens are a part of the input tokens on the wire; here each token counts once."""
    given = usage.get("input_token_details") or {}
    cached = given.get("cached_tokens_details") or {}
    made = usage.get("output_token_details") or {}
    return Usage(
        audio_in=max(0, int(given.get("audio_tokens") or 0) - int(cached.get("audio_tokens") or 0)),
        text_in=max(0, int(given.get("text_tokens") or 0) - int(cached.get("text_tokens") or 0)),
        cached_in=int(given.get("cached_tokens") or 0),
        audio_out=int(made.get("audio_tokens") or 0),
        text_out=int(made.get("text_tokens") or 0),
    )


def _transcription_usage(usage: Mapping[str, Any]) -> Usage:
    if usage.get("type") == "duration":
        return Usage(transcription_s=float(usage.get("seconds") or 0))
    return Usage(transcription=int(usage.get("total_tokens") or 0))


TRANSLATORS: Final[dict[str, Callable[[dict[str, Any]], AiEvent | None]]] = {
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "conversation.item.input_audio_transcription.delta": _caller_delta,
    "conversation.item.input_audio_transcription.completed": _caller_final,
    "conversation.item.input_audio_transcription.failed": _caller_lost,
    "response.output_audio_transcript.delta": _ai_delta,
    "response.output_audio_transcript.done": _ai_final,
    "response.function_call_arguments.done": _tool_call,
    "response.done": _response_done,
    "error": _error,
}
