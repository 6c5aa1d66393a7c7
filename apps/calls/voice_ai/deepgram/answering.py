"""The AI's side: answers, one at a time, from the language model's words by sentences to sound."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from apps.calls.media.frames import AiTranscript, Audio, ToolCall, TurnDone, Usage, Used
from apps.calls.voice_ai.base import VoiceAIError, VoiceBrief
from apps.calls.voice_ai.deepgram.dialogue import AiSaid, Dialogue, Stretch, ToolUse
from apps.calls.voice_ai.deepgram.outbox import Outbox
from apps.calls.voice_ai.deepgram.parts import Sound, Speaker, Task, Thinker, Words
from apps.calls.voice_ai.deepgram.sentences import SentenceSplitter

# A voice that has been given a sentence and makes no sound for so long makes none any more.
_MUTE_S: Final = 10.0


@dataclass(eq=False, slots=True)
class _Answer:
    """One answer on its way. open: stretches whose sound has not all come."""

    said: AiSaid
    told: str
    work: asyncio.Task[None] | None = None
    is_thinking: bool = True
    open: dict[int, Stretch] = field(default_factory=dict)
    usage: Usage | None = None
    n_characters: int = 0
    last_sound_at: float = 0.0


class Answering:
    """One connection's. start: runs work, and makes a loss of what it raises. is_free: whether the AI may speak now.

    now_ms: the clock of the caller's audio, on which all goes that depends on what they hear and say.
    """

    def __init__(
        self,
        *,
        out: Outbox,
        dialogue: Dialogue,
        brief: VoiceBrief,
        thinker: Thinker,
        speaker: Speaker,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        is_free: Callable[[], bool],
        now_ms: Callable[[], float],
    ) -> None:
        self.brief = brief
        self.thinker = thinker
        self._out = out
        self._dialogue = dialogue
        self._speaker = speaker
        self._next_speaker: Speaker | None = None
        self._retired: set[Speaker] = set()
        self._start = start
        self._is_free = is_free
        self._now_ms = now_ms
        self._answer: _Answer | None = None
        self._next_told: str | None = None  # an answer that is owed: what it is told, "" for nothing
        self._playing_until_ms = 0.0
        self.silent_since_ms: float | None = None
        """When the last answer had been made; None while there is one, and before the first."""
        self._start(self._pass_on(speaker))

    @property
    def is_answering(self) -> bool:
        return self._answer is not None

    @property
    def heard_out_ms(self) -> float:
        """When the caller will have heard, or has heard, all that was said."""
        return self._playing_until_ms

    @property
    def voices(self) -> list[Speaker]:
        """All there is to be closed."""
        return [self._speaker, *([self._next_speaker] if self._next_speaker is not None else []), *self._retired]

    # ── What is to be said ──────────────────────────────────────────────────────────────────────────────────
    def owe(self, told: str) -> None:
        """Answer as soon as nobody speaks, all tools have their results and no other answer is under way."""
        self._next_told = told or self._next_told or ""
        self.go_on()

    def go_on(self) -> None:
        if self._next_told is None or self._answer is not None or not self._is_free():
            return
        if not self._next_told and self._dialogue.waits_for_tools and self._dialogue.ends_with_answer:
            return
        told, self._next_told = self._next_told, None
        self._answer = answer = _Answer(AiSaid(f"said_{uuid4().hex[:16]}"), told)
        self.silent_since_ms = None
        answer.work = self._start(self._think(answer))

    async def cut(self, item_id: str, heard_ms: int) -> None:
        said = self._dialogue.answer(item_id)
        if said is not None:
            said.cut(heard_ms)
        if self._answer is not None and self._answer.said.item_id == item_id:
            await self.abort()
            self.go_on()

    async def begin_again(self) -> None:
        """An answer of which nobody has heard anything yet is given anew, by the brief of now."""
        answer = self._answer
        if answer is not None and not self._out.taken_ms(answer.said.item_id):
            self._next_told = self._next_told or answer.told
            await self.abort()
            self.go_on()

    async def use(self, speaker: Speaker) -> None:
        """Speak by another voice, which is open, from the next answer on."""
        following, self._next_speaker = self._next_speaker, speaker
        if following is not None:
            self._retire(following)
        if self._answer is None:
            self._change_voice()

    def check_voice(self) -> None:
        """Raises VoiceAIError if the voice has fallen silent in the middle of an answer."""
        answer = self._answer
        if answer is not None and answer.open and _now() - answer.last_sound_at > _MUTE_S:
            raise VoiceAIError("speak_silent", retryable=True)

    # ── From words to sound ─────────────────────────────────────────────────────────────────────────────────
    async def _think(self, answer: _Answer) -> None:
        self._change_voice()
        brief, tools = self.brief, list[ToolUse]()
        task = Task(brief.instructions, self._dialogue, brief.tools, answer.told, brief.caller_id)
        splitter = SentenceSplitter()
        async for thought in self.thinker.think(task):
            if isinstance(thought, Words):
                for sentence in splitter.feed(thought.text):
                    await self._say(answer, sentence)
            elif isinstance(thought, Usage):
                answer.usage = thought
            else:
                tools.append(thought)
        if rest := splitter.rest():
            await self._say(answer, rest)
        if answer.said.stretches:
            await self._speaker.finish()
        elif tools:
            self._dialogue.add(answer.said)
        answer.said.tools = tools
        for tool in tools:
            self._out.put(ToolCall(tool.id, tool.name, tool.arguments))
        answer.is_thinking = False
        self._finish_if_done(answer)

    async def _say(self, answer: _Answer, sentence: str) -> None:
        if not answer.said.stretches:
            self._dialogue.add(answer.said)
        answer.n_characters += len(sentence)
        answer.last_sound_at = _now()
        number = self._speaker.next_stretch()
        stretch = answer.open.get(number)
        if stretch is None:
            stretch = answer.open[number] = Stretch(sentence)
            answer.said.stretches.append(stretch)
        else:
            stretch.text += f" {sentence}"
        await self._speaker.say(sentence)

    async def _pass_on(self, speaker: Speaker) -> None:
        """A voice's sound to the session, each piece of transcript before the sound of it."""
        async for event in speaker.events():
            await self._out.wait_for_room()
            answer = self._answer
            stretch = answer.open.get(event.stretch) if answer is not None else None
            if answer is None or stretch is None:
                continue  # of an answer that was interrupted
            self._tell(answer, stretch)
            if isinstance(event, Sound):
                audio = Audio.of(event.data, item_id=answer.said.item_id)
                stretch.ms += audio.ms
                answer.last_sound_at = _now()
                self._playing_until_ms = max(self._now_ms(), self._playing_until_ms) + audio.ms
                self._out.put(audio)
            else:
                stretch.is_complete = True
                del answer.open[event.stretch]
                self._finish_if_done(answer)

    def _tell(self, answer: _Answer, stretch: Stretch) -> None:
        if stretch.n_told < len(stretch.text):
            blank = " " if stretch is not answer.said.stretches[0] and not stretch.n_told else ""
            self._out.put(AiTranscript(answer.said.item_id, blank + stretch.text[stretch.n_told :]))
            stretch.n_told = len(stretch.text)

    # ── The end of an answer ────────────────────────────────────────────────────────────────────────────────
    def _finish_if_done(self, answer: _Answer) -> None:
        if answer is not self._answer or answer.is_thinking or answer.open:
            return
        if answer.said.stretches:
            self._out.put(AiTranscript(answer.said.item_id, answer.said.whole_text, is_final=True))
        self._done(answer, "completed")
        self.go_on()

    async def abort(self) -> None:
        """Nothing more of this answer is made or heard; how much was heard is told by cut()."""
        answer = self._answer
        if answer is None:
            return
        if answer.work is not None:
            answer.work.cancel()
            await asyncio.gather(answer.work, return_exceptions=True)
        if answer is not self._answer:
            return  # somebody else has seen to it
        self._out.drop_audio()
        answer.said.cut(self._out.taken_ms(answer.said.item_id))
        self._playing_until_ms = 0.0
        self._done(answer, "cancelled")
        if answer.open:
            await self._speaker.clear()

    def _done(self, answer: _Answer, status: str) -> None:
        self._answer = None
        self._out.forget(answer.said.item_id)
        if answer.n_characters:
            speaker = self._speaker
            self._out.put(Used(Usage(speech_chars=answer.n_characters, service=speaker.service, model=speaker.model)))
        self._out.put(TurnDone(status, bool(answer.said.stretches), answer.usage))
        self.silent_since_ms = self._now_ms()

    def _change_voice(self) -> None:
        following, self._next_speaker = self._next_speaker, None
        if following is not None:
            before, self._speaker = self._speaker, following
            self._start(self._pass_on(following))
            self._retire(before)

    def _retire(self, speaker: Speaker) -> None:
        self._retired.add(speaker)
        self._start(self._close(speaker))

    async def _close(self, speaker: Speaker) -> None:
        await speaker.close()
        self._retired.discard(speaker)


def _now() -> float:
    return asyncio.get_running_loop().time()
