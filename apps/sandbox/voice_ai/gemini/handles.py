"""Sessions that another connection may go on with, by the handles their clients were given."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from ..conversation import Item

_KEPT: Final = 1000


@dataclass(frozen=True, slots=True)
class _Kept:
    model: str
    items: list[Item]


class Handles:
    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def keep(self, model: str, items: Sequence[Item]) -> str:
        """The conversation as it is now. An older handle of the session stands for what it was then."""
        handle = uuid4().hex
        self._kept[handle] = _Kept(model, [copy(item) for item in items])
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return handle

    def take(self, handle: str, model: str) -> list[Item] | None:
        """None: there is no such session, or it was another model's."""
        kept = self._kept.get(handle)
        return None if kept is None or kept.model != model else [copy(item) for item in kept.items]
