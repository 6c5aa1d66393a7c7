"""The recorded voicemail messages of one media process: read beside the event loop, kept by content for all calls."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from apps.calls.bridge.answering import RecordedMessage
from apps.calls.bridge.phrase_book import split
from apps.calls.media.frames import Audio
from apps.calls.services import voicemail_recordings

log = structlog.get_logger(__name__)

_THREADS: Final = 2
_PATIENCE_S: Final = 3.0
"""Usually it has been here for long when the machine beeps."""
_MAX_BYTES: Final = 32_000_000
"""Some fifty messages of a minute each, of those that were wanted last."""

Read = Callable[[str, str], bytes]
Sound = Sequence[Audio]


class CallSounds:
    """What one call may play. It keeps what it was given, however many other calls come meanwhile."""

    def __init__(self, sounds: Mapping[str, "asyncio.Future[Sound]"]) -> None:
        self._sounds = sounds

    async def __call__(self, message: RecordedMessage) -> Sound | None:
        """The message's sound; None if it could not be read, or not in time: a machine records no long silence."""
        found = self._sounds.get(message.sha256)
        if found is not None and not found.done():
            await asyncio.wait((found,), timeout=_PATIENCE_S)  # which leaves it to others, however it ends
        if found is None or not found.done() or found.cancelled() or found.exception() is not None:
            return None
        return found.result()


class MessageSounds:
    """One per process. read: name and hash → sound; it may block, and raise.

    It has threads of its own: a storage that hangs keeps neither plans nor tools of other calls waiting.
    """

    def __init__(self, read: Read = voicemail_recordings.read, *, max_bytes: int = _MAX_BYTES) -> None:
        self._read = read
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="media-messages")
        self._sounds: OrderedDict[str, asyncio.Future[Sound]] = OrderedDict()
        self._n_bytes: dict[str, int] = {}

    @property
    def n_bytes(self) -> int:
        """What is kept for calls to come."""
        return sum(self._n_bytes.values())

    def sounds_for(self, messages: Iterable[RecordedMessage]) -> CallSounds:
        """Begin to read what is not here yet, and return at once. On the event loop."""
        return CallSounds({message.sha256: self._wanted(message) for message in messages})

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _wanted(self, message: RecordedMessage) -> "asyncio.Future[Sound]":
        key = message.sha256
        found = self._sounds.get(key)
        if found is None:
            loop = asyncio.get_running_loop()
            found = self._sounds[key] = loop.run_in_executor(self._threads, self._pieces, message)
            found.add_done_callback(lambda done: self._arrived(key, done))
        self._sounds.move_to_end(key)
        return found

    def _pieces(self, message: RecordedMessage) -> Sound:
        """In a thread."""
        return split(self._read(message.name, message.sha256))

    def _arrived(self, key: str, sound: "asyncio.Future[Sound]") -> None:
        if sound.cancelled() or (error := sound.exception()) is not None:
            del self._sounds[key]  # the next call tries again
            if not sound.cancelled():
                log.warning("recorded_message_unreadable", sha256=key[:12], error=type(error).__name__)
            return
        self._n_bytes[key] = sum(len(audio.text) for audio in sound.result())
        for oldest in list(self._n_bytes):
            if self.n_bytes <= self._max_bytes or len(self._n_bytes) == 1:
                return
            del self._n_bytes[oldest], self._sounds[oldest]
