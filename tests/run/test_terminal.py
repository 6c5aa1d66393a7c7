"""The terminal shows what is worth a look; the log files have it all."""

import pytest

from config.run import terminal
from config.run.terminal import LogFile, Terminal, noteworthy


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"level": "info", "event": "leg_answered"}', None),
        ('{"level": "warning", "event": "late", "leg_id": 3, "timestamp": "x"}', "warning: late leg_id=3"),
        ('{"level": "error", "event": "a\\nb", "exception": "Trace\\nKeyError: 1"}', "error: a (KeyError: 1)"),
        ("{not json", "{not json"),
        ("[1, 2]", "[1, 2]"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("2026-11-22 10:00:00 INFO starting", None),
        ("   ", None),
    ],
)
def test_routine_lines_stay_in_the_log(line, shown):
    assert noteworthy(line) == shown


def test_the_same_complaint_is_shown_once_a_minute(capsys):
    now = [0.0]
    screen = Terminal(show_everything=False, clock=lambda: now[0])
    for second in (0, 1, 59, 61):
        now[0] = second
        screen.relay("worker", f'{{"level": "error", "event": "failed", "attempt": {second}}}')
    assert capsys.readouterr().out.splitlines() == [
        " worker | error: failed attempt=0",
        " worker | error: failed attempt=61",
    ]


def test_everything_is_shown_when_asked_for(capsys):
    Terminal(show_everything=True).relay("web", '{"level": "info", "event": "x"}')
    assert capsys.readouterr().out == '    web | {"level": "info", "event": "x"}\n'


def test_a_terminal_that_went_away_stops_nothing(monkeypatch):
    def gone(*_args, **_kwargs):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", gone)
    screen = Terminal(show_everything=True)
    screen.say("one")
    screen.say("two")


def test_a_long_log_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(terminal, "LOG_LIMIT_BYTES", 10)
    log = LogFile(tmp_path / "web.log")
    for line in (b"0123456789", b"next", b"last"):
        log.write(line)
    log.close()
    assert (tmp_path / "web.log.1").read_bytes() == b"0123456789\n"
    assert (tmp_path / "web.log").read_bytes() == b"next\nlast\n"
