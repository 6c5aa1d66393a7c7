"""A file as its rows: which encoding, which delimiter, where the header is, and how to get past broken quotes."""

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.contacts.imports.columns import Columns, read_columns

_SAMPLE = 262_144
_DELIMITERS = ",;\t|"
# A record that runs over more lines than this has a quotation mark that nobody closed.
_MOST_LINES = 20
# Longer lines are read in pieces, so that a file without line ends cannot fill the memory.
_LONGEST_LINE = 200_000
# What ``surrogateescape`` makes of a byte that is no UTF-8.
_STRAY = re.compile("[\udc80-\udcff]")
# How workbooks, pictures, papers and archives begin.
_NO_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b", b"{\\rtf", b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
_SEP = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)


class BadFile(Exception):
    """The file as a whole cannot be taken. code: one of reasons.FILE_ERRORS."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Shape:
    """encoding and errors: for ``open``. n_before: lines before the first row."""

    encoding: str
    errors: str
    delimiter: str
    columns: Columns
    n_before: int


def shape_of(path: Path) -> Shape:
    """Look at a file before anything is written. Raises BadFile; OSError if it cannot be read."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    if not sample.strip():
        raise BadFile("empty_file")
    encoding, errors = _encoding_of(path, sample)
    with path.open(encoding=encoding, errors=errors, newline="") as text:
        first = text.readline(_LONGEST_LINE)
        n_before = 1
        told = _SEP.fullmatch(first)
        while told is not None or not first.strip(" \t\r\n,;|"):
            first = text.readline(_LONGEST_LINE)
            n_before += 1
            if not first:
                raise BadFile("empty_file")
            if told is not None:
                break
        # A header cell may itself be broken over lines.
        while first.count('"') % 2 and n_before < _MOST_LINES:
            more = text.readline(_LONGEST_LINE)
            if not more:
                break
            first += more
            n_before += 1
    if len(first) >= _LONGEST_LINE:
        raise BadFile("not_csv")
    delimiter, columns = _columns_of(first, told[1] if told is not None else "")
    return Shape(encoding, errors, delimiter, columns, n_before)


def rows_of(path: Path, shape: Shape) -> Iterator[list[str] | None]:
    """The rows below the header, cells as written; None for one whose quotation marks do not match.

    Blank lines are passed over. A broken row costs itself only: the lines it seemed to swallow are read again.
    """
    with path.open(encoding=shape.encoding, errors=shape.errors, newline="") as file:
        for _ in range(shape.n_before):
            file.readline()
        lines = _Lines(iter(lambda: file.readline(_LONGEST_LINE), ""))
        reader = csv.reader(lines, delimiter=shape.delimiter, strict=True)
        while True:
            try:
                for row in reader:
                    if len(lines.taken) > _MOST_LINES:
                        break
                    lines.taken.clear()
                    if row:
                        yield row
                else:
                    return
            except csv.Error:
                pass
            yield None
            lines.give_back_all_but_first()
            reader = csv.reader(lines, delimiter=shape.delimiter, strict=True)


class _Lines:
    """Lines that can be given back."""

    def __init__(self, file: Iterator[str]) -> None:
        self._file = file
        self._waiting: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._file)
        self.taken.append(line)
        return line

    def give_back_all_but_first(self) -> None:
        self._waiting.extendleft(reversed(self.taken[1:]))
        self.taken.clear()


def _encoding_of(path: Path, sample: bytes) -> tuple[str, str]:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if sample.startswith(mark):
            return encoding, "surrogateescape" if encoding == "utf-8-sig" else "replace"
    if b"\x00" in sample:
        n = len(sample) // 2
        n_odd, n_even = sample[1::2].count(0), sample[0::2].count(0)
        if n_odd > n * 0.6:
            return "utf-16-le", "replace"
        if n_even > n * 0.6:
            return "utf-16-be", "replace"
    # Below the header a NUL costs its row; in it, or behind one of these marks, there is no text to read.
    if sample.startswith(_NO_TEXT) or b"\x00" in sample.split(b"\n", 1)[0]:
        raise BadFile("not_csv")
    n_good, n_bad = _utf8_sequences(path)
    # A stray byte in a file that else is UTF-8 costs its row; a file full of them is of another encoding.
    if n_bad == 0 or n_good > 10 * n_bad:
        return "utf-8", "surrogateescape"
    return _single_byte_encoding(path), "replace"


def _utf8_sequences(path: Path) -> tuple[int, int]:
    """How many multi-byte characters of UTF-8 the file holds, and how many bytes that are no part of one."""
    n_good = n_bad = 0
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            text = decoder.decode(chunk)
            if text.isascii():
                continue
            n_here = len(_STRAY.findall(text))
            n_bad += n_here
            n_good += len(text) - len(text.encode("ascii", "ignore")) - n_here
    return n_good, n_bad


# Bytes that are a letter of Czech in cp1250 and a rare sign in Spanish cp1252, and the other way round. Letters that
# are the same byte in both (á é í ó ú ü š ž) tell nothing.
_CZECH_BYTES = frozenset("ěčřůňťďĚČŘŮŇŤĎ".encode("cp1250"))
_SPANISH_BYTES = frozenset("ñÑ¿¡ºª".encode("cp1252"))
_LETTERS_OF_1252 = frozenset("àâçèêëîïôùûãõåøæœßÀÂÇÈÊËÎÏÔÙÛÃÕÅØÆŒ".encode("cp1252"))


def _single_byte_encoding(path: Path) -> str:
    """cp1250 or cp1252 (which holds latin-1's letters) by the letters found; cp1252 where they do not tell."""
    czech = western = 0
    with path.open("rb") as file:
        data = file.read(8 * _SAMPLE)
    for match in re.finditer(rb"[\x80-\xff]", data):
        byte = match.group()[0]
        if byte in _CZECH_BYTES:
            czech += 2 if byte in _CZECH_CERTAIN else 1
        if byte in _SPANISH_BYTES:
            western += 2
        elif byte in _LETTERS_OF_1252 and byte not in _CZECH_BYTES:
            western += 1
    if czech > western:
        return "cp1250"
    return "cp1252" if not re.search(rb"[\x81\x8d\x8f\x90\x9d]", data) else "latin-1"


# Of the Czech bytes, those that are no letter at all in cp1252 or one that Spanish never has.
_CZECH_CERTAIN = frozenset("ěřůťďĚŘŮŤĎ".encode("cp1250"))


def _columns_of(header: str, told: str) -> tuple[str, Columns]:
    """The delimiter that makes a phone column and most columns. Raises BadFile if none does."""
    best: tuple[str, Columns, list[str]] | None = None
    for delimiter in told or _DELIMITERS:
        try:
            cells = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:
            continue
        columns = read_columns(cells)
        if best is None or ("phone" in columns.at, columns.n) > ("phone" in best[1].at, best[1].n):
            best = (delimiter, columns, cells)
    if best is None:
        raise BadFile("not_csv")
    delimiter, columns, cells = best
    if "phone" not in columns.at:
        raise BadFile("no_phone_column", ", ".join(cell.strip() for cell in cells if cell.strip())[:300])
    if columns.twice:
        raise BadFile("column_twice", columns.twice[:300])
    return delimiter, columns
