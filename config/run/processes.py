"""Run the processes of a Procfile: start, watch, start again after a crash, stop all of them and all they started."""

import asyncio
import contextlib
import os
import shlex
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.run import pidfile
from config.run.layout import Layout
from config.run.problem import Problem
from config.run.terminal import LogFile, Terminal

STOP_GRACE_S = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1, 30
STEADY_AFTER_S = 60  # one that ran this long has earned the short pause again
MAX_FAILED_STARTS = 3
_LONGEST_LINE = 1_000_000


@dataclass(frozen=True, slots=True)
class Process:
    """A line of the Procfile.

    command: for /bin/sh. ready: true once it does its work; None if nobody can ask it.
    """

    name: str
    command: str
    ready: Callable[[], Awaitable[bool]] | None = None


def read_procfile(path: Path) -> dict[str, str]:
    """Name → command, in the order of the file. Raises Problem for a line that is not `name: command`."""
    commands = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not command.strip():
            raise Problem(f"{path.name}, line {number}: expected `name: command`.")
        commands[name.strip()] = command.strip()
    return commands


class Supervisor:
    """Keeps processes running until it is told to stop.

    Every process leads a session of its own, so Ctrl-C reaches only us and we stop them in order.
    """

    def __init__(self, layout: Layout, environment: Mapping[str, str], terminal: Terminal, *, cwd: Path) -> None:
        self._layout = layout
        self.environment = dict(environment)
        self._terminal = terminal
        self._cwd = cwd
        self._stopping = asyncio.Event()
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._ready: set[str] = set()

    @property
    def stopping(self) -> asyncio.Event:
        return self._stopping

    async def run_once(self, name: str, command: str) -> None:
        """Run a command to its end. Raises Problem if it fails; ends it early when we are told to stop."""
        process, log = await self._spawn(name, command)
        try:
            last = await self._follow(name, process, log)
            code = await process.wait()
        finally:
            await self._finish(name, process, log)
        if code != 0 and not self._stopping.is_set():
            raise Problem(f"{name} failed: {last or f'exit code {code}'} (all of it: {self._log_path(name)})")

    async def keep(self, process: Process) -> None:
        """Run a process until we stop; start it again, after a growing pause, whenever it ends by itself.

        Raises Problem when it fails several times without ever having worked.
        """
        pause_s, failures = float(FIRST_PAUSE_S), 0
        while not self._stopping.is_set():
            started = time.monotonic()
            child, log = await self._spawn(process.name, process.command)
            watcher = asyncio.create_task(self._watch_readiness(process))
            try:
                last = await self._follow(process.name, child, log)
                code = await child.wait()
            finally:
                watcher.cancel()
                await self._finish(process.name, child, log)
            if self._stopping.is_set():
                return
            failures += 1
            if process.name not in self._ready and failures >= MAX_FAILED_STARTS:
                raise Problem(f"{process.name} does not start: {last} (all of it: {self._log_path(process.name)})")
            if time.monotonic() - started > STEADY_AFTER_S:
                pause_s = FIRST_PAUSE_S
            self._terminal.say(f"{process.name} {_how_it_ended(code)}; starting it again in {pause_s:g} s.")
            await self.pause(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def until_ready(self, processes: list[Process], timeout_s: float) -> list[str]:
        """Wait until all do their work, or we stop, or the time is up; the names of those that do not."""
        deadline = time.monotonic() + timeout_s
        wanted = [process.name for process in processes if process.ready is not None]
        while time.monotonic() < deadline and not self._stopping.is_set():
            if self._ready.issuperset(wanted):
                return []
            await self.pause(0.1)
        return [name for name in wanted if name not in self._ready]

    async def pause(self, seconds: float) -> None:
        """Sleep, but not longer than until we are told to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def stop(self, *, last: Collection[str] = ()) -> None:
        """Ask every process group to end, kill what does not, and leave nothing behind.

        last: names of those that the others still need while they tidy up.
        """
        self._stopping.set()
        self._terminal.stop_relaying()
        first = [child for name, child in self._running.items() if name not in last]
        await _end(first)
        await _end([child for child in self._running.values() if child not in first])

    def kill(self) -> None:
        for child in self._running.values():
            _signal_group(child, signal.SIGKILL)

    async def _spawn(self, name: str, command: str) -> tuple[asyncio.subprocess.Process, LogFile]:
        words = f"exec {command}" if _is_simple(command) else command
        child = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            cwd=self._cwd,
            env=self.environment,
        )
        self._running[name] = child
        pidfile.remember(self._layout.pids / f"{name}.json", child.pid)
        if self._stopping.is_set():  # told to stop while the fork was under way
            _signal_group(child, signal.SIGTERM)
        return child, LogFile(self._log_path(name))

    async def _finish(self, name: str, child: asyncio.subprocess.Process, log: LogFile) -> None:
        """The leader is gone, or we are: whatever it started in its session goes with it."""
        _signal_group(child, signal.SIGKILL)
        await child.wait()
        log.close()
        self._running.pop(name, None)
        pidfile.forget(self._layout.pids / f"{name}.json")

    async def _follow(self, name: str, child: asyncio.subprocess.Process, log: LogFile) -> str:
        """Copy the output to log and terminal until the process ends; gives the last line with words in it.

        Ends with the process, not with the pipe: something it left running in the background may hold that open.
        """
        last = [""]

        async def copy() -> None:
            pending = b""
            while child.stdout is not None and (chunk := await child.stdout.read(65536)):
                *lines, pending = (pending + chunk).split(b"\n")
                if len(pending) > _LONGEST_LINE:
                    lines, pending = [*lines, pending], b""
                for line in lines:
                    log.write(line)
                    text = line.decode(errors="replace").rstrip()
                    last[0] = text.strip()[-300:] or last[0]
                    self._terminal.relay(name, text)

        copying = asyncio.create_task(copy())
        try:
            await child.wait()
            await asyncio.wait([copying], timeout=1)
        finally:
            copying.cancel()
        return last[0]

    async def _watch_readiness(self, process: Process) -> None:
        while process.ready is not None and process.name not in self._ready:
            if await process.ready():
                self._ready.add(process.name)
                return
            await asyncio.sleep(0.1)

    def _log_path(self, name: str) -> Path:
        return self._layout.logs / f"{name}.log"


async def port_answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens there."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def page_answers(port: int, path: str, host: str = "127.0.0.1") -> bool:
    """Whether a GET of the path is answered with 200."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            status = await asyncio.wait_for(reader.readline(), 5)
        finally:
            writer.close()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in status


def _is_simple(command: str) -> bool:
    """Whether /bin/sh may become the command itself, so that signals and exit codes are the process's own."""
    try:
        tokens = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    except ValueError:
        return False
    return not any(token and set(token) <= set("&|;()<>") for token in tokens)


async def _end(children: Sequence[asyncio.subprocess.Process]) -> None:
    for child in children:
        _signal_group(child, signal.SIGTERM)
    if children:
        await asyncio.wait([asyncio.create_task(child.wait()) for child in children], timeout=STOP_GRACE_S)
    for child in children:
        _signal_group(child, signal.SIGKILL)


def _signal_group(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended by itself with code {code}"
