"""When a conversation goes on in another language, and when it does not."""

import pytest

from apps.calls.bridge.languages import LanguageEar, text_detector

ALL = frozenset({"en", "es", "cs"})


def ear(language: str = "en", allowed=ALL) -> LanguageEar:
    return LanguageEar(language, allowed)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("perdone pero no hablo inglés", "es"),
        ("promiňte, ale já anglicky nemluvím", "cs"),
        ("prominte ale ja anglicky nemluvim", "cs"),
        ("buenas tardes quién es y qué quiere", "es"),
    ],
)
def test_a_clear_sentence_in_another_language_changes_it(text, language):
    change = ear().hear(text)
    assert (change.from_, change.to) == ("en", language)
    assert change.heard[-1].source == "text"


@pytest.mark.parametrize("text", ["hola", "no", "okay", "sí", "ano", "García", "uh", "", "123 456"])
def test_a_word_or_a_name_changes_nothing(text):
    assert ear().hear(text) is None


def test_short_answers_in_a_row_change_it():
    listening = ear()
    assert listening.hear("hola, buenos días") is None or listening.language == "es"
    listening = ear()
    changes = [listening.hear(text) for text in ("ano", "dobrý den", "prosím", "ano", "děkuji")]
    assert any(change is not None and change.to == "cs" for change in changes)


def test_the_providers_word_counts_before_the_text():
    change = ear().hear("yes yes that is very nice of you", provider_says="es-419")
    assert change.to == "es"
    assert change.heard[-1].source == "provider"


def test_a_single_foreign_sentence_does_not_undo_a_long_conversation_for_ever():
    listening = ear()
    for text in ("yes that sounds interesting tell me more please", "how much does that cost every month for me"):
        assert listening.hear(text) is None
    assert listening.hear("como dicen en mi tierra") is None
    assert listening.hear("and when would the engineer come to my house") is None
    assert listening.language == "en"


def test_it_does_not_flap():
    listening = ear()
    assert listening.hear("perdone pero no hablo nada de inglés").to == "es"
    assert listening.hear("okay thank you") is None
    assert listening.language == "es"


def test_who_may_not_change_does_not():
    assert ear(allowed=frozenset()).hear("promiňte, ale já anglicky nemluvím") is None


def test_the_detector_knows_our_languages_only():
    assert {text_detector()(text)[0] for text in ("bonjour", "guten tag", "x")} <= ALL
