"""What a Gemini Live conversation comes to: server messages and the caller's loudness in, the session's frames out.

The provider tells no item ids, no start and no end of what it transcribes, and of the caller's speech at most that it
interrupted. So utterances are numbered here; the caller's begin and end by the provider's word where it gives one, by
loudness where it does not. Pure but for the resampler: no clock, no network.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from apps.calls.media.activity import Change, VoiceActivity
from apps.calls.media.audio import ToLine
from apps.calls.media.frames import (
    AiEvent,
    AiTranscript,
    Audio,
    CallerTranscript,
    Expiring,
    Failed,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
    Usage,
    Used,
)
from apps.calls.voice_ai import gemini_events as wire

_KEPT_UTTERANCES: Final = 20


@dataclass(slots=True)
class _CallerTurn:
    item_id: str
    language: str = ""
    text: str = ""
    n_quiet: int = 0


@dataclass(slots=True)
class Spoken:
    """An utterance of the AI. ms: of the sound that was made of it."""

    item_id: str
    text: str = ""
    ms: float = 0.0
    is_told: bool = False
    """Its end has been told."""
    was_interrupted: bool = False
    """The provider cut it short itself, and knows."""

    def heard_text(self, heard_ms: int) -> str:
        """About what was heard of it, in whole words."""
        if heard_ms >= self.ms:
            return self.text.strip()
        return self.text[: int(len(self.text) * heard_ms / self.ms)].rpartition(" ")[0].strip()


class Dialogue:
    """emit: takes each frame. arm: asks for quiet() to be called once, a short while from now, instead of before.

    idle_ms: have the AI speak up after so long a silence; asked for by on_idle.
    """

    def __init__(
        self, *, emit: Callable[[AiEvent], None], arm: Callable[[], None], on_idle: Callable[[], None]
    ) -> None:
        self._emit = emit
        self._arm = arm
        self._on_idle = on_idle
        self._prefix = secrets.token_hex(4)
        self._n_items = 0
        self._line = ToLine(wire.USUAL_RATE_HZ)
        self.spoken: OrderedDict[str, Spoken] = OrderedDict()
        self.idle_ms: int | None = None
        self.reset()

    def reset(self) -> None:
        """A new connection: nobody is speaking. Numbers of utterances go on."""
        self._activity = VoiceActivity()
        self._tells_activity = False
        self._speaking = ""
        self._caller: _CallerTurn | None = None
        self._ai: Spoken | None = None
        self._is_open = False
        self._is_done = False
        self._is_generated = False
        self._is_cut = False
        self._has_speech = False
        self._usage: Usage | None = None
        self._playing_until_ms = 0.0
        self._idle_from_ms: float | None = None
        self.open_tools: dict[str, str] = {}
        self._line.reset()

    @property
    def is_answering(self) -> bool:
        """Something the provider says is on its way, or by its own reckoning still being heard."""
        return self._is_open

    @property
    def playing_ms(self) -> float:
        """How long what was said so far will still be heard, if it plays at once."""
        return max(0.0, self._playing_until_ms - self._activity.heard_ms)

    # ── The caller, by ear ──────────────────────────────────────────────────────────────────────────────────
    def hear(self, level: int, ms: float) -> None:
        """A frame was given to the provider. level: its root mean square."""
        activity = self._activity
        change = activity.hear(level, ms)
        if change is not None and not self._tells_activity:
            if change is Change.STOPPED:
                self._stopped(activity.stopped_ms)
            elif not self._is_open:  # while the AI speaks, the provider decides what interrupts it
                self._started(activity.started_ms)
        if (
            self._idle_from_ms is not None
            and self.idle_ms is not None
            and activity.heard_ms - self._idle_from_ms >= self.idle_ms
        ):
            self._idle_from_ms = None
            self._on_idle()

    def _started(self, at_ms: int) -> None:
        if self._speaking:
            return
        if self._caller is not None and self._caller.text:
            self._end_caller()
        if self._caller is None:
            self._caller = _CallerTurn(self._new_id("u"))
        self._speaking = self._caller.item_id
        self._caller.n_quiet = 0
        self._idle_from_ms = None
        self._playing_until_ms = 0.0
        self._emit(SpeechStarted(self._speaking, at_ms))

    def _stopped(self, at_ms: int) -> None:
        if not self._speaking:
            return
        item_id, self._speaking = self._speaking, ""
        self._emit(SpeechStopped(item_id, at_ms))
        if self._is_cut:  # what comes from now on answers these words
            self._end_turn()
        self._arm()

    def quiet(self) -> None:
        """Nothing of the caller's words has come for a while."""
        caller = self._caller
        if caller is None:
            return
        if self._speaking and (self._activity.is_speaking or self._tells_activity) and not self._is_open:
            self._arm()  # goes on speaking
            return
        self._stopped(self._now_ms)
        caller.n_quiet += 1
        if caller.text or caller.n_quiet > 4:
            self._end_caller()
        else:
            self._arm()  # the words may be late

    def end_of_audio(self) -> None:
        """The line is gone: the caller will say no more."""
        self._activity.is_speaking = False
        self._stopped(self._now_ms)
        self._arm()

    def give_up(self) -> None:
        """The connection is gone: what was understood so far is all there will be."""
        if self._caller is not None and self._caller.text:
            self._end_caller()
        self._tell_usage()

    def _end_caller(self) -> None:
        caller, self._caller = self._caller, None
        if caller is not None:
            self._emit(CallerTranscript(caller.item_id, caller.text.strip(), is_final=True, language=caller.language))

    # ── From the provider ───────────────────────────────────────────────────────────────────────────────────
    def take(self, message: Mapping[str, Any]) -> None:
        """One server message; several things may be in it. Raises KeyError, TypeError or ValueError if malformed."""
        content = message.get("serverContent")
        if metadata := message.get("usageMetadata"):
            self._usage = wire.usage_of(metadata)
        if content:
            self._content(content)
        if call := message.get("toolCall"):
            self._tool_call(call)
        if cancelled := message.get("toolCallCancellation"):
            for call_id in cancelled.get("ids") or ():
                self.open_tools.pop(call_id, None)
        if activity := message.get("voiceActivity"):
            self._voice_activity(activity)
        if going := message.get("goAway"):
            self._emit(Expiring(wire.seconds_of(going.get("timeLeft"))))
        if error := message.get("error"):
            self._emit(
                Failed(str(error.get("status") or error.get("code") or "error"), str(error.get("message"))[:200])
            )

    def _content(self, content: Mapping[str, Any]) -> None:
        if heard := content.get("inputTranscription"):
            self._fragment(heard)
        if content.get("interrupted"):
            self._interrupted()
        if turn := content.get("modelTurn"):
            for part in turn.get("parts") or ():
                if (blob := part.get("inlineData")) and not self._is_cut:
                    self._sound(wire.decoded(blob["data"]), wire.rate_of(blob.get("mimeType")))
        if (said := content.get("outputTranscription")) and (text := said.get("text")) and not self._is_cut:
            self._words(str(text))
        if content.get("generationComplete"):
            self._done("completed")
            self._is_generated = True
        if content.get("turnComplete") and content.get("interactionStatus") != "IN_PROGRESS":
            error = wire.end_error(content.get("turnCompleteReason"))
            self._done("failed" if error else "completed", error)
            self._end_turn()

    def _fragment(self, heard: Mapping[str, Any]) -> None:
        text = str(heard.get("text") or "")
        if text:
            if self._caller is None:
                if self._is_open:
                    self._caller = _CallerTurn(self._new_id("u"))
                else:
                    self._started(self._now_ms)  # too soft for us, but heard
            caller = self._caller
            assert caller is not None  # noqa: S101 - made just now
            caller.text += text
            caller.language = wire.language_of(heard.get("languageCode")) or caller.language
            self._emit(CallerTranscript(caller.item_id, text, language=caller.language))
            self._arm()
        if heard.get("finished") and self._caller is not None:
            if not self._activity.is_speaking:
                self._stopped(self._now_ms)
            self._end_caller()

    def _begin_turn(self) -> None:
        self._idle_from_ms = None
        if self._is_open:
            return
        self._is_open, self._has_speech = True, False
        self._is_done = self._is_generated = False
        self._stopped(self._activity.stopped_ms)  # it answers: so it has heard an end
        if self._caller is not None:
            self._arm()

    def _utterance(self) -> Spoken:
        """The one that is being said; a new one after a tool was asked for."""
        self._begin_turn()
        if self._ai is None or self._ai.is_told:
            self._ai = Spoken(self._new_id("a"))
            self.spoken[self._ai.item_id] = self._ai
            if len(self.spoken) > _KEPT_UTTERANCES:
                self.spoken.popitem(last=False)
            self._is_done = self._is_generated = False
        return self._ai

    def _sound(self, pcm: bytes, rate_hz: int) -> None:
        utterance = self._utterance()
        if rate_hz != self._line.rate_hz:
            self._line = ToLine(rate_hz)
        self._has_speech = True
        self._give(utterance, self._line(pcm))

    def _give(self, utterance: Spoken, mulaw: bytes) -> None:
        if mulaw:
            audio = Audio.of(mulaw, item_id=utterance.item_id)
            utterance.ms += audio.ms
            self._playing_until_ms = max(self._playing_until_ms, self._activity.heard_ms) + audio.ms
            self._emit(audio)

    def _words(self, text: str) -> None:
        if self._ai is not None and self._is_generated:
            self._ai.text += text  # a last word that comes after the sound
            self._emit(AiTranscript(self._ai.item_id, self._ai.text.strip(), is_final=True))
            return
        utterance = self._utterance()
        utterance.text += text
        self._emit(AiTranscript(utterance.item_id, text))

    def _interrupted(self) -> None:
        self._line.reset()
        self._activity.begin()
        utterance = self._ai
        if utterance is not None:
            utterance.was_interrupted = True
        self._started(self._activity.started_ms)
        if utterance is not None and not utterance.is_told:
            self._tell(utterance)
        if self._is_open:
            self._finish("cancelled", "")
            self._is_cut = True
        self.open_tools.clear()

    def _done(self, status: str, error: str = "") -> None:
        """The response is made; how it is heard is another matter."""
        if self._ai is not None and not self._ai.is_told and not self._is_cut:
            self._give(self._ai, self._line.flush())
            self._tell(self._ai)
        if not self._is_done:
            self._finish(status, error)

    def _tell(self, utterance: Spoken) -> None:
        utterance.is_told = True
        if text := utterance.text.strip():
            self._emit(AiTranscript(utterance.item_id, text, is_final=True))

    def _finish(self, status: str, error: str) -> None:
        if not self._is_done:
            self._is_done = True
            usage, self._usage = self._usage, None
            self._emit(TurnDone(status, has_speech=self._has_speech, usage=usage, error_code=error))
            self._has_speech = False

    def _end_turn(self) -> None:
        """The provider waits for the caller again."""
        self._is_open = self._is_cut = self._is_done = self._is_generated = False
        self._ai = None
        self._tell_usage()
        if self._activity.is_speaking and not self._tells_activity:
            self._started(self._activity.started_ms)  # spoke meanwhile, and was not taken for an interruption
        elif not self._speaking:
            self._idle_from_ms = max(self._playing_until_ms, self._activity.heard_ms)

    def _tell_usage(self) -> None:
        """What no response has told yet."""
        if self._usage is not None:
            usage, self._usage = self._usage, None
            self._emit(Used(usage))

    def _tool_call(self, call: Mapping[str, Any]) -> None:
        """To the provider the turn goes on until the tools are answered; to the session, its response is done."""
        self._begin_turn()
        calls = [ToolCall(str(one["id"]), str(one["name"]), _arguments(one)) for one in call["functionCalls"]]
        if self._ai is not None and not self._ai.is_told:
            self._give(self._ai, self._line.flush())
            self._tell(self._ai)
        for one in calls:
            self.open_tools[one.id] = one.name
            self._emit(one)
        self._is_done = self._is_generated = False
        self._finish("completed", "")

    def _voice_activity(self, activity: Mapping[str, Any]) -> None:
        kind = activity.get("type") or activity.get("voiceActivityType")
        self._tells_activity = True
        if kind == "ACTIVITY_START" and not self._is_open:
            self._started(self._now_ms)
        elif kind == "ACTIVITY_END":
            self._stopped(self._now_ms)

    def cut(self, item_id: str) -> None:
        """Nobody is to hear more of it."""
        if self._ai is not None and self._ai.item_id == item_id and self._is_open:
            self._is_cut = True
            self._line.reset()
        self._playing_until_ms = 0.0

    @property
    def _now_ms(self) -> int:
        return int(self._activity.heard_ms)

    def _new_id(self, kind: str) -> str:
        self._n_items += 1
        return f"{kind}_{self._prefix}_{self._n_items}"


def _arguments(call: Mapping[str, Any]) -> str:
    return orjson.dumps(call.get("args") or {}).decode()
