"""The client messages of the wire: what each may and must carry.

Protobuf's JSON takes camelCase and snake_case alike, and the official SDK mixes them; here all is snake_case.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from ..checks import Check, Refused, an_object, anything, boolean, listing, nullable, number, one_of, record, string

LIVE_MODELS: Final = (
    *("gemini-3.8-live", "gemini-3.8-live-extended-thinking", "gemini-3.1-flash-live-preview"),
    "gemini-2.5-flash-native-audio-preview-12-2025",
)
# The client's own words and schemas: their keys are left as they are.
_OPAQUE: Final = frozenset({"parameters_json_schema", "parameters", "response", "args", "labels"})
_UPPER: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_TO_STANDARD: Final = str.maketrans("-_", "+/")


class Unusable(Exception):
    """The connection cannot go on. Becomes its close."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def _count(value: Any, path: str) -> int:
    """int64 may come as text."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(f"Invalid value at '{path}'", param=path)
    return int(value)


_BLOB: Final = record({"data": string, "mime_type": string}, "data", "mime_type")
_PART: Final = record(
    {
        "text": string,
        "thought": boolean,
        "thought_signature": string,
        "inline_data": _BLOB,
        "function_call": record({"id": string, "name": string, "args": an_object}, "name"),
        "function_response": record({"id": string, "name": string, "response": an_object}, "name"),
    }
)
CONTENT: Final = record({"role": string, "parts": listing(_PART)}, "parts")
_TRANSCRIPTION: Final = record(
    {"language_codes": listing(string), "custom_vocabulary": anything, "word_timestamp": boolean, "mode": string}
)
_DETECTION: Final = record(
    {
        "disabled": boolean,
        "start_of_speech_sensitivity": one_of("START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"),
        "end_of_speech_sensitivity": one_of("END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"),
        "prefix_padding_ms": _count,
        "silence_duration_ms": _count,
    }
)
_FUNCTION: Final = record(
    {
        "name": string,
        "description": string,
        "parameters": an_object,
        "parameters_json_schema": anything,
        "behavior": one_of("BLOCKING", "NON_BLOCKING"),
    },
    "name",
)
TOOLS: Final = listing(record({"function_declarations": listing(_FUNCTION)}))
_VOICE: Final = record(
    {"prebuilt_voice_config": record({"voice_name": string}, "voice_name")},
)
SPEECH: Final = record({"voice_config": _VOICE, "language_code": string})
_GENERATION: Final = record(
    {
        "response_modalities": listing(one_of("AUDIO", "TEXT")),
        "speech_config": SPEECH,
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "top_k": number(1, 1000),
        "max_output_tokens": _count,
        "seed": _count,
        "media_resolution": string,
        "thinking_config": record({"thinking_level": string, "include_thoughts": boolean, "thinking_budget": _count}),
    }
)
_SETUP: Final = record(
    {
        "model": string,
        "generation_config": _GENERATION,
        "system_instruction": CONTENT,
        "tools": TOOLS,
        "session_resumption": record({"handle": nullable(string)}),
        "context_window_compression": record(
            {"trigger_tokens": _count, "sliding_window": record({"target_tokens": _count})}
        ),
        "input_audio_transcription": _TRANSCRIPTION,
        "output_audio_transcription": _TRANSCRIPTION,
        "realtime_input_config": record(
            {
                "automatic_activity_detection": _DETECTION,
                "activity_handling": one_of("START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"),
                "turn_coverage": string,
            }
        ),
        "history_config": record({"initial_history_in_client_content": boolean}),
        "safety_settings": anything,
    },
    "model",
)
_NOTHING: Final = record({})
_RESPONSE: Final = record(
    {
        "id": string,
        "name": string,
        "response": an_object,
        "scheduling": one_of("SILENT", "WHEN_IDLE", "INTERRUPT"),
        "will_continue": boolean,
    },
    "id",
    "response",
)
_MESSAGES: Final[dict[str, Check]] = {
    "setup": _SETUP,
    "client_content": record({"turns": listing(CONTENT), "turn_complete": boolean}),
    "realtime_input": record(
        {
            "audio": _BLOB,
            "text": string,
            "audio_stream_end": boolean,
            "activity_start": _NOTHING,
            "activity_end": _NOTHING,
        }
    ),
    "tool_response": record({"function_responses": listing(_RESPONSE)}, "function_responses"),
    "context_update": record({"system_instruction": CONTENT, "tools": record({"tools": TOOLS})}),
}


def snake(value: Any) -> Any:
    """The same with every field name in snake_case, but for what a client may name as it likes."""
    if isinstance(value, list):
        return [snake(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    named = {_UPPER.sub(r"_\1", str(name)).lower(): inner for name, inner in value.items()}
    return {name: inner if name in _OPAQUE else snake(inner) for name, inner in named.items()}


def parsed(data: bytes | str) -> tuple[str, dict[str, Any]]:
    """Kind and content of one client message. Raises Unusable."""
    try:
        message = snake(orjson.loads(data))
    except orjson.JSONDecodeError:
        raise Unusable(1007, "Invalid JSON payload received.") from None
    if not isinstance(message, dict) or len(message) != 1:
        raise Unusable(1007, "Request contains an invalid argument.")
    [(kind, content)] = message.items()
    if kind not in _MESSAGES:
        raise Unusable(1007, f'Invalid JSON payload received. Unknown name "{kind}": Cannot find field.')
    return kind, checked(_MESSAGES[kind], content, kind)


def checked(check: Check, content: Any, path: str) -> dict[str, Any]:
    """Raises Unusable."""
    try:
        found: dict[str, Any] = check(content, path)
    except Refused as refused:
        raise Unusable(1007, f"Invalid JSON payload received. {refused.message}") from None
    return found


def sound_of(blob: Mapping[str, Any]) -> tuple[bytes, int]:
    """PCM16 and its rate. Raises Unusable."""
    mime = str(blob["mime_type"])
    name, _, rate = mime.partition(";rate=")
    if name != "audio/pcm" or rate not in ("", "16000"):
        raise Unusable(1007, f"Unsupported audio MIME type: {mime}")
    try:
        return binascii.a2b_base64(str(blob["data"]).translate(_TO_STANDARD)), 16_000
    except binascii.Error:
        raise Unusable(
            1007, "Invalid value at 'realtime_input.audio.data' (TYPE_BYTES), Base64 decoding failed"
        ) from None


def text_of(content: Mapping[str, Any] | None) -> str:
    return " ".join(str(part["text"]) for part in (content or {}).get("parts", ()) if part.get("text"))


def functions_of(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Declarations as the brain knows them."""
    return [
        {
            "type": "function",
            "name": one["name"],
            "description": one.get("description", ""),
            "parameters": one.get("parameters_json_schema") or one.get("parameters") or {},
            "blocks": one.get("behavior") == "BLOCKING",
        }
        for tool in tools
        for one in tool.get("function_declarations", ())
    ]


def require_modern(setup: Mapping[str, Any]) -> None:
    """What this family of models no longer takes. Raises Unusable."""
    model = str(setup["model"]).removeprefix("models/")
    if model not in LIVE_MODELS:
        raise Unusable(
            1008, f"models/{model} is not found for API version v1beta, or is not supported for bidiGenerateContent."
        )
    generation = setup.get("generation_config", {})
    thinks = model.endswith("-thinking")
    if model == "gemini-3.8-live" and "thinking_config" in generation:
        raise Unusable(1007, "Thinking is not supported for this model.")
    if thinks and "thinking_level" not in generation.get("thinking_config", {}):
        raise Unusable(1007, "A thinking level is required for this model.")
    if model.startswith("gemini-3.8") and "TEXT" in generation.get("response_modalities", ()):
        raise Unusable(1007, "The requested combination of response modalities (TEXT) is not supported by the model.")
    if thinks and any(one["blocks"] for one in functions_of(setup.get("tools", []))):
        raise Unusable(1007, "Function calling behavior BLOCKING is not supported for this model.")
