"""Callbacks agreed in a call. Whoever stands above and knows how to call again listens to the signal."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.calls.events import EventKind
from apps.calls.models import CallEvent
from apps.calls.services.story import call_context, lock_call, send_after_commit, tell
from apps.calls.signals import callback_requested
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)

FURTHEST = timedelta(days=366)


class BadCallbackTime(DomainError):
    code = "bad_callback_time"


@transaction.atomic
def schedule_callback(call_id: int, *, at: datetime, note: str = "", by: User | None = None) -> CallEvent | None:
    """Note that the person wants to be called at ``at`` (aware); None if that was noted already.

    The last one said holds. Raises BadCallbackTime for a time that is past or more than a year away.
    """
    now = timezone.now()
    if not now < at <= now + FURTHEST:
        raise BadCallbackTime(_("A callback needs a time within the next year."), detail={"at": at.isoformat()})
    call = lock_call(call_id)
    with call_context(call):
        last = call.events.filter(kind=EventKind.CALLBACK_REQUESTED).order_by("-pk").first()
        if last is not None and last.data.get("at") == at.isoformat():
            return None
        event = tell(call_id, EventKind.CALLBACK_REQUESTED, now, by=by, note=note, at=at.isoformat())
        send_after_commit(callback_requested, call_id=call_id, at=at)
        log.info("callback_requested", at=at.isoformat())
        return event
