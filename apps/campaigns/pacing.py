"""How many people a dial cycle may claim; pure.

Two budgets, whichever is smaller: free lines, and a short queue in front of the carrier. The queue is there so that
calls leave at an even pace between two cycles; the pace itself is kept by ``core.rate`` at the moment of each dial.
"""

import math

# A cycle runs about once a second; the queue outlasts one that comes late.
HORIZON_S = 2.0


def n_to_claim(
    *,
    max_concurrent: int,
    n_live: int,
    calls_per_second: float,
    n_waiting: int,
    since_last_claim_s: float | None,
    horizon_s: float = HORIZON_S,
) -> int:
    """People to claim now; never more than the free lines, nor than the queue has room for.

    n_live: attempts not yet settled, each a taken line. n_waiting: those the carrier has not been asked for yet.
    since_last_claim_s: None before the first claim; it matters below one call per horizon, where the queue holds one
    call and the next is claimed only shortly before its turn.
    """
    free = max(0, max_concurrent - n_live)
    if calls_per_second * horizon_s >= 1:
        return min(free, max(0, math.ceil(calls_per_second * horizon_s) - n_waiting))
    if n_waiting > 0 or (since_last_claim_s is not None and since_last_claim_s < 1 / calls_per_second - horizon_s):
        return 0
    return min(free, 1)
