"""Stand the virtual environment up, then hand over to `python -m config.run` inside it.

Run by whatever `python3` the system has, before anything is installed: standard library only, and words that an old
Python can still read, so that it can say which one is needed. Each step leaves a stamp when it is complete; a run that
was cut short is taken up where it stopped, and a complete one is skipped.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # an old Python knows it elsewhere, and only needs to read this far
    from collections.abc import Iterator

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
OLDEST = (3, 11)
NEWEST = (3, 14)
NEEDED_MB = 2000  # measured: 1.5 GB with the tools of `make test`, and what pip keeps in its cache
# What each command needs on top of the virtual environment: a file of requirements/, and which front-end packages.
PAGES, ALL = "pages", "all"  # what pages load; also what builds and tests them
COMMANDS = {
    "run": ("local", PAGES),
    "setup": ("dev", ALL),
    "test": ("dev", ALL),
    "bench": ("dev", PAGES),
    "lint": ("dev", None),
    "fmt": ("dev", None),
    "lock": ("dev", None),
    "messages": ("local", None),
    "manage": ("local", None),
    "services": ("local", None),
    "env": ("local", None),
}


class Problem(Exception):
    """One clear line: what is wrong, and what to do."""


def say(text: str) -> None:
    print("==> " + text, flush=True)


def main(words: list[str]) -> None:
    command = words[0] if words else ""
    if command not in COMMANDS:
        raise Problem(f"Unknown command {command!r}. Type `make help`.")
    if sys.version_info[:2] < OLDEST:
        find_newer_python(words)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # tidy up as after Ctrl-C
    os.chdir(ROOT)
    requirements, front_end = COMMANDS[command]
    with one_installation_at_a_time():
        ensure_space(requirements)
        ensure_venv()
        ensure_packages(requirements)
        if front_end is not None:
            ensure_front_end(front_end)
    sys.stdout.flush()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.execv(PYTHON, [PYTHON, "-m", "config.run", *words])  # noqa: S606 - we become the launcher


def version_of_caller() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def find_newer_python(words: list[str]) -> None:
    """Go on with a newer Python where there is one beside the `python3` that was called."""
    for minor in range(NEWEST[1] - 1, OLDEST[1] - 1, -1):
        path = shutil.which(f"python3.{minor}")
        if path:
            os.execv(path, [path, os.path.abspath(__file__), *words])  # noqa: S606 - we become it
    raise Problem(
        f"Python 3.11 or newer is needed, and python3 is {version_of_caller()}. Install a newer one, "
        f"or name it: make {words[0]} PYTHON=python3.12"
    )


def ensure_space(requirements: str) -> None:
    """Only before an installation; a run afterwards checks for itself what it writes."""
    if stamp_is(requirements + ".stamp", digest_of_requirements(requirements)):
        return
    free_mb = shutil.disk_usage(ROOT).free // 2**20
    if free_mb < NEEDED_MB:
        raise Problem(
            f"Only {free_mb} MB are free on the disk of {ROOT}; about {NEEDED_MB} MB are needed. Free some space."
        )


@contextlib.contextmanager
def one_installation_at_a_time() -> Iterator[None]:
    """Hold a lock on this very file, so that none is left behind.

    The installers inherit it: one that outlives a killed run is waited for, instead of being met half-way.
    """
    handle = os.open(os.path.abspath(__file__), os.O_RDONLY)
    os.set_inheritable(handle, True)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another installation in this checkout to end.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def install(command: list[str], environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run an installer to its end; exit code and output. If we are stopped, so is all it started."""
    # A Ctrl-C between the fork and our knowing of it would leave the child to itself. In its own session it gets none.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            close_fds=False,  # the lock goes with it
            start_new_session=True,
        )
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    with process:
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            output, _ = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output


# ── the virtual environment ───────────────────────────────────────────────────────────────────────────────


def ensure_venv() -> None:
    if stamp_is("venv.stamp", VENV) and os.path.exists(PYTHON):
        return
    moved = os.path.exists(os.path.join(VENV, "venv.stamp")) and not stamp_is("venv.stamp", VENV)
    if not moved and venv_works():  # its scripts hold its path, so a moved one works only in part
        write_stamp("venv.stamp", VENV)
        return
    if os.path.lexists(VENV):
        say("Removing a .venv that is broken, half made or moved here from elsewhere.")
        shutil.rmtree(VENV)
    say(f"Creating .venv with Python {version_of_caller()}.")
    code, text = install([sys.executable, "-m", "venv", VENV])
    if code != 0 or not venv_works():
        shutil.rmtree(VENV, ignore_errors=True)
        if "ensurepip" in text or "No module named venv" in text:
            raise Problem(
                "Python's venv module is not complete. On Debian or Ubuntu: apt-get install python3-venv "
                f"(or python{version_of_caller()}-venv)."
            )
        raise Problem(f"Could not create .venv: {reason_in(text)}")
    write_stamp("venv.stamp", VENV)


def venv_works() -> bool:
    """Whether there is a virtual environment here, of a Python that is new enough, with a working pip."""
    if not os.path.exists(PYTHON):
        return False
    test = f"import sys, pip; sys.exit(sys.version_info[:2] < {OLDEST!r} or sys.prefix != {VENV!r})"
    try:
        return subprocess.run([PYTHON, "-c", test], capture_output=True).returncode == 0
    except OSError:
        return False


