"""Whether the release phase has anything to do: a second start of the same code on the same database need not wait."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import psycopg

from config.run.layout import ROOT, Layout

_PASSING = {"DATABASE_URL", "REDIS_URL", "LOGS", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKE_TERMOUT", "MAKE_TERMERR"}
_PASSING |= {"SHLVL", "OLDPWD", "PWD", "WINDOWID", "TERM_SESSION_ID", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY", "_"}


def is_done(layout: Layout, environment: Mapping[str, str]) -> bool:
    """Whether it was completed for this code, these settings and the database as it is now."""
    try:
        return _stamp(layout).read_text(encoding="utf-8") == _fingerprint(environment)
    except OSError:
        return False


def note_done(layout: Layout, environment: Mapping[str, str]) -> None:
    _stamp(layout).write_text(_fingerprint(environment), encoding="utf-8")


def _stamp(layout: Layout) -> Path:
    return layout.var / "released"


def _fingerprint(environment: Mapping[str, str]) -> str:
    """Of all that migrations and system checks look at; a difference only means that they run once more."""
    digest = hashlib.sha256()
    for folder in ("apps", "config", "requirements", "locale", "templates"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".txt", ".po", ".html"}:
                status = path.stat()
                digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    digest.update((ROOT / "Procfile").read_bytes())
    for name in sorted(environment.keys() - _PASSING):
        digest.update(f"{name}={environment[name]}\n".encode(errors="surrogateescape"))
    for application, name in _applied(environment["DATABASE_URL"]):
        digest.update(f"{application}.{name}\n".encode())
    return digest.hexdigest()


def _applied(database_url: str) -> list[tuple[str, str]]:
    """The migrations that the database has; none if it is new, or not to be had (the release will say why)."""
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            return connection.execute("SELECT app, name FROM django_migrations ORDER BY id").fetchall()
    except psycopg.Error:
        return []
