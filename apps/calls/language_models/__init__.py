"""Asking a language model for an object of a given shape. Blocks; for workers only.

Each provider's own package is imported by its module here and by nobody else: they are heavy, and whoever only wants to
know what went wrong needs none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

RETRYABLE_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 529})
MAX_ANSWER_TOKENS = 2000


class LanguageModelError(Exception):
    """code: a stable word for logs and metrics. retryable: the same request may succeed a moment later."""

    def __init__(self, code: str, *, retryable: bool) -> None:
        super().__init__(code)
        self.code = code
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Answered:
    """data: the JSON value. Tokens, cached ones not counted a second time."""

    data: object
    text_in: int = 0
    cached_in: int = 0
    text_out: int = 0


class LanguageModel(Protocol):
    def answer(self, model: str, *, instructions: str, text: str, schema: Mapping[str, Any]) -> Answered:
        """Raises LanguageModelError."""
        ...


def read_json(text: str) -> object:
    """What a model wrote. Raises LanguageModelError."""
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise LanguageModelError("malformed", retryable=True) from error
