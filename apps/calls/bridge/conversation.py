"""Both sides of the talk: the AI's sound to the line, interruptions, words, tools; and what a lost AI leaves behind."""

from collections.abc import Callable, Iterable

import structlog

from apps.calls.bridge import metrics
from apps.calls.bridge.background import Background
from apps.calls.bridge.caller_sound import CallerSound
from apps.calls.bridge.goodbye import Goodbye
from apps.calls.bridge.holding import Holding
from apps.calls.bridge.line import Line
from apps.calls.bridge.link import SILENT, AiLink, Sleep
from apps.calls.bridge.listening import CallerTurns
from apps.calls.bridge.own_sound import OwnSound
from apps.calls.bridge.phrase_book import PhraseBook
from apps.calls.bridge.plan import CallPlan, greeting_note, greeting_prompt, resume_prompt
from apps.calls.bridge.recording import NO_RECORDER, Recorder
from apps.calls.bridge.sink import SessionEnd, Sink
from apps.calls.bridge.tool_calls import ToolCalls
from apps.calls.bridge.transcript import Transcript
from apps.calls.bridge.turns import OURS, Playback
from apps.calls.bridge.watching import Watcher
from apps.calls.media.frames import (
    AiEvent,
    AiTranscript,
    Audio,
    CallerTranscript,
    Clear,
    Expiring,
    Failed,
    Mark,
    Ready,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
    Used,
)
from apps.calls.voice_ai.base import PastTurn, VoiceAIError

log = structlog.get_logger(__name__)

_MAX_FAILED_RESPONSES = 3
_MAX_SILENT = 1
# Who speaks into the greeting again and again does not want to hear it.
_MAX_REMINDERS = 3
# What was sent just before an utterance was noticed belongs to it.
_BEFORE_SPEECH_MS = 400
# A connection that did not last so long may have been given speech that it had no time to notice.
_UNNOTICED_S = 2.0


