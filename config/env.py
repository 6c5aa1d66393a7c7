"""Read the environment: one function per kind, and a bad value stops the start.

Any name may also be given as ``NAME_FILE``, the path of a file that holds the value (Docker and Kubernetes secrets).
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def env_str(name: str, default: str | None = None) -> str:
    """The value of NAME, else the content of the file NAME_FILE names, else the default.

    Raises ImproperlyConfigured if neither is set and there is no default, or the file cannot be read.
    """
    if name in os.environ:
        return os.environ[name]
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}.") from error
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set. Set {name}, or {name}_FILE to a file that holds it.")
    return default


def env_secret(name: str) -> str:
    """As env_str, but an empty value stops the start: a secret has no default."""
    value = env_str(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is empty. A secret needs a value.")
    return value


def env_int(name: str, default: int) -> int:
    """A whole number. Raises ImproperlyConfigured for anything else."""
    raw = env_str(name, str(default))
    try:
        return int(raw)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from error


def env_bool(name: str, default: bool) -> bool:
    """1/true/yes/on or 0/false/no/off. Raises ImproperlyConfigured for anything else."""
    raw = env_str(name, "1" if default else "0").strip().lower()
    if raw in _TRUE:
        return True
    if raw in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}.")


def env_list(name: str, default: str = "") -> list[str]:
    """Comma-separated values, blanks dropped."""
    return [item.strip() for item in env_str(name, default).split(",") if item.strip()]
