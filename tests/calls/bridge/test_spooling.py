"""The recorder as a session uses it, its thread, and what is on the disk while a call lasts and after a crash."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from apps.calls.bridge.spooling import MAX_PAUSE_MS, SpoolRecorder, SpoolWriter
from apps.calls.media.audio import encode_pcmu
from apps.calls.media.frames import Audio
from apps.calls.media.mixing import mix
from apps.calls.media.spool import Kind, SpoolHead, read_head, read_records
from tests.calls.media.test_mixing import frames, heard, near, tone

HEAD = SpoolHead(call_id=7, leg_id=8, stream="abc", offset_ms=0, began_at="2026-11-02T10:00:00+00:00")
FRAME = Audio.of(b"\x10" * 160)


class Kept:
    def __init__(self, folder):
        self.begun, self.finished, self.told = [], [], []
        self.writer = SpoolWriter(folder, on_begun=self.begun.append, on_finished=self.finished.append)
        self.writer.start()
        self.path = folder / "7-abc.spool"

    def open(self) -> SpoolRecorder:
        return self.writer.open(HEAD, lambda kind, data: self.told.append((kind, dict(data))))


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path / "spool")
    yield kept
    kept.writer.stop()


def wait_for(claim, timeout_s: float = 5.0):
    until = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_conversation_comes_out_as_it_sounded(kept, tmp_path):
    recorder = kept.open()
    sound = frames(encode_pcmu(tone(400)))
    for i in range(150):
        recorder.caller(Audio.of(sound[i - 50] if 50 <= i < 70 else b"\xff" * 160), i * 20)
    for i, frame in enumerate(sound):
        recorder.ai(Audio.of(frame), 2000 + i * 20)
    asyncio.run(recorder.close())
    wait_for(lambda: kept.finished)
    assert kept.begun == [HEAD]
    assert read_head(kept.finished[0]) == HEAD
    caller, ai = heard(mix(kept.finished[0], tmp_path / "out.wav").path)
    assert near(caller, [(1000, 1400)])
    assert near(ai, [(2000, 2400)])


def test_nothing_of_a_pause_reaches_the_disk(kept):
    recorder = kept.open()
    recorder.caller(FRAME, 0)
    recorder.pause("card", 20)
    assert recorder.is_paused
    recorder.caller(FRAME, 20)
    recorder.ai(FRAME, 20)
    recorder.resume(40)
    recorder.caller(FRAME, 40)
    asyncio.run(recorder.close())
    wait_for(lambda: kept.finished)
    kinds = [(found.kind, found.at_ms) for found in read_records(kept.finished[0])]
    assert kinds == [
        (Kind.CALLER, 0),
        (Kind.PAUSE, 20),
        (Kind.RESUME, 40),
        (Kind.CALLER, 40),
        (Kind.END, 0),
    ]
    assert [kind for kind, _ in kept.told] == ["recording_paused", "recording_resumed"]
    assert kept.told[0][1] == {"reason": "card", "at_ms": 20}


def test_a_forgotten_pause_ends_by_itself(kept):
    recorder = kept.open()
    recorder.pause("card", 1000)
    recorder.caller(FRAME, 1000 + MAX_PAUSE_MS - 20)
    assert recorder.is_paused
    recorder.caller(FRAME, 1000 + MAX_PAUSE_MS)
    assert not recorder.is_paused
    assert kept.told[-1] == ("recording_resumed", {"is_automatic": True, "at_ms": 1000 + MAX_PAUSE_MS})


def test_a_second_pause_prolongs_the_first(kept):
    recorder = kept.open()
    recorder.pause("card", 1000)
    recorder.pause("staff", 60_000)
    recorder.caller(FRAME, 1000 + MAX_PAUSE_MS)
    assert recorder.is_paused
    assert len(kept.told) == 1
    recorder.resume(200_000)
    recorder.resume(201_000)
    assert len(kept.told) == 2


def test_what_overlaps_a_pause_is_known(kept):
    recorder = kept.open()
    recorder.pause("card", 1000)
    assert recorder.was_paused(500, 1000)
    assert recorder.was_paused(90_000, 91_000)
    assert not recorder.was_paused(0, 999)
    recorder.resume(2000)
    assert recorder.was_paused(1900, 5000)
    assert not recorder.was_paused(2001, 5000)


def test_a_call_that_is_not_recorded_can_be_paused_all_the_same(tmp_path):
    told = []
    recorder = SpoolRecorder(None, HEAD, lambda kind, data: told.append(kind))
    recorder.caller(FRAME, 0)
    recorder.pause("card", 20)
    assert recorder.was_paused(20, 30)
    recorder.caller(FRAME, 20 + MAX_PAUSE_MS)
    assert told == ["recording_paused", "recording_resumed"]
    recorder.stop("refused")
    asyncio.run(recorder.close())


def test_who_refuses_leaves_nothing_on_the_disk(kept):
    recorder = kept.open()
    recorder.caller(FRAME, 0)
    wait_for(lambda: kept.path.exists() and kept.path.stat().st_size > 200)
    recorder.caller(FRAME, 20)
    recorder.stop("refused")
    recorder.caller(FRAME, 40)
    asyncio.run(recorder.close())
    wait_for(lambda: not kept.path.exists())
    assert kept.finished == []


def test_a_spool_is_locked_as_long_as_it_is_written(kept):
    recorder = kept.open()
    wait_for(lambda: kept.begun)
    with kept.path.open("rb") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        asyncio.run(recorder.close())
        wait_for(lambda: kept.finished)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_disk_ends_the_recording_and_nothing_else(kept, monkeypatch):
    recorder = kept.open()
    wait_for(lambda: kept.begun)
    os.close(recorder.fd)
    recorder.fd = os.open("/dev/full", os.O_WRONLY)
    recorder.caller(FRAME, 0)
    wait_for(lambda: kept.finished)
    recorder.caller(FRAME, 20)
    asyncio.run(recorder.close())
    other = kept.writer.open(SpoolHead(9, 9, "other", 0, HEAD.began_at), lambda kind, data: None)
    asyncio.run(other.close())
    wait_for(lambda: len(kept.finished) == 2)


def test_a_killed_process_loses_no_more_than_a_moment(tmp_path):
    """It records for three seconds of real time and is killed: the file holds all but the last one."""
    program = f"""
import time
from pathlib import Path
from apps.calls.bridge.spooling import SpoolWriter
from apps.calls.media.frames import Audio
from apps.calls.media.spool import SpoolHead
writer = SpoolWriter(Path({str(tmp_path)!r}), on_begun=lambda head: None, on_finished=lambda path: None)
writer.start()
recorder = writer.open(SpoolHead(7, 8, "abc", 0, "2026-11-02T10:00:00+00:00"), lambda kind, data: None)
frame, began, n = Audio.of(b"\\x10" * 160), time.monotonic(), 0
print("ready", flush=True)
while True:
    while n * 0.02 < time.monotonic() - began:
        recorder.caller(frame, n * 20)
        n += 1
    time.sleep(0.01)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    spool = tmp_path / "7-abc.spool"
    assert max(found.at_ms for found in read_records(spool)) > 2000
    with spool.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
