"""A conversation as the brain reads it and as the control API shows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from .conversation import Item
from .scene import Turn
from .world import LineOf


def turns_of(items: Iterable[Item], line_of: LineOf) -> list[Turn]:
    return [_turn(item, line_of) for item in items]


def _turn(item: Item, line_of: LineOf) -> Turn:
    if item.type == "function_call":
        return Turn("call", name=item.name, call_id=item.call_id, arguments=_arguments(item.arguments))
    if item.type == "function_call_output":
        return Turn("result", item.output, call_id=item.call_id)
    if item.role == "assistant":
        return Turn("ai", item.text, was_cut=item.status != "completed" or item.is_truncated)
    if item.role == "system":
        return Turn("note", item.text)
    if item.is_silence:
        return Turn("silence")
    if item.heard is None:
        line = line_of(item.text)
        return Turn("caller", item.text, (line.intent,) if line else (), line.language if line else None)
    heard = item.heard
    return Turn("caller", heard.text, heard.intents, heard.language, heard.tone_ms)


def _arguments(text: str) -> dict[str, Any]:
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


@dataclass(slots=True)
class Record:
    """What the history page of the control API shows of a session."""

    id: str
    model: str
    opened_at: float = field(default_factory=time.time)
    closed_at: float | None = None
    close_code: int | None = None
    close_reason: str = ""
    safety_identifier: str | None = None
    resumed_from: str | None = None
    received: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    audio_in_bytes: int = 0
    audio_out_bytes: int = 0
    usage: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def report(record: Record, items: list[Item], line_of: LineOf) -> dict[str, Any]:
    """What the control API tells of a session, open or closed."""
    outputs = {item.call_id: item.output for item in items if item.type == "function_call_output"}
    told = {name.name: getattr(record, name.name) for name in fields(record)}
    return told | {
        "is_live": record.closed_at is None,
        "turns": [
            {"who": turn.who, "text": turn.text, "intents": list(turn.intents)}
            for turn in turns_of(items, line_of)
            if turn.who in ("caller", "ai", "silence")
        ],
        "tool_calls": [
            {"name": item.name, "arguments": _arguments(item.arguments), "output": outputs.get(item.call_id)}
            for item in items
            if item.type == "function_call"
        ],
    }