class Conversation:
    """The link's Talk. end: ends the session. clock: monotonic seconds; now_ms: the clock of the call."""

    def __init__(
        self,
        *,
        line: Line,
        link: AiLink,
        plan: CallPlan,
        sink: Sink,
        recorder: Recorder,
        watcher: Watcher,
        sound: CallerSound,
        phrases: PhraseBook,
        background: Background,
        end: Callable[[SessionEnd], None],
        clock: Callable[[], float],
        sleep: Sleep,
        now_ms: Callable[[], int],
    ) -> None:
        self._line = line
        self._link = link
        self._plan = plan
        self._limits = plan.limits
        self._sink = sink
        self._recorder = recorder
        self._is_recorded = recorder is not NO_RECORDER
        self._watcher = watcher
        self._sound = sound
        self._clock = clock
        self._now_ms = now_ms
        self.playback = Playback()
        self.caller = CallerTurns(offset_ms=plan.offset_ms)
        self.transcript = Transcript(
            sink=sink,
            watcher=watcher,
            playback=self.playback,
            caller=self.caller,
            language=plan.language,
            clock=clock,
            now_ms=now_ms,
        )
        self.ours = OwnSound(
            line=line,
            playback=self.playback,
            transcript=self.transcript,
            recorder=recorder,
            clock=clock,
            now_ms=now_ms,
            sleep=sleep,
        )
        self.tools = ToolCalls(
            talk=self,
            link=link,
            sink=sink,
            recorder=recorder,
            limits=plan.limits,
            background=background,
            now_ms=now_ms,
        )
        self.goodbye = Goodbye(
            talk=self, link=link, tools=self.tools, background=background, limits=plan.limits, end=end, sleep=sleep
        )
        self.holding = Holding(
            talk=self,
            link=link,
            sound=sound,
            phrases=phrases,
            background=background,
            limits=plan.limits,
            sleep=sleep,
        )
        self._has_begun = bool(plan.history)  # the person has heard something of us
        # The greeting says that an AI speaks and that the call is recorded: it is due until it was heard to its end.
        self._owes_greeting = plan.owes_greeting
        self._is_greeting_made = False
        self._n_reminders = int(plan.owes_greeting and any(turn.speaker == "caller" for turn in plan.history))
        self._owes_speech = False
        self._opened_at = clock()
        self._given_from_ms = 0.0  # where the sound begins that the present voice AI was given
        self._prompt = plan.opening_prompt
        self._notes: list[str] = []
        self._item_now = ""
        self._n_failed = 0
        self._unheard: set[str] = set()
        self.is_muted = False
        self.is_responding = False
        self.is_asking = False  # the response that is under way has called tools
        self.last_voice_at = clock()
        self.waiting_since: float | None = None  # the caller has finished, the AI has not begun
        self.owed_since: float | None = None  # the same, or it was asked to speak
        self._n_silent = 0
        self.n_from_ai = 0
        self.n_dropped = 0

    @property
    def is_quiet(self) -> bool:
        """Nobody speaks, and nobody is about to."""
        return (
            not self.is_responding
            and not self.caller.is_speaking
            and self.waiting_since is None
            and not self.tools.is_busy
            and self.is_heard
        )

    @property
    def is_heard(self) -> bool:
        """All that was given to the line has been played."""
        return self.playback.is_drained(self._clock())

    # ── From the AI ─────────────────────────────────────────────────────────────────────────────────────────
    async def play(self, audio: Audio) -> None:
        playback, item_id = self.playback, audio.item_id
        if playback.is_cut(item_id) or self._is_unheard(item_id):
            return
        now = self._clock()
        if self.owed_since is not None:
            self._spoke(now)
        lead_ms = playback.lead_ms(now)
        if lead_ms > self._limits.max_lead_ms:
            self.n_dropped += 1
            return
        self.n_from_ai += 1
        self._has_begun = self.is_responding = True
        self._item_now = item_id
        await self._line.send(audio)
        now_ms = self._now_ms()
        if self._is_recorded:
            self._recorder.ai(audio, now_ms + int(lead_ms))
        mark = playback.sent(item_id, audio.n_bytes / audio.format.bytes_per_ms, now=now, call_ms=now_ms)
        if mark is not None:
            await self._line.send(Mark(mark))

    def _spoke(self, now: float) -> None:
        """The first sound of something that was waited for."""
        if self.waiting_since is not None:
            metrics.TURN_RESPONSE_SECONDS.labels(self._link.provider).observe(now - self.waiting_since)
        self.waiting_since = self.owed_since = None
        self._n_silent = 0

    async def take(self, event: AiEvent) -> None:
        if type(event) is SpeechStarted:
            await self._caller_began(event)
        elif type(event) is SpeechStopped:
            self.last_voice_at = self.waiting_since = self.owed_since = self._clock()
            self.caller.stopped(event)
            self._watcher.caller_stopped(self._now_ms())
        elif type(event) is CallerTranscript:
            self.last_voice_at = self._clock()
            self.transcript.caller_said(event)
        elif type(event) is AiTranscript:
            if not self.playback.is_cut(event.item_id) and not self._is_unheard(event.item_id):
                self._item_now = "" if event.is_final else event.item_id
                self.is_responding = self.is_responding or not event.is_final
                self.transcript.ai_said(event)
        elif type(event) is ToolCall:
            self.is_responding = self.is_asking = True
            self._tool_called(event)
        elif type(event) is TurnDone:
            await self._turn_done(event)
        elif type(event) is Used:
            self._sink.usage(event.usage)
        elif type(event) is Expiring:
            self._link.renew_by = self._clock() + event.in_s
        elif type(event) is Failed:
            metrics.VOICE_AI_ERRORS.labels(self._link.provider).inc()
            log.warning("voice_ai_error", code=event.code, message=event.message)
            if event.is_fatal:
                raise VoiceAIError(event.code, event.message, retryable=False)
        elif type(event) is Ready:
            log.info("voice_ai_ready", voice_ai=self._link.provider)

    async def _caller_began(self, event: SpeechStarted) -> None:
        """Be silent first, account for it afterwards."""
        noticed_at = self._clock()
        self.waiting_since = self.owed_since = None
        self.last_voice_at = noticed_at
        if self.is_responding or not self.playback.is_drained(noticed_at):
            await self._line.send(Clear())
            metrics.INTERRUPTION_SECONDS.labels(self._link.provider).observe(self._clock() - noticed_at)
            await self._cut(noticed_at)
            await self.goodbye.stay()
        else:
            self._note_greeted()
        self.is_responding = False
        self.caller.started(event)
        self._watcher.caller_began(self._now_ms())

    async def _cut(self, now: float) -> None:
        """The carrier's buffer is empty: keep what was heard, and tell the AI whose words they were."""
        cuts = self.playback.clear(now, generating=self._item_now if self.is_responding else "")
        if self._is_recorded:
            self._recorder.cut(self._now_ms())
        for cut in cuts:
            if self._link.is_open and cut.utterance.connection == self.playback.connection:
                await self._link.ai.cut(cut.utterance.item_id, cut.heard_ms)
            self.transcript.cut(cut)
        if self._owes_greeting and any(cut.utterance.connection != OURS for cut in cuts):
            await self._greeting_cut()

    async def _greeting_cut(self) -> None:
        """The caller spoke into the greeting: have the AI say what they have not heard of it."""
        self._is_greeting_made = False
        if not self.is_muted and self._n_reminders < _MAX_REMINDERS:
            self._n_reminders += 1
            await self._remind()

    async def _remind(self) -> None:
        language = self._link.language
        await self.note(greeting_note(self._plan.greetings[language], language))

    @property
    def _is_to_greet(self) -> bool:
        """Who has spoken into the greeting is not greeted from the beginning, but told what is left of it."""
        return not self._has_begun or (self._owes_greeting and not self._n_reminders)

    def _note_greeted(self) -> None:
        if self._is_greeting_made and self.is_heard:
            self._owes_greeting = False

    def _tool_called(self, call: ToolCall) -> None:
        if self._watcher.tool_called(call):
            self._sink.event("tool_called", {"name": call.name})
        elif call.name == "end_call":
            self._sink.event("tool_called", {"name": call.name})
            self.goodbye.asked_by = call  # acted on when its response is done
        else:
            self.tools.use(call)

    def _is_unheard(self, item_id: str) -> bool:
        """Whether an utterance is kept from the line; one that began so stays so."""
        if self.is_muted:
            self._unheard.add(item_id)
        return item_id in self._unheard

    async def _turn_done(self, event: TurnDone) -> None:
        self.is_responding = self.is_asking = False
        self._item_now = ""
        if event.usage is not None:
            self._sink.usage(event.usage)
        if (mark := self.playback.mark()) is not None:
            await self._line.send(Mark(mark))
        if event.status == "failed":
            self._n_failed += 1
            self._sink.event("ai_failed", {"error": event.error_code})
            if self._n_failed >= _MAX_FAILED_RESPONSES:
                raise VoiceAIError(event.error_code or "response_failed", retryable=False)
            await self._speak_up()
        else:
            self._n_failed = 0
            if event.status == "completed" and event.has_speech and not self.is_muted:
                self._is_greeting_made = True
        await self.goodbye.turn_done(has_speech=event.has_speech)

    # ── What the session and its watcher have it do ─────────────────────────────────────────────────────────
    async def say(self, prompt: str) -> None:
        """Have the AI say something; if there is none just now, as the first thing when it is there."""
        if not self._link.is_open:
            self._prompt = prompt
            return
        self.is_responding = True
        if self.owed_since is None:
            self.owed_since = self._clock()
        await self._link.ai.speak(prompt)

    async def be_owed(self, now: float) -> None:
        """Speech is due: ask for it if it does not come, and do without this connection if that does not help."""
        self._note_greeted()
        if self.is_muted:  # what is kept from the line is owed to nobody
            self.waiting_since = self.owed_since = None
        if self.owed_since is None or now - self.owed_since <= self._limits.ai_answer_s:
            return
        self.owed_since = now
        if self.tools.is_busy:
            return
        self._n_silent += 1
        self._sink.event("ai_failed", {"error": SILENT})
        if self._n_silent > _MAX_SILENT:
            self._link.lose(SILENT)
        else:
            await self._speak_up()

    async def _speak_up(self) -> None:
        """Have the AI say what is due where it said nothing, or broke off."""
        if self._is_to_greet:
            await self.greet()
        else:
            await self.say(resume_prompt(self._link.language, owes_greeting=self._owes_greeting))

    async def greet(self) -> None:
        language = self._link.language
        self._owes_greeting, self._is_greeting_made = True, False
        await self.say(greeting_prompt(self._plan.greetings[language], language))

    async def note(self, text: str) -> None:
        """Have the AI know something; if there is none just now, when it is there."""
        if self._link.is_open:
            await self._link.ai.note(text)
        else:
            self._notes.append(text)

    async def play_ours(self, pieces: Iterable[Audio], text: str) -> None:
        """Give sound of our own to the line. text: what it says, "" for what is no speech."""
        await self.ours.play(pieces, text)

    async def hush(self) -> None:
        """Stop what is being said, as if the caller had begun to speak."""
        await self._line.send(Clear())
        await self._cut(self._clock())

    async def change_language(self, language: str) -> None:
        self.transcript.language = language
        await self._link.change_language(language)

    # ── Its voice AI comes and goes ─────────────────────────────────────────────────────────────────────────
    def past(self) -> list[PastTurn]:
        return [*self._plan.history, *self.transcript.so_far()]

    async def opened(self) -> None:
        self.playback.connection += 1
        self.holding.end()
        self.goodbye.asked_by = None
        self.last_voice_at = self._clock()
        self._given_from_ms, self._opened_at = self._sound.next_ms, self._clock()
        self.caller.opened(self._now_ms() - int(self._sound.missed_ms))
        notes, self._notes = self._notes, []
        for text in notes:
            await self._link.ai.note(text)
        if self._owes_greeting and not self._is_to_greet:
            await self._remind()
        prompt, self._prompt = self._prompt, ""
        if prompt:
            await self.say(prompt)
        elif self._is_to_greet:
            if self._watcher.may_greet():
                await self.greet()
        elif self._owes_speech or self.holding.has_spoken or notes or not self.playback.utterances:
            await self._speak_up()
        self._owes_speech = self.holding.has_spoken = False

    def lost(self) -> None:
        """Keep what was said as far as it came, and have the caller's unfinished words heard again."""
        self._owes_speech = self._owes_speech or self.is_responding or self.waiting_since is not None
        self.is_responding = self.is_asking = False
        self.waiting_since = self.owed_since = None
        self._n_silent = 0
        if self._is_greeting_made:  # the carrier has all of it
            self._owes_greeting = False
        if (broken := self.playback.broke_off(self._item_now)) is not None:
            self.transcript.broke_off(broken)
        self._item_now = ""
        now_ms = self._now_ms()
        at_ms = self.caller.unfinished_at_ms
        if at_ms is not None:
            self._sound.rewind(self._given_from_ms + at_ms - _BEFORE_SPEECH_MS)
        elif not self.caller.was_noticed and self._clock() - self._opened_at < _UNNOTICED_S:
            self._sound.rewind(self._given_from_ms)
        again_from_ms = self._sound.next_ms - self._given_from_ms
        for turn in self.caller.lost(heard_again_from_ms=again_from_ms, now_ms=now_ms):
            self.transcript.caller_lost(turn)

    def broke_off(self) -> None:
        """The conversation is over, wherever it stood."""
        for cut in self.playback.clear(self._clock(), generating=self._item_now):
            self.transcript.cut(cut)

    def away(self) -> None:
        self.holding.begin()
