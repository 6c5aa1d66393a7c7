"""The carrier's end of a conversation."""

from collections.abc import AsyncIterator
from typing import Protocol

from apps.calls.media.frames import LineFrame, ToLine


class Line(Protocol):
    """frames() ends when the socket does; it raises MediaProtocolError."""

    def frames(self) -> AsyncIterator[LineFrame]: ...

    async def send(self, frame: ToLine) -> None: ...
