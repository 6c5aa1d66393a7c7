"""The whole product as separate processes, for tests that look at it from outside or kill parts of it.

A ``Stack`` runs every line of the Procfile, the sandbox's carrier and voice AI, and its own PostgreSQL and Redis,
with all their files below one directory; each worker of pytest-xdist has its own. Inside ``with stack.connected():``
the test's own ORM, cache and Celery speak to it too (with pytest-django's ``django_db_blocker.unblock()`` around it).
``show_logs_of_failure`` is for a conftest.
"""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import dj_database_url
import psutil
import psycopg
import pytest
import redis
from celery import Celery
from celery.app import app_or_default
from django.conf import settings
from django.db import connections
from django.test import override_settings

from config.run import checks, pidfile, secrets_store, services
from config.run.environment import Switches, application_environment
from config.run.layout import ROOT, Layout
from config.run.processes import read_procfile
from config.run.terminal import noteworthy

PRODUCT = ("web", "media", "worker", "beat")
SANDBOX = ("carrier", "ai")
SERVERS = ("postgres", "redis")
READY_S = 90.0
STOP_S = 8.0
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
_LINES_SHOWN = 25


T = TypeVar("T")


class StackError(AssertionError):
    """A process did not do what it was started for."""


class Stack:
    """name: of its directory. speed: sandbox seconds per real second. cps: calls dialled per real second at most.

    durable: False for servers that nobody kills, they need not write to disk. environment: what an operator might set
    besides, for all processes.
    """

    def __init__(
        self,
        name: str,
        *,
        speed: float = 1.0,
        cps: float = 50.0,
        durable: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        self.layout = Layout.from_environment().child(f"{name}-{worker}" if worker else name)
        web, media, carrier, ai, ai_tls = (checks.free_port() for _ in range(5))
        self.switches = Switches(web, media, carrier, ai, ai_tls, sandbox=True, demo=True, show_logs=False)
        self.origin = f"http://127.0.0.1:{web}"
        self.environment: dict[str, str] = {}
        self._given = {variable: os.environ[variable] for variable in _PASSED_ON if variable in os.environ}
        self._given |= {"SANDBOX_SPEED": f"{speed:g}", "PYTHONWARNINGS": "ignore:You're running the worker"}
        self._given |= environment or {}
        self._speed, self._cps = speed, cps
        commands = read_procfile(ROOT / "Procfile")
        self._release = commands.pop("release")
        self._commands = commands | {
            "carrier": f"python -m apps.sandbox.carrier --port {carrier}",
            "ai": f"python -m apps.sandbox.voice_ai --port {ai} --tls-port {ai_tls}",
        }
        self._health = {
            "web": f"{self.origin}/readyz",
            "media": f"http://127.0.0.1:{media}/readyz",
            "carrier": f"http://127.0.0.1:{carrier}/healthz",
            "ai": f"http://127.0.0.1:{ai}/healthz",
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._postgres = services.Postgres(self.layout, durable=durable)
        self._redis = services.Redis(self.layout, durable=durable)
        self._endpoints = services.Endpoints("", "")

    # ── All of it ───────────────────────────────────────────────────────────────────────────────────────────
    @contextlib.contextmanager
    def running(self) -> Iterator["Stack"]:
        """Everything up on an empty database, everything down afterwards, whatever happened in between."""
        self.layout.create()
        with checks.only_one(self.layout.lock):
            self._end_left_overs()
            try:
                self._start()
                yield self
            finally:
                self.stop()

    def _start(self) -> None:
        try:
            self._start_servers()
            for name in SANDBOX:
                self.start(name)
            self.run(self._release)
            for name in PRODUCT:
                self.start(name)
            self.wait_until_ready()
        except Exception as error:
            for title, text in self.complaints():
                error.add_note(f"{title}\n{text}")
            raise

    def stop(self) -> None:
        """The product first, then what it needs while it tidies up."""
        for names in (PRODUCT, SANDBOX):
            self._end([name for name in names if name in self._running])
        self._redis.stop()
        self._postgres.stop()

    def wait_until_ready(self, timeout_s: float = READY_S) -> None:
        """Until all probes say yes: the web process's one answers for the database, Redis, beat and a worker."""
        for name, url in self._health.items():
            wait_for(lambda url=url: _answers(url), f"{name} is ready", timeout_s=timeout_s, failing=self._look)  # type: ignore[misc]

    # ── One process ─────────────────────────────────────────────────────────────────────────────────────────
    def start(self, name: str) -> None:
        """Start it, or start it again; does not wait until it is ready."""
        if name in SERVERS:
            (self._postgres if name == "postgres" else self._redis).start()
            return
        self._take_in(name, self._spawn(name, f"{self._commands[name]}{self._pace(name)}"))

    def kill(self, name: str) -> None:
        """SIGKILL it and all it started; returns when none of them is left."""
        if name == "postgres":
            _let_go()  # our own connection is not what is tested
        leader = pidfile.left_over(self.layout.pids / f"{name}.json")
        assert leader is not None, f"{name} is not running"
        family = [leader, *leader.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if name in SERVERS:
            server = self._postgres if name == "postgres" else self._redis
            wait_for(lambda: server.exit_code() is not None, f"{name} is gone")
        else:
            self._running.pop(name).wait()
        psutil.wait_procs(family, timeout=5)

    def hand_over_media(self) -> None:
        """SIGKILL the media process while another one stands ready in its place.

        Calls wait ten seconds for it, and on a busy machine the start of a process may take longer.
        """
        place = self.layout.var / "media-successor"
        for mark in ("ready", "go"):
            place.with_suffix(f".{mark}").unlink(missing_ok=True)
        successor = self._spawn("media", f"python -m tests.successor {place} {self._commands['media']}")
        try:
            wait_for(place.with_suffix(".ready").exists, "the successor stands ready", timeout_s=READY_S)
            self.kill("media")
        except BaseException:
            successor.kill()
            raise
        self._take_in("media", successor)
        place.with_suffix(".go").touch()

    @contextlib.contextmanager
    def sandbox_at(self, speed: float) -> Iterator[None]:
        """Start the sandbox anew, living at another speed, for as long as the block runs; it forgets its calls."""
        before = self._speed
        try:
            self._speed = speed
            self._restart_sandbox()
            yield
        finally:
            self._speed = before
            self._restart_sandbox()

    def revive(self) -> list[str]:
        """Start again what has ended by itself, as a supervisor would; gives the names."""
        ended = [name for name, process in self._running.items() if process.poll() is not None]
        for name in ended:
            self.start(name)
        return ended

    def run(self, command: str) -> str:
        """Run a command line in the product's environment, to its end; gives its output."""
        done = subprocess.run(
            ["/bin/sh", "-c", command], capture_output=True, text=True, cwd=ROOT, env=self.environment, check=False
        )
        if done.returncode != 0:
            raise StackError(f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def manage(self, *words: str) -> str:
        return self.run(f"python manage.py {shlex.join(words)}")

    # ── From the test's own process ─────────────────────────────────────────────────────────────────────────
    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Point this process's ORM, cache, channel layer and Celery at the stack for as long as the block runs."""
        mine: Any = connections["default"].settings_dict
        before = dict(mine)
        theirs: dict[str, Any] = {**dj_database_url.parse(self._endpoints.database_url)}
        caches = {"default": {**settings.CACHES["default"], "LOCATION": self._endpoints.redis_url}}
        layer: dict[str, Any] = settings.CHANNEL_LAYERS["default"]
        layers = {"default": {**layer, "CONFIG": {**layer["CONFIG"], "hosts": [self._endpoints.redis_url]}}}
        celery_before = app_or_default()
        try:
            _let_go()
            mine.update({name: theirs[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")})
            with (
                override_settings(CACHES=caches, CHANNEL_LAYERS=layers, CELERY_BROKER_URL=self._endpoints.redis_url),
                contextlib.closing(Celery("stack", set_as_current=False)) as celery,
            ):
                celery.config_from_object("django.conf:settings", namespace="CELERY", force=True)
                celery.set_current()
                yield
        finally:
            celery_before.set_current()
            _let_go()
            mine.clear()
            mine.update(before)

    def logins(self) -> dict[str, dict[str, str]]:
        """The demo's people: user name → role and password."""
        return secrets_store.demo_logins(self.layout)

    def carrier(self, path: str, data: object = None, *, method: str = "") -> Any:
        """Ask the sandbox carrier's own interface (``/_sandbox/…``); data is sent as JSON."""
        url = f"http://127.0.0.1:{self.switches.carrier_port}/_sandbox/{path}"
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(url, body, method=method or ("GET" if body is None else "POST"))
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def noteworthy_lines(self, name: str) -> list[str]:
        """What the process logged from warning up, tracebacks included."""
        log = self._log(name)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        return [shown for line in lines if (shown := noteworthy(line)) is not None]

    def complaints(self) -> list[tuple[str, str]]:
        """The last of what each process complained about, with a title; none for one that did not."""
        found = {name: self.noteworthy_lines(name)[-_LINES_SHOWN:] for name in (*PRODUCT, *SANDBOX, *SERVERS)}
        return [(f"{name} (all of it: {self._log(name)})", "\n".join(lines)) for name, lines in found.items() if lines]

    # ── Inside ──────────────────────────────────────────────────────────────────────────────────────────────
    def _spawn(self, name: str, command: str) -> subprocess.Popen[bytes]:
        with self._log(name).open("ab") as log:
            return subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=ROOT,
                env=self.environment,
            )

    def _take_in(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self._running[name] = process
        pidfile.remember(self.layout.pids / f"{name}.json", process.pid)

    def _pace(self, name: str) -> str:
        if name not in SANDBOX:
            return ""
        cps = f" --cps {self._cps / self._speed:g}" if name == "carrier" else ""
        return f" --speed {self._speed:g}{cps}"

    def _restart_sandbox(self) -> None:
        for name in SANDBOX:
            self.kill(name)
            self.start(name)
        self.wait_until_ready()

    def _log(self, name: str) -> Path:
        return self.layout.logs / f"{name}.log"

    def _end_left_overs(self) -> None:
        for path in sorted(self.layout.pids.glob("*.json")):
            pidfile.end_left_over(path, first=signal.SIGKILL)
        for name in self._commands:
            self._log(name).unlink(missing_ok=True)

    def _start_servers(self) -> None:
        self._endpoints = services.Endpoints(self._postgres.start(), self._redis.start())
        base, _, database = self._endpoints.database_url.rpartition("/")
        with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{database}"')
        with redis.Redis.from_url(self._endpoints.redis_url) as client:
            client.flushall()
        secrets_store.demo_logins(self.layout)
        self.environment = application_environment(
            self.layout, self.switches, self._endpoints, settings="config.settings.local", given=self._given
        )
        here = Path(sys.executable).parent
        self.environment["PATH"] = f"{here}{os.pathsep}{self.environment.get('PATH', os.defpath)}"

    def _look(self) -> None:
        """Raises StackError if a process has ended by itself."""
        for name, process in self._running.items():
            if (code := process.poll()) is not None:
                last = "\n".join(self.noteworthy_lines(name)[-_LINES_SHOWN:])
                raise StackError(f"{name} ended by itself with code {code}:\n{last}")

    def _end(self, names: list[str]) -> None:
        for name in names:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._running[name].pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for name in names:
            process = self._running.pop(name)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            pidfile.forget(self.layout.pids / f"{name}.json")


def wait_for(
    condition: Callable[[], T], what: str, *, timeout_s: float = 30.0, failing: Callable[[], None] | None = None
) -> T:
    """Ask until the answer is true, and give it. failing: asked too, raises if waiting has become pointless."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        if failing is not None:
            failing()
        if time.monotonic() > deadline:
            raise StackError(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(0.2)
    return answer


def show_logs_of_failure(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add what the processes of a failed test's ``stack`` complained about; for pytest_runtest_makereport."""
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.extend(stack.complaints())


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _let_go() -> None:
    """Close the connection and its pool: the next query opens them anew, wherever the settings then say."""
    connections["default"].close()
    connections["default"].close_pool()  # type: ignore[attr-defined]  # of PostgreSQL's backend
