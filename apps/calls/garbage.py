"""When the media process looks for cyclic garbage: often among what is new, once a minute among all of its calls.

Left to itself the collector goes through everything alive whenever enough has been made since: with a hundred calls
some 65,000 objects and 50 ms every few seconds, during which nobody hears anything. Nearly everything goes without a
collector, when its call ends; what does not can wait for a minute.
"""

import gc
from typing import Final

# A flood between two ticks is looked through nevertheless, as far as it is new.
_THRESHOLDS: Final = (100_000, 50, 1_000_000)
_OLD_EVERY: Final = 60


class GarbageCollection:
    """start() once all is loaded, tick() every second or so, call_ended() after each conversation. On the event loop.

    old_every: ticks after which what has lived for long is looked through too, though people talk meanwhile.
    """

    def __init__(self, *, old_every: int = _OLD_EVERY) -> None:
        self._old_every = old_every
        self._n_ticks = 0
        self._has_ended = False

    def start(self) -> None:
        gc.collect()
        gc.freeze()  # what is loaded stays
        gc.set_threshold(*_THRESHOLDS)

    def call_ended(self) -> None:
        self._has_ended = True

    def tick(self, *, n_live: int) -> None:
        """Takes a few milliseconds at a hundred calls, and 50 where all of them are looked through."""
        self._n_ticks += 1
        if self._n_ticks >= self._old_every or (self._has_ended and n_live == 0):
            self._n_ticks, self._has_ended = 0, False
            gc.collect()
        else:
            gc.collect(1)
