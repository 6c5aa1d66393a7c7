"""Which of a campaign's numbers calls go out from: in turn, and around carriers that take no calls now."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from apps.calls.carrier_accounts import Account, Trouble
from apps.calls.models import Number


@dataclass(slots=True)
class NumberPool:
    """numbers: in their fixed order. last_used: id of the number the last call went out from.

    accounts: how each of their carriers stands. n_waiting: calls of each carrier that wait to be given to it.
    """

    numbers: Sequence[Number]
    last_used: int | None
    accounts: Mapping[str, Account]
    n_waiting: Mapping[str, int] = field(default_factory=dict)
    _taken: Counter[str] = field(default_factory=Counter, init=False)
    _next: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        places = [place + 1 for place, number in enumerate(self.numbers) if number.pk == self.last_used]
        self._next = places[0] if places else 0

    def take(self) -> Number | None:
        """The next number in turn whose carrier takes a call now; None if no carrier does."""
        for step in range(len(self.numbers)):
            number = self.numbers[(self._next + step) % len(self.numbers)]
            if self._has_room(number.carrier):
                self._next = (self._next + step + 1) % len(self.numbers)
                self._taken[number.carrier] += 1
                return number
        return None

    def give_back(self, number: Number) -> None:
        """The call was not made after all."""
        self._taken[number.carrier] -= 1

    @property
    def n_free(self) -> int | None:
        """Calls that all carriers of the pool together take now; None for any number."""
        rooms = [self._room(carrier) for carrier in {number.carrier for number in self.numbers}]
        return None if None in rooms else sum(room or 0 for room in rooms)

    @property
    def troubles(self) -> dict[str, Trouble]:
        """Carriers of the pool with which something is wrong."""
        return {code: account.trouble for code, account in self.accounts.items() if account.trouble}

    def _room(self, carrier: str) -> int | None:
        account = self.accounts[carrier]
        if account.n_free is None:
            return None
        # One call is enough to find out whether a carrier answers again; one that waits already will do.
        already = self.n_waiting.get(carrier, 0) if account.trouble is Trouble.NOT_ANSWERING else 0
        return max(0, account.n_free - already - self._taken[carrier])

    def _has_room(self, carrier: str) -> bool:
        room = self._room(carrier)
        return room is None or room > 0


def troubled(carriers: Collection[str], accounts: Mapping[str, Account]) -> tuple[list[str], list[str]]:
    """Of a campaign's carriers: those that do not answer, and those that go on instead, by code."""
    down = sorted(code for code in carriers if accounts[code].trouble is Trouble.NOT_ANSWERING)
    return down, sorted(code for code in carriers if code not in down)
