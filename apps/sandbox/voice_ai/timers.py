"""What a session does later, unless it is over by then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    def __init__(self) -> None:
        self._waiting: set[asyncio.TimerHandle] = set()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        def run() -> None:
            self._waiting.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(seconds, run)
        self._waiting.add(timer)

    def cancel(self) -> None:
        for timer in self._waiting:
            timer.cancel()
        self._waiting.clear()
