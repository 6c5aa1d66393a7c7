"""The events that tell what the transcription model made of a turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from .conversation import Item
from .hearing import Utterance
from .usage import transcription_usage

_PREFIX: Final = "conversation.item.input_audio_transcription"
_LOGPROBS: Final = "item.input_audio_transcription.logprobs"


def transcription_events(
    item: Item, heard: Utterance | None, model: str, include: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Type and fields of each event; writes the transcript into the item. heard None: it could not be transcribed."""
    at = {"item_id": item.id, "content_index": 0}
    if heard is None:
        error = {"type": "transcription_error", "code": "audio_unintelligible", "param": None}
        message = "The audio could not be transcribed."
        yield f"{_PREFIX}.failed", at | {"error": error | {"message": message}}
        return
    item.content[0]["transcript"] = heard.text
    half = heard.text.find(" ", len(heard.text) // 2) + 1
    for piece in filter(None, (heard.text[:half], heard.text[half:])):
        yield f"{_PREFIX}.delta", at | {"delta": piece}
    done: dict[str, Any] = {
        "transcript": heard.text,
        "usage": transcription_usage(model, item.audio_ms, heard.text),
    }
    if model == "gpt-transcribe":
        done["languages"] = [{"code": code} for code in dict.fromkeys(line.language for line in heard.lines)]
    if _LOGPROBS in include:
        words = heard.text.split()
        done["logprobs"] = [{"token": word, "logprob": -0.01, "bytes": list(word.encode())} for word in words]
    yield f"{_PREFIX}.completed", at | done
