"""Card numbers that are said in pieces: some of the digits in one turn, the rest in the next ones. Pure.

Each turn is held against those that the same speaker said shortly before. Where numbers that follow each other make one
card number together, all that took part are masked, in turns given out already, too. Numbers are only joined whole: a
phone number and an order number contain dozens of others between them, and one in ten of anything passes the check.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from apps.calls.bridge.sink import SpokenTurn
from apps.calls.masking import FIRST_DIGITS, LONGEST, SHORTEST, Run, is_nothing_but, passes_luhn, runs_in, without

R = TypeVar("R")

MAX_TURNS: Final = 8
MAX_AGE_MS: Final = 90_000
_FORGOTTEN_AFTER_S: Final = 2 * MAX_AGE_MS / 1000
_AFTER_A_CARD: Final = (0, 3, 4, 7)
"""Digits that may follow a card's number in one breath: none, its code, its date, or both."""


class CardWatches(Generic[R]):
    """All speakers of all calls. R: whatever goes with a turn."""

    def __init__(self) -> None:
        self._watches: dict[tuple[int, str], CardWatch[R]] = {}

    def hear(
        self, record: R, spoken: SpokenTurn, *, call_id: int, is_kept: bool, hides_all: bool, now: float
    ) -> list[tuple[R, str]]:
        """As ``CardWatch.hear``. now: monotonic seconds."""
        watch = self._watches.setdefault((call_id, spoken.speaker), CardWatch())
        watch.heard_at = now
        return list(watch.hear(record, spoken, is_kept=is_kept, hides_all=hides_all))

    def forget(self, now: float) -> None:
        """Whoever has said nothing for so long that nothing is joined to it any more."""
        for who in [who for who, watch in self._watches.items() if now - watch.heard_at > _FORGOTTEN_AFTER_S]:
            del self._watches[who]

    def __len__(self) -> int:
        return len(self._watches)


@dataclass(slots=True)
class _Turn(Generic[R]):
    """runs: the numbers in it. secret: places of those that have to go. given: its text as it was given out last."""

    record: R
    spoken: SpokenTurn
    runs: Sequence[Run]
    secret: set[int]
    is_all_numbers: bool
    given: str = ""

    @property
    def text(self) -> str:
        return without(self.spoken.text, [run for n, run in enumerate(self.runs) if n in self.secret])


class CardWatch(Generic[R]):
    """What one speaker of one call said lately."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn[R]] = {}
        self.heard_at = 0.0

    def hear(self, record: R, spoken: SpokenTurn, *, is_kept: bool, hides_all: bool) -> Iterator[tuple[R, str]]:
        """What is to be given out now: the turn, and earlier ones whose text is to be another from now on.

        is_kept: False for a piece on its way, which changes no other. hides_all: no number is to be seen.
        """
        turn = self._turn(record, spoken, is_kept=is_kept, hides_all=hides_all)
        near = [one for one in self._turns.values() if _distance_ms(one.spoken, spoken) <= MAX_AGE_MS]
        others = [one for one in near if one.spoken.item_id != spoken.item_id]
        window = sorted([*others, turn], key=lambda one: one.spoken.started_ms)
        for one, place in _joined(window):
            if is_kept or one is turn:
                one.secret.add(place)
        if is_kept:
            self._turns = {one.spoken.item_id: one for one in window[-MAX_TURNS:]}
        for one in window:
            text = one.text
            if one is turn or text != one.given:
                one.given = text
                yield one.record, text

    def _turn(self, record: R, spoken: SpokenTurn, *, is_kept: bool, hides_all: bool) -> _Turn[R]:
        runs = list(runs_in(spoken.text, spoken.language))
        secret = {
            place
            for place, run in enumerate(runs)
            if run.is_card or (hides_all and len(run.digits) >= 2) or (not is_kept and run.may_become_card)
        }
        known = self._turns.get(spoken.item_id)
        if known is not None:  # told again, because it was cut: what had to go stays away
            secret |= {place for place in known.secret if place < len(runs)}
        return _Turn(record, spoken, runs, secret, is_nothing_but(spoken.text, runs))


def _distance_ms(one: SpokenTurn, other: SpokenTurn) -> int:
    return abs(one.started_ms - other.started_ms)


def _joined(turns: Sequence[_Turn[R]]) -> Iterator[tuple[_Turn[R], int]]:
    """Every number that makes a card's number with its neighbours: of which turn, and its place there."""
    numbers = [(turn, place) for turn in turns for place, run in enumerate(turn.runs) if run.digits]
    # “One moment” is no digit of it: the same again without single ones among other words.
    firm = [one for one in numbers if one[0].is_all_numbers or len(one[0].runs[one[1]].digits) > 1]
    for found in (numbers, firm) if len(firm) < len(numbers) else (numbers,):
        for first, (turn, place) in enumerate(found):
            digits = turn.runs[place].digits
            if digits[0] not in FIRST_DIGITS:
                continue
            for last in range(first + 1, len(found)):
                turn, place = found[last]
                latest = turn.runs[place].digits
                digits += latest
                if len(digits) > LONGEST + max(_AFTER_A_CARD):
                    break
                if _is_card(digits, n_latest=len(latest)):
                    yield from found[first : last + 1]


def _is_card(digits: str, *, n_latest: int) -> bool:
    """n_latest: how many of them were said last. A card's number ends in these."""
    return any(
        SHORTEST <= n <= LONGEST and passes_luhn(digits[:n])
        for n in (len(digits) - n_after for n_after in _AFTER_A_CARD if n_after < n_latest)
    )
