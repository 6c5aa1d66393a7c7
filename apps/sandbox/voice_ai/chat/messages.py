"""From chat messages to the turns the brain reads. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from ..scene import Turn
from ..world import LineOf

_WHOLE: Final = re.compile(r"[.!?…][\"'”’»)\]]*$")
_NOTHING: Final = re.compile(r"\bsays? nothing|\bis silent|\bno answer from\b", re.IGNORECASE)


def text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content or () if isinstance(part, dict))


def instructions_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """What stands before the conversation."""
    first = messages[0] if messages else {}
    return text_of(first) if first.get("role") in ("system", "developer") else ""


def turns_of(messages: Sequence[Mapping[str, Any]], line_of: LineOf) -> list[Turn]:
    has_head = bool(messages) and messages[0].get("role") in ("system", "developer")
    return [turn for message in messages[has_head:] for turn in _turns(message, line_of)]


def _turns(message: Mapping[str, Any], line_of: LineOf) -> Iterable[Turn]:
    role, text = message.get("role"), text_of(message).strip()
    if role == "user":
        yield _caller(text, line_of)
    elif role == "assistant":
        if text:
            # Only what was heard is kept of an answer that was interrupted: it ends in the middle of a sentence.
            yield Turn("ai", text, was_cut=not _WHOLE.search(text))
        for call in message.get("tool_calls") or ():
            function = call["function"]
            yield Turn("call", name=function["name"], call_id=call["id"], arguments=_arguments(function["arguments"]))
    elif role == "tool":
        yield Turn("result", text, call_id=str(message.get("tool_call_id", "")))
    elif role in ("system", "developer"):
        yield Turn("silence") if _NOTHING.search(text) else Turn("note", text)


def _caller(text: str, line_of: LineOf) -> Turn:
    line = line_of(text)
    return Turn("caller", text, (line.intent,) if line else (), line.language if line else None)


def _arguments(text: Any) -> dict[str, Any]:
    try:
        arguments = orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def flat_tools(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Chat nests what Realtime writes flat."""
    return [{"type": "function", **tool["function"]} for tool in tools if isinstance(tool.get("function"), dict)]
