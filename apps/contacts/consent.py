"""The one legal gate: may this person be contacted on this channel now, and if not, why and from when.

Nothing in the product goes round it. It is asked when contacts are claimed, and again right before the dial.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.contacts.hours import OpeningHours, is_open, next_opening
from apps.contacts.models import Channel, Contact, ZoneSource
from apps.contacts.rules import Need, RulePack, pack_for
from apps.core import phone
from apps.core.errors import DomainError

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")

# Why a person must not be contacted: code → words.
REASONS: dict[str, Promise] = {
    "bad_number": _("The number cannot be dialled."),
    "no_rule": _("The country of the number is not known, so neither are its rules."),
    "no_zone": _("The time zone is not known, so neither is the local time."),
    "dnc": _("On the do-not-call list."),
    "no_consent": _("No consent on record."),
    "consent_not_written": _("The consent on record is not written."),
    "consent_expired": _("The consent on record is too old."),
    "outside_hours": _("Outside the hours in which people may be called."),
}


class NotCallable(DomainError):
    """A person must not be contacted now. ``code`` is one of REASONS; ``verdict`` says until when, if it passes."""

    status = 409

    def __init__(self, verdict: "Verdict") -> None:
        until = verdict.next_allowed_at
        super().__init__(
            REASONS[verdict.reason], detail={"next_allowed_at": until.isoformat()} if until is not None else None
        )
        self.code = verdict.reason
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Verdict:
    """reason: a code of REASONS, "" if allowed. rule_version: of the pack that decided, "" if none applies.

    next_allowed_at: when the hours would allow it; None if time alone changes nothing.
    consent_id: the consent that allowed it, where one was needed.
    """

    allowed: bool
    reason: str
    rule_version: str
    next_allowed_at: datetime | None
    consent_id: int | None = None


def require(contact: Contact, *, channel: str, at: datetime, is_ai: bool) -> Verdict:
    """The verdict for one person. Raises NotCallable if it is no."""
    verdict = check(contact, channel=channel, at=at, is_ai=is_ai)
    if not verdict.allowed:
        raise NotCallable(verdict)
    return verdict


def check(contact: Contact, *, channel: str, at: datetime, is_ai: bool) -> Verdict:
    """The verdict for one person, yes or no."""
    return check_many([contact], channel=channel, at=at, is_ai=is_ai)[contact.pk]


def check_many(people: Sequence[Contact], *, channel: str, at: datetime, is_ai: bool) -> dict[int, Verdict]:
    """The verdicts by contact's primary key, in one query however many people. at: aware."""
    barred, consents = _ledger({person.phone for person in people}, str(channel), at)
    use = "voice_ai" if channel == Channel.VOICE and is_ai else str(channel)
    return {
        person.pk: _judge(
            person,
            use=use,
            channel=str(channel),
            at=at,
            is_barred=person.phone in barred,
            consent=consents.get(person.phone),
        )
        for person in people
    }


@dataclass(frozen=True, slots=True)
class _Consent:
    pk: int
    is_written: bool
    given_at: datetime


# Do-not-call entries first, then live consents; at most one of each for a number.
_LEDGER = """
    SELECT phone, NULL, NULL, NULL FROM contacts_dncentry WHERE phone = ANY(%(phones)s) AND channel = %(channel)s
    UNION ALL
    SELECT phone, id, is_written, given_at FROM contacts_consent
    WHERE phone = ANY(%(phones)s) AND channel = %(channel)s AND withdrawn_at IS NULL AND given_at <= %(at)s
"""


def _ledger(phones: set[str], channel: str, at: datetime) -> tuple[set[str], dict[str, _Consent]]:
    """Who is barred, and the live consents, by phone. One statement: the gate stands before every single dial."""
    barred: set[str] = set()
    consents: dict[str, _Consent] = {}
    with connection.cursor() as cursor:
        cursor.execute(_LEDGER, {"phones": list(phones), "channel": channel, "at": at})
        for phone_, consent_id, is_written, given_at in cursor.fetchall():
            if consent_id is None:
                barred.add(phone_)
            else:
                consents[phone_] = _Consent(consent_id, is_written, given_at)
    return barred, consents


def zones_for(contact: Contact) -> tuple[str, ...]:
    """The zones in all of which it must be a lawful hour: the one we know, or all that the number's area spans."""
    if contact.zone_source != ZoneSource.COUNTRY:
        return (contact.time_zone,) if _is_zone(contact.time_zone) else ()
    return phone.zones_of(contact.phone) or ((contact.time_zone,) if _is_zone(contact.time_zone) else ())


def legal_hours(contact: Contact, *, channel: str) -> list[tuple[OpeningHours, str]] | None:
    """The hours of the country's pack in each of the contact's zones; [] if none apply, None if not known."""
    pack = pack_for(contact.country)
    if pack is None:
        return None
    if channel not in pack.channels_with_hours:
        return []
    zones = zones_for(contact)
    if not zones:
        return None
    hours = pack.hours_for(contact.phone)
    return [(hours, zone) for zone in zones]


def _judge(
    person: Contact, *, use: str, channel: str, at: datetime, is_barred: bool, consent: _Consent | None
) -> Verdict:
    pack = pack_for(person.country)
    if not _E164.fullmatch(person.phone):
        return _no("bad_number", pack)
    if pack is None:
        return _no("no_rule", None)
    if is_barred:
        return _no("dnc", pack)
    if reason := _missing_consent(pack.needs[use], pack.consent_valid_days, consent, at):
        return _no(reason, pack)
    rules = legal_hours(person, channel=channel)
    if rules is None:
        return _no("no_zone", pack)
    if not is_open(rules, at):
        return _no("outside_hours", pack, next_opening(rules, at))
    return Verdict(True, "", pack.version, None, consent.pk if consent is not None else None)


def _missing_consent(need: Need, valid_days: int | None, consent: _Consent | None, at: datetime) -> str:
    if need == "none":
        return ""
    if consent is None:
        return "no_consent"
    if need == "written" and not consent.is_written:
        return "consent_not_written"
    if valid_days is not None and consent.given_at < at - timedelta(days=valid_days):
        return "consent_expired"
    return ""


def _no(reason: str, pack: RulePack | None, next_allowed_at: datetime | None = None) -> Verdict:
    return Verdict(False, reason, pack.version if pack is not None else "", next_allowed_at)


@lru_cache(maxsize=1024)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not in the database, not a name, or a directory of it
        return False
    return True
