"""What our account at each carrier is granted, and how it stands: for all campaigns and workers together."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings


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
