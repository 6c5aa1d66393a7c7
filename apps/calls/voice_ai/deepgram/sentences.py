"""Text that comes in pieces, cut into sentences as soon as each is complete; pure.

A voice speaks better by the sentence than by the word, and the first sentence shall not wait for the second.
"""

import re
from typing import Final

# A stop, what may close a sentence behind it, and the blank that shows that more is to come.
_END: Final = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|\n+")
_ABBREVIATIONS: Final = frozenset(
    (
        # English
        *("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "no", "approx", "dept", "est", "inc"),
        *("ltd", "co", "corp", "ext", "tel", "e.g", "i.e", "a.m", "p.m", "u.s", "jan", "feb", "aug", "sept", "oct"),
        *("nov", "dec"),
        # Spanish
        *("sra", "srta", "d", "dña", "dra", "ud", "uds", "vd", "pág", "núm", "av", "avda", "c", "p.ej", "ej"),
        *("ee.uu", "aprox", "tfno", "ctra", "izq", "dcha"),
        # Czech
        *("p", "pí", "sl", "ing", "mgr", "bc", "mudr", "judr", "rndr", "phdr", "doc", "např", "tj", "tzv", "atd"),
        *("apod", "č", "čp", "str", "ul", "nám", "tř", "hod", "min", "tis", "mil", "resp", "popř", "příp", "kč"),
        *("max", "cca"),
    )
)
# Where an abbreviation also ends a sentence now and then, what follows decides: a capital letter begins a new one.
_MAY_END: Final = frozenset(
    (
        *("etc", "atd", "apod", "a.m", "p.m", "hod", "min", "tis", "mil", "inc", "ltd", "corp", "co", "kč"),
        *("ee.uu", "u.s", "no"),
    )
)
_LAST_WORD: Final = re.compile(r"[\w.]*\w$")
_LONGEST: Final = 300
"""Characters that wait for a stop at most; then a comma or a blank has to do."""


class SentenceSplitter:
    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> list[str]:
        """Sentences that have become complete, without blanks around them."""
        self._rest += piece
        found: list[str] = []
        while (at := self._next_end()) is not None:
            sentence, self._rest = self._rest[:at].strip(), self._rest[at:].lstrip()
            if _has_words(sentence):
                found.append(sentence)
        return found

    def rest(self) -> str:
        """What is left when no more comes."""
        rest, self._rest = self._rest.strip(), ""
        return rest if _has_words(rest) else ""

    def _next_end(self) -> int | None:
        for match in _END.finditer(self._rest):
            if self._is_end(match):
                return match.end()
        if len(self._rest) > _LONGEST:
            for mark in (", ", "; ", " "):
                at = self._rest.rfind(mark, 0, _LONGEST)
                if at > 0:
                    return at + 1
            return _LONGEST
        return None

    def _is_end(self, match: re.Match[str]) -> bool:
        if match[0][0] != ".":
            return True
        follows = self._rest[match.end() :].lstrip()
        if match[0].startswith("..") or not match[0].endswith("."):
            return True  # an ellipsis, or a closing quotation mark
        word = _LAST_WORD.search(self._rest, max(0, match.start() - 20), match.start())
        before = word[0].casefold() if word else ""
        if not follows:
            # What comes next would tell. Only where it matters is it waited for.
            return not (before.isdigit() or before in _ABBREVIATIONS or _is_initial(before))
        begins_new = follows[0].isupper() or follows[0] in '¿¡„“"(«'
        if before.isdigit():
            # "v 15. hodin", "3. května" go on, "in 2026. We" does not; a short number before a name is a date's.
            return begins_new and len(before) > 2
        if before in _ABBREVIATIONS:
            return begins_new and before in _MAY_END
        return not _is_initial(before)


def _is_initial(word: str) -> bool:
    """As in J. R. Smith: a single letter that is no word by itself."""
    return len(word) == 1 and word.isalpha() and word not in "ayouieks"


def _has_words(text: str) -> bool:
    return any(letter.isalnum() for letter in text)
