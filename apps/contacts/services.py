"""What may be done with contacts: opt-outs and imports."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Greatest
from django.utils import timezone

from apps.accounts.models import User
from apps.contacts.models import Channel, Consent, Contact, DncEntry, DncSource, ZoneSource
from apps.core.phone import BadPhoneNumber, read_phone


def person_of(number: str) -> Contact:
    """Whoever has this number, the latest of several; somebody who is not on record comes as a contact not saved.

    number: E.164. The rules ask for country and zone, which the number tells, so the gate can judge a stranger too.
    """
    known = Contact.objects.filter(phone=number).order_by("-pk").first()
    if known is not None:
        return known
    try:
        facts = read_phone(number, default_country="")
    except BadPhoneNumber:
        return Contact(phone=number)
    source = ZoneSource.NUMBER if facts.zone_is_certain else ZoneSource.COUNTRY
    return Contact(phone=facts.e164, country=facts.country, time_zone=facts.time_zone, zone_source=source)


@transaction.atomic
def opt_out(
    *,
    phone: str,
    channels: Iterable[str],
    source: DncSource | str,
    call_id: int | None = None,
    by: User | None = None,
    note: str = "",
) -> list[DncEntry]:
    """Put a number on the do-not-call list for these channels and withdraw its consents there; in one transaction.

    phone: E.164. Said twice, the first entry stays as it is. Returns the entry of each channel.
    Raises ValueError for an unknown channel or none.
    """
    chosen = sorted({Channel(channel) for channel in channels})
    if not chosen:
        raise ValueError("opt_out needs at least one channel")
    now: datetime = timezone.now()
    DncEntry.objects.bulk_create(
        [
            DncEntry(phone=phone, channel=channel, source=source, call_id=call_id, created_by=by, note=note[:200])
            for channel in chosen
        ],
        ignore_conflicts=True,
    )
    Consent.objects.filter(phone=phone, channel__in=chosen, withdrawn_at__isnull=True).update(
        withdrawn_at=Greatest("given_at", now)
    )
    return list(DncEntry.objects.filter(phone=phone, channel__in=chosen).order_by("channel"))


@transaction.atomic
def opt_in(*, phone: str, channel: str, source: DncSource | str, proof: str) -> bool:
    """Take back an opt-out that the person made the same way, and keep their new consent. False if there was none.

    source: how the opt-out came. What was said otherwise, or entered by staff, stays: only people take that back.
    proof: where and how the person agreed; it was in writing.
    """
    gone, _per_model = DncEntry.objects.filter(phone=phone, channel=Channel(channel), source=source).delete()
    if not gone:
        return False
    Consent.objects.get_or_create(
        phone=phone,
        channel=Channel(channel),
        withdrawn_at=None,
        defaults={"is_written": True, "source": proof[:200], "given_at": timezone.now()},
    )
    return True
