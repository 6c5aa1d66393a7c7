"""The words by which people stop, start and ask for help by text; pure.

A message counts when it is one of the words as a whole, in any case, with or without accents and punctuation, or when
it begins with a phrase that can mean nothing else.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

Meaning = Literal["stop", "start", "help"]


@dataclass(frozen=True, slots=True)
class Keyword:
    """language: whose word it is. is_carriers: the carrier knows the word, answers it and blocks by itself."""

    meaning: Meaning
    language: str
    is_carriers: bool = False


_CARRIERS: Final[dict[Meaning, str]] = {
    "stop": "STOP, STOPALL, STOP ALL, UNSUBSCRIBE, CANCEL, END, QUIT",
    "start": "START, YES, UNSTOP",
    "help": "HELP, INFO",
}
_OURS: Final[tuple[tuple[Meaning, str, str], ...]] = (
    ("stop", "en", "OPTOUT, OPT OUT, OPT-OUT, REVOKE, STOP IT, PLEASE STOP, STOP PLEASE, REMOVE, REMOVE ME, NO MORE"),
    ("stop", "es", "BAJA, DAR DE BAJA, DARME DE BAJA, ALTO, PARAR, DETENER, CANCELAR, NO MAS, BASTA, FIN"),
    (
        "stop",
        "cs",
        "ODHLASIT, ODHLASIT SE, ODHLASTE ME, KONEC, ZRUSIT, UKONCIT, NEPOSILAT, NEPOSILEJTE, STOP SMS, DOST, NECHCI",
    ),
    ("start", "en", "SUBSCRIBE, RESUBSCRIBE"),
    ("start", "es", "ALTA, DARME DE ALTA, COMENZAR, INICIAR, EMPEZAR"),
    ("start", "cs", "PRIHLASIT, PRIHLASIT SE, ZACIT, OBNOVIT"),
    ("help", "es", "AYUDA, INFORMACION"),
    ("help", "cs", "POMOC, NAPOVEDA, INFORMACE"),
)
# What begins so can mean nothing else.
_PHRASES: Final[tuple[tuple[str, str], ...]] = (
    ("en", "STOP TEXTING"),
    ("en", "STOP MESSAGING"),
    ("en", "STOP SENDING"),
    ("en", "STOP CONTACTING"),
    ("en", "DO NOT TEXT"),
    ("en", "DONT TEXT"),
    ("en", "DO NOT CONTACT"),
    ("en", "DONT CONTACT"),
    ("en", "NO MORE TEXTS"),
    ("en", "NO MORE MESSAGES"),
    ("en", "TAKE ME OFF"),
    ("en", "REMOVE ME FROM"),
    ("en", "UNSUBSCRIBE ME"),
    ("es", "NO ME ENVIEN"),
    ("es", "NO ME MANDEN"),
    ("es", "NO ME ESCRIBAN"),
    ("es", "NO ENVIAR MAS"),
    ("es", "DEJEN DE"),
    ("es", "DEME DE BAJA"),
    ("cs", "NEPOSILEJTE MI"),
    ("cs", "UZ MI NEPISTE"),
    ("cs", "NEPISTE MI"),
    ("cs", "PRESTANTE MI"),
    ("cs", "VYRADTE ME"),
)
_MARKS = re.compile(r"[^0-9A-Z]+")


def keyword_of(text: str) -> Keyword | None:
    """What the message orders, None for an ordinary one."""
    if len(text) > 300:
        return None
    words = _plain(text)
    return _WORDS.get(words) or next(
        (Keyword("stop", language) for language, phrase in _PHRASES if f"{words} ".startswith(f"{phrase} ")), None
    )


def _plain(text: str) -> str:
    """Capital letters without accents, words parted by single blanks."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return " ".join(_MARKS.sub(" ", bare.replace("'", "").replace("’", "").upper()).split())


def _words() -> dict[str, Keyword]:
    found = {
        _plain(word): Keyword(meaning, language) for meaning, language, words in _OURS for word in words.split(",")
    }
    for meaning, words in _CARRIERS.items():
        found |= {_plain(word): Keyword(meaning, "en", is_carriers=True) for word in words.split(",")}
    return found


_WORDS: Final = _words()
