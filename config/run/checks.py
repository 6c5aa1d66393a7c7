"""What may stand in the way of a run, each found early and told in one line."""

import contextlib
import fcntl
import os
import random
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from config.run.problem import Problem

NEEDED_MB = 300
# Below those that systems lend to outgoing connections: one of these could take the port before its server does.
_OURS = range(12_000, 32_000)


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now; a socket lingering from an earlier run does not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free_port(name: str, port: int, host: str = "127.0.0.1") -> None:
    if not 0 < port < 65536:
        raise Problem(f"{name}={port} is not a port number. Use one between 1024 and 65535.")
    if not port_is_free(port, host):
        raise Problem(
            f"Port {port} is in use by another program. Stop that program, or choose another port: "
            f"make run {name}={port + 100}"
        )


def free_port() -> int:
    """A loopback port that nobody listens on. Two that ask at the same time hardly get the same one."""
    chance = random.SystemRandom()
    while not port_is_free(port := chance.choice(_OURS)):
        pass
    return port


def require_disk_space(path: Path, *, needed_mb: int = NEEDED_MB) -> None:
    free_mb = shutil.disk_usage(path).free // 2**20
    if free_mb < needed_mb:
        raise Problem(f"Only {free_mb} MB are free on the disk of {path}; {needed_mb} MB are needed. Free some space.")


@contextlib.contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold a lock for as long as this process lives; the kernel drops it even after kill -9.

    Raises Problem if another live process holds it.
    """
    handle = _locked(lock)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def is_held(lock: Path) -> bool:
    """Whether a live process is inside ``only_one`` with this lock."""
    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _locked(lock: Path) -> int:
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(lock)):
                return handle  # else the holder before us took the file away between our open and our lock
        except FileNotFoundError:
            pass
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise Problem(
                f"Already running from {lock.parent} (process {holder}). Stop that one first, "
                "or set VAR_DIR and the ports to run a second one beside it."
            ) from None
        os.close(handle)
