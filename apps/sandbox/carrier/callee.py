"""The person or machine that picked up, played 20 ms at a time: speaks, listens, loses patience, hangs up."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import assert_never

from apps.sandbox.carrier.ear import Ear
from apps.sandbox.carrier.tones import ToneEar
from apps.sandbox.personas import CalleeScript, Language, Line
from apps.sandbox.personas.scripts import (
    AwaitHangUp,
    HangUp,
    Interrupt,
    Listen,
    Menu,
    Pause,
    Press,
    Record,
    Say,
    Speak,
    Step,
    Tone,
)
from apps.sandbox.speech import FRAME_BYTES, SILENCE_FRAME, synthesise, tone

_KEY_GAP_S = 0.3


class CalleeActor:
    """Plays a script against what it hears.

    on_line: a sentence begins. on_heard: the other side finished an utterance. on_key: a key is pressed.
    on_tone: a key's tones were heard. on_hang_up: the phone was put down; called once.
    """

    def __init__(
        self,
        script: CalleeScript,
        *,
        on_line: Callable[[Line], None],
        on_heard: Callable[[], None],
        on_key: Callable[[str], None],
        on_tone: Callable[[str], None],
        on_hang_up: Callable[[], None],
    ) -> None:
        self.script = script
        self.hears_ringing = False  # while somebody else is being called for them: nobody loses patience then
        self._on_line, self._on_heard, self._on_key, self._on_hang_up = on_line, on_heard, on_key, on_hang_up
        self._on_tone = on_tone
        self._ear, self._tone_ear = Ear(), ToneEar()
        self._language: Language | None = None  # changed to in the call
        self._utterance_ended = False
        self._keys: deque[str] = deque()
        self._has_hung_up = False
        self._frames = self._perform()

    @property
    def heard_s(self) -> float:
        """How much sound there has been from the other side."""
        return self._ear.n_speech_frames * 0.02

    @property
    def _is_kept_busy(self) -> bool:
        return self._ear.is_hearing_speech or self.hears_ringing

    def tick(self, heard: bytes) -> bytes:
        """Hear 20 ms, speak 20 ms (160 bytes of μ-law each). A callee who hung up is silent."""
        self._utterance_ended = self._ear.hear(heard)
        if self._utterance_ended:
            self._on_heard()
        if (digit := self._tone_ear.hear(heard)) is not None:
            self._on_tone(digit)
            self.hear_key(digit)
        return next(self._frames, SILENCE_FRAME)

    def hear_key(self, digit: str) -> None:
        """The other side sent a DTMF tone."""
        self._keys.append(digit)

    def _perform(self) -> Iterator[bytes]:
        for step in self.script.persona.steps:
            yield from self._step(step)
            if self._has_hung_up:
                return
        self._hang_up()

    def _step(self, step: Step) -> Iterator[bytes]:
        match step:
            case Say():
                yield from self._quiet(step.after_s)
                yield from self._say(step.key)
            case Speak():
                self._language = step.language
            case Listen():
                yield from self._listen(step.patience_s)
            case Interrupt():
                yield from self._interrupt(step)
            case Pause():
                yield from self._quiet(step.duration_s)
            case Tone():
                yield from _cut(tone(step.hz, step.duration_s))
            case Press():
                for digit in step.digits:
                    self._on_key(digit)
                    yield from self._quiet(_KEY_GAP_S)
            case Menu():
                yield from self._menu(step)
            case Record():
                yield from self._stay(step.silence_s, max_s=step.max_s)
            case AwaitHangUp():
                yield from self._stay(step.patience_s)
                self._hang_up()
            case HangUp():
                yield from self._quiet(step.after_s)
                self._hang_up()
            case _:
                assert_never(step)

    def _hang_up(self) -> None:
        if not self._has_hung_up:
            self._has_hung_up = True
            self._on_hang_up()

    def _say(self, key: str) -> Iterator[bytes]:
        line = self.script.line(key, self._language)
        self._on_line(line)
        yield from _cut(synthesise(line.text, line.language))

    def _quiet(self, duration_s: float) -> Iterator[bytes]:
        for _ in range(_frames(duration_s)):
            yield SILENCE_FRAME

    def _listen(self, patience_s: float) -> Iterator[bytes]:
        if not self._ear.is_hearing_speech:
            self._ear.forget()  # what ended while we spoke was not an answer to it
        has_asked, n_waited, limit = False, 0, _frames(patience_s)
        while not self._utterance_ended:
            n_waited = 0 if self._is_kept_busy else n_waited + 1
            if n_waited > limit:
                if has_asked:
                    self._hang_up()
                    return
                has_asked, n_waited = True, 0
                yield from self._say("still_there")
                continue
            yield SILENCE_FRAME

    def _interrupt(self, step: Interrupt) -> Iterator[bytes]:
        n_waited, limit = 0, _frames(step.patience_s)
        while self._ear.speech_s < step.after_s:
            n_waited = 0 if self._is_kept_busy else n_waited + 1
            if n_waited > limit:
                self._hang_up()
                return
            yield SILENCE_FRAME

    def _stay(self, patience_s: float, max_s: float = math.inf) -> Iterator[bytes]:
        n_waited, n_all = 0, 0
        limit, most = _frames(patience_s), max_s / 0.02
        while n_waited < limit and n_all < most:
            n_waited = 0 if self._is_kept_busy else n_waited + 1
            n_all += 1
            yield SILENCE_FRAME

    def _menu(self, step: Menu) -> Iterator[bytes]:
        yield from self._quiet(0.6)
        for _ in range(step.repeats):
            for frame in self._say(step.key):
                yield frame
                if self._keys:
                    break
            for _ in range(_frames(step.pause_s)):
                if self._keys:
                    break
                yield SILENCE_FRAME
            if self._keys:
                if self._keys.popleft() == step.digit:
                    return
                yield from self._say(step.invalid_key)
        yield from self._say("ivr_goodbye")
        self._hang_up()


def _frames(seconds: float) -> int:
    return round(seconds / 0.02)


def _cut(mulaw: bytes) -> Iterator[bytes]:
    for start in range(0, len(mulaw), FRAME_BYTES):
        yield mulaw[start : start + FRAME_BYTES]
