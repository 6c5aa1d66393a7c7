"""The caller's latest sound: what a voice AI that was away is still to hear, or to hear again. Pure."""

from binascii import a2b_base64
from collections import deque

from apps.calls.media.audio import decode_pcmu, loudness
from apps.calls.media.frames import PCMU_8K, Audio

# Frames that are kept while all is well: utterances whose words are not known yet. 8 s, about 130 kB.
_N_LATEST = 400
_N_NOW = 10
_SPEECH = 500  # of 32767, root mean square


class CallerSound:
    """The session has every frame kept, and adds it to what was missed while nobody listens.

    heard_ms: milliseconds of sound that came so far, the session's count. Positions are counted in it: they hold
    whatever the line's pace.
    """

    def __init__(self) -> None:
        # Strings, which the garbage collector need not look at: with frames of a hundred calls it took 50 ms at a time.
        self._latest: deque[str] = deque(maxlen=_N_LATEST)
        self._format = PCMU_8K
        self._missed: deque[Audio] = deque()
        self.missed_ms = 0.0
        self.heard_ms = 0.0
        self.n_dropped = 0

    @property
    def next_ms(self) -> float:
        """The position of the sound that a provider will be given next."""
        return self.heard_ms - self.missed_ms

    @property
    def is_speech(self) -> bool:
        """Whether the last moment of it sounds like somebody speaking. Takes some microseconds: not for every frame."""
        if self._format != PCMU_8K:
            return False
        data = b"".join(a2b_base64(text) for text in list(self._latest)[-_N_NOW:])
        return bool(data) and loudness(decode_pcmu(data)) > _SPEECH

    def keep(self, audio: Audio) -> None:
        """Remember a frame that has just come."""
        if audio.format is not self._format:
            self._latest.clear()
            self._format = audio.format
        self._latest.append(audio.text)

    def miss(self, audio: Audio, *, at_most_ms: float) -> None:
        """Keep a frame that nobody hears now; beyond the bound the oldest goes, and is counted."""
        self._missed.append(audio)
        self.missed_ms += audio.ms
        while self.missed_ms > at_most_ms:
            self.missed_ms -= self._missed.popleft().ms
            self.n_dropped += 1

    def rewind(self, to_ms: float) -> None:
        """From that position on it is to be heard again, as far as it was kept."""
        ms = self.heard_ms - to_ms
        again: deque[Audio] = deque()
        again_ms = 0.0
        for text in reversed(self._latest):
            if again_ms >= ms:
                break
            audio = Audio(text, len(text) * 3 // 4 - text.count("=", -2), self._format)
            again.appendleft(audio)
            again_ms += audio.ms
        if again_ms > self.missed_ms:
            self._missed, self.missed_ms = again, again_ms

    def take(self, ms: float) -> list[Audio]:
        """The oldest of what was missed, about so much of it."""
        taken: list[Audio] = []
        taken_ms = 0.0
        while self._missed and taken_ms < ms:
            audio = self._missed.popleft()
            taken_ms += audio.ms
            taken.append(audio)
        self.missed_ms = self.missed_ms - taken_ms if self._missed else 0.0
        return taken
