"""Each obstacle is found and told in one line."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys

import pytest

from config.run import checks
from config.run.problem import Problem


def test_a_busy_port_is_named_with_a_way_out():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Problem, match=rf"Port {port} is in use.*make run MEDIA_PORT={port + 100}"):
            checks.require_free_port("MEDIA_PORT", port)
    checks.require_free_port("MEDIA_PORT", port)


def test_a_full_disk_is_told_with_what_is_needed(tmp_path):
    checks.require_disk_space(tmp_path, needed_mb=1)
    with pytest.raises(Problem, match="are needed. Free some space"):
        checks.require_disk_space(tmp_path, needed_mb=2**40)


def test_a_second_run_is_refused_while_the_first_lives(tmp_path):
    lock = tmp_path / "run.lock"
    refused = pytest.raises(Problem, match=rf"Already running .* \(process {os.getpid()}\)")
    with checks.only_one(lock), refused, checks.only_one(lock):
        pytest.fail("entered twice")
    assert not lock.exists()
    with checks.only_one(lock):
        pass


def test_a_failed_run_leaves_no_lock(tmp_path):
    lock = tmp_path / "run.lock"
    with pytest.raises(ZeroDivisionError), checks.only_one(lock):
        raise ZeroDivisionError
    assert not lock.exists()


def test_the_lock_of_a_killed_run_holds_nobody_up(tmp_path):
    lock = tmp_path / "run.lock"
    code = (
        "import sys, time, pathlib; from config.run import checks\n"
        "with checks.only_one(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Problem), checks.only_one(lock):
            pytest.fail("entered beside a live holder")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with checks.only_one(lock):
            pass


def _take(lock, entered):
    try:
        with checks.only_one(lock):
            with entered.get_lock():
                entered.value += 1
                if entered.value > 1:
                    os._exit(9)
            with entered.get_lock():
                entered.value -= 1
    except Problem:
        pass


def test_never_two_at_once_however_often_it_changes_hands(tmp_path):
    context = multiprocessing.get_context("fork")
    entered = context.Value("i", 0)
    takers = [context.Process(target=_take, args=(tmp_path / "run.lock", entered)) for _ in range(20)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join(30)
    assert [taker.exitcode for taker in takers] == [0] * 20
