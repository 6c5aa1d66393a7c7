"""A machine that lacks something is told what, in one line; a run that was cut short is taken up."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from config.run import bootstrap
from config.run.layout import ROOT


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with nothing installed, whose pip and npm are scripts that only note that they were called."""
    root = tmp_path / "checkout"
    (root / "requirements").mkdir(parents=True)
    for path in (ROOT / "requirements").glob("*.txt"):
        shutil.copy(path, root / "requirements")
    shutil.copy(ROOT / "package-lock.json", root)
    monkeypatch.setattr(bootstrap, "ROOT", str(root))
    monkeypatch.setattr(bootstrap, "VENV", str(root / ".venv"))
    monkeypatch.setattr(bootstrap, "PYTHON", str(root / ".venv" / "bin" / "python"))
    monkeypatch.chdir(root)
    return root


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _calls(checkout):
    log = checkout / "calls"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_packages_are_installed_once_and_again_when_a_pin_changes(checkout):
    _script(checkout / ".venv/bin/python", f'echo "$@" >> {checkout}/calls')
    bootstrap.ensure_packages("local")
    bootstrap.ensure_packages("local")
    assert len(_calls(checkout)) == 1
    assert _calls(checkout)[0].endswith("-r requirements/local.txt")
    with (checkout / "requirements" / "constraints.txt").open("a", encoding="utf-8") as file:
        file.write("another==1\n")
    bootstrap.ensure_packages("local")
    assert len(_calls(checkout)) == 2


def test_an_installation_that_failed_is_tried_again(checkout):
    _script(checkout / ".venv/bin/python", f'echo "$@" >> {checkout}/calls; exit 1')
    for _ in range(2):
        with pytest.raises(bootstrap.Problem):
            bootstrap.ensure_packages("local")
    assert len(_calls(checkout)) == 2


def test_the_tools_cover_what_a_run_needs(checkout):
    _script(checkout / ".venv/bin/python", f'echo "$@" >> {checkout}/calls')
    bootstrap.ensure_packages("dev")
    bootstrap.ensure_packages("local")
    assert len(_calls(checkout)) == 1


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "cannot be reached"),
        ("SSL: CERTIFICATE_VERIFY_FAILED", "PIP_CERT"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "belongs to another user"),
        ("ERROR: No matching distribution found for nonsense==9", "No matching distribution found for nonsense==9"),
    ],
)
def test_what_pip_says_becomes_one_clear_line(checkout, output, words):
    _script(checkout / ".venv/bin/python", f'echo "{output}"; exit 1')
    with pytest.raises(bootstrap.Problem) as told:
        bootstrap.ensure_packages("local")
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_half_made_venv_is_made_again(checkout, capsys):
    (checkout / ".venv" / "bin").mkdir(parents=True)
    _script(checkout / ".venv/bin/python", "exit 1")
    bootstrap.ensure_venv()
    assert bootstrap.venv_works()
    assert "half made" in capsys.readouterr().out
    made = (checkout / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    bootstrap.ensure_venv()
    assert (checkout / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made


def test_a_checkout_that_was_moved_gets_a_new_venv(checkout, monkeypatch):
    bootstrap.ensure_venv()
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    monkeypatch.setattr(bootstrap, "VENV", str(moved / ".venv"))
    monkeypatch.setattr(bootstrap, "PYTHON", str(moved / ".venv" / "bin" / "python"))
    monkeypatch.chdir(moved)
    before = (moved / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    bootstrap.ensure_venv()
    assert bootstrap.venv_works()
    assert (moved / ".venv" / "pyvenv.cfg").stat().st_mtime_ns != before


def test_a_python_without_venv_is_told_the_package(checkout, monkeypatch, tmp_path):
    _script(tmp_path / "python3", "echo 'The virtual environment was not created: ensurepip is not available.'; exit 1")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    with pytest.raises(bootstrap.Problem, match="apt-get install python3-venv"):
        bootstrap.ensure_venv()
    assert not (checkout / ".venv").exists()


def test_npm_runs_once_per_lock_file(checkout, monkeypatch, tmp_path):
    _script(tmp_path / "bin" / "npm", f'echo "npm $@" >> {checkout}/calls; mkdir -p node_modules')
    _script(tmp_path / "bin" / "node", "echo v20.1.0")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    (checkout / ".venv").mkdir()

    def installed():
        return ["--omit=dev" in call for call in _calls(checkout) if call.startswith("npm ci")]

    for which in (bootstrap.PAGES, bootstrap.PAGES, bootstrap.ALL, bootstrap.PAGES):
        bootstrap.ensure_front_end(which)
    assert installed() == [True, False], "what builds and tests pages covers what pages load"
    shutil.rmtree(checkout / "node_modules")
    bootstrap.ensure_front_end(bootstrap.PAGES)
    assert installed() == [True, False, True]


def test_an_old_node_is_passed_over(monkeypatch, tmp_path):
    _script(tmp_path / "npm", "echo 6.0.0")
    _script(tmp_path / "node", "echo v12.22.0")
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + "/bin")
    assert bootstrap.system_npm() is None
    _script(tmp_path / "node", "echo v18.19.0")
    assert bootstrap.system_npm() == str(tmp_path / "npm")


def test_an_old_python_is_told_which_is_needed(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.Problem, match=r"Python 3.11 or newer is needed, and python3 is 3.9"):
        bootstrap.main(["run"])


def test_every_make_target_is_known_on_both_sides():
    from config.run.__main__ import COMMANDS

    assert set(bootstrap.COMMANDS) == set(COMMANDS)


def test_an_unknown_command_is_told():
    done = subprocess.run(
        [sys.executable, str(ROOT / "config/run/bootstrap.py"), "fly"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "error: Unknown command 'fly'. Type `make help`.\n"


def test_a_stopped_installation_takes_its_children_along(checkout, tmp_path):
    """As npm from PyPI, which is a script around the real one."""
    _script(tmp_path / "installer", f"sleep 60 & echo $! > {tmp_path}/child; wait")
    # Where the suite runs in the background, its children are born deaf to Ctrl-C.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from config.run import bootstrap; bootstrap.install([sys.argv[1]])"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "installer")], cwd=ROOT) as stopped:
        deadline = time.monotonic() + 10
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child = psutil.Process(int((tmp_path / "child").read_text()))
        stopped.send_signal(signal.SIGINT)
        stopped.wait(20)
    psutil.wait_procs([child], timeout=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_two_installations_take_turns(tmp_path):
    code = (
        "import sys, time; from config.run import bootstrap\n"
        "with bootstrap.one_installation_at_a_time():\n"
        "    print('in', flush=True); time.sleep(0.3); print('out', flush=True)"
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        both = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=output) for _ in range(2)]
        for process in both:
            assert process.wait(20) == 0
    turns = [line for line in log.read_text(encoding="utf-8").splitlines() if not line.startswith("==>")]
    assert turns == ["in", "out", "in", "out"]
