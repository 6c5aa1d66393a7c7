"""`make test`, `make bench`, `make manage`: the virtual environment's tools, with servers of their own."""

import contextlib
import hashlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from config.run import checks, services, system_packages
from config.run.environment import Switches, addresses_of_providers, application_environment
from config.run.layout import ROOT, Layout
from config.run.problem import Problem

# A person's real accounts and addresses have no business in a test.
_PRODUCT_VARIABLES = (
    "TWILIO_",
    "TELNYX_",
    "OPENAI_",
    "GEMINI_",
    "DEEPGRAM_",
    "PUBLIC_",
    "SANDBOX",
    "DEMO",
    "SECRET_KEY",
)
_NOBODY = 9  # the port where nobody listens: a test that names no server of its own reaches none
# Journeys and drills run whole sets of processes and look at the clock: when all else, which keeps it busy, is done.
_WHOLE = "e2e or drill"
_MOST_WORKERS = 6


def test(arguments: Sequence[str]) -> int:
    """The whole suite, or what the arguments choose (as pytest takes them). Gives pytest's exit code."""
    system_packages.ensure_pango()
    system_packages.ensure_driver()
    chromium = system_packages.ensure_chromium()
    chosen = [word for argument in arguments for word in shlex.split(argument)]
    layout = Layout.from_environment().child("test")
    with own_servers(layout, durable=False) as endpoints:
        environment = tools_environment(layout, endpoints)
        if chromium:
            environment["CHROMIUM_PATH"] = chromium
        if code := _tool(["manage.py", "messages", "compile"], environment):  # pages are tested in every language
            return code
        fresh = _fresh_schema(layout)
        if chosen:
            return _pytest([*fresh, *chosen], environment)
        started = time.monotonic()
        side_by_side = ["-n", str(workers()), "--dist", "loadfile"]  # in which order: tests/distribution.py
        # Much of this happens in real time, on processors that have other work: once is a stall, twice is a defect.
        again = ["--reruns", "1", "-rR"]
        parts = (f"not ({_WHOLE} or storm or bench)", _WHOLE)
        codes = [_pytest([*fresh, *side_by_side, *again, "-m", which], environment) for which in parts]
        print(f"==> Both parts took {time.monotonic() - started:.0f} s.", flush=True)
        return next(filter(None, codes), 0)


def workers() -> int:
    """One more than there are processors: some of the tests are always waiting for something."""
    return min((os.cpu_count() or 1) + 1, _MOST_WORKERS)


def bench(arguments: Sequence[str]) -> int:
    """Measure, with servers that write to disk as they would in earnest."""
    chosen = [word for argument in arguments for word in shlex.split(argument)]
    layout = Layout.from_environment().child("bench")
    with own_servers(layout, durable=True) as endpoints:
        return _tool(["-m", "benchmarks", *chosen], tools_environment(layout, endpoints))


def manage(arguments: Sequence[str]) -> int:
    """Django's command line against the database of `make run`, which may be running meanwhile."""
    chosen = [word for argument in arguments for word in shlex.split(argument)]
    layout = Layout.from_environment()
    with servers_of(layout) as endpoints:
        environment = application_environment(
            layout, Switches.from_environment(os.environ), endpoints, settings="config.settings.local"
        )
        return _tool(["manage.py", *(chosen or ["help"])], environment)


def messages(_arguments: Sequence[str]) -> int:
    """Collect new texts into the catalogues and compile them."""
    return manage(["messages extract"]) or manage(["messages compile"])


@contextlib.contextmanager
def own_servers(layout: Layout, *, durable: bool) -> Iterator[services.Endpoints]:
    """Servers for us alone, for as long as the block runs."""
    layout.create()
    checks.require_disk_space(layout.var)
    with checks.only_one(layout.lock), services.running(layout, durable=durable) as (endpoints, _servers):
        yield endpoints


@contextlib.contextmanager
def servers_of(layout: Layout, *, durable: bool = True) -> Iterator[services.Endpoints]:
    """The servers of a run that is going on, else the same ones started for the length of the block."""
    endpoints = services.known_endpoints(layout)
    if endpoints is not None:
        yield endpoints
        return
    with own_servers(layout, durable=durable) as started:
        yield started


def tools_environment(layout: Layout, endpoints: services.Endpoints) -> dict[str, str]:
    """For tests, benchmarks and linters: the test settings, and nothing of the person's own accounts."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_PRODUCT_VARIABLES)}
    switches = Switches.from_environment({"SANDBOX": "0"})
    environment = application_environment(layout, switches, endpoints, settings="config.settings.test", given=clean)
    for name in ("PUBLIC_ORIGIN", "PUBLIC_MEDIA_ORIGIN", "PORT", "MEDIA_PORT"):
        environment.pop(name, None)
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    for addresses in addresses_of_providers(_NOBODY, _NOBODY, _NOBODY).values():
        environment |= addresses
    environment["PATH"] = f"{os.path.dirname(sys.executable)}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return environment


def _fresh_schema(layout: Layout) -> list[str]:
    """The option that makes the kept test databases anew, where a migration is not what it was when they were made."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "apps").glob("*/migrations/*.py")):
        digest.update(path.read_bytes())
    stamp = layout.var / "schema"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest.hexdigest():
        return []
    stamp.write_text(digest.hexdigest(), encoding="utf-8")
    return ["--create-db"]


def _pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    print(f"==> pytest {shlex.join(arguments)}", flush=True)
    return _tool(["-m", "pytest", *arguments], environment)


def _tool(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run Python; Ctrl-C reaches it as it reaches us, so wait until it has tidied up."""
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(30)
                process.kill()
                raise Problem("Interrupted.") from None
