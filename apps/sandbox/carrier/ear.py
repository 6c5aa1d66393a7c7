"""When somebody starts and stops speaking, by the energy of what is heard."""

from __future__ import annotations

from apps.sandbox.speech import SILENCE_FRAME, loudness

_SPEECH_LOUDNESS = 350  # RMS; speech here lies near 3000, line noise well below
_END_FRAMES = 40  # 0.8 s of quiet end an utterance
_MIN_SPEECH_FRAMES = 8  # shorter sounds are clicks, not words
_PRESENT_FRAMES = 10  # speech within 0.2 s counts as going on


class Ear:
    """Hears one 20 ms frame after another and knows whether an utterance is going on or has just ended."""

    def __init__(self) -> None:
        self._n_speech = 0
        self._n_quiet = 0
        self.n_utterances = 0
        self.n_speech_frames = 0

    @property
    def is_hearing_speech(self) -> bool:
        return self._n_speech > 0 and self._n_quiet < _PRESENT_FRAMES

    @property
    def speech_s(self) -> float:
        """How much speech the present utterance has had."""
        return self._n_speech * 0.02

    @property
    def is_in_utterance(self) -> bool:
        """Speech was heard and its end is not certain yet."""
        return self._n_speech >= _MIN_SPEECH_FRAMES

    def forget(self) -> None:
        """Start afresh: what was said so far does not count as an utterance."""
        self._n_speech = self._n_quiet = 0

    def hear(self, frame: bytes) -> bool:
        """Take in 20 ms of μ-law; True when an utterance ended with it."""
        if frame is not SILENCE_FRAME and loudness(frame) >= _SPEECH_LOUDNESS:
            self._n_speech += 1
            self.n_speech_frames += 1
            self._n_quiet = 0
            return False
        if not self._n_speech:
            return False
        self._n_quiet += 1
        if self._n_quiet < _END_FRAMES:
            return False
        was_utterance = self._n_speech >= _MIN_SPEECH_FRAMES
        self.forget()
        if was_utterance:
            self.n_utterances += 1
        return was_utterance