# ── Python packages ───────────────────────────────────────────────────────────────────────────────────────


def ensure_packages(name: str) -> None:
    """Install requirements/NAME.txt where it changed since the last complete installation."""
    digest = digest_of_requirements(name)
    if stamp_is(name + ".stamp", digest):
        return
    # The tools stand on top of what a run needs, so their stamp covers it too.
    if name == "local" and stamp_is("dev.stamp", digest_of_requirements("dev")):
        return
    say(f"Installing the Python packages of requirements/{name}.txt (a minute or two the first time).")
    pip("-r", os.path.join("requirements", name + ".txt"))
    write_stamp(name + ".stamp", digest)


def pip(*arguments: str) -> None:
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *arguments]
    environment = dict(os.environ, PIP_NO_WARN_SCRIPT_LOCATION="1", PIP_ROOT_USER_ACTION="ignore")
    code, output = install(command, environment)
    if code != 0:
        raise Problem(installation_problem(output, "Python packages", "pip"))


def digest_of_requirements(name: str) -> str:
    """Of everything that decides what gets installed: the files, and the Python it is for."""
    beneath = {"local": ["base"], "dev": ["base", "local"]}
    paths = [os.path.join(ROOT, "requirements", each + ".txt") for each in ["constraints", *beneath[name], name]]
    text = ""
    for path in [os.path.join(VENV, "pyvenv.cfg"), *paths]:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                text += file.read()
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


# ── front-end packages ────────────────────────────────────────────────────────────────────────────────────


def ensure_front_end(which: str) -> None:
    """Install what package-lock.json names where it changed since the last complete installation."""
    with open(os.path.join(ROOT, "package-lock.json"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    enough = [f"{digest} {ALL}", f"{digest} {which}"]
    if any(stamp_is("npm.stamp", text) for text in enough) and os.path.isdir(os.path.join(ROOT, "node_modules")):
        return
    environment = dict(os.environ)
    npm = system_npm()
    if npm is None:
        say("No Node.js 18 or newer here: installing the one from PyPI into .venv.")
        pip("-r", os.path.join("requirements", "node.txt"))
        environment["PATH"] = os.path.dirname(PYTHON) + os.pathsep + environment.get("PATH", os.defpath)
        npm = os.path.join(os.path.dirname(PYTHON), "npm")
    say("Installing the front-end packages of package-lock.json.")
    shutil.rmtree(os.path.join(ROOT, "node_modules"), ignore_errors=True)  # npm trips over a half-made one
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    code, output = install(command + (["--omit=dev"] if which == PAGES else []), environment)
    if code != 0:
        raise Problem(installation_problem(output, "front-end packages", "npm"))
    write_stamp("npm.stamp", f"{digest} {which}")


def system_npm() -> str | None:
    """The npm on PATH, if it works and its Node.js is 18 or newer."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        return None
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip().lstrip("v")
        works = subprocess.run([npm, "--version"], capture_output=True).returncode == 0
        return npm if works and int(version.split(".")[0]) >= 18 else None
    except (OSError, ValueError):
        return None


# ── stamps and words ──────────────────────────────────────────────────────────────────────────────────────


def stamp_is(name: str, text: str) -> bool:
    try:
        with open(os.path.join(VENV, name), encoding="utf-8") as file:
            return file.read() == text
    except OSError:
        return False


def write_stamp(name: str, text: str) -> None:
    with open(os.path.join(VENV, name), "w", encoding="utf-8") as file:
        file.write(text)


_REASONS = (
    # words in the output of pip or npm → what they mean to a person
    (
        ("No space left on device", "ENOSPC", "Disk quota exceeded"),
        "the disk is full. Free some space and run it again.",
    ),
    (
        (
            "Temporary failure in name resolution",
            "Name or service not known",
            "NewConnectionError",
            "Network is unreachable",
            "ConnectTimeoutError",
            "Connection refused",
            "ENOTFOUND",
            "EAI_AGAIN",
            "ECONNREFUSED",
            "ETIMEDOUT",
            "ENETUNREACH",
        ),
        "{source} cannot be reached. Only this first installation needs the network; check it, or the mirror set for"
        " {tool}, and run it again.",
    ),
    (
        ("CERTIFICATE_VERIFY_FAILED", "SELF_SIGNED_CERT", "UNABLE_TO_VERIFY", "UNABLE_TO_GET_ISSUER"),
        "the certificate of {source} is not trusted here. Tell {tool} about your network's own certificate authority"
        " (PIP_CERT, NODE_EXTRA_CA_CERTS).",
    ),
    (("Permission denied", "EACCES"), "a file here belongs to another user. Give the checkout to yourself (chown -R)."),
)


def installation_problem(output: str, what: str, tool: str) -> str:
    source = {"pip": "PyPI", "npm": "the npm registry"}[tool]
    for words, meaning in _REASONS:
        if any(word in output for word in words):
            return f"Could not install the {what}: {meaning.format(source=source, tool=tool)}"
    log = os.path.join(VENV, tool + ".log")
    with open(log, "w", encoding="utf-8") as file:
        file.write(output)
    return f"Could not install the {what}: {reason_in(output)} (all of it: {log})"


def reason_in(output: str) -> str:
    """The line that most likely says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it said nothing"])[-1][:300]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
