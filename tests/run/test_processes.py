"""Processes are started, watched, started again, and stopped with all they started."""

import asyncio
import os
import signal
import sys
import time

import psutil
import pytest

from config.run import pidfile, processes
from config.run.layout import ROOT
from config.run.problem import Problem
from config.run.processes import Process, Supervisor, read_procfile
from config.run.terminal import Terminal


@pytest.fixture
def lines(monkeypatch):
    """What the terminal showed."""
    shown = []
    monkeypatch.setattr(Terminal, "_print", lambda self, text: shown.append(text))
    return shown


@pytest.fixture
def supervisor(layout, lines):
    environment = {"PATH": os.environ["PATH"], "GREETING": "hello"}
    return Supervisor(layout, environment, Terminal(show_everything=True), cwd=layout.var)


async def _until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true in time"
        await asyncio.sleep(0.01)


def test_the_procfile_of_the_product_names_its_processes():
    commands = read_procfile(ROOT / "Procfile")
    assert list(commands) == ["release", "web", "media", "worker", "beat"]


def test_a_malformed_procfile_is_told_with_its_line(tmp_path):
    path = tmp_path / "Procfile"
    path.write_text("# comment\n\nweb: serve\nnonsense\n", encoding="utf-8")
    with pytest.raises(Problem, match="Procfile, line 4"):
        read_procfile(path)


async def test_output_goes_to_the_terminal_and_to_a_file(supervisor, layout, lines):
    await supervisor.run_once("release", "echo $GREETING; echo second >&2")
    assert [line.strip() for line in lines] == ["release | hello", "release | second"]
    assert (layout.logs / "release.log").read_text(encoding="utf-8") == "hello\nsecond\n"
    assert list(layout.pids.iterdir()) == []


async def test_a_failed_release_is_told_with_its_last_words(supervisor):
    with pytest.raises(Problem, match=r"release failed: no such table \(all of it: .*release.log\)"):
        await supervisor.run_once("release", "echo no such table && false")


async def test_a_crashed_process_is_started_again_and_says_so(supervisor, lines, monkeypatch):
    monkeypatch.setattr(processes, "FIRST_PAUSE_S", 0.05)

    async def ready():
        return True

    keeping = asyncio.create_task(supervisor.keep(Process("web", "echo up; exec sleep 60", ready)))
    await _until(lambda: sum("up" in line for line in lines) == 1)
    await _until(lambda: "web" in supervisor._ready)
    os.kill(supervisor._running["web"].pid, signal.SIGKILL)
    await _until(lambda: sum("up" in line for line in lines) == 2)
    assert any("web was killed by SIGKILL; starting it again in 0.05 s." in line for line in lines)
    await supervisor.stop()
    await keeping


async def test_one_that_never_works_ends_the_run(supervisor, monkeypatch):
    monkeypatch.setattr(processes, "FIRST_PAUSE_S", 0.01)

    async def never():
        return False

    with pytest.raises(Problem, match="media does not start: cannot import it"):
        await supervisor.keep(Process("media", "echo cannot import it; exit 1", never))


async def test_stopping_leaves_nothing_of_the_family(supervisor, layout, lines, monkeypatch):
    """A shell that started children in the background, and a process that ignores the request to end."""
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    keeping = [
        asyncio.create_task(supervisor.keep(Process("family", "sleep 61 & sleep 62 & echo born; wait"))),
        asyncio.create_task(supervisor.keep(Process("deaf", f'{sys.executable} -c "{stubborn}"'))),
    ]
    await _until(lambda: {"born", "deaf"} <= {line.split("| ")[-1] for line in lines})
    leaders = [psutil.Process(child.pid) for child in supervisor._running.values()]
    family = [member for leader in leaders for member in (leader, *leader.children(recursive=True))]
    assert len(family) >= 4
    monkeypatch.setattr(processes, "STOP_GRACE_S", 0.5)
    await supervisor.stop()
    await asyncio.wait_for(asyncio.gather(*keeping), 5)
    psutil.wait_procs(family, timeout=5)
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    assert list(layout.pids.iterdir()) == []


async def test_nothing_is_started_again_while_stopping(supervisor, lines):
    keeping = asyncio.create_task(supervisor.keep(Process("web", "echo up; exec sleep 60")))
    await _until(lambda: any("up" in line for line in lines))
    await supervisor.stop()
    await asyncio.wait_for(keeping, 5)
    assert sum("up" in line for line in lines) == 1


async def test_the_next_run_ends_what_a_killed_one_left(supervisor, layout, lines):
    keeping = asyncio.create_task(supervisor.keep(Process("web", "echo up; exec sleep 60")))
    await _until(lambda: any("up" in line for line in lines))
    path = layout.pids / "web.json"
    assert await asyncio.to_thread(pidfile.end_left_over, path)
    assert not path.exists()
    await supervisor.stop()
    await keeping


def test_a_reused_pid_is_not_taken_for_our_own(tmp_path):
    path = tmp_path / "web.json"
    path.write_text(f'{{"pid": {os.getpid()}, "started": 1.0}}', encoding="utf-8")
    assert pidfile.left_over(path) is None
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "not json", '{"pid": "x"}', "[]"])
def test_a_torn_pid_file_is_no_obstacle(tmp_path, text):
    path = tmp_path / "web.json"
    path.write_text(text, encoding="utf-8")
    assert not pidfile.end_left_over(path)
    assert not path.exists()


async def test_very_long_lines_are_cut_not_fatal(supervisor, layout):
    code = "import sys; sys.stdout.write('x' * 3_000_000 + chr(10) + 'end' + chr(10))"
    await supervisor.run_once("worker", f'{sys.executable} -c "{code}"')
    text = (layout.logs / "worker.log").read_text(encoding="utf-8")
    assert text.count("x") == 3_000_000
    assert text.endswith("\nend\n")


@pytest.mark.parametrize(
    ("command", "simple"),
    [
        ("celery -A config worker", True),
        ("daphne -b ${BIND:-0.0.0.0} config.asgi:application", True),
        ("migrate && check", False),
        ("sleep 1 & wait", False),
        ("a | b", False),
        ("echo 'a && b'", True),
    ],
)
def test_only_simple_commands_replace_the_shell(command, simple):
    assert processes._is_simple(command) is simple
