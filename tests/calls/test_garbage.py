"""What the media process's collector looks through, and when."""

import gc
import weakref

import pytest

from apps.calls.garbage import GarbageCollection


class Ring:
    """Goes only by the collector."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def collection():
    thresholds = gc.get_threshold()
    collection = GarbageCollection(old_every=10)
    collection.start()
    yield collection
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    gc.collect()


def test_what_is_new_is_looked_through_while_people_talk(collection):
    ring = weakref.ref(Ring())
    collection.tick(n_live=5)
    assert ring() is None


def test_what_has_lived_for_a_moment_is_left_alone_until_there_is_time(collection):
    kept = Ring()
    ring = weakref.ref(kept)
    collection.tick(n_live=1)
    del kept
    collection.tick(n_live=1)
    assert ring() is not None
    collection.call_ended()
    collection.tick(n_live=1)
    assert ring() is not None, "somebody still talks"
    collection.tick(n_live=0)
    assert ring() is None


def test_where_there_is_never_time_it_is_taken_once_in_a_while(collection):
    kept = Ring()
    ring = weakref.ref(kept)
    collection.tick(n_live=1)
    del kept
    for _ in range(8):
        collection.tick(n_live=9)
    assert ring() is not None
    collection.tick(n_live=9)
    assert ring() is None
