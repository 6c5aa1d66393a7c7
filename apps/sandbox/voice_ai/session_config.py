"""The session object of the GA wire: its defaults, what may be set, and how an update merges into it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from .checks import (
    Check,
    Refused,
    an_object,
    boolean,
    either,
    integer,
    listing,
    missing,
    nullable,
    number,
    one_of,
    record,
    string,
    tagged,
)
from .vad import VadSettings

MODELS: Final = (
    "gpt-realtime-2.1",
    "gpt-realtime-2.1-mini",
    "gpt-realtime-2",
    "gpt-realtime-1.5",
    "gpt-realtime",
    "gpt-realtime-2025-08-28",
    "gpt-realtime-mini",
    "gpt-realtime-mini-2025-10-06",
    "gpt-realtime-mini-2025-12-15",
)
SHUTDOWN_DATES: Final = {
    "gpt-realtime": "2027-01-20",
    "gpt-realtime-2025-08-28": "2027-01-20",
    "gpt-realtime-mini": "2027-01-20",
    "gpt-realtime-mini-2025-10-06": "2027-01-20",
    "gpt-realtime-mini-2025-12-15": "2027-01-20",
    "whisper-1": "2027-02-26",
    "gpt-4o-transcribe": "2027-02-26",
    "gpt-4o-mini-transcribe": "2027-02-26",
}
TRANSCRIPTION_MODELS: Final = (
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
)
VOICES: Final = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
_DEFAULT_INSTRUCTIONS: Final = (
    "Your knowledge cutoff is 2024-06. You are a helpful, witty, and friendly AI. Act like a human, but remember that "
    "you aren't a human. Talk quickly."
)
_SILENCE_BY_EAGERNESS_MS: Final = {"low": 1000, "medium": 600, "auto": 600, "high": 300}

_FORMAT: Final = tagged(
    "type",
    {
        "audio/pcm": record({"type": string, "rate": one_of(24000)}),
        "audio/pcmu": record({"type": string}),
        "audio/pcma": record({"type": string}),
    },
)
_TURN_DETECTION: Final = tagged(
    "type",
    {
        "server_vad": record(
            {
                "type": string,
                "threshold": number(0.0, 1.0),
                "prefix_padding_ms": integer(0, 10_000),
                "silence_duration_ms": integer(0, 10_000),
                "idle_timeout_ms": nullable(integer(5_000, 30_000)),
                "create_response": boolean,
                "interrupt_response": boolean,
            }
        ),
        "semantic_vad": record(
            {
                "type": string,
                "eagerness": one_of("low", "medium", "high", "auto"),
                "create_response": boolean,
                "interrupt_response": boolean,
            }
        ),
    },
)
_TRANSCRIPTION: Final = record(
    {
        "model": one_of(*TRANSCRIPTION_MODELS),
        "language": nullable(string),
        "languages": nullable(listing(string)),
        "keywords": nullable(listing(string)),
        "prompt": nullable(string),
        "delay": nullable(one_of("minimal", "low", "medium", "high", "xhigh")),
    }
)
_TOOL: Final = tagged(
    "type",
    {
        "function": record(
            {"type": string, "name": string, "description": nullable(string), "parameters": nullable(an_object)},
            "name",
        ),
        "mcp": an_object,
    },
)
_TOOL_CHOICE: Final = either(
    tagged("type", {"function": record({"type": string, "name": string}, "name"), "mcp": an_object}),
    one_of("auto", "none", "required"),
)
_VOICE: Final = either(record({"id": string}, "id"), one_of(*VOICES))
_MAX_TOKENS: Final = either(integer(1, 4096), one_of("inf"))
_TRUNCATION: Final = either(
    tagged(
        "type",
        {
            "retention_ratio": record(
                {"type": string, "retention_ratio": number(0.0, 1.0), "token_limits": nullable(an_object)},
                "retention_ratio",
            )
        },
    ),
    one_of("auto", "disabled"),
)
_TRACING: Final = nullable(
    either(record({"workflow_name": string, "group_id": string, "metadata": an_object}), one_of("auto"))
)


def _modalities(value: Any, path: str) -> list[str]:
    modalities: list[str] = listing(one_of("text", "audio"))(value, path)
    if len(modalities) != 1:
        raise Refused(
            f"Invalid modalities: {modalities}. Supported combinations are: ['text'] and ['audio'].", param=path
        )
    return modalities


_OUTPUT_AUDIO: Final = record({"format": _FORMAT, "voice": _VOICE, "speed": number(0.25, 1.5)})
_SHARED: Final[dict[str, Check]] = {
    "output_modalities": _modalities,
    "instructions": string,
    "tools": listing(_TOOL),
    "tool_choice": _TOOL_CHOICE,
    "max_output_tokens": _MAX_TOKENS,
    "parallel_tool_calls": boolean,
    "reasoning": nullable(record({"effort": one_of("minimal", "low", "medium", "high", "xhigh")})),
    "prompt": nullable(record({"id": string, "version": nullable(string), "variables": nullable(an_object)}, "id")),
}
_UPDATE: Final = record(
    {
        **_SHARED,
        "type": one_of("realtime"),
        "model": string,
        "audio": record(
            {
                "input": record(
                    {
                        "format": _FORMAT,
                        "noise_reduction": nullable(
                            record({"type": one_of("near_field", "far_field"), "strength": number(0.0, 1.0)})
                        ),
                        "transcription": nullable(_TRANSCRIPTION),
                        "turn_detection": nullable(_TURN_DETECTION),
                    }
                ),
                "output": _OUTPUT_AUDIO,
            }
        ),
        "include": nullable(listing(one_of("item.input_audio_transcription.logprobs"))),
        "truncation": _TRUNCATION,
        "tracing": _TRACING,
    }
)
RESPONSE_PARAMS: Final = record(
    {
        **_SHARED,
        "audio": record({"output": _OUTPUT_AUDIO}),
        "conversation": one_of("auto", "none"),
        "input": listing(an_object),
        "metadata": nullable(an_object),
    }
)

_VAD_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "server_vad": {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    },
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}


def new_session(*, session_id: str, model: str, expires_at: int) -> dict[str, Any]:
    """The session as the first event shows it. expires_at: Unix seconds."""
    pcm = {"type": "audio/pcm", "rate": 24000}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": _DEFAULT_INSTRUCTIONS,
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "audio": {
            "input": {
                "format": dict(pcm),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": dict(_VAD_DEFAULTS["server_vad"]),
            },
            "output": {"format": dict(pcm), "voice": "marin", "speed": 1.0},
        },
        "include": None,
    }


def updated(session: dict[str, Any], update: Any, *, has_spoken: bool, is_responding: bool) -> dict[str, Any]:
    """The session after a client's `session.update`; the given one is left as it is.

    Raises Refused, and then nothing of the update holds.
    """
    if not isinstance(update, dict) or "type" not in update:
        raise missing("session.type")
    change = _UPDATE(update, "session")
    if change.get("model", session["model"]) != session["model"]:
        raise Refused("Cannot change the model of a session.", code="cannot_update_model", param="session.model")
    merged = deepcopy(session)
    audio = change.pop("audio", {})
    _merge_input(merged["audio"]["input"], audio.get("input", {}))
    _merge_output(merged["audio"]["output"], audio.get("output", {}), has_spoken, is_responding)
    if session["tracing"] is not None and change.get("tracing", session["tracing"]) != session["tracing"]:
        raise Refused("Cannot change tracing once it is on.", code="cannot_update_tracing", param="session.tracing")
    merged.update(change)
    _check_transcription(merged["audio"]["input"]["transcription"])
    return merged


def _merge_input(current: dict[str, Any], change: dict[str, Any]) -> None:
    for name, value in change.items():
        if name == "turn_detection" and value is not None:
            current[name] = _VAD_DEFAULTS[value["type"]] | value
        elif name == "noise_reduction" and value is not None:
            current[name] = {"strength": 1.0} | (current[name] or {}) | value
        elif name == "format":
            current[name] = _full_format(value)
        else:
            current[name] = value


def _merge_output(current: dict[str, Any], change: dict[str, Any], has_spoken: bool, is_responding: bool) -> None:
    if has_spoken and change.get("voice", current["voice"]) != current["voice"]:
        raise Refused(
            "Cannot update a conversation's voice if assistant audio is present.",
            code="cannot_update_voice",
            param="session.audio.output.voice",
        )
    if is_responding and change.get("speed", current["speed"]) != current["speed"]:
        raise Refused("Cannot change the speed while a response is in progress.", param="session.audio.output.speed")
    current.update(change)
    current["format"] = _full_format(current["format"])


def _full_format(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "audio/pcm", "rate": 24000} if value["type"] == "audio/pcm" else value


def _check_transcription(transcription: dict[str, Any] | None) -> None:
    if transcription is None:
        return
    path = "session.audio.input.transcription"
    model = transcription.get("model")
    if model is None:
        raise missing(f"{path}.model")
    for name in ("languages", "keywords"):
        if transcription.get(name) and model not in ("gpt-transcribe", "gpt-live-transcribe"):
            raise Refused(f"'{name}' is not supported with the model '{model}'.", param=f"{path}.{name}")
    if transcription.get("prompt") and model == "gpt-realtime-whisper":
        raise Refused(f"'prompt' is not supported with the model '{model}'.", param=f"{path}.prompt")
    if transcription.get("delay") and model != "gpt-realtime-whisper":
        raise Refused(f"'delay' is not supported with the model '{model}'.", param=f"{path}.delay")


def vad_settings(session: dict[str, Any]) -> VadSettings | None:
    detection = session["audio"]["input"]["turn_detection"]
    if detection is None:
        return None
    if detection["type"] == "semantic_vad":
        return VadSettings(silence_duration_ms=_SILENCE_BY_EAGERNESS_MS[detection["eagerness"]])
    return VadSettings(
        threshold=detection["threshold"],
        prefix_padding_ms=detection["prefix_padding_ms"],
        silence_duration_ms=detection["silence_duration_ms"],
        idle_timeout_ms=detection["idle_timeout_ms"],
    )
