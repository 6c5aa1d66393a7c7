"""Card numbers out of transcripts, written in digits or as they are spoken. Pure.

A number is found as a run: digits and number words of any of our languages with nothing but blanks, punctuation and a
filler or two between them. Whole numbers of cards are told from others by length and check digit (Luhn). Where the
speaker grouped digits (“forty-one eleven”) what was meant is not always certain; there length alone decides. Numbers
that are said in several turns are card_watch's.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

MASK: Final = "[card data]"
SHORTEST: Final = 13
LONGEST: Final = 19
FIRST_DIGITS: Final = frozenset("23456")
_IN_THE_MAKING: Final = 8
"""Digits of a piece of speech that may become a card number with the next piece."""
_MAX_FILLERS: Final = 2

_TOKEN: Final = re.compile(r"\d+|[^\W\d_]+")
_STOPS: Final = " \t\r\n,.;:/-\u2013\u2014…·"

_UNITS: Final = {
    "en": "zero one two three four five six seven eight nine",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "cs": "nula jedna dva tri ctyri pet sest sedm osm devet",
}
_TEENS: Final = {
    "en": "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "es": "diez once doce trece catorce quince dieciseis diecisiete dieciocho diecinueve",
    "cs": "deset jedenact dvanact trinact ctrnact patnact sestnact sedmnact osmnact devatenact",
}
_TENS: Final = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "cs": "dvacet tricet ctyricet padesat sedesat sedmdesat osmdesat devadesat",
}
_ALSO: Final = {
    "en": {"oh": "0", "o": "0", "nought": "0"},
    "es": {"una": "1", "un": "1", "veintiun": "21"},
    "cs": {"nul": "0", "jeden": "1", "jedno": "1", "dve": "2", "ctyry": "4"},
}
_TIMES: Final = {"double": 2, "triple": 3, "doble": 2, "dvakrat": 2, "trikrat": 3}
# They make a number larger without being a digit of their own.
_SCALES: Final = "hundred thousand cien ciento cientos mil sto ste sta set tisic tisice"
_FILLERS: Final = "and then um uh er erm hm mm so y e eh este pues luego despues ehm no a pak potom jo tak"
_IS_SCALE: Final = frozenset(_SCALES.split())
_IS_FILLER: Final = frozenset(_FILLERS.split())


@dataclass(slots=True)
class Run:
    """A number in a text. start, end: where. is_certain: each word stood for the digits it was taken for. is_last:
    nothing is said after it.
    """

    start: int
    end: int
    digits: str
    is_certain: bool
    is_last: bool = False

    @property
    def is_card(self) -> bool:
        if len(self.digits) < SHORTEST:
            return False
        if not self.is_certain:
            return True
        digits = self.digits
        return any(  # a card's number may be followed by its date and code, or come after something else
            digits[start] in FIRST_DIGITS and passes_luhn(digits[start : start + n])
            for n in range(SHORTEST, LONGEST + 1)
            for start in range(len(digits) - n + 1)
        )

    @property
    def may_become_card(self) -> bool:
        """With what is said next."""
        return self.is_last and len(self.digits) >= _IN_THE_MAKING


def mask_cards(text: str, *, language: str = "") -> str:
    """The text without the card numbers that stand in it whole. language: of words that several languages share."""
    return without(text, [run for run in runs_in(text, language) if run.is_card])


def without(text: str, runs: Iterable[Run]) -> str:
    """The text with a mask in the place of each of these numbers of it, which come in their order."""
    parts, done = [], 0
    for run in runs:
        parts += [text[done : run.start], MASK]
        done = run.end
    return "".join([*parts, text[done:]]) if parts else text


def passes_luhn(digits: str) -> bool:
    total = 0
    for i, sign in enumerate(reversed(digits)):
        digit = int(sign) * (1 + i % 2)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def is_nothing_but(text: str, runs: Sequence[Run]) -> bool:
    """Whether the text says these numbers of it, and at the most a filler besides."""
    left = [text[before : run.start] for before, run in zip([0, *(run.end for run in runs)], runs, strict=False)]
    words = _TOKEN.findall(" ".join([*left, text[runs[-1].end :]])) if runs else ["none"]
    return all(_plain(word) in _IS_FILLER for word in words)


def runs_in(text: str, language: str) -> Iterator[Run]:
    """The numbers of a text. language: of words that several languages share."""
    words = _VOCABULARIES.get(language, _VOCABULARIES["en"])
    run: Run | None = None
    tens_open = False  # a unit that follows belongs to the tens before it
    times, n_fillers, last_end = 1, 0, 0
    for found in _TOKEN.finditer(text):
        token, is_near = found[0], not text[last_end : found.start()].strip(_STOPS)
        last_end = found.end()
        if run is not None and not is_near:
            yield run
            run, times, tens_open = None, 1, False
        word = "" if token.isdigit() else _plain(token)
        digits = _decimal(token) if not word else words.get(word, "")
        if digits:
            if run is None:
                run = Run(found.start(), found.end(), "", is_certain=True)
            if word and tens_open and len(digits) == 1 and digits != "0":
                run.digits = run.digits[:-1] + digits
                tens_open = False
            else:
                run.digits += digits * times
                tens_open = bool(word) and len(digits) == 2 and digits[1] == "0" and digits[0] != "1"
            run.is_certain = run.is_certain and not (word and len(digits) > 1)
            run.end, times, n_fillers = found.end(), 1, 0
        elif word in _TIMES:
            if run is None:
                run = Run(found.start(), found.end(), "", is_certain=True)
            times, tens_open = _TIMES[word], False
        elif run is not None and word in _IS_SCALE:
            run.end, run.is_certain, tens_open = found.end(), False, False
        elif run is not None and word in _IS_FILLER and n_fillers < _MAX_FILLERS:
            n_fillers += 1
        elif run is not None:
            yield run
            run, times, tens_open, n_fillers = None, 1, False, 0
    if run is not None:
        run.is_last = not text[run.end :].strip(_STOPS) or n_fillers > 0
        yield run


def _decimal(token: str) -> str:
    return "".join(str(unicodedata.digit(sign)) for sign in token)


def _plain(word: str) -> str:
    """Lower case, without accents."""
    return "".join(sign for sign in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(sign))


def _words_of(language: str) -> dict[str, str]:
    units, tens = _UNITS[language].split(), _TENS[language].split()
    words = {word: str(n) for n, word in enumerate(units)}
    words |= {word: str(n) for n, word in enumerate(_TEENS[language].split(), 10)}
    words |= {word: str(n) for n, word in zip(range(20, 100, 10), tens, strict=True)}
    if language == "es":  # veintiuno … veintinueve
        words |= {f"veinti{word}": f"2{n}" for n, word in enumerate(units) if n}
    if language == "cs":  # jednadvacet, dvaadvacet … devětadevadesát
        for n, unit in enumerate(["jedna", "dvaa", "tria", "ctyria", "peta", "sesta", "sedma", "osma", "deveta"], 1):
            words |= {f"{unit}{word}": str(ten + n) for ten, word in zip(range(20, 100, 10), tens, strict=True)}
            words |= {f"{unit}a{word}": str(ten + n) for ten, word in zip(range(20, 100, 10), tens, strict=True)}
    return words | _ALSO[language]


def _vocabulary(language: str) -> dict[str, str]:
    """Every language's words, the language's own before the others'."""
    merged: dict[str, str] = {}
    for other in _UNITS:
        merged |= _words_of(other)
    return merged | _words_of(language)


_VOCABULARIES: Final = {language: _vocabulary(language) for language in _UNITS}
