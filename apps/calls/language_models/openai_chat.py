"""OpenAI's chat completions with strict structured output, through its own SDK."""

from collections.abc import Mapping
from typing import Any

from openai import APIConnectionError, APIStatusError, OpenAI, OpenAIError

from apps.calls.language_models import MAX_ANSWER_TOKENS, RETRYABLE_STATUS, Answered, LanguageModelError, read_json


class OpenAIModel:
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
                max_completion_tokens=MAX_ANSWER_TOKENS,
            )
        except APIStatusError as error:
            retryable = error.status_code in RETRYABLE_STATUS
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
            read_json(choice.message.content or ""),
            text_in=usage.prompt_tokens - cached if usage is not None else 0,
            cached_in=cached,
            text_out=usage.completion_tokens if usage is not None else 0,
        )
