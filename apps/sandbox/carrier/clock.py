"""Time that may run faster than the wall clock, so that a minute's call can be rehearsed in seconds."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`speed` 10 makes ringing, speaking and silence ten times shorter. HTTP time-outs stay real."""

    speed: float = 1.0

    def monotonic(self) -> float:
        """Seconds of sandbox time; only differences mean anything."""
        return time.monotonic() * self.speed

    def real(self, seconds: float) -> float:
        """Wall-clock seconds in which `seconds` of sandbox time pass."""
        return seconds / self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(self.real(seconds))
