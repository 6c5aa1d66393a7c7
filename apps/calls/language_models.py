"""Asking a language model for an object of a given shape, through the providers' own SDKs. Blocks; for workers only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import httpx2
import orjson
from google.genai import Client as GeminiClient
from google.genai import errors as gemini_errors
from google.genai import types as gemini_types
from openai import APIConnectionError, APIStatusError, OpenAI, OpenAIError

_RETRYABLE_STATUS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 529})


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


class OpenAIModel:
    """Chat completions with strict structured output."""

    def __init__(self, client: OpenAI) -> None:
        self._client = client

    def answer(self, model: str, *, instructions: str, text: str, schema: Mapping[str, Any]) -> Answered:
        try:
            done = self._client.chat.completions.create(
                model=model,
                messages=[{"role": "developer", "content": instructions}, {"role": "user", "content": text}],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "review", "schema": dict(schema), "strict": True},
                },
                reasoning_effort="none",
                max_completion_tokens=2000,
            )
        except APIStatusError as error:
            retryable = error.status_code in _RETRYABLE_STATUS
            raise LanguageModelError(f"http_{error.status_code}", retryable=retryable) from error
        except APIConnectionError as error:
            raise LanguageModelError("unreachable", retryable=True) from error
        except OpenAIError as error:
            raise LanguageModelError("refused", retryable=False) from error
        choice = done.choices[0] if done.choices else None
        if choice is None or choice.message.refusal:
            raise LanguageModelError("refused", retryable=False)
        usage = done.usage
        details = usage.prompt_tokens_details if usage is not None else None
        cached = (details.cached_tokens or 0) if details is not None else 0
        return Answered(
            _json(choice.message.content or ""),
            text_in=usage.prompt_tokens - cached if usage is not None else 0,
            cached_in=cached,
            text_out=usage.completion_tokens if usage is not None else 0,
        )


class GeminiModel:
    """generateContent with a response schema."""

    def __init__(self, client: GeminiClient) -> None:
        self._client = client

    def answer(self, model: str, *, instructions: str, text: str, schema: Mapping[str, Any]) -> Answered:
        config = gemini_types.GenerateContentConfig(
            system_instruction=instructions,
            response_mime_type="application/json",
            response_json_schema=dict(schema),
            max_output_tokens=2000,
        )
        try:
            done = self._client.models.generate_content(model=model, contents=text, config=config)
        except gemini_errors.APIError as error:
            raise LanguageModelError(f"http_{error.code}", retryable=error.code in _RETRYABLE_STATUS) from error
        except (OSError, httpx.HTTPError, httpx2.HTTPError) as error:
            raise LanguageModelError("unreachable", retryable=True) from error
        usage = done.usage_metadata
        cached = (usage.cached_content_token_count or 0) if usage is not None else 0
        return Answered(
            _json(done.text or ""),
            text_in=(usage.prompt_token_count or 0) - cached if usage is not None else 0,
            cached_in=cached,
            text_out=(usage.candidates_token_count or 0) if usage is not None else 0,
        )


def _json(text: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError as error:
        raise LanguageModelError("malformed", retryable=True) from error
