"""Caller audio on its way to a provider's WebSocket, which may be away or slow: it waits a little, then it is lost."""

import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from websockets.protocol import State

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

# A second of the caller waits for a provider that does not read; older sound is worth nothing to a conversation.
MAX_WAITING: Final = 50
_SEND_BUFFER_BYTES: Final = 32_768

T = TypeVar("T")


class Uplink(Generic[T]):
    """encode: a frame → the text message that carries it; asked when the frame leaves, in order.

    buffer_bytes: what may wait unsent in the connection.
    """

    def __init__(self, encode: Callable[[T], bytes], *, buffer_bytes: int) -> None:
        self._encode = encode
        self._buffer_bytes = buffer_bytes
        self._socket: ClientConnection | None = None
        self.waiting: deque[T] = deque(maxlen=MAX_WAITING)
        self.n_dropped = 0

    def attach(self, connection: "ClientConnection") -> None:
        self._socket = connection
        raw = connection.transport.get_extra_info("socket")
        if raw is not None:
            # What a stalled provider has not taken shall wait here, where it can be dropped, and not in the kernel.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    def detach(self) -> None:
        self._socket = None

    def forget(self) -> None:
        """What waits is given anew, from an earlier point on."""
        self.n_dropped += len(self.waiting)
        self.waiting.clear()

    def send(self, frame: T) -> None:
        """Never waits; the oldest frame gives way."""
        waiting = self.waiting
        while waiting and self._write(waiting[0]):
            waiting.popleft()
        if waiting or not self._write(frame):
            if len(waiting) == MAX_WAITING:
                self.n_dropped += 1
            waiting.append(frame)

    def _write(self, frame: T) -> bool:
        """False if the provider is away or does not read.

        Straight to the protocol under the connection: its send() would only add waiting for room, which is never wanted
        here, at the price of a third of the whole.
        """
        connection = self._socket
        if (
            connection is None
            or connection.protocol.state is not State.OPEN
            or connection.transport.get_write_buffer_size() > self._buffer_bytes
        ):
            return False
        connection.protocol.send_text(self._encode(frame))
        connection.send_data()
        return True
