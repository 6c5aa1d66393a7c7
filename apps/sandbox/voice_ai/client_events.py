"""The client events of the wire: what each may and must carry."""

from __future__ import annotations

import binascii
from typing import Any, Final

import orjson

from .checks import Check, Refused, anything, integer, missing, nullable, record, string
from .session_config import RESPONSE_PARAMS

APPEND: Final = "input_audio_buffer.append"
_LARGEST_APPEND: Final = 15 * 2**20 * 4 // 3  # characters of base64
_EVENTS: Final[dict[str, tuple[dict[str, Check], tuple[str, ...]]]] = {
    "session.update": ({"session": anything}, ("session",)),
    "input_audio_buffer.commit": ({}, ()),
    "input_audio_buffer.clear": ({}, ()),
    "conversation.item.create": (
        {"item": anything, "previous_item_id": nullable(string)},
        ("item",),
    ),
    "conversation.item.truncate": (
        {"item_id": string, "content_index": integer(0, 1000), "audio_end_ms": integer(0, 2**31)},
        ("item_id", "content_index", "audio_end_ms"),
    ),
    "conversation.item.delete": ({"item_id": string}, ("item_id",)),
    "conversation.item.retrieve": ({"item_id": string}, ("item_id",)),
    "response.create": ({"response": nullable(RESPONSE_PARAMS)}, ()),
    "response.cancel": ({"response_id": nullable(string)}, ()),
}
_CHECKS: Final = {
    name: record({"type": string, "event_id": nullable(string), **fields}, *required)
    for name, (fields, required) in _EVENTS.items()
}


def parsed(data: bytes) -> dict[str, Any]:
    """Raises Refused."""
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Refused("The message is not valid JSON.", code="invalid_event") from None
    if not isinstance(event, dict):
        raise Refused("The event is not a JSON object.", code="invalid_event")
    return event


def checked(event: dict[str, Any]) -> dict[str, Any]:
    """Any event but an append, which `appended_audio` reads. Raises Refused."""
    kind = event.get("type")
    if kind is None:
        raise Refused("Missing required parameter: 'type'.", code="invalid_event", param="type")
    if not isinstance(kind, str) or kind not in _CHECKS:
        known = ", ".join(f"'{name}'" for name in (APPEND, *_CHECKS))
        message = f"Invalid value: '{kind}'. Supported values are: {known}."
        raise Refused(message, code="invalid_event", param="type")
    found: dict[str, Any] = _CHECKS[kind](event, "")
    return found


def appended_audio(event: dict[str, Any]) -> bytes:
    """Raises Refused."""
    audio = event.get("audio")
    if audio is None:
        raise missing("audio")
    if isinstance(audio, str) and len(audio) > _LARGEST_APPEND:
        raise Refused("The audio of one event may not exceed 15 MiB.", code="audio_too_long", param="audio")
    return decoded(audio, "audio")


def decoded(audio: Any, path: str) -> bytes:
    """Raises Refused."""
    try:
        return binascii.a2b_base64(audio)
    except (binascii.Error, ValueError, TypeError):
        message = f"Invalid '{path}'. Expected base64-encoded audio bytes, but got something that does not decode."
        raise Refused(message, param=path) from None
