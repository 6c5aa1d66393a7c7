"""The OpenAPI description: only what is versioned, and the one error shape everywhere."""

from typing import Any

_ERROR = {
    "type": "object",
    "description": "Every answer that is not a success.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "detail"],
            "properties": {
                "code": {"type": "string", "description": "Stable; programs decide by it.", "example": "invalid"},
                "message": {"type": "string", "description": "For people, in the language of Accept-Language."},
                "detail": {
                    "type": "object",
                    "additionalProperties": True,
                    "description": "Data. For `invalid`: field names with lists of messages.",
                },
            },
        }
    },
}
_STATUSES = {
    "400": "The data is not valid.",
    "401": "No valid token or session.",
    "403": "The role does not include it.",
    "404": "There is no such thing.",
    "409": "Not possible in the present state.",
    "429": "Too many requests; see Retry-After.",
}


def only_the_api(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/v")]


def describe_errors(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the error answers that each operation may give."""
    result["components"].setdefault("schemas", {})["Error"] = _ERROR
    for path, methods in result["paths"].items():
        for method, operation in methods.items():
            if not isinstance(operation, dict) or "responses" not in operation:
                continue
            for status in _possible(path, method):
                operation["responses"].setdefault(
                    status,
                    {
                        "description": _STATUSES[status],
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                    },
                )
    return result


def _possible(path: str, method: str) -> list[str]:
    writes = method in {"post", "put", "patch", "delete"}
    return [
        *(["400"] if writes else []),
        "401",
        "403",
        *(["404"] if "{" in path else []),
        *(["409"] if writes else []),
        "429",
    ]
