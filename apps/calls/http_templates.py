"""What a custom HTTP tool is made of, checked and filled in; pure.

Arguments come from a model that a stranger talks to: they are checked against the tool's JSON schema, and reach the
path and the query of the address only, written so that none can leave its place.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

MAX_RESULT = 2_000
_MAX_VALUE = 300
_MAX_SCHEMA = 8_000
_MAX_STRING = 2_000
_PLACE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_PATH = re.compile(r"[A-Za-z0-9_.-]{1,120}")
# Regular expressions of a schema would run while people talk, and some never come to an end.
_FORBIDDEN = ("pattern", "patternProperties", "$ref", "$dynamicRef", "$recursiveRef", "$id", "$anchor")


class BadTool(ValueError):
    """A tool that cannot be used as it is. field: of the form; the message says what is wrong, in English."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BadToolArguments(ValueError):
    """Arguments that do not fit the schema; the message tells the model what to change."""


def check_schema(schema: object) -> None:
    """Raises BadTool unless it is a JSON schema of an object that can be checked in no time."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise BadTool("parameters", 'The schema must be of an object: {"type": "object", "properties": {…}}.')
    if len(json.dumps(schema)) > _MAX_SCHEMA:
        raise BadTool("parameters", "The schema is too long.")
    for key in _keys(schema):
        if key in _FORBIDDEN:
            raise BadTool("parameters", f"“{key}” is not supported here.")
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or not all(_NAME.fullmatch(name) for name in properties):
        raise BadTool("parameters", "Names of arguments are letters, digits and underscores.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise BadTool("parameters", f"Not a JSON schema: {error.message[:200]}") from error


def _keys(node: object, *, is_names: bool = False) -> list[str]:
    """Every keyword of a schema; what stands directly under ``properties`` are names, not keywords."""
    if isinstance(node, list):
        return [key for part in node for key in _keys(part)]
    if not isinstance(node, dict):
        return []
    mine = [] if is_names else list(node)
    return mine + [
        key
        for name, part in node.items()
        if is_names or name not in {"enum", "const", "default", "examples"}
        for key in _keys(part, is_names=name == "properties" and not is_names)
    ]


def check_url(template: str, schema: Mapping[str, Any], *, private_hosts: tuple[str, ...] = ()) -> None:
    """Raises BadTool unless it is an address in which only path and query depend on arguments."""
    parts = urlsplit(template)
    try:
        port = parts.port
    except ValueError as error:
        raise BadTool("url", "The port is not a number.") from error
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and host in private_hosts):
        raise BadTool("url", "The address must begin with https://.")
    if not host or "{" in parts.netloc or "@" in parts.netloc or port == 0:
        raise BadTool("url", "The host must be written out, without a name or password before it.")
    if parts.fragment:
        raise BadTool("url", "What follows # is never sent.")
    if any(not sign.isprintable() or sign.isspace() for sign in template):
        raise BadTool("url", "The address has a blank in it.")
    rest = _PLACE.sub("", parts.path + "?" + parts.query)
    if "{" in rest or "}" in rest:
        raise BadTool("url", "A brace is not closed.")
    required = set(schema.get("required", []))
    for name in _PLACE.findall(template):
        if name not in schema.get("properties", {}):
            raise BadTool("url", f"{{{name}}} is not among the arguments.")
        if name not in required:
            raise BadTool("url", f"{{{name}}} must be a required argument, as it stands in the address.")


def check_success_text(template: str) -> None:
    """Raises BadTool where a {place} is no path into the answer."""
    for path in _PLACE.findall(template):
        if not _PATH.fullmatch(path):
            raise BadTool("success_text", f"{{{path}}} is not a path such as order.status or items.0.name.")


def check_arguments(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Raises BadToolArguments."""
    for text in _strings(arguments):
        if len(text) > _MAX_STRING:
            raise BadToolArguments("an argument is too long.")
    closed = {"additionalProperties": False, **schema}
    validator = Draft202012Validator(closed)
    try:
        validator.validate(arguments)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        raise BadToolArguments(f"{where}: {error.message}"[:300] if where else error.message[:300]) from error


def fill_url(template: str, arguments: Mapping[str, Any], *, method: str) -> tuple[str, dict[str, Any] | None]:
    """The address, and the arguments that go into the body (None: no body).

    Each argument is used once: in its {place}, else in the query of a request without a body, else in the body.
    Raises BadToolArguments for a value that would climb out of its place in the path.
    """
    places = set(_PLACE.findall(template))
    path, question, query = template.partition("?")
    filled = _PLACE.sub(lambda found: _segment(arguments[found[1]]), path)
    if question:
        filled += "?" + _PLACE.sub(lambda found: quote(_plain(arguments[found[1]]), safe=""), query)
    rest = {name: value for name, value in arguments.items() if name not in places}
    if method not in {"GET", "DELETE"}:
        return filled, rest
    if rest:
        pairs = urlencode({name: _plain(value) for name, value in rest.items()})
        filled += ("&" if question else "?") + pairs
    return filled, None


def _segment(value: object) -> str:
    text = _plain(value)
    if text.strip(".") == "" or any(sign in text for sign in "/\\") or not text.isprintable():
        raise BadToolArguments("an argument cannot stand in the address.")
    return quote(text, safe="")


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def read_answer(body: bytes, content_type: str, success_text: str, *, was_cut: bool) -> str:
    """What the model is told of an answer: the sentence filled in, or the data, cleaned and cut. Raises ValueError."""
    text = body.decode("utf-8", errors="replace")
    if not success_text:
        if content_type in {"text/html", "application/xhtml+xml"}:
            raise ValueError("a page, not data")
        return _clean(text)[:MAX_RESULT] + (" …" if was_cut or len(text) > MAX_RESULT else "")
    if was_cut:
        raise ValueError("longer than it may be")
    data = json.loads(text) if text.strip() else {}
    return _PLACE.sub(lambda found: _shown(_at(data, found[1])), success_text)[:MAX_RESULT]


def _at(data: object, path: str) -> object:
    for part in path.split("."):
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _clean(text)[:_MAX_VALUE]


def _clean(text: str) -> str:
    """On one line, without what cannot be seen."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _strings(node: object) -> list[str]:
    if isinstance(node, str):
        return [node]
    if isinstance(node, Mapping):
        return [text for name, part in node.items() for text in (str(name), *_strings(part))]
    if isinstance(node, list):
        return [text for part in node for text in _strings(part)]
    return []
