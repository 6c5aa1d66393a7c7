import random

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType, timezone

from apps.core import phone
from apps.core.phone import BadPhoneNumber, mask, read_phone, zones_of


def _numbers() -> list[str]:
    """The example number of each kind in each country, and neighbours of it, right and wrong."""
    dice = random.Random(7)
    found = []
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (
            PhoneNumberType.FIXED_LINE,
            PhoneNumberType.MOBILE,
            PhoneNumberType.TOLL_FREE,
            PhoneNumberType.VOIP,
        ):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            text = phonenumbers.format_number(example, PhoneNumberFormat.E164)
            found += [text, f"{text}1", text[:-1], f"{text[:-2]}{dice.randrange(100):02d}"]
            code = len(str(example.country_code)) + 1
            # With the national prefix written where it does not belong.
            found += [f"{text[:code]}{digit}{text[code:]}" for digit in "0189"]
            found.append(text[:code] + "".join(dice.choices("0123456789", k=len(text) - code)))
    return found


def test_the_quick_way_reads_every_number_as_the_library_does():
    for text in _numbers():
        try:
            expected = phonenumbers.parse(text, "US")
        except phonenumbers.NumberParseException:
            expected = None
        if expected is None or not phonenumbers.is_valid_number(expected):
            with pytest.raises(BadPhoneNumber):
                read_phone(text, default_country="US")
            continue
        facts = read_phone(text, default_country="US")
        zones = [zone for zone in timezone.time_zones_for_number(expected) if zone != timezone.UNKNOWN_TIMEZONE]
        assert facts.e164 == phonenumbers.format_number(expected, PhoneNumberFormat.E164), text
        assert (facts.country or None) == (phonenumbers.region_code_for_number(expected) or None), text
        assert facts.time_zone == (zones[0] if zones else ""), text
        assert facts.zone_is_certain == (len(zones) == 1), text
        assert list(zones_of(facts.e164)) == zones, text


@pytest.mark.parametrize(
    ("raw", "country", "e164"),
    [
        ("(202) 555-0123", "US", "+12025550123"),
        (" 00420 601 123 456 ", "CZ", "+420601123456"),
        ("612 34 56 78", "ES", "+34612345678"),
        ("+34 612 34 56 78", "US", "+34612345678"),
        ("tel:+12025550123", "CZ", "+12025550123"),
    ],
)
def test_numbers_as_people_write_them(raw, country, e164):
    assert read_phone(raw, default_country=country).e164 == e164


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("call me", "not_a_number"),
        ("12", "impossible"),
        ("+1 202 555 01", "impossible"),
    ],
)
def test_what_is_no_number_says_why(raw, reason):
    with pytest.raises(BadPhoneNumber) as bad:
        read_phone(raw, default_country="US")
    assert bad.value.reason == reason


def test_an_area_with_several_zones_is_not_certain():
    facts = read_phone("+34612345678", default_country="US")
    assert (facts.country, facts.zone_is_certain) == ("ES", False)
    assert set(zones_of(facts.e164)) == {"Europe/Madrid", "Atlantic/Canary"}


def test_a_number_of_no_country_has_none():
    assert read_phone("+881612345678", default_country="US").country == ""


def test_a_mask_shows_country_and_the_last_two_digits():
    assert mask("+12025550123") == "+12•••••••23"
    assert mask("+12") == "•••"
    assert phone.display("+12025550123") == "+1 202-555-0123"
