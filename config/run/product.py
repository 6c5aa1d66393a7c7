"""`make run`: everything the Procfile names plus what a real installation has around it, until Ctrl-C."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from config.run import checks, pidfile, release, secrets_store, services
from config.run.environment import Switches, addresses_of_providers, application_environment
from config.run.layout import ROOT, Layout
from config.run.problem import Problem
from config.run.processes import Process, Supervisor, page_answers, port_answers, read_procfile
from config.run.terminal import Terminal

READY_TIMEOUT_S = 90


def run(_arguments: Sequence[str] = ()) -> int:
    """Everything up, until Ctrl-C, SIGTERM or a closed terminal. Gives the exit code."""
    started = time.monotonic()
    layout = Layout.from_environment()
    switches = Switches.from_environment(os.environ)
    terminal = Terminal(show_everything=switches.show_logs)
    layout.create()
    checks.require_disk_space(layout.var)
    with checks.only_one(layout.lock):
        for path in sorted(layout.pids.glob("*.json")):
            if path.stem not in services.PID_NAMES and pidfile.end_left_over(path, grace_s=5):
                terminal.say(f"Ended {path.stem}, left over from a run that was killed.")
        for name, port in switches.ports().items():
            checks.require_free_port(name, port)
        return asyncio.run(_run(layout, switches, terminal, started))


async def _run(layout: Layout, switches: Switches, terminal: Terminal, started: float) -> int:
    stopping = _StopSignals(terminal)
    terminal.say("Starting PostgreSQL and Redis.")
    async with _servers(layout) as (endpoints, servers):
        environment = application_environment(layout, switches, endpoints, settings="config.settings.local")
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
        if os.geteuid() == 0:  # Celery's advice against root is for servers
            environment["PYTHONWARNINGS"] = "ignore:You're running the worker"
        supervisor = Supervisor(layout, environment, terminal, cwd=ROOT)
        stopping.kill = supervisor.kill
        work = asyncio.create_task(_work(layout, switches, terminal, supervisor, servers, started))
        asked = asyncio.create_task(stopping.asked.wait())
        try:
            await asyncio.wait([work, asked], return_when=asyncio.FIRST_COMPLETED)
            await supervisor.stop(last=[process.name for process in _sandbox(switches)])
            await work  # raises the Problem that ended it, if there is one
        finally:
            asked.cancel()
    terminal.say("Stopped.")
    return 0


async def _work(
    layout: Layout,
    switches: Switches,
    terminal: Terminal,
    supervisor: Supervisor,
    servers: Sequence[services.Server],
    started: float,
) -> None:
    commands = read_procfile(ROOT / "Procfile")
    processes = _processes(commands, switches)
    around = _sandbox(switches)  # has no database to wait for
    try:
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(_watch(server, supervisor, terminal))
            for process in around:
                group.create_task(supervisor.keep(process))
            if not await asyncio.to_thread(release.is_done, layout, supervisor.environment):
                terminal.say("Preparing the database.")
                await supervisor.run_once("release", commands["release"])
                if _translations_are_stale(ROOT / "locale"):
                    await supervisor.run_once("release", "python manage.py messages compile")
                if supervisor.stopping.is_set():
                    return
                await asyncio.to_thread(release.note_done, layout, supervisor.environment)
            rings_nobody = _rings_the_sandbox(switches, supervisor.environment)
            if not rings_nobody and layout.demo_logins.exists():
                await supervisor.run_once("demo", "python manage.py seed_demo --pause")
            terminal.say(f"Starting {', '.join(process.name for process in processes + around)}.")
            for process in processes:
                group.create_task(supervisor.keep(process))
            if switches.demo:
                secrets_store.demo_logins(layout)
                await supervisor.run_once("demo", f"python manage.py seed_demo {'--start' if rings_nobody else ''}")
            late = await supervisor.until_ready(processes + around, READY_TIMEOUT_S)
            if late and not supervisor.stopping.is_set():
                terminal.say(f"Not answering yet: {', '.join(late)}. See {layout.logs}.")
            if not supervisor.stopping.is_set():
                for line in _banner(layout, switches, time.monotonic() - started, dials=rings_nobody):
                    terminal.plain(line)
    except BaseExceptionGroup as several:
        problems, other = several.split(Problem)
        if problems is None or other is not None:
            raise
        raise _first(problems) from None


def _translations_are_stale(locale: Path) -> bool:
    """Whether a catalogue was changed after it was last compiled."""
    return any(
        not (compiled := catalogue.with_suffix(".mo")).exists() or compiled.stat().st_mtime < catalogue.stat().st_mtime
        for catalogue in locale.glob("*/LC_MESSAGES/*.po")
    )


def _processes(commands: dict[str, str], switches: Switches) -> list[Process]:
    async def web_is_ready() -> bool:
        return await page_answers(switches.port, "/healthz")

    async def media_is_ready() -> bool:
        return await port_answers(switches.media_port)

    ready = {"web": web_is_ready, "media": media_is_ready}
    return [Process(name, command, ready.get(name)) for name, command in commands.items() if name != "release"]


def _sandbox(switches: Switches) -> list[Process]:
    async def carrier_is_ready() -> bool:
        return await port_answers(switches.carrier_port)

    async def ai_is_ready() -> bool:
        return await port_answers(switches.ai_port)

    if not switches.sandbox:
        return []
    return [
        Process("carrier", f"python -m apps.sandbox.carrier --port {switches.carrier_port}", carrier_is_ready),
        Process(
            "ai",
            f"python -m apps.sandbox.voice_ai --port {switches.ai_port} --tls-port {switches.ai_tls_port}",
            ai_is_ready,
        ),
    ]


async def _watch(server: services.Server, supervisor: Supervisor, terminal: Terminal) -> None:
    """Start an embedded server again, on its old port, when it has ended by itself."""
    while not supervisor.stopping.is_set():
        if server.exit_code() is not None:
            terminal.say(f"{server.name} ended by itself; starting it again.")
            await asyncio.to_thread(server.start)
        await supervisor.pause(0.5)


def _rings_the_sandbox(switches: Switches, environment: Mapping[str, str]) -> bool:
    """Whether calls end in the sandbox. At a real carrier the demo must not dial by itself, nor go on where it was."""
    ours = addresses_of_providers(switches.carrier_port, switches.ai_port, switches.ai_tls_port)["TWILIO"]
    return switches.sandbox and all(environment.get(name) == address for name, address in ours.items())


def _banner(layout: Layout, switches: Switches, took_s: float, *, dials: bool) -> list[str]:
    origin = f"http://127.0.0.1:{switches.port}"
    lines = ["", f"  Ready in {took_s:.0f} s:  {origin}/", ""]
    if switches.demo:
        lines += ["  Log in as        password"]
        for user, login in secrets_store.demo_logins(layout).items():
            lines.append(f"    {user:<14} {login['password']}   ({login['role']})")
        lines += [
            "",
            f"  The demo campaign {'is dialling' if dials else 'waits: its numbers ring only in the sandbox'}.",
            "",
        ]
    else:
        lines += ["  Make the first user: make manage ARGS=createsuperuser", ""]
    lines += [
        f"  Back office      {origin}/admin/",
        f"  API              {origin}/api/docs/",
        f"  Logs             {layout.logs}   (make run LOGS=1 shows them here)",
        "  Documentation    README.md, docs/",
        "  Stop             Ctrl-C",
        "",
    ]
    return lines


class _servers:
    """The embedded servers, started and stopped in a thread, so that signals are heard meanwhile."""

    def __init__(self, layout: Layout) -> None:
        self._running = services.running(layout)

    async def __aenter__(self) -> tuple[services.Endpoints, list[services.Server]]:
        return await asyncio.to_thread(self._running.__enter__)

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.to_thread(self._running.__exit__, None, None, None)


class _StopSignals:
    """The first Ctrl-C, SIGTERM or SIGHUP asks for an orderly stop; the next one kills what is left."""

    def __init__(self, terminal: Terminal) -> None:
        self.asked = asyncio.Event()
        self.kill: Callable[[], None] = lambda: None
        self._terminal = terminal
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._heard)

    def _heard(self) -> None:
        if self.asked.is_set():
            self.kill()
            return
        self._terminal.say("Stopping. (Ctrl-C again to kill what is left.)")
        self.asked.set()


def _first(problems: BaseException) -> BaseException:
    while isinstance(problems, BaseExceptionGroup):
        problems = problems.exceptions[0]
    return problems
