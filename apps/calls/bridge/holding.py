"""What the caller hears while no voice AI can be had: a word now and then, instead of silence."""

import asyncio
from typing import TYPE_CHECKING

import structlog

from apps.calls.bridge.background import Background
from apps.calls.bridge.caller_sound import CallerSound
from apps.calls.bridge.limits import Limits
from apps.calls.bridge.link import AiLink, Sleep
from apps.calls.bridge.phrase_book import PhraseBook

if TYPE_CHECKING:
    from apps.calls.bridge.conversation import Conversation

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.1
# Nobody listens, but who is speaking is not to be talked over; noise may sound like speech, so not for ever.
_PATIENCE_S = 2.0


class Holding:
    def __init__(
        self,
        *,
        talk: "Conversation",
        link: AiLink,
        sound: CallerSound,
        phrases: PhraseBook,
        background: Background,
        limits: Limits,
        sleep: Sleep,
    ) -> None:
        self._talk = talk
        self._link = link
        self._sound = sound
        self._phrases = phrases
        self._background = background
        self._limits = limits
        self._sleep = sleep
        self._asking: asyncio.Task[None] | None = None
        self._n_said = 0
        self.has_spoken = False
        """The caller was asked to wait since this was last set back: somebody owes them a word."""

    def begin(self) -> None:
        if self._asking is None:
            self._asking = self._background.start(self._ask())

    def end(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def _ask(self) -> None:
        await self._sleep(self._limits.phrase_after_s)
        while True:
            await self._until_heard()
            waited_s = 0.0
            while self._sound.is_speech and waited_s < _PATIENCE_S:
                await self._sleep(_LOOK_EVERY_S)
                waited_s += _LOOK_EVERY_S
            waits = self._phrases.waits.get(self._link.language)
            if not waits or self._talk.goodbye.is_near or self._talk.is_muted:
                return
            phrase = waits[self._n_said % len(waits)]
            self._n_said += 1
            self.has_spoken = True
            log.info("caller_asked_to_wait", n_said=self._n_said)
            await self._talk.play_ours(phrase.pieces, phrase.text)
            await self._until_heard()
            await self._sleep(self._limits.phrase_every_s)

    async def _until_heard(self) -> None:
        while not self._talk.is_heard:
            await self._sleep(_LOOK_EVERY_S)
