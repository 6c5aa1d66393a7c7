"""Recorded messages in the media process: read once beside the loop, kept by content, given up by age."""

import asyncio
import threading
import time

import pytest

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
def sounds(storage):
    kept = MessageSounds(storage, max_bytes=25_000)  # two of them: a second is 10.7 kB of base64
    yield kept
    storage.gate.set()
    kept.stop()


async def there(condition) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.005)


async def test_a_hundred_calls_share_one_sound_that_is_read_off_the_loop(sounds, storage):
    storage.gate.clear()
    calls = [sounds.sounds_for([message("a")]) for _ in range(100)]
    assert [call(message("a")) for call in calls] == [None] * 100, "not yet; nobody waits"
    storage.gate.set()
    await there(lambda: calls[0](message("a")))
    first = calls[0](message("a"))
    assert all(call(message("a")) is first for call in calls)
    assert sum(piece.n_bytes for piece in first) == 8000
    assert storage.read == ["a.wav"]
    assert threading.current_thread().name not in storage.threads


async def test_what_is_not_there_is_tried_again_by_the_next_call(sounds, storage):
    storage.missing = {"a.wav"}
    call = sounds.sounds_for([message("a")])
    await there(lambda: not sounds._sounds)
    assert call(message("a")) is None
    storage.missing = set()
    call = sounds.sounds_for([message("a")])
    await there(lambda: call(message("a")))


async def test_only_what_was_wanted_last_is_kept_and_a_call_keeps_its_own(sounds, storage):
    early = sounds.sounds_for([message("a")])
    await there(lambda: early(message("a")))
    for key in "bcd":
        call = sounds.sounds_for([message(key)])
        await there(lambda call=call, key=key: call(message(key)))
        assert sounds.n_bytes <= 25_000
    assert early(message("a")) is not None
    again = sounds.sounds_for([message("a"), message("d")])
    await there(lambda: again(message("a")))
    assert storage.read == ["a.wav", "b.wav", "c.wav", "d.wav", "a.wav"]


async def test_nothing_is_known_of_what_was_not_asked_for(sounds):
    assert sounds.sounds_for([])(message("a")) is None
