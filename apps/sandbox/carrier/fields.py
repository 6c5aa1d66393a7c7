"""Reading the JSON that the control interface is given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web

from apps.sandbox.carrier.records import Carrier

_E164 = re.compile(r"\+[1-9]\d{6,14}")


class BadRequest(ValueError):
    """The control interface was given something it cannot use."""


async def read_json(request: web.Request) -> dict[str, object]:
    """The object in a request's body; raises BadRequest."""
    try:
        data = await request.json()
    except json.JSONDecodeError as error:
        raise BadRequest(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadRequest("a JSON object is wanted")
    return data


def text(data: Mapping[str, object], name: str) -> str:
    """Empty if it is not given."""
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be text")
    return value


def carrier(data: Mapping[str, object]) -> Carrier | None:
    """None if it is not given."""
    value = text(data, "carrier")
    if value not in {"", "twilio", "telnyx"}:
        raise BadRequest("carrier must be twilio or telnyx")
    return None if not value else "telnyx" if value == "telnyx" else "twilio"


def number(data: Mapping[str, object], name: str) -> str:
    value = text(data, name)
    if _E164.fullmatch(value) is None:
        raise BadRequest(f"{name} must be a number in E.164")
    return value


def url(data: Mapping[str, object], name: str) -> str:
    """Empty if it is not given."""
    value = text(data, name)
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or " " in value):
        raise BadRequest(f"{name} is not a valid URL: {value}")
    return value
