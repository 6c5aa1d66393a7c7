"""Claiming rows: how several workers share one list of work without stepping on each other."""

from typing import TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def claim(rows: QuerySet[M], n: int) -> list[M]:
    """Lock and return at most n of the rows that nobody else holds. Call inside a transaction."""
    return list(rows.select_for_update(skip_locked=True, of=("self",))[:n])
