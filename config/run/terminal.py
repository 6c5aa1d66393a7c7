"""What a person sees: coloured prefixes, everything in log files, and on the terminal what is worth a look."""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

LOG_LIMIT_BYTES = 20_000_000
_COLOURS = (36, 32, 35, 34, 33, 96, 92, 95)
_ROUTINE = re.compile(r"\b(DEBUG|INFO)\b", re.IGNORECASE)
_NUMBERS = re.compile(r"[0-9a-f-]{8,}|\d+")
_NOT_SHOWN = {"timestamp", "logger"}
REPEAT_AFTER_S = 60
_NOTEWORTHY_LEVELS = {"warning", "error", "critical"}


class Terminal:
    """Prints lines; goes silent instead of failing when the terminal has gone away."""

    def __init__(self, *, show_everything: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._show_everything = show_everything
        self._colour = sys.stdout.isatty()
        self._names: list[str] = []
        self._said_at: dict[tuple[str, str], float] = {}
        self._clock = clock
        self._gone = False
        self._relaying = True

    def say(self, text: str) -> None:
        """A line of our own."""
        self._print(f"\033[1m==> {text}\033[0m" if self._colour else f"==> {text}")

    def plain(self, text: str) -> None:
        self._print(text)

    def relay(self, name: str, line: str) -> None:
        """A line that a process wrote; routine ones stay in its log file."""
        shown = line if self._show_everything else noteworthy(line) if self._relaying else None
        if shown is None or (not self._show_everything and self._is_repeated(name, shown)):
            return
        if name not in self._names:
            self._names.append(name)
        prefix = f"{name:>7} | "
        if self._colour:
            prefix = f"\033[{_COLOURS[self._names.index(name) % len(_COLOURS)]}m{prefix}\033[0m"
        self._print(prefix + shown)

    def stop_relaying(self) -> None:
        """While everything is being stopped, processes complain about each other; that goes to the log files only."""
        self._relaying = False

    def _is_repeated(self, name: str, text: str) -> bool:
        """Whether the process said this, numbers aside, in the last minute: once is enough for a person."""
        key, now = (name, _NUMBERS.sub("0", text)), self._clock()
        before = self._said_at.get(key)
        if before is not None and now - before < REPEAT_AFTER_S:
            return True
        self._said_at[key] = now
        return False

    def _print(self, text: str) -> None:
        if self._gone:
            return
        try:
            print(text, flush=True)
        except OSError:
            self._gone = True


def noteworthy(line: str) -> str | None:
    """The line as a person should see it; None if it is routine.

    JSON events are shown from warning up, on one line; other lines (tracebacks, a server's own words) unless they say
    INFO or DEBUG. The whole of it is in the log file.
    """
    if not line.startswith("{"):
        return None if not line.strip() or _ROUTINE.search(line) else line
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or str(event.get("level", "")).lower() not in _NOTEWORTHY_LEVELS:
        return None
    level, what = event.pop("level"), _first_line(event.pop("event", ""))
    why = str(event.pop("exception", "")).strip().rpartition("\n")[2]
    facts = " ".join(f"{key}={_first_line(value)}" for key, value in event.items() if key not in _NOT_SHOWN)
    return " ".join(part for part in (f"{level}: {what}", facts, f"({why})" if why else "") if part)


def _first_line(value: object) -> str:
    return str(value).partition("\n")[0][:200]


class LogFile:
    """A process's whole output; the one before it is kept as NAME.log.1 once it is too long."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("ab", buffering=0)

    def write(self, line: bytes) -> None:
        if self._file.tell() > LOG_LIMIT_BYTES:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("ab", buffering=0)
        self._file.write(line + b"\n")

    def close(self) -> None:
        self._file.close()
