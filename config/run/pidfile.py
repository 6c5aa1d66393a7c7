"""Remember which processes a run started, so that the next one can end what a killed run left behind."""

import contextlib
import json
import os
import signal
from pathlib import Path

import psutil


def remember(path: Path, pid: int) -> None:
    """Write pid and start time; together they name one process even after pids wrap round."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return  # it died at once; its parent notices that by itself
    path.write_text(json.dumps({"pid": pid, "started": started}), encoding="utf-8")


def forget(path: Path) -> None:
    path.unlink(missing_ok=True)


def left_over(path: Path) -> psutil.Process | None:
    """The process a pid file names, if that very process still lives; a stale file is removed."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        process = psutil.Process(int(record["pid"]))
        if abs(process.create_time() - float(record["started"])) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
        pass
    forget(path)
    return None


def end_left_over(path: Path, *, first: signal.Signals = signal.SIGTERM, grace_s: float = 10) -> bool:
    """End the process group a pid file names: `first`, then SIGKILL after the grace. True if one was running."""
    process = left_over(path)
    if process is None:
        return False
    end_group(process, first=first, grace_s=grace_s)
    forget(path)
    return True


def end_group(process: psutil.Process, *, first: signal.Signals = signal.SIGTERM, grace_s: float = 10) -> None:
    """Signal a process we started in a session of its own, with all it started; kill what outlives the grace."""
    family = [process]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += process.children(recursive=True)
    _signal(process, first)
    _, alive = psutil.wait_procs(family[:1], timeout=grace_s)
    _signal(process, signal.SIGKILL)
    for other in alive + family[1:]:
        with contextlib.suppress(psutil.NoSuchProcess):
            other.kill()
    psutil.wait_procs(family, timeout=5)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    """To the whole group where the process leads one, else to it alone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
