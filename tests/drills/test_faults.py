"""A carrier at its worst: what it does twice, late, in disorder or not at all changes nothing of what must hold."""

from collections import Counter

from apps.calls.events import EventKind
from apps.calls.models import CallEvent
from apps.calls.states import Outcome


def _kinds(drill) -> Counter:
    events = CallEvent.objects.filter(call__attempt__campaign=drill.campaign)
    return Counter(events.values_list("kind", flat=True))


def _outcomes(drill) -> dict[str, list[str]]:
    """How each of a number's attempts ended, by its last two digits."""
    found: dict[str, list[str]] = {}
    for leg in drill.legs():
        found.setdefault(leg.to_number[-2:], []).append(leg.outcome)
    return found


def test_numbers_with_which_something_goes_wrong(stack, start):
    drill = start([str(ending) for ending in range(90, 100)])
    drill.wait_until_completed()
    drill.check()
    outcomes = _outcomes(drill)
    assert outcomes["90"] == [Outcome.FAILED], "a number that the carrier refuses"
    assert all(attempts[-1] == Outcome.ANSWERED for ending, attempts in outcomes.items() if ending != "90")
    placed_once = ["91", "93", "94", "95", "96", "97", "98", "99"]
    assert {ending: len(outcomes[ending]) for ending in placed_once} == dict.fromkeys(placed_once, 1)


def test_calls_that_never_said_a_word_are_found(stack, start):
    """The placing was done and not answered, and no callback ever comes: only asking the carrier helps."""
    for fault in (
        {"kind": "rest_timeout", "times": 2, "hold_s": 20},
        {"kind": "rest_reset"},
        {"kind": "callback_drop"},
    ):
        stack.carrier("faults", fault)
    try:
        drill = start(("13", "43", "73", "14"))
        drill.wait_until_completed()
        drill.check()
    finally:
        stack.carrier("faults", method="DELETE")
    assert _kinds(drill)[EventKind.FOUND] == 4
    assert sorted(leg.outcome for leg in drill.legs()) == [Outcome.FAILED, *[Outcome.NO_ANSWER] * 3]


def test_a_carrier_that_stumbles_all_the_time(stack, start):
    for fault in (
        {"kind": "rest_timeout", "times": 3, "hold_s": 20},
        {"kind": "rest_reset", "times": 2},
        {"kind": "rest_429", "times": 4},
        {"kind": "callback_duplicate"},
        {"kind": "callback_reorder", "times": 20},
        {"kind": "callback_drop", "times": 12},
        {"kind": "callback_delay", "delay_s": 5, "times": 6, "events": ["completed"]},
    ):
        stack.carrier("faults", fault)
    try:
        drill = start()
        drill.wait_until_completed()
        drill.check()
        left = {fault["kind"] for fault in stack.carrier("faults")["faults"]}
    finally:
        stack.carrier("faults", method="DELETE")
    assert not left & {"rest_timeout", "rest_reset", "rest_429"}, "all of them happened"
    assert _kinds(drill)[EventKind.PUT_BACK] >= 1
