"""Deepgram as a voice AI: hears a turn, has it answered sentence by sentence, stops when interrupted."""

import asyncio
from binascii import a2b_base64
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import structlog

from apps.calls.media.frames import (
    AiEvent,
    AiTranscript,
    Audio,
    CallerTranscript,
    Ready,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
    Usage,
    Used,
)
from apps.calls.voice_ai.base import Capabilities, PastTurn, VoiceAIError, VoiceBrief
from apps.calls.voice_ai.capabilities import DEEPGRAM
from apps.calls.voice_ai.deepgram.dialogue import AiSaid, CallerSaid, Dialogue, Noted, Stretch, ToolUse
from apps.calls.voice_ai.deepgram.outbox import Outbox
from apps.calls.voice_ai.deepgram.parts import (
    Began,
    Ended,
    Heard,
    Listener,
    Sound,
    Speaker,
    Task,
    Thinker,
    Words,
)
from apps.calls.voice_ai.deepgram.sentences import SentenceSplitter
from apps.core.breaker import CircuitOpen

log = structlog.get_logger(__name__)

# A second of the caller waits for a provider that does not read; older sound is worth nothing to a conversation.
_MAX_WAITING: Final = 50
_TICK_S: Final = 0.25
_BILL_EVERY_MS: Final = 10_000
# A voice that has been given a sentence and makes no sound for so long makes none any more.
_MUTE_S: Final = 10.0
NOT_UNDERSTOOD: Final = "[unclear]"
SAYS_NOTHING: Final = "(The person says nothing.)"


