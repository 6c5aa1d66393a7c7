"""kill -9 in the middle of a campaign: nobody is dialled twice for one attempt, nobody is lost, no slot stays taken."""

import time

import pytest

from apps.calls.events import EventKind
from apps.calls.models import CallEvent, EndReason, Speaker, Turn
from apps.calls.states import Outcome
from tests.stack import wait_for

DOWN_S = 1.5  # a supervisor's pause before it starts a process again


@pytest.mark.parametrize("name", ["web", "media", "worker", "beat", "redis", "postgres", "ai"])
def test_a_campaign_survives_the_death_of(name, stack, start):
    drill = start()
    drill.wait_until(n_placed=5, n_talking=2)
    stack.kill(name)
    time.sleep(DOWN_S)
    stack.start(name)
    drill.wait_until_completed()
    drill.check()
    # Celery's worker sometimes ends when it finds its broker gone; nothing else may.
    assert drill.revived <= ({"worker"} if name == "redis" else set())


def test_conversations_go_on_where_the_media_process_died(stack, start):
    """In real time: the carrier's patience is counted in seconds."""
    with stack.sandbox_at(1.0):
        drill = start(("28", "58", "88"))  # whose conversations last
        wait_for(lambda: _n_greeted(drill) == 3, "the AI has spoken to all three", timeout_s=60)
        stack.hand_over_media()
        drill.wait_until_completed()
        drill.check()
    legs = drill.legs()
    assert [leg.n_media_sessions for leg in legs] == [2, 2, 2]
    for leg in legs:
        assert leg.outcome == Outcome.ANSWERED
        assert leg.call.end_reason in {EndReason.AI_ENDED, EndReason.CALLER_HUNG_UP}
        lost = CallEvent.objects.filter(call=leg.call, kind=EventKind.MEDIA_LOST).latest("at")
        speakers = set(Turn.objects.filter(call=leg.call, at__gt=lost.at).values_list("speaker", flat=True))
        assert speakers == {Speaker.CALLER, Speaker.AI}, "they talked on afterwards"


def _n_greeted(drill) -> int:
    turns = Turn.objects.filter(call__attempt__campaign=drill.campaign, speaker=Speaker.AI)
    return turns.values("call").distinct().count()
