"""Gemini Live messages, both ways, as plain JSON objects; pure."""

from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from apps.calls.media.frames import Usage
from apps.calls.voice_ai.base import PastTurn, ToolSpec, VoiceBrief

MIME_16K: Final = "audio/pcm;rate=16000"
USUAL_RATE_HZ: Final = 24_000
_REGIONS: Final = {"en": "en-US", "es": "es-ES", "cs": "cs-CZ"}
# Every turn is billed with all that went before it: forget the oldest long before the window is full.
_TRIGGER_TOKENS: Final = 16_000
_TARGET_TOKENS: Final = 8_000
_PREFIX_MS: Final = 100
_SILENCE_MS: Final = 500
# Reasons for the end of a turn after which it is not worth much to have the model try the same again.
_ORDINARY_ENDS: Final = frozenset({"", "TURN_COMPLETE_REASON_UNSPECIFIED", "NEED_MORE_INPUT"})
AUDIO_END: Final[Mapping[str, Any]] = {"realtimeInput": {"audioStreamEnd": True}}
# Some models answer text only once something comes in on the live side too.
NUDGE: Final[Mapping[str, Any]] = {"realtimeInput": {"text": " "}}
_CAMEL: Final = {"parameters_json_schema": "parametersJsonSchema"}
_TO_STANDARD: Final = str.maketrans("-_", "+/")
IDLE_PROMPT: Final = "The person has said nothing since. Ask in a few words whether they are still there."


def live_config(brief: VoiceBrief, *, handle: str, has_history: bool) -> dict[str, Any]:
    """What the SDK's connect() takes. handle: of the session to go on with; has_history: it is told first, as text."""
    thinks = brief.model.endswith("-thinking")
    config: dict[str, Any] = {
        "response_modalities": ["AUDIO"],
        "system_instruction": brief.instructions,
        "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": brief.voice}}},
        "input_audio_transcription": {"language_codes": [_REGIONS.get(code, code) for code in brief.languages]},
        "output_audio_transcription": {},
        "session_resumption": {"handle": handle} if handle else {},
        "context_window_compression": {
            "trigger_tokens": _TRIGGER_TOKENS,
            "sliding_window": {"target_tokens": _TARGET_TOKENS},
        },
        "realtime_input_config": {
            "automatic_activity_detection": {
                "start_of_speech_sensitivity": "START_SENSITIVITY_HIGH",
                "end_of_speech_sensitivity": "END_SENSITIVITY_LOW",
                "prefix_padding_ms": _PREFIX_MS,
                "silence_duration_ms": _SILENCE_MS,
            },
            "activity_handling": "START_OF_ACTIVITY_INTERRUPTS",
        },
    }
    if brief.tools:
        config["tools"] = [tool_declarations(brief.tools, blocking=not thinks)]
    if has_history:
        config["history_config"] = {"initial_history_in_client_content": True}
    if thinks:
        config["thinking_config"] = {"thinking_level": "LOW"}
    return config


def tool_declarations(tools: Sequence[ToolSpec], *, blocking: bool = True) -> dict[str, Any]:
    """blocking: the model waits for the answer; models that think aloud meanwhile refuse it."""
    return {
        "function_declarations": [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters_json_schema": dict(tool.parameters),
                **({"behavior": "BLOCKING"} if blocking else {}),
            }
            for tool in tools
        ]
    }


def client_content(turns: Sequence[PastTurn], *, turn_complete: bool) -> dict[str, Any]:
    """turn_complete: the model is to answer, or, right after opening with a history, has been told all of it."""
    contents = [{"role": "model" if turn.speaker == "ai" else "user", "parts": [{"text": turn.text}]} for turn in turns]
    return {"clientContent": {"turns": contents, "turnComplete": turn_complete}}


def note(text: str) -> str:
    """Words that are ours and not the person's."""
    return f"[{text.strip()}]"


def context_update(brief: VoiceBrief, *, with_tools: bool) -> dict[str, Any]:
    update: dict[str, Any] = {"systemInstruction": {"role": "user", "parts": [{"text": brief.instructions}]}}
    if with_tools:
        declared = tool_declarations(brief.tools, blocking=not brief.model.endswith("-thinking"))
        functions = [
            {
                ("parametersJsonSchema" if name == "parameters_json_schema" else name): value
                for name, value in one.items()
            }
            for one in declared["function_declarations"]
        ]
        update["tools"] = {"tools": [{"functionDeclarations": functions}] if functions else []}
    return {"contextUpdate": update}


def tool_response(answers: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """answers: id, name and result of each call."""
    return {
        "toolResponse": {
            "functionResponses": [
                {"id": call_id, "name": name, "response": {"result": result}} for call_id, name, result in answers
            ]
        }
    }


def decoded(text: str) -> bytes:
    """Base64 in either alphabet. Raises binascii.Error, a ValueError, and TypeError."""
    if "-" in text or "_" in text:
        text = text.translate(_TO_STANDARD)
    return a2b_base64(text)


def language_of(code: object) -> str:
    """BCP 47 → ISO 639-1."""
    return str(code or "").split("-")[0].lower()


def seconds_of(duration: object) -> float:
    """A duration as protobuf's JSON writes it, such as "9.5s"; 0 for anything else."""
    try:
        return max(0.0, float(str(duration).removesuffix("s")))
    except ValueError:
        return 0.0


def rate_of(mime_type: object) -> int:
    """Samples per second of an audio/pcm MIME type; what it usually is where it does not say."""
    _, _, rate = str(mime_type or "").partition("rate=")
    digits = rate.partition(";")[0].strip()
    return int(digits) if digits.isdecimal() and len(digits) < 7 else USUAL_RATE_HZ


def end_error(reason: object) -> str:
    """A code for a turn that ended otherwise than by being complete, "" for an ordinary end."""
    text = str(reason or "")
    return "" if text in _ORDINARY_ENDS else text.lower()


def usage_of(metadata: Mapping[str, Any]) -> Usage:
    """On the wire the prompt includes cached tokens, and the response no thoughts; here each counts once."""
    prompt = _by_modality(metadata.get("promptTokensDetails"))
    cached = _by_modality(metadata.get("cacheTokensDetails"))
    tools = int(metadata.get("toolUsePromptTokenCount") or 0)
    made = _by_modality(metadata.get("responseTokensDetails"))
    n_prompt = int(metadata.get("promptTokenCount") or 0)
    n_cached = int(metadata.get("cachedContentTokenCount") or 0)
    n_made = int(metadata.get("responseTokenCount") or 0)
    audio_in = max(0, prompt.get("AUDIO", 0) - cached.get("AUDIO", 0))
    audio_out = made.get("AUDIO", 0)
    return Usage(
        audio_in=audio_in,
        text_in=max(0, n_prompt - n_cached - audio_in) + tools,
        cached_in=n_cached,
        audio_out=audio_out,
        text_out=max(0, n_made - audio_out) + int(metadata.get("thoughtsTokenCount") or 0),
    )


def _by_modality(details: object) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in details if isinstance(details, list) else []:
        modality = str(one.get("modality"))
        found[modality] = found.get(modality, 0) + int(one.get("tokenCount") or 0)
    return found
