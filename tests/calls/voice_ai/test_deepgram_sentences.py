import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.calls.voice_ai.deepgram.sentences import SentenceSplitter

CASES = {
    "plain": ["Hello there.", "How are you?", "Fine!"],
    "one word": ["Goodbye."],
    "titles": ["This is Dr. Novak from St. Mary's.", "Mr. Smith is in."],
    "initials": ["I am calling for J. R. Smith.", "Is he there?"],
    "decimal": ["It costs 3.50 euro a month.", "Shall I go on?"],
    "spanish": ["¿Tiene usted un minuto?", "Le llama la Sra. García.", "¡Adiós!"],
    "spanish abbreviation before a name": ["Soy el Sr. López, de parte de Vd. mismo.", "Hasta luego."],
    "czech": ["Dobrý den, tady Ing. Nováková.", "Máte na mě chvilku?"],
    "czech ordinals": ["Zavolám vám 3. května v 15. hodin.", "Hodí se to?"],
    "czech abbreviations": ["Platí to např. pro tzv. malé firmy.", "Rozumíte?"],
    "abbreviation at the end": ["We sell pens, paper etc.", "Would you like some?"],
    "time of day": ["I will call at 3 p.m. tomorrow.", "Good?"],
    "a year at the end": ["We began in 2024.", "Now we are many."],
    "quotation": ["She said “Come in.”", "So I did."],
}


def split(text, step):
    splitter, found = SentenceSplitter(), []
    for at in range(0, len(text), step):
        found += splitter.feed(text[at : at + step])
    rest = splitter.rest()
    return [*found, rest] if rest else found


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
@pytest.mark.parametrize("name", CASES)
def test_sentences_are_found_however_the_text_comes(name, step):
    assert split(" ".join(CASES[name]), step) == CASES[name]


def test_a_sentence_does_not_wait_for_the_next_one():
    splitter = SentenceSplitter()
    assert splitter.feed("Hello, this is Ada") == []
    assert splitter.feed(". ") == ["Hello, this is Ada."]
    assert splitter.rest() == ""


def test_a_long_sentence_is_cut_at_a_comma():
    text = ", ".join(["and another thing that has to be said"] * 12)
    pieces = split(text, 5)
    assert len(pieces) > 1
    assert all(len(piece) <= 300 for piece in pieces)
    assert " ".join(pieces) == text


def test_marks_without_words_are_not_spoken():
    assert split("Yes. … !! ", 4) == ["Yes."]
    assert split(" — ", 1) == []


@given(st.text(alphabet="abc čŠ.!?,¿“” \n3", max_size=120), st.integers(1, 9))
def test_no_letter_is_lost_or_made_up(text, step):
    letters = [letter for letter in text if letter.isalnum()]
    assert [letter for sentence in split(text, step) for letter in sentence if letter.isalnum()] == letters
