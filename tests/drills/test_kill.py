"""kill -9 in the middle of a campaign: nobody is dialled twice for one attempt, nobody is lost, no slot stays taken."""

import time

import pytest

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
