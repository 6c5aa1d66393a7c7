"""Said in a call: do not contact me again."""

from collections.abc import Sequence

import structlog
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.calls.events import EventKind
from apps.calls.services.story import call_context, lock_call, send_after_commit, tell
from apps.calls.signals import opted_out
from apps.contacts.models import Channel, DncSource
from apps.contacts.services import opt_out

log = structlog.get_logger(__name__)


@transaction.atomic
def opt_out_by_call(call_id: int, *, channels: Sequence[str] = (), note: str = "", by: User | None = None) -> list[str]:
    """Put the other side of the call on the do-not-call list; the list, the event and the news are one transaction.

    channels: values of contacts.Channel, none for all. Said twice it changes nothing more. Returns the channels.
    Raises ValueError for an unknown channel.
    """
    chosen = sorted({Channel(channel).value for channel in channels} or {channel.value for channel in Channel})
    call = lock_call(call_id)
    with call_context(call):
        source = DncSource.AI_CALL if by is None else DncSource.MANUAL
        opt_out(phone=call.remote_phone, channels=chosen, source=source, call_id=call_id, by=by, note=note)
        told = call.events.filter(kind=EventKind.OPTED_OUT).values_list("data", flat=True)
        if any(set(chosen) <= set(data.get("channels", [])) for data in told):
            return chosen
        tell(call_id, EventKind.OPTED_OUT, timezone.now(), by=by, channels=chosen, note=note)
        send_after_commit(opted_out, call_id=call_id, phone=call.remote_phone, channels=chosen)
        log.info("opted_out", channels=chosen)
    return chosen
