"""Transactions: what follows a commit, and how several workers share one list of work."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
P = ParamSpec("P")


def after_commit(work: Callable[P, object], *args: P.args, **named: P.kwargs) -> None:
    """Do work when the transaction has committed; now, if there is none. It fails alone: logged, the rest is done."""

    def do() -> None:  # a function of its own: for the log Django asks for a name, which a partial() has not
        work(*args, **named)

    do.__qualname__ = getattr(work, "__qualname__", repr(work))
    transaction.on_commit(do, robust=True)


def claim(rows: QuerySet[M], n: int) -> list[M]:
    """Lock and return at most n of the rows that nobody else holds. Call inside a transaction."""
    return list(rows.select_for_update(skip_locked=True, of=("self",))[:n])
