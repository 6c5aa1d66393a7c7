"""Deepgram as a voice AI: hears a turn, has it answered sentence by sentence, stops when interrupted."""

import asyncio
from binascii import a2b_base64
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final
from uuid import uuid4

import structlog

from apps.calls.media.frames import (
    AiEvent,
    Audio,
    CallerTranscript,
    Ready,
    SpeechStarted,
    SpeechStopped,
    Usage,
    Used,
)
from apps.calls.voice_ai.base import Capabilities, PastTurn, VoiceAIError, VoiceBrief
from apps.calls.voice_ai.capabilities import DEEPGRAM
from apps.calls.voice_ai.deepgram.answering import Answering
from apps.calls.voice_ai.deepgram.dialogue import CallerSaid, Dialogue, Noted
from apps.calls.voice_ai.deepgram.outbox import Outbox
from apps.calls.voice_ai.deepgram.parts import Began, Ended, Heard, Listener, Speaker, Thinker
from apps.core.breaker import CircuitOpen

log = structlog.get_logger(__name__)

# A second of the caller waits for a provider that does not read; older sound is worth nothing to a conversation.
_MAX_WAITING: Final = 50
_TICK_S: Final = 0.25
_BILL_EVERY_MS: Final = 10_000
NOT_UNDERSTOOD: Final = "[unclear]"
SAYS_NOTHING: Final = "(The person says nothing.)"


