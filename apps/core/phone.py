"""Phone numbers: E.164 in and out, the zone they ring in, and a mask for eyes and logs. No Django here."""

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from apps.core.numbering import place_of, split_plain

_DEAR = frozenset(
    {
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.PAGER,
        PhoneNumberType.UAN,
    }
)
_PLAIN = re.compile(r"\+[1-9][0-9]{6,14}")


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
    parts = split_plain(text) if _PLAIN.fullmatch(text) else None
    e164 = text
    if parts is None:
        try:
            number = phonenumbers.parse(text, default_country)
        except phonenumbers.NumberParseException as error:
            raise BadPhoneNumber("not_a_number") from error
        parts = number.country_code or 0, phonenumbers.national_significant_number(number)
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    place = place_of(*parts)
    if place is None:
        raise BadPhoneNumber("impossible")
    return PhoneFacts(
        e164=e164,
        country=place.country,
        time_zone=place.zones[0] if place.zones else "",
        zone_is_certain=len(place.zones) == 1,
    )


@lru_cache(maxsize=65_536)
def zones_of(e164: str) -> tuple[str, ...]:
    """Every time zone the number may ring in, by IANA name; empty where the number does not tell."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return ()
    place = place_of(number.country_code or 0, phonenumbers.national_significant_number(number))
    return place.zones if place is not None else ()


def is_e164(text: str) -> bool:
    """Whether it is written as E.164; a sender of texts may also be a short code or a name."""
    return _PLAIN.fullmatch(text) is not None


def is_dear(e164: str) -> bool:
    """Whether calling the number may cost far more than a call does: premium rate, shared cost, personal numbers."""
    try:
        kind = phonenumbers.number_type(phonenumbers.parse(e164))
    except phonenumbers.NumberParseException:
        return True
    return kind in _DEAR


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
