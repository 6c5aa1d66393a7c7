"""Gemini's generateContent with a response schema, through its own SDK."""

from collections.abc import Mapping
from typing import Any

import httpx
import httpx2
from google.genai import Client, errors, types

from apps.calls.language_models import MAX_ANSWER_TOKENS, RETRYABLE_STATUS, Answered, LanguageModelError, read_json


class GeminiModel:
    def __init__(self, client: Client) -> None:
        self._client = client

    def answer(self, model: str, *, instructions: str, text: str, schema: Mapping[str, Any]) -> Answered:
        config = types.GenerateContentConfig(
            system_instruction=instructions,
            response_mime_type="application/json",
            response_json_schema=dict(schema),
            max_output_tokens=MAX_ANSWER_TOKENS,
        )
        try:
            done = self._client.models.generate_content(model=model, contents=text, config=config)
        except errors.APIError as error:
            raise LanguageModelError(f"http_{error.code}", retryable=error.code in RETRYABLE_STATUS) from error
        except (OSError, httpx.HTTPError, httpx2.HTTPError) as error:
            raise LanguageModelError("unreachable", retryable=True) from error
        usage = done.usage_metadata
        cached = (usage.cached_content_token_count or 0) if usage is not None else 0
        return Answered(
            read_json(done.text or ""),
            text_in=(usage.prompt_token_count or 0) - cached if usage is not None else 0,
            cached_in=cached,
            text_out=(usage.candidates_token_count or 0) if usage is not None else 0,
        )
