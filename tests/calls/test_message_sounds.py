"""Recorded messages in the media process: read once beside the loop, kept by content, given up by age."""

import asyncio
import threading
import time

import pytest

from apps.calls import message_sounds
from apps.calls.bridge.answering import RecordedMessage
from apps.calls.message_sounds import MessageSounds


def message(key: str) -> RecordedMessage:
    return RecordedMessage(key * 64, f"{key}.wav", 1000, "", is_wording=False)


class Storage:
    """Notes what is read, and by whom; ``holds`` makes readers wait."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.missing: set[str] = set()

    def __call__(self, name: str, sha256: str) -> bytes:
        self.read.append(name)
        self.threads.add(threading.current_thread().name)
        assert self.gate.wait(20)
        if name in self.missing:
            raise FileNotFoundError(name)
        return b"\x33" * 8000


@pytest.fixture
def storage():
    return Storage()


@pytest.fixture
def sounds(storage, monkeypatch):
    monkeypatch.setattr(message_sounds, "_PATIENCE_S", 20)
    sounds = MessageSounds(storage, max_bytes=25_000)  # two of them: a second is 10.7 kB of base64
    yield sounds
    storage.gate.set()
    sounds.stop()


async def kept(condition) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.005)


async def test_a_hundred_calls_share_one_sound_that_is_read_off_the_loop(sounds, storage):
    storage.gate.clear()
    calls = [sounds.sounds_for([message("a")]) for _ in range(100)]
    waiting = [asyncio.create_task(call(message("a"))) for call in calls]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    storage.gate.set()
    first, *others = await asyncio.gather(*waiting)
    assert all(other is first for other in others)
    assert sum(piece.n_bytes for piece in first) == 8000
    assert storage.read == ["a.wav"]
    assert threading.current_thread().name not in storage.threads


async def test_a_storage_that_hangs_is_not_waited_for_for_long(sounds, storage, monkeypatch):
    monkeypatch.setattr(message_sounds, "_PATIENCE_S", 0.05)
    storage.gate.clear()
    call = sounds.sounds_for([message("a")])
    assert await call(message("a")) is None
    storage.gate.set()
    await kept(lambda: sounds.n_bytes)
    assert await call(message("a")) is not None, "who gave up waiting took it from nobody"


async def test_what_is_not_there_is_tried_again_by_the_next_call(sounds, storage):
    storage.missing = {"a.wav"}
    call = sounds.sounds_for([message("a")])
    assert await call(message("a")) is None
    await kept(lambda: not sounds._sounds)
    storage.missing = set()
    assert await sounds.sounds_for([message("a")])(message("a")) is not None


async def test_only_what_was_wanted_last_is_kept_and_a_call_keeps_its_own(sounds, storage):
    early = sounds.sounds_for([message("a")])
    assert await early(message("a")) is not None
    for n, key in enumerate("bcd", start=2):
        assert await sounds.sounds_for([message(key)])(message(key)) is not None
        await kept(lambda n=n: len(sounds._n_bytes) == min(n, 2))
        assert sounds.n_bytes <= 25_000
    assert await early(message("a")) is not None
    assert storage.read == ["a.wav", "b.wav", "c.wav", "d.wav"]
    again = sounds.sounds_for([message("a"), message("d")])
    assert await again(message("a")) is not None
    assert storage.read == ["a.wav", "b.wav", "c.wav", "d.wav", "a.wav"]


async def test_nothing_is_known_of_what_was_not_asked_for(sounds):
    assert await sounds.sounds_for([])(message("a")) is None
