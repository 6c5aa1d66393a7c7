"""What a persona can do on the phone, one small step after another. Times are in seconds of the call's own clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from apps.sandbox.personas.lines import Language, Line, line_variants

Outcome = Literal["answered", "busy", "no-answer", "failed"]
Verdict = Literal["human", "machine", "fax", "unknown"]


@dataclass(frozen=True, slots=True)
class Say:
    """Speak one of the phrasings of `key` to its end."""

    key: str
    after_s: float = 0.4


@dataclass(frozen=True, slots=True)
class Speak:
    """From here on another language."""

    language: Language


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait until the other side has said something and stopped.

    After `patience_s` of hearing nothing the callee asks whether anybody is there; the second time they hang up.
    """

    patience_s: float = 12.0


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Wait until the other side has been talking for `after_s`, then go on while they still talk."""

    after_s: float = 1.4
    patience_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Say nothing, whatever is heard."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Tone:
    """A beep or a fax tone."""

    hz: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys, a third of a second apart."""

    digits: str


@dataclass(frozen=True, slots=True)
class Menu:
    """Read a menu `repeats` times, `pause_s` apart, until `digit` is heard; then go on, else hang up."""

    key: str
    digit: str
    invalid_key: str
    repeats: int = 3
    pause_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """An answering machine taking a message: ends after `silence_s` of nothing or `max_s` in all."""

    max_s: float = 60.0
    silence_s: float = 6.0


@dataclass(frozen=True, slots=True)
class AwaitHangUp:
    """Stay on the line for the other side to hang up, at most `patience_s` of silence."""

    patience_s: float = 12.0


@dataclass(frozen=True, slots=True)
class HangUp:
    """Put the phone down."""

    after_s: float = 0.5


Step = Say | Speak | Listen | Interrupt | Pause | Tone | Press | Menu | Record | AwaitHangUp | HangUp


@dataclass(frozen=True, slots=True)
class Answer:
    """How the phone behaves when dialled. `ring_s` None: two to six seconds, by number."""

    outcome: Outcome = "answered"
    ring_s: float | None = None
    sip_code: int = 200


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody, or something, that answers a phone."""

    key: str
    about: str
    steps: tuple[Step, ...] = ()
    answer: Answer = field(default_factory=Answer)
    verdict: Verdict = "human"  # what answering machine detection makes of them
    ends_with_beep: bool = False
    language: Language | None = None  # spoken whatever the number's row says


@dataclass(frozen=True, slots=True)
class CalleeScript:
    """A persona bound to one number: its language, which phrasings it prefers, and a fault that comes with it."""

    number: str
    language: Language
    persona: Persona
    variant: int
    fault: str | None = None

    @property
    def ring_s(self) -> float:
        fixed = self.persona.answer.ring_s
        return fixed if fixed is not None else 2.0 + self.variant % 5

    def line(self, key: str, language: Language | None = None) -> Line:
        """The phrasing of `key` this callee uses; KeyError if no such line exists.

        language: what they have changed to; None is what they began with.
        """
        variants = line_variants(language or self.language, key)
        return variants[self.variant % len(variants)]
