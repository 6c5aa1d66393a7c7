import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.messaging.words import keyword_of


@pytest.mark.parametrize(
    ("text", "meaning", "language", "is_carriers"),
    [
        ("STOP", "stop", "en", True),
        (" stop. ", "stop", "en", True),
        ("Stop All", "stop", "en", True),
        ("unsubscribe", "stop", "en", True),
        ("opt-out", "stop", "en", False),
        ("Stop texting me, please!", "stop", "en", False),
        ("Don't text me again", "stop", "en", False),
        ("BAJA", "stop", "es", False),
        ("¡No más!", "stop", "es", False),
        ("No me envíen más mensajes", "stop", "es", False),
        ("odhlásit", "stop", "cs", False),
        ("Neposílejte mi to", "stop", "cs", False),
        ("ZRUŠIT", "stop", "cs", False),
        ("START", "start", "en", True),
        ("Alta", "start", "es", False),
        ("přihlásit", "start", "cs", False),
        ("help", "help", "en", True),
        ("ayuda?", "help", "es", False),
        ("POMOC", "help", "cs", False),
    ],
)
def test_words_of_three_languages_are_understood(text, meaning, language, is_carriers):
    keyword = keyword_of(text)
    assert keyword is not None
    assert (keyword.meaning, keyword.language, keyword.is_carriers) == (meaning, language, is_carriers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Stop by at five",
        "Please don't stop",
        "We'll start tomorrow",
        "sí",
        "ano",
        "help yourself",
        "The end of the street",
        "no",
        "stop " * 100,
    ],
)
def test_ordinary_messages_order_nothing(text):
    assert keyword_of(text) is None


@given(st.text())
def test_whatever_is_written_is_read(text):
    keyword_of(text)
