"""What may be done with contacts: opt-outs and imports."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Greatest
from django.utils import timezone

from apps.accounts.models import User
from apps.contacts.models import Channel, Consent, DncEntry, DncSource


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
