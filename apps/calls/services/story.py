"""Shared by every service of calls: lock, leave an event, tell open pages, and bind one id to all log lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import structlog
from django.db.models import prefetch_related_objects
from django.dispatch import Signal

from apps.accounts.models import User
from apps.calls.events import LIVE_GROUP, EventKind
from apps.calls.models import Call, CallEvent, Leg, Party
from apps.calls.models.call import CallQuerySet
from apps.calls.selectors import live_call_card
from apps.core.db import after_commit
from apps.core.realtime import publish

log = structlog.get_logger(__name__)


@contextmanager
def call_context(call: Call) -> Iterator[None]:
    """Put the call's ids on every log line inside: one id runs from API or webhook through task to media session."""
    ids: dict[str, Any] = {"call_id": call.pk, "correlation_id": str(call.correlation_id)}
    if campaign_id := call.brief.get("campaign_id"):
        ids["campaign_id"] = campaign_id
    with structlog.contextvars.bound_contextvars(**ids):
        yield


def lock_call(call_id: int) -> Call:
    """The call, locked until the transaction ends: whoever moves its legs takes this lock first."""
    return _locked().get(pk=call_id)


def lock_leg(leg_id: int) -> tuple[Call, Leg]:
    """The leg and its call, read under the call's lock. Raises Call.DoesNotExist."""
    call = _locked().get(legs__pk=leg_id)
    leg = Leg.objects.get(pk=leg_id)  # a query of its own: the lock may have been waited for
    leg.call = call
    return call, leg


def _locked() -> CallQuerySet:
    # NO KEY: rows that point to the call (turns, events) may be written meanwhile; the journal does
    calls: CallQuerySet = Call.objects.select_for_update(of=("self",), no_key=True)
    return calls.select_related("contact", "virtual_agent", "disposition")


def tell(
    call_id: int,
    kind: EventKind,
    at: datetime,
    /,
    *,
    leg_id: int | None = None,
    key: str = "",
    by: User | None = None,
    **data: Any,
) -> CallEvent:
    """Leave a line in the call's story. at: when it happened. data: plain JSON, empty values dropped."""
    if by is not None:
        data["by"] = by.display_name
        data["by_id"] = by.pk
    facts = {name: value for name, value in data.items() if value not in ("", None)}
    return CallEvent.objects.create(call_id=call_id, leg_id=leg_id, kind=kind, at=at, key=key, data=facts)


def is_told(key: str) -> bool:
    """Whether the story holds this key already; meaningful under the call's lock."""
    return bool(key) and CallEvent.objects.filter(key=key).exists()


def announce(call: Call, leg: Leg | None = None) -> None:
    """Show the call on every open page after commit. Call and leg must be as their rows are.

    leg: the customer's, if it is at hand; it is read otherwise.
    """
    if leg is not None and leg.party == Party.CUSTOMER:
        call._prefetched_objects_cache = {"legs": [leg]}  # type: ignore[attr-defined]  # Django's own, for the card
    else:
        prefetch_related_objects([call], "legs")
    publish(LIVE_GROUP, "call", dict(live_call_card(call)))


def send_after_commit(signal: Signal, **facts: Any) -> None:
    """Send news upward once it is true for others. A receiver that fails is logged; its periodic task catches up."""
    after_commit(_send, signal, facts)


def _send(signal: Signal, facts: dict[str, Any]) -> None:
    for receiver, answer in signal.send_robust(sender=Call, **facts):
        if isinstance(answer, Exception):
            log.error("receiver_failed", receiver=getattr(receiver, "__name__", "?"), exc_info=answer, **facts)