class Deepgram:
    """One conversation. The three parts are made anew by each open().

    listener_for, thinker_for, speaker_for: make a part for a brief; they raise VoiceAIError for what they do not know.
    guard: a context manager around each open(), such as a circuit breaker.
    """

    name = "deepgram"
    capabilities: Capabilities = DEEPGRAM

    def __init__(
        self,
        *,
        listener_for: Callable[[VoiceBrief], Listener],
        thinker_for: Callable[[VoiceBrief], Thinker],
        speaker_for: Callable[[VoiceBrief], Speaker],
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._listener_for = listener_for
        self._thinker_for = thinker_for
        self._speaker_for = speaker_for
        self._guard = guard
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING)
        self._n_dropped = 0
        self._listener: Listener | None = None
        self._answers: Answering | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reset()

    def _reset(self) -> None:
        self._out = Outbox()
        self._dialogue = Dialogue()
        self._caller_item = ""  # the turn the caller is speaking now
        self._told_text = ""
        self._billed_ms = 0
        self._given_ms = 0.0
        self._is_over = False
        self._is_lost = False

    @property
    def n_dropped(self) -> int:
        return self._n_dropped

    # ── Opening and closing ─────────────────────────────────────────────────────────────────────────────────
    async def open(self, brief: VoiceBrief, history: Sequence[PastTurn] = ()) -> None:
        await self._disconnect()
        self._reset()
        self._dialogue = Dialogue(history)
        listener, thinker, speaker = self._listener_for(brief), self._thinker_for(brief), self._speaker_for(brief)
        try:
            await self._open_parts(listener.open(), speaker.open())
        except BaseException:
            await asyncio.gather(listener.close(), speaker.close(), return_exceptions=True)
            raise
        self._listener = listener
        self._answers = answers = Answering(
            out=self._out,
            dialogue=self._dialogue,
            brief=brief,
            thinker=thinker,
            speaker=speaker,
            start=self._start,
            is_free=lambda: not self._caller_item and not self._is_lost,
            now_ms=lambda: self._given_ms,
        )
        self._start(self._listen(listener, answers))
        self._start(self._tick(listener, answers))

    async def _open_parts(self, *openings: Coroutine[Any, Any, None]) -> None:
        try:
            with self._guard():
                await _all_of(*openings)
        except CircuitOpen as error:
            for opening in openings:
                opening.close()
            raise VoiceAIError("circuit_open", retryable=True) from error

    async def close(self) -> None:
        out = self._out
        await self._disconnect()
        out.end()

    async def _disconnect(self) -> None:
        listener, self._listener = self._listener, None
        answers, self._answers = self._answers, None
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        parts: list[Listener | Speaker] = [
            *([listener] if listener is not None else []),
            *(answers.voices if answers is not None else []),
        ]
        await asyncio.gather(*(part.close() for part in parts), return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(self._watched(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        """A part that is lost takes the conversation with it: the session opens it anew, or asks somebody else."""
        try:
            await work
        except VoiceAIError as error:
            self._lose(error)
        except Exception as error:
            log.exception("pipeline_failed")
            self._lose(VoiceAIError("internal", type(error).__name__, retryable=True))

    def _lose(self, error: VoiceAIError) -> None:
        """Nothing is heard or said any more until it is opened again."""
        if self._is_lost:
            return
        self._is_lost = True
        self._bill_listening()
        self._out.fail(error)

    # ── From the session ────────────────────────────────────────────────────────────────────────────────────
    async def send_audio(self, audio: Audio) -> None:
        waiting = self._waiting
        while waiting and self._give(waiting[0]):
            waiting.popleft()
        data = a2b_base64(audio.text)
        self._given_ms += audio.ms
        if waiting or not self._give(data):
            if len(waiting) == _MAX_WAITING:
                self._n_dropped += 1
            waiting.append(data)  # the oldest gives way

    def _give(self, data: bytes) -> bool:
        return self._listener is not None and not self._is_lost and self._listener.send(data)

    def forget_unsent(self) -> None:
        self._n_dropped += len(self._waiting)
        self._waiting.clear()

    async def speak(self, prompt: str) -> None:
        if self._answers is not None:
            self._answers.owe(prompt)

    async def note(self, text: str) -> None:
        self._dialogue.add(Noted(text))

    async def change(self, brief: VoiceBrief) -> None:
        """The voice changes with the next answer; one that has not begun to sound is begun again."""
        answers = self._answers
        if answers is None:
            return
        before, answers.brief = answers.brief, brief
        try:
            if before.llm != brief.llm:
                answers.thinker = self._thinker_for(brief)
            if (before.voice, before.language, before.speech) != (brief.voice, brief.language, brief.speech):
                speaker = self._speaker_for(brief)
                await self._open_parts(speaker.open())
                await answers.use(speaker)
        except VoiceAIError as error:
            self._lose(error)
        else:
            await answers.begin_again()

    async def cut(self, item_id: str, heard_ms: int) -> None:
        if self._answers is not None:
            await self._answers.cut(item_id, heard_ms)

    async def answer_tool(self, tool_call_id: str, result: str, *, respond: bool = True) -> None:
        tool = self._dialogue.tool(tool_call_id)
        if tool is None:
            log.warning("tool_result_unasked", tool_call_id=tool_call_id)
            return
        tool.result = result
        if respond and self._answers is not None:
            self._answers.owe("")

    async def end_of_caller_audio(self) -> None:
        self._is_over = True
        if self._listener is not None:
            await self._listener.finish()

    async def events(self) -> AsyncIterator[AiEvent]:
        out = self._out
        yield Ready()
        while (event := await out.take()) is not None:
            yield event

    # ── Listening ───────────────────────────────────────────────────────────────────────────────────────────
    async def _listen(self, listener: Listener, answers: Answering) -> None:
        async for event in listener.events():
            if isinstance(event, Began):
                self._caller_began(event)
                await answers.abort()
            elif isinstance(event, Heard):
                self._caller_goes_on(event)
            else:
                self._caller_ended(event)
                if not self._is_over:
                    answers.owe("")
        if not self._is_over:
            raise VoiceAIError("listen_closed_1000", retryable=True)

    def _caller_began(self, event: Began) -> None:
        self._caller_item, self._told_text = f"heard_{uuid4().hex[:16]}", ""
        self._out.put(SpeechStarted(self._caller_item, event.at_ms))

    def _caller_goes_on(self, event: Heard) -> None:
        """Pass on what is new, as long as it only grows; the whole comes at the end."""
        if event.text.startswith(self._told_text) and len(event.text) > len(self._told_text):
            self._out.put(CallerTranscript(self._caller_item, event.text[len(self._told_text) :]))
            self._told_text = event.text

    def _caller_ended(self, event: Ended) -> None:
        item, self._caller_item = self._caller_item, ""
        self._out.put(SpeechStopped(item, event.at_ms))
        is_lost = not event.text
        self._out.put(CallerTranscript(item, event.text, is_final=True, language=event.language, is_lost=is_lost))
        self._dialogue.add(CallerSaid(event.text or NOT_UNDERSTOOD))
        self._bill_listening()

    def _bill_listening(self) -> None:
        if self._listener is not None and (unbilled := self._listener.sent_ms - self._billed_ms) > 0:
            self._billed_ms = self._listener.sent_ms
            usage = Usage(transcription_s=unbilled / 1000, service=self.name, model=self._listener.model)
            self._out.put(Used(usage))

    # ── Now and then ────────────────────────────────────────────────────────────────────────────────────────
    async def _tick(self, listener: Listener, answers: Answering) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await listener.stay_awake()
            if listener.sent_ms - self._billed_ms >= _BILL_EVERY_MS:
                self._bill_listening()
            answers.check_voice()
            if not self._caller_item and not self._is_over:
                self._prompt_idle(answers)

    def _prompt_idle(self, answers: Answering) -> None:
        """Speak up once the caller has said nothing for long enough after the last word they heard."""
        idle_ms, since_ms = answers.brief.idle_prompt_ms, answers.silent_since_ms
        if idle_ms is None or since_ms is None:
            return
        if self._given_ms - max(since_ms, answers.heard_out_ms) >= idle_ms:
            self._dialogue.add(Noted(SAYS_NOTHING))
            answers.owe("")


async def _all_of(*openings: Coroutine[Any, Any, None]) -> None:
    """All at the same time; the first that fails says why."""
    tasks = [asyncio.ensure_future(one) for one in openings]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
