"""Phone numbers: E.164 in and out, the zone they ring in, and a mask for eyes and logs. No Django here."""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat, PhoneNumberType, timezone
from phonenumbers.tzdata import TIMEZONE_DATA

_PLAIN = re.compile(r"\+[1-9][0-9]{6,14}")
_REGIONS: dict[int, tuple[str, ...]] = phonenumbers.COUNTRY_CODE_TO_REGION_CODE


class BadPhoneNumber(ValueError):
    """Not a number that can be dialled. ``reason`` is a stable code: empty, not_a_number, impossible."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PhoneFacts:
    e164: str
    country: str  # ISO 3166 alpha-2, "" where the plan is shared or not geographic
    time_zone: str  # IANA name, "" where the number does not tell
    zone_is_certain: bool  # False where the number's area spans several zones


def read_phone(raw: str, *, default_country: str) -> PhoneFacts:
    """Read a number as a person wrote it. Raises BadPhoneNumber."""
    text = raw.strip()
    if not text:
        raise BadPhoneNumber("empty")
    number = _read_plain(text)
    if number is None:
        try:
            number = phonenumbers.parse(text, default_country)
        except phonenumbers.NumberParseException as error:
            raise BadPhoneNumber("not_a_number") from error
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        raise BadPhoneNumber("impossible")
    country = phonenumbers.region_code_for_number(number) or ""
    zones = _zones(number, kind)
    return PhoneFacts(
        e164=phonenumbers.format_number(number, PhoneNumberFormat.E164),
        country=country if len(country) == 2 else "",
        time_zone=zones[0] if zones else "",
        zone_is_certain=len(zones) == 1,
    )


@lru_cache(maxsize=65_536)
def zones_of(e164: str) -> tuple[str, ...]:
    """Every time zone the number may ring in, by IANA name; empty where the number does not tell."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return ()
    return _zones(number, phonenumbers.number_type(number))


def display(e164: str) -> str:
    """The number grouped as its country writes it: +1 202-555-0123."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(e164), PhoneNumberFormat.INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return e164


def mask(e164: str) -> str:
    """What a log or a viewer without the right sees: country code and last two digits."""
    if len(e164) < 6:
        return "•" * len(e164)
    return f"{e164[:3]}{'•' * (len(e164) - 5)}{e164[-2:]}"


def _read_plain(text: str) -> PhoneNumber | None:
    """A number that is written as E.164 already, ten times faster than by parsing; None where parsing could differ."""
    if _PLAIN.fullmatch(text) is None:
        return None
    for end in (2, 3, 4):
        country_code = int(text[1:end])
        if country_code in _REGIONS:
            rest = text[end:]
            prefix = _national_prefix(country_code)
            # A leading zero may belong to the number, and a national prefix may have been written by mistake.
            if len(rest) < 4 or rest[0] == "0" or (prefix is not None and prefix.match(rest)):
                return None
            return PhoneNumber(country_code=country_code, national_number=int(rest))
    return None


@lru_cache(maxsize=512)
def _national_prefix(country_code: int) -> re.Pattern[str] | None:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, _REGIONS[country_code][0])
    prefix: str | None = metadata.national_prefix_for_parsing if metadata is not None else None
    return re.compile(prefix) if prefix else None


def _zones(number: PhoneNumber, kind: int) -> tuple[str, ...]:
    country_code = number.country_code or 0
    if phonenumbers.is_number_type_geographical(kind, country_code):
        zones = timezone.time_zones_for_geographical_number(number)
    else:
        zones = _zones_of_plan(country_code) if kind != PhoneNumberType.UNKNOWN else ()
    return tuple(zone for zone in zones if zone != timezone.UNKNOWN_TIMEZONE)


@lru_cache(maxsize=512)
def _zones_of_plan(country_code: int) -> tuple[str, ...]:
    """The zones of a whole numbering plan, for numbers that belong to no place in it."""
    text = str(country_code)
    for end in range(len(text), 0, -1):
        if text[:end] in TIMEZONE_DATA:
            return tuple(TIMEZONE_DATA[text[:end]])
    return ()
