"""What a session's setup comes to: how turns are told, what the model is given, and what the brain is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from ..conversation import Conversation
from ..memory import turns_of
from ..scene import Scene
from ..usage import Tokens, text_tokens
from ..vad import VadSettings
from ..world import LineOf
from .messages import functions_of, text_of

_DEFAULT_SILENCE_MS: Final = 500
_THRESHOLDS: Final = {"START_SENSITIVITY_HIGH": 0.5, "START_SENSITIVITY_LOW": 0.8}


def vad_settings(setup: Mapping[str, Any]) -> VadSettings | None:
    """None where the client tells itself when somebody speaks."""
    detection = setup.get("realtime_input_config", {}).get("automatic_activity_detection", {})
    if detection.get("disabled"):
        return None
    return VadSettings(
        threshold=_THRESHOLDS.get(detection.get("start_of_speech_sensitivity", ""), 0.5),
        prefix_padding_ms=detection.get("prefix_padding_ms", 100),
        silence_duration_ms=detection.get("silence_duration_ms", _DEFAULT_SILENCE_MS),
    )


def prompt_of(setup: Mapping[str, Any], conversation: Conversation) -> Tokens:
    tools = setup.get("tools")
    fixed = text_tokens(_instructions(setup)) + (text_tokens(orjson.dumps(tools).decode()) if tools else 0)
    return Tokens(fixed) + conversation.tokens()


def scene_of(
    setup: Mapping[str, Any], conversation: Conversation, *, line_of: LineOf, now: datetime, told: str
) -> Scene:
    """told: directions for this one answer."""
    return Scene(
        instructions=_instructions(setup),
        tools=functions_of(setup.get("tools", [])),
        history=turns_of(conversation.items, line_of),
        now=now,
        told=told,
    )


def _instructions(setup: Mapping[str, Any]) -> str:
    return text_of(setup.get("system_instruction"))
