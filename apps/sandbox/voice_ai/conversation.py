"""The default conversation of a session: its items, as the wire shows them and as the brain reads them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from .checks import Check, Refused, anything, listing, nullable, one_of, record, string, tagged
from .hearing import Utterance
from .usage import Tokens, ai_audio_tokens, caller_audio_tokens, text_tokens

_LONGEST_ID: Final = 32


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid4().hex[:21]}"


def _item_id(value: Any, path: str) -> str:
    if len(string(value, path)) > _LONGEST_ID:
        raise Refused(
            f"Invalid '{path}': string too long. Expected a string with maximum length {_LONGEST_ID}, but got a string"
            f" with length {len(value)} instead.",
            code="string_above_max_length",
            param=path,
        )
    return str(value)


_COMMON: Final[dict[str, Check]] = {
    "id": nullable(_item_id),
    "type": string,
    "object": one_of("realtime.item"),
    "status": one_of("completed", "incomplete", "in_progress"),
}


def _message(**content: Check) -> Check:
    return record({**_COMMON, "role": string, "content": listing(tagged("type", content))}, "content")


_TEXT: Final = record({"type": string, "text": string}, "text")
_AUDIO: Final = record({"type": string, "audio": string, "transcript": nullable(string)}, "audio")
_IMAGE: Final = record({"type": string, "image_url": string, "detail": anything}, "image_url")
ITEM: Final = tagged(
    "type",
    {
        "message": tagged(
            "role",
            {
                "system": _message(input_text=_TEXT),
                "user": _message(input_text=_TEXT, input_audio=_AUDIO, input_image=_IMAGE),
                "assistant": _message(output_text=_TEXT),
            },
        ),
        "function_call": record(
            {**_COMMON, "name": string, "call_id": nullable(string), "arguments": string}, "name", "arguments"
        ),
        "function_call_output": record({**_COMMON, "call_id": string, "output": string}, "call_id", "output"),
    },
)


@dataclass(slots=True)
class Item:
    id: str
    type: str
    """message, function_call or function_call_output"""
    status: str = "completed"
    role: str = ""
    content: list[dict[str, Any]] = field(default_factory=list)
    name: str = ""
    call_id: str = ""
    arguments: str = ""
    output: str = ""
    audio: bytes = b""
    """μ-law; of the AI, what was sent to the client and not truncated away."""
    heard: Utterance | None = None
    is_silence: bool = False
    is_truncated: bool = False
    said: str = ""
    """Of the AI, the words that belong to `audio`."""

    @property
    def audio_ms(self) -> int:
        return len(self.audio) // 8

    @property
    def text(self) -> str:
        if self.heard is not None:
            return self.heard.text
        if self.role == "assistant" and self.said:
            return self.said
        return " ".join(str(part["text"]) for part in self.content if part.get("text"))

    def tokens(self) -> Tokens:
        if self.type != "message":
            return Tokens(text_tokens(self.name + self.arguments + self.output) + 4)
        if self.role == "user" and (self.heard is not None or self.is_silence):
            return Tokens(0, caller_audio_tokens(self.audio_ms))
        return Tokens(text_tokens(self.text) + 2, ai_audio_tokens(self.audio_ms))

    def as_json(self, *, with_audio: bool = False) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": self.id, "object": "realtime.item", "type": self.type, "status": self.status}
        if self.type == "message":
            shown["role"] = self.role
            shown["content"] = [dict(part) for part in self.content]
            if with_audio and self.audio and shown["content"]:
                shown["content"][0]["audio"] = base64.b64encode(self.audio).decode()
        elif self.type == "function_call":
            shown |= {"name": self.name, "call_id": self.call_id, "arguments": self.arguments}
        else:
            del shown["status"]
            shown |= {"call_id": self.call_id, "output": self.output}
        return shown


class Conversation:
    def __init__(self) -> None:
        self.id = new_id("conv")
        self.items: list[Item] = []
        self._by_id: dict[str, Item] = {}

    def get(self, item_id: str) -> Item | None:
        return self._by_id.get(item_id)

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Insert behind the named item ("root": first; None: last). Returns the id before it."""
        at = len(self.items)
        if after == "root":
            at = 0
        elif after is not None:
            at = next(n for n, known in enumerate(self.items) if known.id == after) + 1
        self.items.insert(at, item)
        self._by_id[item.id] = item
        return self.items[at - 1].id if at else None

    def id_before(self, item: Item) -> str | None:
        at = self.items.index(item)
        return self.items[at - 1].id if at else None

    def delete(self, item_id: str) -> None:
        self.items.remove(self._by_id.pop(item_id))

    def has_call(self, call_id: str) -> bool:
        return any(item.type == "function_call" and item.call_id == call_id for item in self.items)

    def tokens(self) -> Tokens:
        total = Tokens()
        for item in self.items:
            total += item.tokens()
        return total


def item_from_client(value: Any) -> Item:
    """Raises Refused."""
    given = ITEM(value, "item")
    return Item(
        id=given.get("id") or new_id("item"),
        type=given["type"],
        status=given.get("status", "completed"),
        role=given.get("role", ""),
        content=given.get("content", []),
        name=given.get("name", ""),
        call_id=given.get("call_id") or (new_id("call") if given["type"] == "function_call" else ""),
        arguments=given.get("arguments", ""),
        output=given.get("output", ""),
    )
