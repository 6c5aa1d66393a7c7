"""The steps of a leg that every dial takes, each as one statement: the leg moves and its story says so, or neither.

A dial spends most of its time in the database; for each of these the ORM would take a transaction, a lock and three
queries. Asking and accepting take the call's lock first, as everywhere; here it only shows that nobody wants it ended.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection

from apps.calls.events import EventKind
from apps.calls.models import Leg
from apps.calls.states import LegState

# It waits for nobody, so it can be part of no deadlock: a leg that somebody holds is being ended, or found again later.
_CLAIM = """
    WITH free AS MATERIALIZED (
        SELECT id FROM calls_leg WHERE id = ANY(%(legs)s) AND state = %(created)s FOR UPDATE SKIP LOCKED
    )
    UPDATE calls_leg SET state = %(requested)s, requested_at = NULL, updated_at = %(now)s
    FROM free WHERE calls_leg.id = free.id RETURNING calls_leg.id
"""
_ASK = """
    WITH wanted AS MATERIALIZED (
        SELECT id FROM calls_call WHERE id = %(call)s AND end_reason = '' AND ended_at IS NULL FOR NO KEY UPDATE
    ), moved AS (
        UPDATE calls_leg SET requested_at = %(now)s, updated_at = %(now)s, media_token_expires_at = %(media_until)s
        FROM wanted
        WHERE calls_leg.id = %(leg)s AND calls_leg.call_id = wanted.id AND calls_leg.state = %(requested)s
          AND calls_leg.requested_at IS NULL AND (calls_leg.expires_at IS NULL OR calls_leg.expires_at > %(now)s)
        RETURNING calls_leg.id, calls_leg.call_id
    )
    INSERT INTO calls_callevent (call_id, leg_id, kind, data, key, at)
    SELECT moved.call_id, moved.id, %(kind)s, '{}', '', %(now)s FROM moved
"""
_ACCEPT = """
    WITH wanted AS MATERIALIZED (
        SELECT id FROM calls_call WHERE id = %(call)s AND end_reason = '' AND ended_at IS NULL FOR NO KEY UPDATE
    ), moved AS (
        UPDATE calls_leg SET state = %(queued)s, carrier_call_id = %(name)s, updated_at = %(now)s FROM wanted
        WHERE calls_leg.id = %(leg)s AND calls_leg.call_id = wanted.id AND calls_leg.state = %(requested)s
          AND calls_leg.requested_at = %(asked_at)s AND calls_leg.carrier_call_id IS NULL
          AND NOT EXISTS (SELECT 1 FROM calls_leg AS other
                          WHERE other.carrier = calls_leg.carrier AND other.carrier_call_id = %(name)s)
        RETURNING calls_leg.id, calls_leg.call_id
    )
    INSERT INTO calls_callevent (call_id, leg_id, kind, data, key, at)
    SELECT moved.call_id, moved.id, %(kind)s, '{}', '', %(now)s FROM moved
"""


def claim_undialled(leg_ids: Sequence[int], *, now: datetime) -> list[int]:
    """Those of the legs that wait to be dialled, taken by this worker; the carrier has not been asked for them yet."""
    states: dict[str, Any] = {"requested": LegState.REQUESTED, "created": LegState.CREATED}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "legs": list(leg_ids), **states})
        return [row[0] for row in cursor.fetchall()]


def mark_asked(leg: Leg, *, now: datetime, media_until: datetime | None = None) -> bool:
    """The carrier is about to be asked, by us: set once. False if it was asked, it is too late, or nobody wants it.

    media_until: how long the leg's media token holds, where the carrier is given it with the request.
    """
    if not _moved(_ASK, leg, now, kind=EventKind.REQUESTED, media_until=media_until):
        return False
    leg.requested_at = now
    return True


def mark_accepted(leg: Leg, carrier_call_id: str, *, now: datetime) -> bool:
    """The carrier took the call and named it, and nothing else has happened since it was asked; False otherwise.

    leg: as ``mark_asked`` left it. Also False if another leg bears the name.
    """
    facts = {"queued": LegState.QUEUED, "name": carrier_call_id, "asked_at": leg.requested_at}
    try:
        if not _moved(_ACCEPT, leg, now, kind=EventKind.QUEUED, **facts):
            return False
    except IntegrityError:  # the name was given to another leg in the same moment
        return False
    leg.state, leg.carrier_call_id = LegState.QUEUED, carrier_call_id
    return True


def _moved(sql: str, leg: Leg, now: datetime, **facts: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"leg": leg.pk, "call": leg.call_id, "now": now, "requested": LegState.REQUESTED, **facts})
        return bool(cursor.rowcount == 1)
