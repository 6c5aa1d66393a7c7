"""What a response is made from: how long the prompt is, and what of it the brain is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from .conversation import Conversation, item_from_client
from .memory import turns_of
from .scene import Scene
from .usage import Tokens, text_tokens
from .world import LineOf


def prompt_of(config: Mapping[str, Any], params: Mapping[str, Any], conversation: Conversation) -> Tokens:
    """config: the session's. params: of one response.create, which come first."""
    instructions = params.get("instructions") or config["instructions"]
    tools = params.get("tools", config["tools"])
    fixed = Tokens(text_tokens(instructions) + text_tokens(orjson.dumps(tools).decode() if tools else ""))
    if "input" in params:
        return fixed + Tokens(sum(text_tokens(orjson.dumps(entry).decode()) for entry in params["input"]))
    return fixed + conversation.tokens()


def scene_of(
    config: Mapping[str, Any],
    params: Mapping[str, Any],
    conversation: Conversation,
    *,
    line_of: LineOf,
    now: datetime,
) -> Scene:
    """As above; a response with an input of its own knows nothing of the conversation."""
    history = turns_of(() if "input" in params else conversation.items, line_of)
    given = [item_from_client(entry) for entry in params.get("input") or () if entry.get("type") != "item_reference"]
    history += turns_of(given, line_of)
    return Scene(
        instructions=config["instructions"],
        tools=params.get("tools", config["tools"]),
        history=history,
        now=now,
        tool_choice=params.get("tool_choice", config["tool_choice"]),
        may_call_in_parallel=config.get("parallel_tool_calls", True),
        told=params.get("instructions", ""),
        is_out_of_band=params.get("conversation") == "none",
    )
