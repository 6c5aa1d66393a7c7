import pytest

from apps.calls.bridge.limits import Flood, InboundBudget


def test_real_time_never_runs_out():
    budget = InboundBudget(started_at=0.0)
    for i in range(50 * 3600):
        budget.take(now=i * 0.02, audio_ms=20)


def test_what_a_stall_of_seconds_held_back_may_come_at_once():
    budget = InboundBudget(started_at=0.0)
    for i in range(50 * 60):
        budget.take(now=i * 0.02, audio_ms=20)
    for _ in range(50 * 8):
        budget.take(now=60.0, audio_ms=20)


@pytest.mark.parametrize(("audio_ms", "code"), [(20.0, "audio"), (0.0, "messages")])
def test_far_more_than_real_time_is_a_flood(audio_ms, code):
    budget = InboundBudget(started_at=0.0)

    def pour() -> None:
        for _ in range(5000):
            budget.take(now=1.0, audio_ms=audio_ms)

    with pytest.raises(Flood) as flood:
        pour()
    assert flood.value.code == code
