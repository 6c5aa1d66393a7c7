"""A card's number in pieces: whoever took part in it is masked, and nobody else."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calls.bridge.sink import SpokenTurn
from apps.calls.card_watch import MAX_TURNS, CardWatch, CardWatches
from apps.calls.masking import MASK
from tests.calls.test_masking import WORDS, luhn


class Listener:
    """What an open page shows of one speaker: each turn in its last wording."""

    def __init__(self, language="en"):
        self.watch = CardWatch()
        self.language = language
        self.shown = {}
        self.n_heard = 0
        self.now_ms = 0

    def hear(self, text, *, item="", after_ms=2000, is_kept=True, hides_all=False):
        self.n_heard += 1
        self.now_ms += after_ms
        item = item or f"turn {self.n_heard}"
        turn = SpokenTurn(item, "caller", text, self.now_ms, self.now_ms + 1000, language=self.language)
        told = list(self.watch.hear(item, turn, is_kept=is_kept, hides_all=hides_all))
        self.shown |= dict(told)
        return dict(told)

    def hear_all(self, *texts):
        for text in texts:
            self.hear(text)
        return list(self.shown.values())


@pytest.mark.parametrize(
    ("language", "said", "shown"),
    [
        (
            "en",
            ["My card? Four one one one.", "One one one one", "one one one one, and then", "1111. Is that all?"],
            [f"My card? {MASK}.", MASK, f"{MASK}, and then", f"{MASK}. Is that all?"],
        ),
        (
            "es",
            ["Es el cuatro dos cuatro dos", "cuarenta y dos cuarenta y dos", "4242", "cuatro dos, cuatro dos. ¿Vale?"],
            [f"Es el {MASK}", MASK, MASK, f"{MASK}. ¿Vale?"],
        ),
        (
            "cs",
            [
                "Čtyři dva čtyři dva",
                "čtyřicet dva čtyřicet dva",
                "dvaačtyřicet, dvaačtyřicet.",
                "Poslední čtyři jsou 4242",
            ],
            None,
        ),
        # Words between the digits of one turn, a moment of thought, its date and code, single digits.
        (
            "en",
            ["4111 1111, wait, 1111", "One moment.", "1111, there."],
            [f"{MASK}, wait, {MASK}", None, f"{MASK}, there."],
        ),
        ("en", ["4111", "1111 1111", "1111 12/30 123"], [MASK, MASK, MASK]),
        ("en", ["I have two of them.", "4111 1111", "1111 1111."], [None, MASK, f"{MASK}."]),
        ("en", ["4", "1 1 1", "1", "1 1 1 1", "1 1 1 1 1", "1 1"], [MASK] * 6),
    ],
)
def test_a_card_number_in_pieces_is_masked_wherever_a_piece_is(language, said, shown):
    told = Listener(language).hear_all(*said)
    if shown is None:  # “the last four” is no part of it
        assert told[:3] == [MASK, MASK, f"{MASK}."]
        assert told[3].endswith(MASK)
    else:
        assert told == [now if now is not None else before for before, now in zip(said, shown, strict=True)]


@pytest.mark.parametrize(
    "said",
    [
        ["Call me on 612 345 678.", "My order is 4455 66 77.", "At half past ten, please."],
        ["4111 1111", "1111 1112"],  # the check digit is wrong
        ["It is 4111 1111.", "No, 1111."],
        ["On 22/11/2026", "at 10:30", "for two people"],
        ["One", "two", "three"],
        ["", "No numbers at all."],
    ],
)
@pytest.mark.parametrize("language", ["en", "es", "cs", ""])
def test_other_numbers_in_a_row_stay(said, language):
    assert Listener(language).hear_all(*said) == said


def test_only_what_changes_is_told_again():
    listener = Listener()
    assert listener.hear("Just a moment.") == {"turn 1": "Just a moment."}
    assert listener.hear("4111 1111") == {"turn 2": "4111 1111"}
    assert listener.hear("1111 1111") == {"turn 2": MASK, "turn 3": MASK}
    assert listener.hear("Have you got it?") == {"turn 4": "Have you got it?"}


def test_what_was_masked_stays_so_when_a_turn_is_told_again():
    listener = Listener()
    listener.hear("Four one one one one one one one, right?", item="a")
    listener.hear("1111 1111", item="b")
    assert listener.hear("Four one one one one", item="a", after_ms=0) == {"a": MASK}


def test_a_piece_on_its_way_hides_itself_and_changes_no_other():
    listener = Listener()
    listener.hear("4111 1111", item="a")
    assert listener.hear("1111 1111", item="b", is_kept=False) == {"b": MASK}
    assert listener.shown["a"] == "4111 1111"
    assert listener.hear("1111 1111 is it", item="b") == {"a": MASK, "b": f"{MASK} is it"}


def test_what_is_said_much_later_is_another_number():
    listener = Listener()
    listener.hear("4111 1111")
    assert listener.hear("1111 1111", after_ms=120_000) == {"turn 2": "1111 1111"}


def test_only_the_last_few_turns_are_remembered():
    listener = Listener()
    listener.hear("4111 1111")
    for _ in range(MAX_TURNS):
        listener.hear("Wait.")
    assert listener.hear("1111 1111") == {f"turn {MAX_TURNS + 2}": "1111 1111"}


def test_turns_are_joined_in_the_order_in_which_they_were_said():
    listener = Listener()
    listener.hear("1111 1111", item="later", after_ms=4000)
    assert listener.hear("4111 1111", item="earlier", after_ms=-2000) == {"earlier": MASK, "later": MASK}


def test_while_card_data_are_asked_for_every_number_goes():
    said = "It ends in 1 1 1 1, valid until twelve twenty-seven, code one two three. Just a moment!"
    shown = f"It ends in {MASK}, valid until {MASK}, code {MASK}. Just a moment!"
    assert Listener().hear(said, hides_all=True) == {"turn 1": shown}
    shown = {"turn 1": f"{MASK} del {MASK}"}
    assert Listener("es").hear("doce del veintisiete", hides_all=True) == shown


def test_a_number_that_is_still_being_said_is_not_shown():
    def piece(text):
        return Listener().hear(text, is_kept=False)["turn 1"]

    assert piece("My card is 4111 1111 11") == f"My card is {MASK}"
    assert Listener().hear("My card is 4111 1111 11") == {"turn 1": "My card is 4111 1111 11"}
    assert piece("Order 12345678 it was") == "Order 12345678 it was"


def test_speakers_and_calls_are_not_mixed_up_and_are_forgotten():
    watches = CardWatches()

    def hear(speaker, call_id, item, text, now):
        turn = SpokenTurn(item, speaker, text, 0, 0, language="en")
        return dict(watches.hear(item, turn, call_id=call_id, is_kept=True, hides_all=False, now=now))

    hear("caller", 1, "a", "4111 1111", 0.0)
    assert hear("ai", 1, "b", "1111 1111", 0.0) == {"b": "1111 1111"}
    assert hear("caller", 2, "c", "1111 1111", 100.0) == {"c": "1111 1111"}
    assert hear("caller", 1, "d", "1111 1111", 100.0) == {"a": MASK, "d": MASK}
    watches.forget(200.0)
    assert len(watches) == 2
    watches.forget(1000.0)
    assert len(watches) == 0


@settings(deadline=None)
@given(
    body=st.text("0123456789", min_size=12, max_size=17),
    first=st.sampled_from("3456"),
    language=st.sampled_from(sorted(WORDS)),
    cuts=st.sets(st.integers(1, 18), max_size=5),
    spoken=st.lists(st.booleans(), min_size=19, max_size=19),
    around=st.lists(st.sampled_from(["", "Wait. ", "Ehm, ", "Yes: "]), min_size=6, max_size=6),
)
def test_any_card_number_goes_in_any_pieces(body, first, language, cuts, spoken, around):
    number = luhn(first + body)
    said = [WORDS[language][int(digit)] if aloud else digit for digit, aloud in zip(number, spoken, strict=False)]
    places = [0, *sorted(cut for cut in cuts if cut < len(said)), len(said)]
    pieces = [" ".join(said[start:end]) for start, end in pairwise(places)]
    listener = Listener(language)
    shown = listener.hear_all(*(f"{before}{piece}." for before, piece in zip(around, pieces, strict=False)))
    assert shown == [f"{before}{MASK}." for before, _ in zip(around, pieces, strict=False)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=60)), max_size=12))
def test_any_turns_are_taken_and_no_more_is_remembered_than_need_be(turns):
    listener = Listener()
    for item, text in turns:
        listener.hear(text, item=item)
    assert set(listener.shown) == {item for item, _ in turns}
