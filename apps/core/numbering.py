"""The numbering plans of the world, from the library's own data, asked in one pass. No Django here.

The library answers "which country, which kind, which zones" one question at a time and finds the country anew for
each. A list of a million numbers asks all three of every number, so here they are one walk over the same patterns.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberType, timezone
from phonenumbers.tzdata import TIMEZONE_DATA

_REGIONS: dict[int, tuple[str, ...]] = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
# Kinds of number that belong to no place.
_PLACELESS = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
_NEVER = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Place:
    """country: ISO 3166 alpha-2, "" for a plan of no country. zones: IANA names, all that the number may ring in."""

    country: str
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Region:
    code: str
    leading: re.Pattern[str] | None
    general: re.Pattern[str]
    placeless: re.Pattern[str]
    fixed: re.Pattern[str]
    mobile: re.Pattern[str]
    is_mobile_placed: bool


def split_plain(e164: str) -> tuple[int, str] | None:
    """Country code and national number of a text that is "+" and digits; None where only a parser can tell.

    A leading zero may belong to the number, and a national prefix may have been written where it does not belong.
    """
    for end in (2, 3, 4):
        country_code = int(e164[1:end])
        if country_code in _REGIONS:
            rest = e164[end:]
            prefix = _national_prefix(country_code)
            if len(rest) < 4 or rest[0] == "0" or (prefix is not None and prefix.match(rest)):
                return None
            return country_code, rest
    return None


def place_of(country_code: int, national: str) -> Place | None:
    """Where a number belongs; None if there is no such number. national: digits, with the zeros that belong to it."""
    regions = _regions(country_code)
    for region in regions:
        if region.leading is not None and len(regions) > 1:
            if region.leading.match(national) is None:
                continue
            is_placed = _is_placed(region, national)
            return None if is_placed is None else _place(country_code, region.code, national, is_placed)
        is_placed = _is_placed(region, national)
        if is_placed is not None:
            return _place(country_code, region.code, national, is_placed)
    return None


def _is_placed(region: _Region, national: str) -> bool | None:
    """Whether a number of the region belongs to a place within it; None if it is no number of the region."""
    if region.general.fullmatch(national) is None:
        return None
    if region.placeless.fullmatch(national):
        return False
    if region.fixed.fullmatch(national):
        return True
    return region.is_mobile_placed if region.mobile.fullmatch(national) else None


def _place(country_code: int, region: str, national: str, is_placed: bool) -> Place:
    country = region if len(region) == 2 else ""
    if not is_placed:
        return _place_within(country, _zones_from(str(country_code), (3, 2, 1)))
    return _place_within(country, _zones_from(f"{country_code}{national}", _prefix_lengths(country_code)))


@lru_cache(maxsize=4096)
def _place_within(country: str, zones: tuple[str, ...]) -> Place:
    return Place(country, zones)


def _zones_from(digits: str, lengths: Iterable[int]) -> tuple[str, ...]:
    for length in lengths:
        zones = TIMEZONE_DATA.get(digits[:length])
        if zones is not None:
            return () if zones == (timezone.UNKNOWN_TIMEZONE,) else zones
    return ()


@lru_cache(maxsize=512)
def _prefix_lengths(country_code: int) -> tuple[int, ...]:
    """The lengths of prefix that the zone data know below a country code, longest first."""
    code = str(country_code)
    lengths = {len(prefix) for prefix in TIMEZONE_DATA if prefix.startswith(code) or code.startswith(prefix)}
    return tuple(sorted(lengths, reverse=True))


@lru_cache(maxsize=512)
def _national_prefix(country_code: int) -> re.Pattern[str] | None:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, _REGIONS[country_code][0])
    prefix = metadata.national_prefix_for_parsing if metadata is not None else None
    return re.compile(prefix) if prefix else None


@lru_cache(maxsize=512)
def _regions(country_code: int) -> tuple[_Region, ...]:
    found = []
    for code in _REGIONS.get(country_code, ()):
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, code)
        if metadata is None:
            continue
        found.append(
            _Region(
                code=code,
                leading=re.compile(metadata.leading_digits) if metadata.leading_digits else None,
                general=_pattern([metadata.general_desc]),
                placeless=_pattern([getattr(metadata, kind) for kind in _PLACELESS]),
                fixed=_pattern([metadata.fixed_line]),
                mobile=_NEVER if metadata.same_mobile_and_fixed_line_pattern else _pattern([metadata.mobile]),
                is_mobile_placed=phonenumbers.is_number_type_geographical(PhoneNumberType.MOBILE, country_code),
            )
        )
    return tuple(found)


def _pattern(descriptions: Iterable[Any]) -> re.Pattern[str]:
    """One pattern for all of the descriptions, each with the lengths it allows."""
    parts = []
    for description in descriptions:
        if description is None or not description.national_number_pattern:
            continue
        lengths = "|".join(rf"\d{{{length}}}$" for length in description.possible_length)
        parts.append(
            f"(?={lengths})(?:{description.national_number_pattern})"
            if lengths
            else description.national_number_pattern
        )
    return re.compile("|".join(f"(?:{part})" for part in parts)) if parts else _NEVER
