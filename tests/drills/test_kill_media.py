"""kill -9 of the process that holds the conversations: another takes them up where they were."""

from apps.calls.events import EventKind
from apps.calls.models import CallEvent, EndReason, Speaker, Turn
from apps.calls.states import Outcome
from tests.stack import wait_for


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
