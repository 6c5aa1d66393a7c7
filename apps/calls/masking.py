"""Card numbers out of transcripts, written in digits or as they are spoken. Pure.

A number is found as a run: digits and number words of any of our languages with nothing but blanks, punctuation and a
filler or two between them. Whole numbers of cards are told from others by length and check digit (Luhn). Where the
speaker grouped digits (“forty-one eleven”) what was meant is not always certain; there length alone decides.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

MASK: Final = "[card data]"
_SHORTEST, _LONGEST = 13, 19
_FIRST_DIGITS: Final = frozenset("23456")
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


def mask_cards(text: str, *, language: str = "", is_piece: bool = False) -> str:
    """The text without card numbers. language: of words that several languages share. is_piece: more will follow."""
    return _masked(text, language, lambda run: _is_card(run) or (is_piece and run.is_last and run.may_become_card))


def mask_numbers(text: str, *, language: str = "") -> str:
    """The text without any number of two digits or more, for what is said while card data are asked for."""
    return _masked(text, language, lambda run: len(run.digits) >= 2)


@dataclass(slots=True)
class _Run:
    """start, end: in the text. is_certain: each word stood for the digits it was taken for."""

    start: int
    end: int
    digits: str
    is_certain: bool
    is_last: bool = False

    @property
    def may_become_card(self) -> bool:
        return len(self.digits) >= _IN_THE_MAKING


def _is_card(run: _Run) -> bool:
    if len(run.digits) < _SHORTEST:
        return False
    if not run.is_certain:
        return True
    digits = run.digits
    return any(  # a card's number may be followed by its date and code, or come after something else
        digits[start] in _FIRST_DIGITS and _passes_luhn(digits[start : start + n])
        for n in range(_SHORTEST, _LONGEST + 1)
        for start in range(len(digits) - n + 1)
    )


def _passes_luhn(digits: str) -> bool:
    total = 0
    for i, sign in enumerate(reversed(digits)):
        digit = int(sign) * (1 + i % 2)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def _masked(text: str, language: str, is_secret: Callable[[_Run], bool]) -> str:
    parts, done = [], 0
    for run in _runs(text, language):
        if is_secret(run):
            parts += [text[done : run.start], MASK]
            done = run.end
    return "".join([*parts, text[done:]]) if parts else text


def _runs(text: str, language: str) -> Iterator[_Run]:
    words = _VOCABULARIES.get(language, _VOCABULARIES["en"])
    run: _Run | None = None
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
                run = _Run(found.start(), found.end(), "", is_certain=True)
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
                run = _Run(found.start(), found.end(), "", is_certain=True)
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
