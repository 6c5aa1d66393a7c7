"""A table as pages describe it: its columns, and which of them the address sorts by. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Column:
    """key: stands in ``?sort=``. sort: the ORM fields behind it, empty where the column cannot be sorted by."""

    key: str
    label: str | Promise
    sort: tuple[str, ...] = ()
    is_number: bool = False
    is_label_hidden: bool = False  # for a column of buttons: read aloud, not shown


def sort_fields(columns: Sequence[Column], asked: str, *, default: str) -> tuple[str, list[str]]:
    """What ``?sort=-name`` means: the key that holds (asked, or default if unknown) and its ORM ordering."""
    known = {column.key: column.sort for column in columns if column.sort}
    key = asked if asked.removeprefix("-") in known else default
    fields = known[key.removeprefix("-")]
    if not key.startswith("-"):
        return key, list(fields)
    return key, [field.removeprefix("-") if field.startswith("-") else f"-{field}" for field in fields]
