"""What every tool is made of: what it is told, how it reads the model's arguments, what it says.

The arguments were written by a model that a stranger talks to: every one of them is checked as if the stranger had
typed it. What a tool says is a sentence for the model, so it is not translated.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.functional import Promise

from apps.calls.bridge.sink import ToolResult
from apps.calls.models import Disposition, TransferTarget, VirtualAgent
from apps.calls.voice_ai.base import ToolSpec

MAX_NOTE = 500
_MAX_ARGUMENTS = 8_192


class BadArguments(Exception):
    """The model's arguments cannot be used; the message tells it what to do."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """time_zone: the contact's, an IANA name. offered: names of what the model was given; nothing else is done."""

    call_id: int
    time_zone: str
    offered: frozenset[str]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the functions of one virtual agent are made from. Rows that none of its tools need are not read."""

    agent: VirtualAgent
    dispositions: Iterable[Disposition] = ()
    targets: Iterable[TransferTarget] = ()


Answer = ToolResult | str
# None: not offered, because something it needs is missing.
Specify = Callable[[Offer], ToolSpec | None]
Run = Callable[[ToolContext, Mapping[str, Any]], Answer]


@dataclass(frozen=True, slots=True)
class Tool:
    """explanation: what it does, for whoever sets up a virtual agent. needs: what must be set up beside it, "" if
    nothing. run: None where the session itself does it.
    """

    name: str
    explanation: Promise
    specify: Specify
    run: Run | None = None
    needs: Promise | str = ""


def read_arguments(text: str) -> Mapping[str, Any]:
    """The arguments as the model wrote them. Raises BadArguments."""
    if len(text) > _MAX_ARGUMENTS:
        raise BadArguments("the arguments are too long.")
    try:
        arguments = orjson.loads(text or "{}")
    except ValueError as error:
        raise BadArguments("the arguments are not JSON.") from error
    if not isinstance(arguments, dict):
        raise BadArguments("the arguments must be a JSON object.")
    return arguments


def text_of(arguments: Mapping[str, Any], name: str, *, at_most: int = 100) -> str:
    """A required text on one line. Raises BadArguments."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise BadArguments(f"{name} is missing.")
    return one_line(value)[:at_most]


def note_of(arguments: Mapping[str, Any], name: str = "note") -> str:
    """An optional text on one line. Raises BadArguments."""
    value = arguments.get(name) or ""
    if not isinstance(value, str):
        raise BadArguments(f"{name} must be text.")
    return one_line(value)[:MAX_NOTE]


def one_line(text: str) -> str:
    """Without line breaks and other control characters; PostgreSQL takes no NUL."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def object_schema(required: list[str], **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


NOTE = {"type": "string", "description": "What else is worth knowing, in a few words."}
