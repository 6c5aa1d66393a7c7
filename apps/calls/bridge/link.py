"""The way to the voice AI: opened, lost, opened again, and when that does not help, to the next one of the plan."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from apps.calls.bridge import metrics
from apps.calls.bridge.caller_sound import CallerSound
from apps.calls.bridge.plan import CallPlan, Engine
from apps.calls.bridge.sink import Cause, SessionEnd, Sink
from apps.calls.media.frames import AiEvent, Audio
from apps.calls.voice_ai.base import PastTurn, VoiceAI, VoiceAIError, VoiceBrief
from apps.core import breaker

log = structlog.get_logger(__name__)

# Of the sound that came meanwhile: a provider that loses less is slow, and not gone.
_NEARLY_ALL = 0.8
_FRAME_MS = 20.0

SILENT = "silent"
"""A connection was open and of no use, however long."""
DEAF = "deaf"
"""It took none of the caller's sound any more, and nobody has said that it is gone."""

VoiceAIFor = Callable[[str], VoiceAI]
Sleep = Callable[[float], Awaitable[object]]
Hear = Callable[[Audio], Awaitable[None]]


class Talk(Protocol):
    """The conversation that the link serves."""

    async def play(self, audio: Audio) -> None: ...

    async def take(self, event: AiEvent) -> None: ...

    def past(self) -> list[PastTurn]:
        """All that was said so far."""
        ...

    async def opened(self) -> None:
        """A voice AI is there."""
        ...

    def lost(self) -> None:
        """The voice AI that was there is gone: what it was saying and hearing is all there will be of it."""
        ...

    def away(self) -> None:
        """No voice AI can be had at the moment."""
        ...


