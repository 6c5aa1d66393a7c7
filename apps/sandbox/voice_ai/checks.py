"""Small checkers for client JSON that refuse in the words of the real API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], Any]
"""(value, path) to the value to keep; raises Refused."""


class Refused(Exception):
    """A client event cannot be taken; becomes an `error` event and leaves the session open."""

    def __init__(self, message: str, *, code: str | None = "invalid_value", param: str | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.param = message, code, param


_NAMES: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def wrong_type(value: Any, path: str, wanted: str) -> Refused:
    got = _NAMES.get(type(value), "something else")
    return Refused(
        f"Invalid type for '{path}': expected {wanted}, but got {got} instead.", code="invalid_type", param=path
    )


def string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(value, path, "a string")
    return value


def boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(value, path, "a boolean")
    return value


def anything(value: Any, path: str) -> Any:
    return value


def an_object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong_type(value, path, "an object")
    return value


def number(low: float, high: float) -> Check:
    def check(value: Any, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(value, path, "a decimal")
        _within(value, path, low, high, "decimal")
        return float(value) if isinstance(value, float) else int(value)

    return check


def integer(low: int, high: int) -> Check:
    def check(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(value, path, "an integer")
        _within(value, path, low, high, "integer")
        return int(value)

    return check


def _within(value: float, path: str, low: float, high: float, kind: str) -> None:
    if value < low:
        raise Refused(
            f"Invalid '{path}': {kind} below minimum value. Expected a value >= {low}, but got {value} instead.",
            code=f"{kind}_below_min_value",
            param=path,
        )
    if value > high:
        raise Refused(
            f"Invalid '{path}': {kind} above maximum value. Expected a value <= {high}, but got {value} instead.",
            code=f"{kind}_above_max_value",
            param=path,
        )


def one_of(*values: Any) -> Check:
    def check(value: Any, path: str) -> Any:
        if isinstance(value, bool) or value not in values:
            raise unsupported(value, path, values)
        return value

    return check


def unsupported(value: Any, path: str, values: tuple[Any, ...]) -> Refused:
    names = [f"'{name}'" for name in values]
    known = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, and {names[-1]}"
    return Refused(f"Invalid value: '{value}'. Supported values are: {known}.", param=path)


def nullable(inner: Check) -> Check:
    return lambda value, path: None if value is None else inner(value, path)


def either(*options: Check) -> Check:
    """The first option that takes the value; the last one's refusal when none does."""

    def check(value: Any, path: str) -> Any:
        for option in options[:-1]:
            try:
                return option(value, path)
            except Refused:
                continue
        return options[-1](value, path)

    return check


def listing(inner: Check) -> Check:
    def check(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise wrong_type(value, path, "an array")
        return [inner(entry, f"{path}[{n}]") for n, entry in enumerate(value)]

    return check


def record(fields: Mapping[str, Check], *required: str) -> Check:
    def check(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        prefix = f"{path}." if path else ""
        for name in value:
            if name not in fields:
                raise Refused(
                    f"Unknown parameter: '{prefix}{name}'.", code="unknown_parameter", param=f"{prefix}{name}"
                )
        for name in required:
            if name not in value:
                raise missing(f"{prefix}{name}")
        return {name: fields[name](inner, f"{prefix}{name}") for name, inner in value.items()}

    return check


def missing(path: str) -> Refused:
    return Refused(f"Missing required parameter: '{path}'.", code="missing_required_parameter", param=path)


def tagged(tag: str, variants: Mapping[str, Check]) -> Check:
    """A union of records told apart by one field."""

    def check(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        at = f"{path}.{tag}" if path else tag
        if tag not in value:
            raise missing(at)
        name = value[tag]
        if not isinstance(name, str) or name not in variants:
            raise unsupported(name, at, tuple(variants))
        return variants[name](value, path)

    return check
