import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.calls.masking import MASK, mask_cards

VISA = "4111111111111111"


@pytest.mark.parametrize(
    ("language", "said", "kept"),
    [
        ("en", f"It is {VISA}, thanks.", f"It is {MASK}, thanks."),
        ("en", "My card: 4111 1111 1111 1111.", f"My card: {MASK}."),
        ("en", "4111-1111-1111-1111", MASK),
        ("en", "378282246310005 is my Amex", f"{MASK} is my Amex"),
        ("en", "5555 5555 5555 4444, twelve twenty-seven, code 123", f"{MASK}, code 123"),
        ("en", "Four one one one, one one one one, one one one one, one one one one.", f"{MASK}."),
        ("en", "four triple one, um, double one double one 1111 and then one one one one", MASK),
        ("en", "forty-one eleven eleven eleven eleven eleven eleven eleven", MASK),
        (
            "es",
            "Es el cuatro uno uno uno, uno uno uno uno, uno uno uno uno, uno uno uno uno, ¿vale?",
            f"Es el {MASK}, ¿vale?",
        ),
        ("es", "cuarenta y uno once once once once once once once", MASK),
        ("es", "veintidós veintitrés cuarenta y ocho dieciséis 12 34 56 78", MASK),
        ("cs", "čtyři jedna jedna jedna jedna jedna jedna jedna jedna jedna jedna jedna jedna jedna jedna jedna", MASK),
        ("cs", "Je to čtyřicet jedna jedenáct, jedenáct jedenáct, jedenáct jedenáct, 1111.", f"Je to {MASK}."),
        ("cs", "jednačtyřicet jedenáct jedenáct jedenáct jedenáct jedenáct jedenáct jedenáct", MASK),
        ("", "cuatro one jedna uno 1111 1111 1111", MASK),
        ("en", "it is ٤١١١١١١١١١١١١١١١ here", f"it is {MASK} here"),
    ],
)
def test_card_numbers_are_masked_however_they_are_said(language, said, kept):
    assert mask_cards(said, language=language) == kept


@pytest.mark.parametrize(
    "said",
    [
        "Call me on +1 212 555 0123 or 0034 612 345 678.",
        "My order is 4111111111111112.",  # the check digit is wrong
        "On 12/11/2026 at 10:30, table for twenty-one.",
        "One moment, two or three people, once or twice.",
        "Uno, dos, tres: ¡probando!",
        "Bylo nás jedenáct a pak dvanáct.",
        "",
    ],
)
@pytest.mark.parametrize("language", ["en", "es", "cs", "", "fr"])
def test_other_numbers_stay(said, language):
    assert mask_cards(said, language=language) == said


def luhn(digits: str) -> str:
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


UNITS = {
    "en": "zero one two three four five six seven eight nine",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "cs": "nula jedna dva tři čtyři pět šest sedm osm devět",
}
WORDS = {language: units.split() for language, units in UNITS.items()}


@given(
    body=st.text("0123456789", min_size=12, max_size=17),
    first=st.sampled_from("3456"),
    language=st.sampled_from(sorted(WORDS)),
    separators=st.lists(st.sampled_from([" ", ", ", "-", ". "]), min_size=19, max_size=19),
    spoken=st.lists(st.booleans(), min_size=19, max_size=19),
)
def test_any_card_number_goes_in_any_mixture_of_digits_and_words(body, first, language, separators, spoken):
    number = luhn(first + body)
    said = "".join(
        (WORDS[language][int(digit)] if aloud else digit) + separator
        for digit, aloud, separator in zip(number, spoken, separators, strict=False)
    )
    kept = mask_cards(f"Well: {said}yes", language=language)
    assert kept.startswith(f"Well: {MASK}")
    assert not any(sign.isdigit() for sign in kept)


@given(st.text(max_size=200), st.sampled_from(["en", "es", "cs", ""]))
def test_any_text_is_taken(text, language):
    assert mask_cards(mask_cards(text, language=language), language=language) == mask_cards(text, language=language)
