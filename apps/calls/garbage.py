"""When the media process looks for cyclic garbage: often among what is new, and seldom among conversations in progress.

Left to itself the collector goes through everything alive whenever enough has been made since: with a hundred calls
some 65,000 objects and 50 ms every few seconds, during which nobody hears anything. What has lived for a moment is
therefore put out of its sight; most of it goes without a collector, when its call ends.
"""

import gc
from typing import Final

# A flood between two ticks is looked through nevertheless.
_THRESHOLDS: Final = (100_000, 50, 1000)
_FULL_AFTER: Final = 1000


class GarbageCollection:
    """start() once all is loaded, tick() every second or so, call_ended() after each conversation. On the event loop.

    full_after: calls after which everything is looked through even though others are in progress.
    """

    def __init__(self, *, full_after: int = _FULL_AFTER) -> None:
        self._full_after = full_after
        self._n_ended = 0

    def start(self) -> None:
        gc.set_threshold(*_THRESHOLDS)
        self._everything()

    def call_ended(self) -> None:
        self._n_ended += 1

    def tick(self, *, n_live: int) -> None:
        """Takes a few milliseconds at a hundred calls; tens of them when everything is looked through."""
        is_due = self._n_ended >= self._full_after or (self._n_ended > 0 and n_live == 0)
        if is_due:
            self._everything()
        else:
            gc.collect(1)
            gc.freeze()

    def _everything(self) -> None:
        self._n_ended = 0
        gc.unfreeze()
        gc.collect()
        gc.freeze()
