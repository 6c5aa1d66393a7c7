"""Which language the caller speaks, decided from what they say; pure but for the detector's model.

The rules: the provider's own word counts first, else a detector on the text; scores fade with every utterance; the
conversation changes its language only where another one leads clearly and on enough words, so that a name, an "okay"
or a single foreign word does not make it flap.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

FADE: Final = 0.6
LEAD: Final = 1.5
MIN_WORDS: Final = 4
_MOST_WORDS_COUNTED: Final = 8
_SHORT: Final = 3  # utterances of fewer words are guesses
_WORD: Final = re.compile(r"[^\W\d_]+")
# Short answers that detectors get wrong. "no" is in three languages and says nothing.
_LEXICON: Final[Mapping[str, frozenset[str]]] = {
    "en": frozenset({"yes", "hello", "okay", "thanks", "thank you", "speaking", "who is calling"}),
    "es": frozenset({"sí", "si", "hola", "vale", "gracias", "bueno", "dígame", "diga", "buenos días", "buenas tardes"}),
    "cs": frozenset({"ano", "ne", "jo", "dobrý den", "haló", "prosím", "děkuji", "kdo volá"}),
}

# text → language and confidence, 0–1.
Detector = Callable[[str], tuple[str, float]]


@lru_cache(maxsize=1)
def text_detector() -> Detector:
    """A detector for our languages alone: one for all of the world's is wrong more often on a few words."""
    # A second to load, for who talks with people only.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]  # it carries none

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(_LEXICON))

    def detect(text: str) -> tuple[str, float]:
        code, confidence = identifier.classify(text)
        return str(code), float(confidence)

    return detect


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance's vote. source: provider, text or lexicon."""

    text: str
    language: str
    weight: float
    n_words: int
    source: str


@dataclass(frozen=True, slots=True)
class Change:
    """The conversation is to go on in ``to``. scores and heard: the evidence."""

    from_: str
    to: str
    scores: Mapping[str, float]
    heard: tuple[Heard, ...]


@dataclass(slots=True)
class LanguageEar:
    """language: what is spoken now. allowed: what may be changed to."""

    language: str
    allowed: Collection[str]
    detector: Callable[[], Detector] = text_detector
    _scores: dict[str, float] = field(default_factory=dict)
    _words: dict[str, int] = field(default_factory=dict)
    _heard: list[Heard] = field(default_factory=list)

    def hear(self, text: str, *, provider_says: str = "") -> Change | None:
        """Take a finished utterance. provider_says: the code the provider gave, any spelling, "" if none."""
        vote = self._vote(text, provider_says)
        for code in self._scores:
            self._scores[code] *= FADE
        if vote is None:
            return None
        self._heard = [*self._heard, vote][-5:]
        self._scores[vote.language] = self._scores.get(vote.language, 0.0) + vote.weight
        self._words[vote.language] = self._words.get(vote.language, 0) + vote.n_words
        for code in self._words:
            if code != vote.language:
                self._words[code] = 0  # words in a row: whoever goes back to the old language starts anew
        return self._decide(vote.language)

    def _vote(self, text: str, provider_says: str) -> Heard | None:
        words = _WORD.findall(text.lower())
        if not words:
            return None
        n = len(words)
        counted = min(n, _MOST_WORDS_COUNTED)
        said = provider_says.split("-")[0].lower()
        if said in self.allowed:
            return Heard(text, said, counted * 1.0, n, "provider")
        phrase = " ".join(words)
        for code, phrases in _LEXICON.items():
            if phrase in phrases and code in self.allowed:
                return Heard(text, code, counted * 0.9, n, "lexicon")
        if n < _SHORT:
            return None
        code, confidence = self.detector()(text)
        return Heard(text, code, counted * confidence, n, "text") if code in self.allowed else None

    def _decide(self, leader: str) -> Change | None:
        if leader == self.language or self._words[leader] < MIN_WORDS:
            return None
        mine, theirs = self._scores.get(self.language, 0.0), self._scores[leader]
        if theirs < LEAD * mine:
            return None
        change = Change(
            self.language, leader, {code: round(score, 2) for code, score in self._scores.items()}, tuple(self._heard)
        )
        self.language = leader
        return change
