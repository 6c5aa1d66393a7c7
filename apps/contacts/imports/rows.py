"""One row: checked, and made into the line that is copied into the database. Nothing here asks the database."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import available_timezones

import orjson
from django.utils.dateparse import parse_date, parse_datetime

from apps.accounts.models import Language
from apps.contacts.imports.columns import Columns, Known, plain
from apps.contacts.models import ZoneSource
from apps.core.phone import BadPhoneNumber, read_phone

LONGEST_NAME = 80
LONGEST_VALUE = 500
LONGEST_SOURCE = 200
_LONGEST_EMAIL = 254
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# What begins with a sign and is a number all the same, also as people write telephone numbers.
_NUMBER = re.compile(r"[+\-]?\s?\(?[0-9][0-9\s().,/\-]*(?:(?:ext|x)\.?\s?[0-9]+)?", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s\"<>(),:;]+@[A-Za-z0-9](?:[A-Za-z0-9\-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9\-]+)+")
# Signs that COPY's text format gives a meaning of its own, and those that no database text may hold.
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NEEDS_ESCAPE = re.compile(r"[\\\t\n\r]")
_UNREADABLE = re.compile("[\x00\ufffd\ud800-\udfff]")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_YES = _set("yes y true 1 x ok si s verdadero ano a oral spoken verbal oralni ustni ustne")
_WRITTEN = _set(
    "written in_writing signed form web online escrito por_escrito firmado formulario pisemny pisemne podepsano"
)
_NO = _set("no n false 0 none ne nein nunca")
_LANGUAGES: dict[str, str] = {
    **dict.fromkeys(_set("en eng english ingles anglictina anglicky"), Language.ENGLISH),
    **dict.fromkeys(_set("es spa spanish espanol castellano spanelstina spanelsky"), Language.SPANISH),
    **dict.fromkeys(_set("cs cz ces cze czech checo cestina cesky"), Language.CZECH),
}


class Rejected(Exception):
    """This row is left out. reason: one of reasons.ROW_REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RowReader:
    """Reads the rows of one file.

    uploaded_at: the date of a consent that names none. file_name: the source of a consent that names none.
    """

    def __init__(self, columns: Columns, *, default_country: str, uploaded_at: datetime, file_name: str) -> None:
        self._columns = columns
        self._default_country = default_country
        self._uploaded_at = uploaded_at
        self._uploaded_text = uploaded_at.isoformat()
        self._source = file_name[:LONGEST_SOURCE]
        self._seen: set[int] = set()
        at = columns.at
        self._phone_at = at["phone"]
        self._others = [place for place in range(columns.n) if place != self._phone_at]
        self.has_consent_column = "consent" in at

    def phone_of(self, cells: Sequence[str]) -> str:
        """The phone number as written, for the report."""
        return cells[self._phone_at].strip() if self._phone_at < len(cells) else ""

    def read(self, row_number: int, cells: list[str]) -> tuple[str, str]:
        """The number in E.164, and the row as a line of COPY's text format (see loading.COLUMNS). Raises Rejected."""
        n_columns = self._columns.n
        if len(cells) != n_columns:
            if len(cells) > n_columns and any(cell.strip() for cell in cells[n_columns:]):
                raise Rejected("extra_cells")
            cells = (cells + [""] * n_columns)[:n_columns]
        cells = [cell.strip() for cell in cells]
        joined = "\x1f".join(cells)
        if _UNREADABLE.search(joined):
            raise Rejected("bad_characters")
        for place in self._others:
            value = cells[place]
            if value and value[0] in _FORMULA and _NUMBER.fullmatch(value) is None:
                raise Rejected("formula")
            if len(value) > LONGEST_VALUE:
                raise Rejected("too_long")
        phone, country, zone, zone_source = self._phone(cells)
        first_name, last_name = self._names(cells)
        email = self._cell(cells, "email")
        if email and (len(email) > _LONGEST_EMAIL or _EMAIL.fullmatch(email) is None):
            raise Rejected("bad_email")
        language = self._cell(cells, "language")
        if language:
            language = _language(language)
        consent = self._consent(cells) if self.has_consent_column else _NO_CONSENT
        custom = {name: cells[place] for place, name in self._columns.custom if cells[place]}
        values = (
            str(row_number),
            phone,
            country,
            zone,
            zone_source,
            language,
            first_name,
            last_name,
            email,
            orjson.dumps(custom).decode() if custom else "{}",
            *consent,
        )
        line = "\x1f".join(values)
        if _NEEDS_ESCAPE.search(line):
            line = "\x1f".join(value if value == "\\N" else value.translate(_ESCAPED) for value in values)
        # Only now: a row that was left out does not make the next one a duplicate.
        number = int(phone[1:])
        if number in self._seen:
            raise Rejected("duplicate_in_file")
        self._seen.add(number)
        return phone, line.replace("\x1f", "\t")

    def _phone(self, cells: Sequence[str]) -> tuple[str, str, str, str]:
        raw = cells[self._phone_at]
        if not raw:
            raise Rejected("no_phone")
        if raw[0] in _FORMULA and _NUMBER.fullmatch(raw) is None:
            raise Rejected("formula")
        if len(raw) > LONGEST_NAME:
            raise Rejected("too_long")
        default_country = self._default_country
        given_country = self._cell(cells, "country")
        if given_country:
            default_country = given_country.upper()
            if len(default_country) != 2 or not default_country.isascii() or not default_country.isalpha():
                raise Rejected("bad_country")
        try:
            facts = read_phone(raw, default_country=default_country)
        except BadPhoneNumber as error:
            raise Rejected("no_phone" if error.reason == "empty" else error.reason) from error
        if not facts.country:
            raise Rejected("no_country")
        given_zone = self._cell(cells, "time_zone")
        if given_zone:
            return facts.e164, facts.country, _zone(given_zone), ZoneSource.GIVEN.value
        source = ZoneSource.NUMBER if facts.zone_is_certain else ZoneSource.COUNTRY
        return facts.e164, facts.country, facts.time_zone, source.value

    def _names(self, cells: Sequence[str]) -> tuple[str, str]:
        first, last = self._cell(cells, "first_name"), self._cell(cells, "last_name")
        if not first and not last:
            first, _, last = self._cell(cells, "full_name").rpartition(" ")
            if not first:
                first, last = last, ""
        if len(first) > LONGEST_NAME or len(last) > LONGEST_NAME:
            raise Rejected("too_long")
        return first, last

    def _consent(self, cells: Sequence[str]) -> tuple[str, str, str, str]:
        is_written = _consent_word(self._cell(cells, "consent"))
        if is_written is None:
            return _NO_CONSENT
        source = self._cell(cells, "consent_source") or self._source
        if len(source) > LONGEST_SOURCE:
            raise Rejected("too_long")
        raw_date = self._cell(cells, "consent_date")
        if not raw_date:
            return "t", is_written, source, self._uploaded_text
        given_at = _moment(raw_date)
        # A day that has not begun anywhere on Earth is a slip, and consent does not come from the future.
        if given_at is None or given_at > self._uploaded_at + timedelta(days=1):
            raise Rejected("bad_consent")
        return "t", is_written, source, min(given_at, self._uploaded_at).isoformat()

    def _cell(self, cells: Sequence[str], name: Known) -> str:
        place = self._columns.at.get(name)
        return cells[place] if place is not None else ""


_NO_CONSENT = ("f", "f", "", "\\N")


@lru_cache(maxsize=4096)
def _zone(name: str) -> str:
    found = _zones().get(name.casefold().replace(" ", "_"))
    if found is None:
        raise Rejected("bad_zone")
    return found


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


@lru_cache(maxsize=4096)
def _consent_word(text: str) -> str | None:
    """ "t" for a written consent, "f" for another, None for none. Raises Rejected for what is neither yes nor no."""
    word = plain(text)
    if not word or word in _NO:
        return None
    if word not in _YES and word not in _WRITTEN:
        raise Rejected("bad_consent")
    return "t" if word in _WRITTEN else "f"


@lru_cache(maxsize=4096)
def _language(text: str) -> str:
    word = plain(text)
    found = _LANGUAGES.get(word) or _LANGUAGES.get(word.split("_", 1)[0])
    if found is None:
        raise Rejected("bad_language")
    return str(found)


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime | None:
    """A date, or a date and time, in ISO form; a date alone is its noon, no zone is UTC. None if it is neither."""
    try:
        moment = parse_datetime(text)
        if moment is None:
            day = parse_date(text)
            moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) if day is not None else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
