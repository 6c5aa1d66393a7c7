"""What clients may do to the items of a conversation, and how they are refused."""

from __future__ import annotations

from typing import Any

from .checks import Refused
from .conversation import Conversation, Item, item_from_client
from .g711 import BYTES_PER_MS
from .hearing import words_within


def new_item(conversation: Conversation, event: dict[str, Any]) -> Item:
    """The item of a conversation.item.create, not yet in its place. Raises Refused."""
    item = item_from_client(event["item"])
    after = event.get("previous_item_id")
    if conversation.get(item.id) is not None:
        raise Refused(
            f"Error creating item: an item with id '{item.id}' already exists in the conversation.",
            code="item_create_duplicate_item_id",
            param="item.id",
        )
    if after not in (None, "root") and conversation.get(str(after)) is None:
        raise Refused(
            f"Error creating item: the previous item with id '{after}' does not exist.",
            code="item_create_invalid_previous_item_id",
            param="previous_item_id",
        )
    if item.type == "function_call_output" and not conversation.has_call(item.call_id):
        raise Refused(
            f"Tool call ID '{item.call_id}' not found in conversation.",
            code="invalid_tool_call_id",
            param="item.call_id",
        )
    return item


def known_item(conversation: Conversation, item_id: str, verb: str) -> Item:
    """Raises Refused in the words for that verb: truncate, delete or retrieve."""
    item = conversation.get(item_id)
    if item is None:
        raise Refused(
            f"Error {verb.removesuffix('e')}ing item: the item with id '{item_id}' does not exist.",
            code=f"item_{verb}_invalid_item_id",
            param="item_id",
        )
    return item


def truncate(item: Item, content_index: int, end_ms: int) -> None:
    """Forget what the contact did not hear, sound and words. Raises Refused."""
    if item.role != "assistant":
        raise Refused("Only model output audio messages can be truncated", param="item_id")
    if content_index != 0 or not item.audio:
        raise Refused("There is no audio content at that index.", param="content_index")
    if end_ms > item.audio_ms:
        raise Refused(f"Audio content of {item.audio_ms}ms is already shorter than {end_ms}ms", code=None)
    if end_ms == item.audio_ms:
        return
    heard = words_within(item.said, 0.0, end_ms / item.audio_ms)
    item.is_truncated = item.is_truncated or heard != item.said
    item.said = heard
    item.audio = item.audio[: end_ms * BYTES_PER_MS]
    for part in item.content:
        part.pop("transcript", None)
