"""`python -m config.run COMMAND`: what the Makefile's targets do once the virtual environment stands."""

import contextlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from config.run import checks, product, quality, services, suite
from config.run.environment import Switches, application_environment
from config.run.layout import ROOT, Layout
from config.run.problem import Problem


def _services(arguments: Sequence[str]) -> int:
    """Start only the embedded servers; stay in the foreground until Ctrl-C.

    --fast: for tests, nothing survives a power cut.
    """
    durable = "--fast" not in arguments
    layout = Layout.from_environment()
    layout.create()
    with checks.only_one(layout.lock), _stop_signals() as stop, services.running(layout, durable=durable) as running:
        endpoints, servers = running
        for name, value in endpoints.as_environment().items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        print('# Up. Ctrl-C stops them. In another shell: eval "$(python -m config.run env)"', flush=True)
        while not stop.wait(1):
            for server in servers:
                if server.exit_code() is not None:
                    raise Problem(f"The embedded {server.name} ended by itself; see {layout.logs}.")
    return 0


def _env(arguments: Sequence[str]) -> int:
    """Print the environment of this VAR_DIR's run as `export` lines, for running a part by hand.

    A name after the command chooses the settings: `env config.settings.test`.
    """
    layout = Layout.from_environment()
    layout.create()
    endpoints = services.known_endpoints(layout)
    if endpoints is None:
        given = services.Endpoints(os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", ""))
        if not (given.database_url and given.redis_url):
            raise Problem(f"No servers are up for {layout.var}. Start them: python -m config.run services")
        endpoints = given
    settings = arguments[0] if arguments else "config.settings.local"
    environment = application_environment(layout, Switches.from_environment(os.environ), endpoints, settings=settings)
    for name, value in sorted(environment.items()):
        if os.environ.get(name) != value:
            print(f"export {name}={shlex.quote(value)}")
    return 0


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that is set when somebody asks us to stop."""
    stop = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)
    yield stop


def _setup(_arguments: Sequence[str]) -> int:
    """All is installed by the time this is reached."""
    print("Everything is installed. `make run` starts it, `make test` tests it.")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": product.run,
    "test": suite.test,
    "bench": suite.bench,
    "lint": quality.lint,
    "fmt": quality.fmt,
    "lock": quality.lock,
    "manage": suite.manage,
    "messages": suite.messages,
    "services": _services,
    "env": _env,
    "setup": _setup,
}


def main(words: Sequence[str]) -> int:
    os.chdir(ROOT)
    command = COMMANDS.get(words[0] if words else "")
    if command is None:
        print(f"Commands: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return command(words[1:])
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