@dataclass(eq=False, slots=True)
class _Answer:
    """One answer on its way. open: stretches whose sound has not all come."""

    said: AiSaid
    told: str
    started_at: float
    work: asyncio.Task[None] | None = None
    is_thinking: bool = True
    open: dict[int, Stretch] = field(default_factory=dict)
    usage: Usage | None = None
    n_characters: int = 0
    last_sound_at: float = 0.0


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
        self._thinker: Thinker | None = None
        self._speaker: Speaker | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reset()

    def _reset(self) -> None:
        self._out = Outbox()
        self._dialogue = Dialogue()
        self._brief: VoiceBrief | None = None
        self._answer: _Answer | None = None
        self._caller_item = ""  # the turn the caller is speaking now
        self._heard_text = self._told_text = ""
        self._billed_ms = 0
        self._next_told: str | None = None  # an answer that is owed: what it is told, "" for nothing
        self._next_speaker: Speaker | None = None
        # On the clock of the caller's audio, like all that depends on what they hear and say.
        self._given_ms = 0.0
        self._playing_until_ms = 0.0
        self._idle_since_ms: float | None = None
        self._is_over = False
        self._is_lost = False

    @property
    def n_dropped(self) -> int:
        return self._n_dropped

    # ── Opening and closing ─────────────────────────────────────────────────────────────────────────────────
    async def open(self, brief: VoiceBrief, history: Sequence[PastTurn] = ()) -> None:
        await self._disconnect()
        self._reset()
        self._brief = brief
        self._dialogue = Dialogue(history)
        listener, speaker = self._listener_for(brief), self._speaker_for(brief)
        self._thinker = self._thinker_for(brief)
        try:
            await self._open_parts(listener.open(), speaker.open())
        except BaseException:
            await asyncio.gather(listener.close(), speaker.close(), return_exceptions=True)
            raise
        self._listener, self._speaker = listener, speaker
        self._start(self._listen(listener))
        self._start(self._pass_on(speaker))
        self._start(self._tick())

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
        speaker, self._speaker = self._speaker, None
        following, self._next_speaker = self._next_speaker, None
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        parts = [part for part in (listener, speaker, following) if part is not None]
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
        """Nothing is heard or said any more until it is opened again; what was heard so far is told."""
        if self._is_lost:
            return
        self._is_lost = True
        if self._caller_item and self._heard_text:
            at_ms = self._listener.sent_ms if self._listener is not None else 0
            self._out.put(SpeechStopped(self._caller_item, at_ms))
            self._out.put(CallerTranscript(self._caller_item, self._heard_text, is_final=True))
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

    async def speak(self, prompt: str) -> None:
        self._owe(prompt)

    async def note(self, text: str) -> None:
        self._dialogue.add(Noted(text))

    async def change(self, brief: VoiceBrief) -> None:
        """The voice changes with the next answer; one that has not begun to sound is begun again."""
        before, self._brief = self._brief, brief
        if before is None or self._listener is None:
            return
        try:
            if before.llm != brief.llm:
                self._thinker = self._thinker_for(brief)
            if (before.voice, before.language, before.speech) != (brief.voice, brief.language, brief.speech):
                await self._prepare(self._speaker_for(brief))
        except VoiceAIError as error:
            self._lose(error)
            return
        answer = self._answer
        if answer is not None and answer.work is not None and not self._out.taken_ms(answer.said.item_id):
            self._owe(answer.told)
            await self._abort(answer)
            self._go_on()

    async def _prepare(self, speaker: Speaker) -> None:
        await self._open_parts(speaker.open())
        following, self._next_speaker = self._next_speaker, speaker
        if following is not None:
            await following.close()
        if self._answer is None:
            await self._change_voice()

    async def cut(self, item_id: str, heard_ms: int) -> None:
        said = self._dialogue.answer(item_id)
        if said is not None:
            said.cut(heard_ms)
        if self._answer is not None and self._answer.said.item_id == item_id:
            await self._abort(self._answer)
            self._go_on()

    async def answer_tool(self, tool_call_id: str, result: str, *, respond: bool = True) -> None:
        tool = self._dialogue.tool(tool_call_id)
        if tool is None:
            log.warning("tool_result_unasked", tool_call_id=tool_call_id)
            return
        tool.result = result
        if respond:
            self._owe("")

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
    async def _listen(self, listener: Listener) -> None:
        async for event in listener.events():
            if isinstance(event, Began):
                await self._caller_began(event)
            elif isinstance(event, Heard):
                self._caller_goes_on(event)
            else:
                self._caller_ended(event)
        if not self._is_over:
            raise VoiceAIError("listen_closed_1000", retryable=True)

    async def _caller_began(self, event: Began) -> None:
        self._caller_item, self._heard_text, self._told_text = f"heard_{uuid4().hex[:16]}", "", ""
        self._idle_since_ms = None
        self._out.put(SpeechStarted(self._caller_item, event.at_ms))
        if self._answer is not None:
            await self._abort(self._answer)

    def _caller_goes_on(self, event: Heard) -> None:
        """Pass on what is new, as long as it only grows; the whole comes at the end."""
        self._heard_text = event.text
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
        if not self._is_over:
            self._owe("")

    def _bill_listening(self) -> None:
        if self._listener is not None and (unbilled := self._listener.sent_ms - self._billed_ms) > 0:
            self._billed_ms = self._listener.sent_ms
            usage = Usage(transcription_s=unbilled / 1000, service=self.name, model=self._listener.model)
            self._out.put(Used(usage))

    # ── Answering ───────────────────────────────────────────────────────────────────────────────────────────
    def _owe(self, told: str) -> None:
        """Answer as soon as nobody speaks, all tools have their results and no other answer is under way."""
        self._next_told = told or self._next_told or ""
        self._go_on()

    def _go_on(self) -> None:
        if (
            self._next_told is None
            or self._answer is not None
            or self._caller_item
            or self._listener is None
            or self._is_lost
            or (not self._next_told and self._dialogue.waits_for_tools and self._last_is_answer())
        ):
            return
        told, self._next_told = self._next_told, None
        said = AiSaid(f"said_{uuid4().hex[:16]}")
        self._answer = answer = _Answer(said, told, _now())
        self._idle_since_ms = None
        answer.work = self._start(self._think(answer, self._listener))

    def _last_is_answer(self) -> bool:
        return bool(self._dialogue.items) and isinstance(self._dialogue.items[-1], AiSaid)

    async def _think(self, answer: _Answer, listener: Listener) -> None:
        brief, thinker = self._brief, self._thinker
        assert brief is not None and thinker is not None  # noqa: S101, PT018 - nothing is answered before open()
        await self._change_voice()
        task = Task(brief.instructions, self._dialogue, brief.tools, answer.told, brief.caller_id)
        splitter, tools = SentenceSplitter(), list[ToolUse]()
        is_added = False
        async for thought in thinker.think(task):
            if isinstance(thought, Words):
                sentences = splitter.feed(thought.text)
                for sentence in sentences:
                    if not is_added:
                        self._dialogue.add(answer.said)
                        is_added = True
                    await self._say(answer, sentence)
            elif isinstance(thought, Usage):
                answer.usage = thought
            else:
                tools.append(thought)
        if rest := splitter.rest():
            if not is_added:
                self._dialogue.add(answer.said)
                is_added = True
            await self._say(answer, rest)
        if not is_added and tools:
            self._dialogue.add(answer.said)
        if answer.said.stretches and self._speaker is not None:
            await self._speaker.finish()
        answer.said.tools = tools
        for tool in tools:
            self._out.put(ToolCall(tool.id, tool.name, tool.arguments))
        answer.is_thinking = False
        self._finish_if_done(answer)

    async def _say(self, answer: _Answer, sentence: str) -> None:
        speaker = self._speaker
        if speaker is None:
            return
        answer.n_characters += len(sentence)
        answer.last_sound_at = _now()
        number = await speaker.say(sentence)
        stretch = answer.open.get(number)
        if stretch is None:
            stretch = answer.open[number] = Stretch(sentence)
            answer.said.stretches.append(stretch)
        else:
            stretch.text += f" {sentence}"

    async def _pass_on(self, speaker: Speaker) -> None:
        """A voice's sound to the session, each piece of transcript before the sound of it."""
        async for event in speaker.events():
            await self._out.wait_for_room()
            answer = self._answer
            stretch = answer.open.get(event.stretch) if answer is not None else None
            if answer is None or stretch is None:
                continue  # of an answer that was interrupted
            item_id = answer.said.item_id
            if isinstance(event, Sound):
                self._tell(answer, stretch)
                audio = Audio.of(event.data, item_id=item_id)
                stretch.ms += audio.ms
                answer.last_sound_at = _now()
                self._playing_until_ms = max(self._given_ms, self._playing_until_ms) + audio.ms
                self._out.put(audio)
            else:
                self._tell(answer, stretch)
                stretch.is_complete = True
                del answer.open[event.stretch]
                self._finish_if_done(answer)

    def _tell(self, answer: _Answer, stretch: Stretch) -> None:
        if stretch.n_told < len(stretch.text):
            blank = " " if stretch is not answer.said.stretches[0] and not stretch.n_told else ""
            self._out.put(AiTranscript(answer.said.item_id, blank + stretch.text[stretch.n_told :]))
            stretch.n_told = len(stretch.text)

    def _finish_if_done(self, answer: _Answer) -> None:
        if answer is not self._answer or answer.is_thinking or answer.open:
            return
        if answer.said.stretches:
            self._out.put(AiTranscript(answer.said.item_id, answer.said.whole_text, is_final=True))
        self._done(answer, "completed")
        self._go_on()

    async def _abort(self, answer: _Answer) -> None:
        """Nothing more of this answer is made or heard; who hears it is told how much by cut()."""
        if answer.work is not None:
            answer.work.cancel()
            await asyncio.gather(answer.work, return_exceptions=True)
        if answer is not self._answer:
            return
        self._out.drop_audio()
        answer.said.cut(self._out.taken_ms(answer.said.item_id))
        self._playing_until_ms = 0.0
        self._done(answer, "cancelled")
        if answer.open and self._speaker is not None:
            await self._speaker.clear()

    def _done(self, answer: _Answer, status: str) -> None:
        self._answer = None
        self._out.forget(answer.said.item_id)
        if answer.n_characters and self._speaker is not None:
            speech = Usage(speech_chars=answer.n_characters, service=self._speaker.service, model=self._speaker.model)
            self._out.put(Used(speech))
        self._out.put(TurnDone(status, bool(answer.said.stretches), answer.usage))
        self._idle_since_ms = self._given_ms

    async def _change_voice(self) -> None:
        following, self._next_speaker = self._next_speaker, None
        if following is not None:
            before, self._speaker = self._speaker, following
            self._start(self._pass_on(following))
            if before is not None:
                await before.close()

    # ── Now and then ────────────────────────────────────────────────────────────────────────────────────────
    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            if self._listener is None:
                continue
            await self._listener.stay_awake()
            if self._listener.sent_ms - self._billed_ms >= _BILL_EVERY_MS:
                self._bill_listening()
            answer = self._answer
            if answer is not None and answer.open and _now() - answer.last_sound_at > _MUTE_S:
                raise VoiceAIError("speak_silent", retryable=True)
            self._prompt_idle()

    def _prompt_idle(self) -> None:
        """Speak up once the caller has said nothing for long enough after the last word they heard."""
        idle_ms = self._brief.idle_prompt_ms if self._brief is not None else None
        if idle_ms is None or self._idle_since_ms is None or self._caller_item or self._answer is not None:
            return
        if self._given_ms - max(self._idle_since_ms, self._playing_until_ms) >= idle_ms and not self._is_over:
            self._dialogue.add(Noted(SAYS_NOTHING))
            self._owe("")


async def _all_of(*openings: Coroutine[Any, Any, None]) -> None:
    """All at the same time; the first that fails says why."""
    tasks = [asyncio.ensure_future(one) for one in openings]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _now() -> float:
    return asyncio.get_running_loop().time()
