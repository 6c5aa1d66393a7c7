"""The call's lock keeps apart those who move it, and nobody else."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from apps.calls.events import EventKind
from apps.calls.models import CallEvent
from apps.calls.services.story import lock_call, lock_leg, tell
from apps.calls.states import LegState
from tests.factories.calls import make_leg


@pytest.fixture
def leg(transactional_db):
    return make_leg(LegState.ANSWERED)


def meanwhile(work) -> None:
    """Do work on a connection of its own that waits for a lock no longer than a moment."""

    def do() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '500ms'")
                work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(do).result()


def test_a_line_is_added_to_the_story_while_the_call_is_being_moved(leg):
    with transaction.atomic():
        lock_leg(leg.pk)
        meanwhile(lambda: tell(leg.call_id, EventKind.DTMF, timezone.now(), leg_id=leg.pk, digit="9"))
    assert CallEvent.objects.filter(call=leg.call_id, kind=EventKind.DTMF).exists()


def test_two_do_not_move_a_call_at_once(leg):
    with transaction.atomic():
        lock_leg(leg.pk)
        with pytest.raises(OperationalError, match="lock timeout"):
            meanwhile(lambda: lock_call(leg.call_id))
