"""Token counts as the wire tells them."""

from __future__ import annotations

from typing import Any

from ..usage import Tokens


def usage_metadata(prompt: Tokens, output: Tokens) -> dict[str, Any]:
    return {
        "promptTokenCount": prompt.total,
        "responseTokenCount": output.total,
        "totalTokenCount": prompt.total + output.total,
        "promptTokensDetails": _details(prompt),
        "responseTokensDetails": _details(output),
    }


def _details(tokens: Tokens) -> list[dict[str, Any]]:
    counts = {"TEXT": tokens.text, "AUDIO": tokens.audio}
    return [{"modality": name, "tokenCount": count} for name, count in counts.items() if count]
