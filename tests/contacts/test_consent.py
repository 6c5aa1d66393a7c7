from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.contacts.consent import REASONS, NotCallable, check, check_many, require
from apps.contacts.models import Channel, Contact, ZoneSource
from tests.factories.contacts import make_consent, make_contact, make_dnc

# Monday, 13:00 in New York and 19:00 in Madrid.
NOON = datetime(2026, 11, 23, 18, tzinfo=UTC)


def _local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _check(contact: Contact, *, at: datetime = NOON, channel: str = Channel.VOICE, is_ai: bool = True):
    return check(contact, channel=channel, at=at, is_ai=is_ai)


def test_a_written_consent_allows_an_ai_call_and_is_named_in_the_verdict(db):
    contact = make_contact(consent="none")
    consent = make_consent(contact.phone)
    verdict = _check(contact)
    assert verdict.allowed
    assert (verdict.rule_version, verdict.consent_id) == ("us-2026-11-22", consent.pk)


@pytest.mark.parametrize(
    ("country", "consent", "is_ai", "reason"),
    [
        ("US", "none", True, "no_consent"),
        ("US", "any", True, "consent_not_written"),
        ("US", "none", False, ""),
        ("GB", "none", True, "no_consent"),
        ("GB", "any", True, ""),
        ("ES", "none", False, "no_consent"),
        ("ES", "any", True, ""),
        ("CZ", "none", True, "no_consent"),
        ("CZ", "any", True, ""),
        ("FR", "any", True, ""),
        ("FR", "none", False, "no_consent"),
        ("", "written", True, "no_rule"),
    ],
)
def test_what_consent_a_country_asks_for(db, country, consent, is_ai, reason):
    contact = make_contact(country=country, consent=consent)
    assert _check(contact, is_ai=is_ai).reason == reason


def test_do_not_call_outranks_consent_and_holds_per_channel(db):
    contact = make_contact()
    make_dnc(contact.phone, channel=Channel.SMS)
    assert _check(contact).allowed
    make_dnc(contact.phone)
    assert _check(contact).reason == "dnc"


def test_a_withdrawn_or_future_consent_is_none(db):
    withdrawn = make_contact(consent="none")
    make_consent(withdrawn.phone, withdrawn_at=NOON - timedelta(days=1))
    assert _check(withdrawn).reason == "no_consent"
    future = make_contact(consent="none")
    make_consent(future.phone, given_at=NOON + timedelta(seconds=1))
    assert _check(future).reason == "no_consent"


def test_a_consent_for_another_channel_counts_for_nothing(db):
    contact = make_contact(consent="none")
    make_consent(contact.phone, channel=Channel.SMS)
    assert _check(contact).reason == "no_consent"


def test_in_spain_a_consent_ages(db):
    contact = make_contact(country="ES", consent="none")
    make_consent(contact.phone, given_at=NOON - timedelta(days=729))
    assert _check(contact).allowed
    assert _check(contact, at=NOON + timedelta(days=2)).reason in {"consent_expired"}


@pytest.mark.parametrize(
    ("country", "zone", "local", "is_open"),
    [
        ("US", "America/Chicago", "2026-11-22T08:00", True),  # a Sunday
        ("US", "America/Chicago", "2026-11-22T07:59", False),
        ("US", "America/Chicago", "2026-11-22T21:00", False),
        ("ES", "Europe/Madrid", "2026-11-23T20:59", True),
        ("ES", "Europe/Madrid", "2026-11-23T08:59", False),
        ("ES", "Europe/Madrid", "2026-11-22T12:00", False),
        ("ES", "Europe/Madrid", "2026-12-08T12:00", False),  # a holiday
        ("ES", "Europe/Madrid", "2026-04-03T12:00", False),  # Good Friday
        ("CZ", "Europe/Prague", "2026-11-23T19:59", True),
        ("CZ", "Europe/Prague", "2026-11-21T12:00", False),
        ("GB", "Europe/London", "2026-11-21T16:59", True),  # a Saturday
        ("GB", "Europe/London", "2026-11-21T17:00", False),
        ("FR", "Europe/Paris", "2026-11-23T20:00", False),
    ],
)
def test_the_hours_of_a_country_count_in_the_contacts_own_time(db, country, zone, local, is_open):
    contact = make_contact(country=country, time_zone=zone, zone_source=ZoneSource.GIVEN)
    verdict = _check(contact, at=_local(local, zone))
    assert verdict.allowed is is_open
    if not is_open:
        assert verdict.reason == "outside_hours"
        assert _check(contact, at=verdict.next_allowed_at).allowed
        assert not _check(contact, at=verdict.next_allowed_at - timedelta(seconds=1)).allowed


def test_a_number_whose_area_spans_zones_may_be_called_only_when_all_of_them_allow_it(db):
    contact = make_contact(
        phone="+34612345678", country="ES", time_zone="Europe/Madrid", zone_source=ZoneSource.COUNTRY
    )
    # Madrid is an hour ahead of the Canaries, and the number may ring in either.
    assert not _check(contact, at=_local("2026-11-23T09:30", "Europe/Madrid")).allowed
    assert _check(contact, at=_local("2026-11-23T10:00", "Europe/Madrid")).allowed
    assert _check(contact, at=_local("2026-11-23T20:59", "Europe/Madrid")).allowed
    assert not _check(contact, at=_local("2026-11-23T21:00", "Europe/Madrid")).allowed
    contact.zone_source = ZoneSource.GIVEN
    assert _check(contact, at=_local("2026-11-23T09:30", "Europe/Madrid")).allowed


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc", "Europe"])
def test_without_a_zone_there_is_no_hour_and_so_no_call(db, zone):
    contact = make_contact(time_zone=zone, zone_source=ZoneSource.GIVEN)
    assert _check(contact).reason == "no_zone"


def test_hours_hold_for_the_channels_a_pack_names(db):
    night = _local("2026-11-23T23:00", "Europe/Madrid")
    contact = make_contact(country="ES", time_zone="Europe/Madrid")
    make_consent(contact.phone, channel=Channel.EMAIL)
    assert _check(contact, at=night, channel=Channel.EMAIL, is_ai=False).allowed
    assert _check(contact, at=night).reason == "outside_hours"


def test_a_number_that_cannot_be_dialled_is_refused(db):
    contact = make_contact()
    contact.phone = "12025550123"
    assert _check(contact).reason == "bad_number"


def test_one_query_answers_for_any_number_of_people(db):
    people = [make_contact() for _ in range(25)]
    make_dnc(people[3].phone)
    with CaptureQueriesContext(connection) as queries:
        verdicts = check_many(people, channel=Channel.VOICE, at=NOON, is_ai=True)
    assert len(queries) == 1
    assert [person.pk for person in people if not verdicts[person.pk].allowed] == [people[3].pk]


def test_require_raises_with_code_words_and_the_next_time(db):
    contact = make_contact()
    assert require(contact, channel=Channel.VOICE, at=NOON, is_ai=True).allowed
    with pytest.raises(NotCallable) as refused:
        require(contact, channel=Channel.VOICE, at=NOON.replace(hour=6), is_ai=True)
    assert (refused.value.code, refused.value.status) == ("outside_hours", 409)
    assert refused.value.detail == {"next_allowed_at": "2026-11-23T13:00:00+00:00"}
    assert str(refused.value) == str(REASONS["outside_hours"])
