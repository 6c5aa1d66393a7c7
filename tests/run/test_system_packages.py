"""What the tests need from the system is installed where that is possible, and else asked for in one line."""

import os
import stat
import sys

import pytest

from config.run import system_packages
from config.run.problem import Problem


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with an empty PATH; `put(name, script)` adds a program to it."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def put(name, script):
        path = programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    monkeypatch.delenv("CHROMIUM_PATH", raising=False)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(sys, "executable", put("python", "exit 1"))  # Playwright has nothing and gets nothing
    return put


def test_a_chromium_that_starts_is_taken(machine):
    path = machine("chromium", "echo Chromium 150")
    assert system_packages.ensure_chromium() == path


def test_the_named_chromium_is_taken_or_refused(machine, monkeypatch):
    machine("chromium", "echo Chromium 150")
    named = machine("mine", "echo Chromium 151")
    monkeypatch.setenv("CHROMIUM_PATH", named)
    assert system_packages.ensure_chromium() == named
    monkeypatch.setenv("CHROMIUM_PATH", "/nowhere/chromium")
    with pytest.raises(Problem, match="CHROMIUM_PATH=/nowhere/chromium does not start"):
        system_packages.ensure_chromium()


def test_an_administrator_gets_chromium_by_apt(machine, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    real = tmp_path / "bin" / "chromium"
    install = f'printf "#!/bin/sh\\n" > {real}; /bin/chmod +x {real}'
    machine("apt-get", f'echo "$@" >> {tmp_path}/calls; case "$*" in *install*) {install};; esac')
    assert system_packages.ensure_chromium() == str(real)
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls[0] == "-q update"
    assert calls[1] == "-q install --yes --no-install-recommends chromium fonts-dejavu-core"
    assert "Installing Chromium, for the browser tests, with apt" in capsys.readouterr().out


def test_a_chromium_that_only_points_to_a_snap_is_passed_over(machine):
    machine("chromium", "echo 'requires the chromium snap'; exit 1")
    with pytest.raises(Problem, match="There is no Chromium for the browser tests"):
        system_packages.ensure_chromium()


def test_an_ordinary_user_is_told_what_the_administrator_installs(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system_packages, "_pango_is_here", lambda: False)
    machine("apt-get", "exit 100")
    with pytest.raises(Problem, match="as administrator: apt-get install libpango-1.0-0 libpangoft2-1.0-0"):
        system_packages.ensure_pango()


def test_password_less_sudo_is_used(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine("apt-get", "exit 0")
    machine("sudo", f'echo "sudo $@" >> {tmp_path}/calls')
    here = iter([False, True])
    monkeypatch.setattr(system_packages, "_pango_is_here", lambda: next(here))
    system_packages.ensure_pango()
    calls = (tmp_path / "calls").read_text(encoding="utf-8")
    assert "sudo -n env DEBIAN_FRONTEND=noninteractive" in calls
    assert "install --yes --no-install-recommends libpango-1.0-0" in calls


def test_a_driver_that_lacks_a_library_gets_it(machine, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    machine("python", f'[ -e {tmp_path}/libatomic ] || {{ echo "node: libatomic.so.1: no such file" >&2; exit 127; }}')
    machine(
        "apt-get", f'case "$*" in *"install --yes --no-install-recommends libatomic1") : > {tmp_path}/libatomic;; esac'
    )
    system_packages.ensure_driver()
    assert "libatomic1" in capsys.readouterr().out
    system_packages.ensure_driver()
    assert capsys.readouterr().out == ""


def test_an_ordinary_user_is_told_what_the_driver_lacks(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine("apt-get", "exit 100")
    with pytest.raises(Problem, match="as administrator: apt-get install libatomic1"):
        system_packages.ensure_driver()


def test_a_failing_apt_is_told_with_its_reason(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(system_packages, "_pango_is_here", lambda: False)
    machine("apt-get", "echo 'E: You do not have enough free space'; exit 100")
    with pytest.raises(Problem, match="apt-get update failed: E: You do not have enough free space"):
        system_packages.ensure_pango()