class AiLink:
    """hear: where each frame of the caller goes, the voice AI or what is kept for it; it changes as the link does.

    voice_ai_for: a new conversation with a provider, by its code; raises VoiceAIError. clock: monotonic seconds.
    jitter: random numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        plan: CallPlan,
        voice_ai_for: VoiceAIFor,
        sink: Sink,
        sound: CallerSound,
        clock: Callable[[], float],
        sleep: Sleep,
        jitter: Callable[[], float],
    ) -> None:
        self._plan = plan
        self._limits = plan.limits
        self._voice_ai_for = voice_ai_for
        self._sink = sink
        self._sound = sound
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._talk: Talk | None = None
        self._ai: VoiceAI | None = None
        self._pump: asyncio.Task[None] | None = None
        self._loss: VoiceAIError | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._catching_up: asyncio.Task[None] | None = None
        self._lost_at: float | None = None
        self._was_open = False
        self._n_dropped = 0
        self._taken_at = (0.0, 0.0)
        self._dropped_before = (0, 0.0)
        self.language = plan.language
        self.engine: Engine = plan.engines[0]
        self.is_open = False
        self.renew_by: float | None = None
        """When the provider will have closed the conversation, on the session's clock."""
        self.hear: Hear = self._miss

    @property
    def provider(self) -> str:
        return self.engine.provider

    @property
    def brief(self) -> VoiceBrief:
        return self.engine.briefs[self.language]

    @property
    def ai(self) -> VoiceAI:
        """The one that is there; ask ``is_open`` before."""
        assert self._ai is not None  # noqa: S101 - is_open says so
        return self._ai

    @property
    def n_dropped(self) -> int:
        """Frames of the caller that no voice AI was given."""
        return self._n_dropped + self._sound.n_dropped + (self._ai.n_dropped if self._ai is not None else 0)

    async def run(self, talk: Talk) -> SessionEnd:
        """Keep the conversation going. Returns when no provider of the plan can."""
        self._talk = talk
        engines = self._plan.engines
        error = VoiceAIError("no_voice_ai", retryable=False)
        for n, engine in enumerate(engines):
            if n:
                self._fail_over(engine, error)
            self.engine = engine
            metrics.SESSIONS_ACTIVE.labels(engine.provider).inc()
            try:
                self._sink.joined(engine.provider, self.brief.model)
                error = await self._keep_up(talk, others=engines[n + 1 :])
            finally:
                metrics.SESSIONS_ACTIVE.labels(engine.provider).dec()
            self._let_go()
        return SessionEnd(Cause.AI_FAILED, error.code)

    async def close(self) -> None:
        self._let_go()
        for result in await asyncio.gather(*self._closing, return_exceptions=True):
            if isinstance(result, Exception):
                log.warning("voice_ai_not_closed", error=type(result).__name__)

    def _let_go(self) -> None:
        """Have no voice AI. The one there was closes beside: a dead one may take its time, and nobody waits for it."""
        self.is_open = False
        self.hear = self._miss
        self._stop_catching_up()
        ai, self._ai = self._ai, None
        if ai is not None:
            self._n_dropped += ai.n_dropped
            self._closing.add(asyncio.create_task(ai.close()))

    def lose(self, code: str) -> None:
        """Have done with a connection that is open and of no use. code: why."""
        if self._pump is not None:
            self._loss = VoiceAIError(code, retryable=True)
            self._pump.cancel()

    def check_hearing(self, now: float) -> None:
        """Called now and then: a provider that takes no sound for so long is done without."""
        n_dropped, heard_ms = self.ai.n_dropped, self._sound.heard_ms
        n_before, before_ms = self._dropped_before
        self._dropped_before = (n_dropped, heard_ms)
        if heard_ms == before_ms:
            return
        if (n_dropped - n_before) * _FRAME_MS < _NEARLY_ALL * (heard_ms - before_ms):
            self._taken_at = (now, heard_ms)
        elif now - self._taken_at[0] >= self._limits.deaf_s:
            self.lose(DEAF)

    def renew(self) -> None:
        """Open the provider's session anew, before the provider closes it."""
        self.renew_by = None
        if self._pump is not None:
            self._pump.cancel()

    async def change_language(self, language: str) -> None:
        self.language = language
        if self.is_open:
            await self.ai.change(self.brief)

    # ── One provider ────────────────────────────────────────────────────────────────────────────────────────
    async def _keep_up(self, talk: Talk, *, others: Sequence[Engine]) -> VoiceAIError:
        """Hold the conversation by one provider, opened as often as it takes; why that came to an end.

        others: who may take over.
        """
        has_next = bool(others)
        delays_s = self._limits.reconnect_delays_s
        if has_next:
            delays_s = delays_s[: self._limits.tries_before_failover]
        n_tries = n_silent = 0
        away_since: float | None = None
        try:
            self._ai = self._voice_ai_for(self.provider)
        except VoiceAIError as error:
            self._lost(talk, error)
            return error
        while True:
            opened_at: float | None = None
            try:
                await self._open(talk, n_tries)
                opened_at, away_since = self._clock(), None
                await self._listen(talk)
                self._part(talk)
            except VoiceAIError as error:
                lasted_s = self._clock() - opened_at if opened_at is not None else 0.0
                if lasted_s > self._limits.healthy_s and error.code != SILENT:
                    n_tries = 0
                n_silent = n_silent + 1 if error.code == SILENT else 0
                away_since = away_since if away_since is not None else self._clock()
                self._lost(talk, error)
                # Nobody waits long for an answer from a provider that is shut, or there and dumb, if there is another.
                is_hopeless = has_next and (error.code == "circuit_open" or n_silent > 1)
                is_over = n_tries >= len(delays_s) or self._takes_too_long(n_tries, away_since, others)
                if not error.retryable or is_hopeless or is_over:
                    metrics.RECONNECTS.labels(self.provider, "failed").inc()
                    return error
                spread = self._limits.reconnect_jitter * (2 * self._jitter() - 1)
                await self._sleep(delays_s[n_tries] * (1 + spread))
                n_tries += 1

    def _takes_too_long(self, n_tries: int, away_since: float, others: Sequence[Engine]) -> bool:
        """Whether the caller is better served by another provider that is there, than by one try more.

        It is the waits that count, and the time that the tries themselves took; not what chance made of the waits.
        """
        if not any(self._is_there(engine.provider) for engine in others):
            return False
        limits = self._limits
        waits_s = limits.reconnect_delays_s[: n_tries + 1]
        will_take_s = self._clock() - away_since + waits_s[-1]
        may_take_s = limits.failover_after_s
        return sum(waits_s) > may_take_s or will_take_s > may_take_s * (1 + limits.reconnect_jitter)

    def _is_there(self, provider: str) -> bool:
        """Whether it can be asked at all, and has answered when it was asked last."""
        try:
            self._voice_ai_for(provider)
        except VoiceAIError:
            return False
        return breaker.state_of(provider) == "closed"

    async def _open(self, talk: Talk, n_tries: int) -> None:
        began = self._clock()
        brief = self.brief
        await self.ai.open(brief, talk.past())
        if self.brief is not brief:  # another language was asked for meanwhile
            await self.ai.change(self.brief)
        now = self._clock()
        metrics.VOICE_AI_OPEN_SECONDS.labels(self.provider).observe(now - began)
        self.is_open = self._was_open = True
        self._taken_at = (now, self._sound.heard_ms)
        self.renew_by = None
        if self._lost_at is not None:
            away_s, self._lost_at = now - self._lost_at, None
            metrics.RECONNECTS.labels(self.provider, "back").inc()
            metrics.RECONNECT_SECONDS.labels(self.provider).observe(away_s)
            self._sink.event(
                "reconnected", {"voice_ai": self.provider, "after_ms": round(away_s * 1000), "n_tries": n_tries}
            )
            log.info("voice_ai_back", voice_ai=self.provider, after_s=round(away_s, 2), n_tries=n_tries)
        await talk.opened()
        if self._sound.missed_ms:
            self._catching_up = asyncio.create_task(self._catch_up())
        else:
            self.hear = self.ai.send_audio

    async def _listen(self, talk: Talk) -> None:
        """Until it is lost, or given up for a new one. Raises VoiceAIError."""
        pump = self._pump = asyncio.create_task(self._take_all(talk))
        try:
            await asyncio.wait((pump,))
        finally:
            self._pump = None
            if not pump.done():
                pump.cancel()
                await asyncio.wait((pump,))
        if not pump.cancelled():
            pump.result()
            raise VoiceAIError("closed", retryable=True)
        if self._loss is not None:
            loss, self._loss = self._loss, None
            raise loss
        metrics.RECONNECTS.labels(self.provider, "planned").inc()
        log.info("voice_ai_renewed", voice_ai=self.provider)

    async def _take_all(self, talk: Talk) -> None:
        play, take = talk.play, talk.take
        async for event in self.ai.events():
            if type(event) is Audio:
                await play(event)
            else:
                await take(event)

    # ── Loss ────────────────────────────────────────────────────────────────────────────────────────────────
    def _lost(self, talk: Talk, error: VoiceAIError) -> None:
        metrics.VOICE_AI_LOST.labels(self.provider, metrics.loss_label(error.code)).inc()
        log.warning("voice_ai_lost", voice_ai=self.provider, code=error.code, retryable=error.retryable)
        self._sink.event("ai_failed", {"error": error.code, "is_lost": True, "voice_ai": self.provider})
        if self.is_open and error.retryable:
            breaker.count_failure(self.provider)
        if self._lost_at is None:
            self._lost_at = self._clock()
        self._part(talk, is_deaf=error.code == DEAF)
        talk.away()

    def _part(self, talk: Talk, *, is_deaf: bool = False) -> None:
        """The present connection is over."""
        if self.is_open:
            self.is_open = False
            self.hear = self._miss
            self._stop_catching_up()
            missed_ms = self._sound.missed_ms
            if is_deaf:
                self._sound.rewind(self._taken_at[1])
            talk.lost()
            if self._sound.missed_ms > missed_ms:  # to be heard again, what waits to be sent included
                self.ai.forget_unsent()

    def _fail_over(self, to: Engine, error: VoiceAIError) -> None:
        metrics.FAILOVERS.labels(self.provider, to.provider).inc()
        log.warning("voice_ai_failed_over", from_voice_ai=self.provider, to_voice_ai=to.provider, code=error.code)
        self._sink.event("failed_over", {"from": self.provider, "to": to.provider, "error": error.code})

    # ── The caller's sound meanwhile ────────────────────────────────────────────────────────────────────────
    async def _miss(self, audio: Audio) -> None:
        limits = self._limits
        self._sound.miss(audio, at_most_ms=limits.gap_ms if self._was_open else limits.first_gap_ms)

    async def _catch_up(self) -> None:
        """Give it what it has missed, faster than it was spoken and slowly enough for it; then the line directly."""
        ai, sound, limits = self.ai, self._sound, self._limits
        while sound.missed_ms:
            for audio in sound.take(limits.catch_up_ms):
                await ai.send_audio(audio)
            if sound.missed_ms:
                await self._sleep(limits.catch_up_every_s)
        self.hear = ai.send_audio

    def _stop_catching_up(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
            self._catching_up = None
