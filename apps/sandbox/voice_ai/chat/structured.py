"""An object that conforms to a JSON schema, its values taken from the conversation in the messages. Pure.

For work after a call: summary, extracted fields, sentiment, answers to a checklist. What is known is which of the
callees' lines occur in the text, and so what they wanted; the rest is filled in as the schema demands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ..hearing import Line
from ..plans import MATTER_OF_INTENT, OUTCOMES
from ..toolbox import closest_code
from .messages import text_of

LinesIn = Callable[[str], list[Line]]
"""The known lines that occur in a text, in their order."""

_GLAD: Final = frozenset({"interested", "confirm", "send_information"})
_CROSS: Final = frozenset({"opt_out", "not_interested", "wrong_person"})
_MATTERS: Final = MATTER_OF_INTENT | {"confirm": "interested"}
_YES: Final = re.compile(r"greet|introduc|polite|disclos|said|mention|recorded|ai\b|clear", re.IGNORECASE)


class _Facts:
    def __init__(self, lines: Sequence[Line], text: str) -> None:
        self.intents = [line.intent for line in lines]
        self.language = lines[-1].language if lines else "en"
        self.text = text
        self.words = lines[-1].text if lines else ""
        told = [_MATTERS[intent] for intent in self.intents if intent in _MATTERS]
        self.outcome = OUTCOMES.get(told[-1], told[-1]) if told else "ended"

    @property
    def mood(self) -> float:
        """-1 to 1."""
        last = next((intent for intent in reversed(self.intents) if intent in _GLAD | _CROSS), "")
        return 0.6 if last in _GLAD else -0.4 if last in _CROSS else 0.0

    @property
    def summary(self) -> str:
        known = {"en": "The contact: ", "es": "El contacto: ", "cs": "Kontakt: "}
        return (known[self.language] + (self.words or "—"))[:400]


def answer_to(schema: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], lines_in: LinesIn) -> Any:
    text = "\n".join(text_of(message) for message in messages if message.get("role") not in ("system", "developer"))
    return _value("", schema, _Facts(lines_in(text), text), schema)


def _value(name: str, schema: Mapping[str, Any], facts: _Facts, root: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(name, _resolved(str(schema["$ref"]), root), facts, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _chosen(name, list(schema["enum"]), facts)
    for union in ("anyOf", "oneOf"):
        if schema.get(union):
            return _of_union(name, schema[union], facts, root)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind == "object" or "properties" in schema:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        return {key: _value(key, inner, facts, root) for key, inner in properties.items()}
    if kind == "array":
        return _items(name, schema, facts, root)
    if kind == "boolean":
        return facts.mood >= 0 if not _YES.search(name) else True
    if kind in ("integer", "number"):
        return _number(name, schema, facts, kind)
    return None if kind == "null" else _text(name, schema, facts)


def _resolved(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found if isinstance(found, Mapping) else {}


def _of_union(name: str, options: Sequence[Mapping[str, Any]], facts: _Facts, root: Mapping[str, Any]) -> Any:
    """Something unless nothing is the only honest answer."""
    filled = [option for option in options if option.get("type") != "null"]
    is_optional = len(filled) < len(options)
    if not filled or (is_optional and not facts.intents):
        return None
    return _value(name, filled[0], facts, root)


def _chosen(name: str, codes: list[Any], facts: _Facts) -> Any:
    words = [code for code in codes if isinstance(code, str)]
    if re.search(r"lang", name, re.IGNORECASE):
        return next((code for code in words if code[:2] == facts.language), codes[0])
    moods = {"positive": 1, "neutral": 0, "negative": -1}
    if set(moods) & set(words):
        wanted = "positive" if facts.mood > 0 else "negative" if facts.mood < 0 else "neutral"
        return wanted if wanted in words else codes[0]
    if {"yes", "no"} <= set(words):
        return "yes" if facts.mood >= 0 else "no"
    found = closest_code(facts.outcome, words) if words else None
    return codes[0] if found is None else found


def _items(name: str, schema: Mapping[str, Any], facts: _Facts, root: Mapping[str, Any]) -> list[Any]:
    inner = schema.get("items") or {}
    keys = _listed_keys(inner, facts.text)
    if keys:
        key_name, codes = keys
        return [_value(name, inner, facts, root) | {key_name: code} for code in codes]
    least = int(schema.get("minItems", 1 if facts.intents else 0))
    return [_value(name, inner, facts, root) for _ in range(least)]


def _listed_keys(inner: Mapping[str, Any], text: str) -> tuple[str, list[Any]] | None:
    """A checklist's answers name their question: one answer for each question that the schema allows."""
    properties = inner.get("properties") or {}
    for key in ("key", "id", "code", "question", "item", "criterion"):
        codes = (properties.get(key) or {}).get("enum")
        if codes:
            return key, list(codes)
    return None


def _number(name: str, schema: Mapping[str, Any], facts: _Facts, kind: str) -> float:
    low, high = float(schema.get("minimum", 0)), float(schema.get("maximum", 0))
    if high <= low:
        low, high = (-1.0, 1.0) if re.search(r"sentiment|mood", name) else (0.0, 100.0 if "score" in name else 1.0)
    value = low + (high - low) * (facts.mood + 1) / 2
    return round(value) if kind == "integer" else round(value, 2)


def _text(name: str, schema: Mapping[str, Any], facts: _Facts) -> str:
    form = schema.get("format")
    if form == "date":
        return "2026-11-23"
    if form == "date-time":
        return "2026-11-23T15:00:00"
    if re.search(r"lang", name, re.IGNORECASE):
        return facts.language
    if re.search(r"outcome|result|disposition", name, re.IGNORECASE):
        return facts.outcome.replace("_", " ")
    if re.search(r"quote|evidence|words|said", name, re.IGNORECASE):
        return facts.words
    most = int(schema.get("maxLength", 400))
    return facts.summary[:most] if facts.words else "—"[:most]
