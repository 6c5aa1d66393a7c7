"""What our account at each carrier is granted, and how it stands: for all campaigns and workers together."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import Count

from apps.calls.models import Leg
from apps.core import breaker
from apps.core.rate import held_s

# A hold that is over by the next dial cycle is no reason to look for another carrier.
_SHORT_HOLD_S = 1.0


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """calls_per_second: calls placed. max_concurrent: live calls at which campaigns place no more. 0: no limit."""

    calls_per_second: int
    max_concurrent: int


def limits_of(carrier: str) -> AccountLimits:
    """What an operator set for the account at this carrier."""
    name = carrier.upper()
    return AccountLimits(
        calls_per_second=getattr(settings, f"{name}_CALLS_PER_SECOND"),
        max_concurrent=getattr(settings, f"{name}_MAX_CONCURRENT"),
    )


def pace_key(carrier: str) -> str:
    """Under which the account's calls are paced, and held while the carrier wants to be left alone."""
    return f"account:{carrier}"


def pace_of(carriers: Iterable[str]) -> float | None:
    """Calls per second that these accounts are granted together; None where one of them has no limit."""
    paces = [limits_of(carrier).calls_per_second for carrier in carriers]
    return None if 0 in paces else sum(paces)


class Trouble(StrEnum):
    """Why no call is given to an account now; "" while nothing is wrong."""

    NONE = ""
    NOT_ANSWERING = "not_answering"  # its circuit breaker is open
    HELD = "held"  # it asked to be left alone until a moment that has not come
    FULL = "full"  # as many calls as it may have are live


@dataclass(frozen=True, slots=True)
class Account:
    """How an account stands. n_free: calls it may take now, None for any number; a breaker that may close gets one."""

    carrier: str
    trouble: Trouble
    n_free: int | None


def accounts(carriers: Collection[str], *, now: datetime) -> dict[str, Account]:
    """How the accounts at these carriers stand, for everybody who shares them. Raises redis.RedisError.

    Two questions to Redis, and a query where an account has a limit.
    """
    circuits = {circuit.service: circuit for circuit in breaker.all_states()}
    order = sorted(carriers)
    holds = dict(zip(order, held_s([pace_key(carrier) for carrier in order]), strict=True))
    limited = [carrier for carrier in order if limits_of(carrier).max_concurrent]
    n_live: dict[str, int] = {}
    if limited:
        rows = Leg.objects.live().filter(carrier__in=limited).order_by().values_list("carrier").annotate(n=Count("pk"))
        n_live = dict(rows)
    return {
        carrier: _account(carrier, circuits.get(carrier), holds[carrier], n_live.get(carrier, 0), now)
        for carrier in order
    }


def _account(
    carrier: str, circuit: breaker.CircuitState | None, held_for_s: float, n_live: int, now: datetime
) -> Account:
    most = limits_of(carrier).max_concurrent
    n_free = max(0, most - n_live) if most else None
    if circuit is not None and circuit.state != "closed":
        # While it is open nobody is let through; after that one call finds out, and without it nobody ever would.
        opens_at = (circuit.opened_at or now) + timedelta(seconds=breaker.RESET_TIMEOUT_S)
        is_shut = circuit.state == "open" and now < opens_at
        return Account(carrier, Trouble.NOT_ANSWERING, 0 if is_shut else min(1, 1 if n_free is None else n_free))
    if held_for_s > _SHORT_HOLD_S:
        return Account(carrier, Trouble.HELD, 0)
    if n_free == 0:
        return Account(carrier, Trouble.FULL, 0)
    return Account(carrier, Trouble.NONE, n_free)
