"""Whom we may call."""

from datetime import UTC, datetime
from itertools import count

from apps.contacts.models import Channel, Consent, Contact, ContactList, DncEntry, ZoneSource

_numbers = count(1)
LONG_AGO = datetime(2026, 1, 5, 12, tzinfo=UTC)


def make_list(name: str = "") -> ContactList:
    return ContactList.objects.create(name=name or f"List {next(_numbers)}")


def make_contact(
    contact_list: ContactList | None = None, *, phone: str = "", consent: str = "written", **fields
) -> Contact:
    """A person in New York with a written consent. consent: "written", "any" or "none"."""
    n = next(_numbers)
    contact = Contact.objects.create(
        contact_list=contact_list or make_list(),
        phone=phone or f"+1212{5550000 + n % 10000:07d}",
        **{
            "country": "US",
            "time_zone": "America/New_York",
            "zone_source": ZoneSource.NUMBER,
            "first_name": f"First{n}",
            "last_name": f"Last{n}",
            **fields,
        },
    )
    if consent != "none":
        make_consent(contact.phone, is_written=consent == "written")
    return contact


def make_consent(
    phone: str, *, channel: str = Channel.VOICE, is_written: bool = True, given_at: datetime = LONG_AGO, **fields
) -> Consent:
    consent, _ = Consent.objects.get_or_create(
        phone=phone,
        channel=channel,
        withdrawn_at=fields.pop("withdrawn_at", None),
        defaults={"is_written": is_written, "source": "form", "given_at": given_at, **fields},
    )
    return consent


def make_dnc(phone: str, *, channel: str = Channel.VOICE, **fields) -> DncEntry:
    return DncEntry.objects.create(phone=phone, channel=channel, **fields)
