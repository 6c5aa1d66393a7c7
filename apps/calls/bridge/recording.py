"""Who keeps the sound of a conversation. Times are milliseconds on the clock of the call."""

from typing import Protocol

from apps.calls.media.frames import Audio


class Recorder(Protocol):
    """Fed frame by frame on the event loop, fifty times a second and side: what it does there takes no time."""

    @property
    def is_paused(self) -> bool: ...

    def caller(self, audio: Audio, at_ms: int) -> None:
        """Sound of the caller, as it came."""
        ...

    def ai(self, audio: Audio, plays_at_ms: int) -> None:
        """Sound given to the line; plays_at_ms: when the carrier will begin to play it."""
        ...

    def cut(self, at_ms: int) -> None:
        """The carrier's buffer was emptied: what should have played later never sounded."""
        ...

    def pause(self, reason: str, at_ms: int) -> None: ...

    def resume(self, at_ms: int) -> None: ...

    def stop(self, reason: str) -> None:
        """For good: what was kept so far is thrown away where the reason demands it."""
        ...

    async def close(self) -> None: ...


class NoRecorder:
    """For conversations that are not recorded."""

    is_paused = False

    def caller(self, audio: Audio, at_ms: int) -> None: ...

    def ai(self, audio: Audio, plays_at_ms: int) -> None: ...

    def cut(self, at_ms: int) -> None: ...

    def pause(self, reason: str, at_ms: int) -> None: ...

    def resume(self, at_ms: int) -> None: ...

    def stop(self, reason: str) -> None: ...

    async def close(self) -> None: ...


NO_RECORDER = NoRecorder()
