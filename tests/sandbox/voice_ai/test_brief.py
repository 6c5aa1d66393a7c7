from datetime import datetime

import pytest

from apps.sandbox.voice_ai.brief import language_of, quoted, read_brief

LABELLED = """\
Company: Helios Home Energy
You are: Ada
Language: es
Now: 2026-11-22T10:00
Contact: Ana
Greeting: Hola Ana, soy Ada. ¿Tiene usted un minuto?

You are Ada, an AI that speaks on the phone for Helios Home Energy. Speak Spanish unless asked otherwise.

Motivo: una comprobación gratuita de sus placas solares.
Pregunta: ¿Anoto que desea la comprobación?
- Si pide que no le llamen más: dale de baja."""


def test_labelled_lines_are_read_in_any_of_the_languages():
    brief = read_brief(LABELLED)
    assert (brief.company, brief.agent, brief.language) == ("Helios Home Energy", "Ada", "es")
    assert brief.now == datetime(2026, 11, 22, 10, 0)  # noqa: DTZ001 - the instructions name no offset
    assert brief.purpose == "una comprobación gratuita de sus placas solares"
    assert brief.question == "¿Anoto que desea la comprobación?"
    assert brief.opening("es") == "Hola Ana, soy Ada. ¿Tiene usted un minuto?"
    assert "Helios Home Energy" in brief.opening("cs")
    assert brief.reason("es").endswith("una comprobación gratuita de sus placas solares.")
    assert "placas" not in brief.reason("cs")


@pytest.mark.parametrize(
    ("text", "agent", "company", "language"),
    [
        ("You are Eva, calling on behalf of Blue Sky Travel. Speak Czech.", "Eva", "Blue Sky Travel", "cs"),
        ("Eres Lucía y llamas de parte de Viajes Sol. Habla español.", "Lucía", "Viajes Sol", "es"),
        ("Jsi Jana a voláš za společnost Sever. Mluv česky.", "Jana", "Sever", "cs"),
        ("Be brief and kind.", "", "", None),
        ("**Agent name:** Max\n- Company = Acme & Sons\nlanguage: en-GB", "Max", "Acme & Sons", "en"),
    ],
)
def test_prose_is_understood_where_there_are_no_labels(text, agent, company, language):
    brief = read_brief(text)
    assert (brief.agent, brief.company, brief.language) == (agent, company, language)


@pytest.mark.parametrize(
    ("text", "offset_hours"),
    [
        ("Now: 2026-11-22T10:00:00+01:00", 1),
        ("It is 2026-11-22 10:00 -05:00 there.", -5),
        ("Now: 2026-11-22T10:00Z", 0),
    ],
)
def test_offset_of_the_local_time_is_kept(text, offset_hours):
    now = read_brief(text).now
    assert now.utcoffset().total_seconds() == offset_hours * 3600
    assert (now.day, now.hour) == (22, 10)


def test_impossible_time_is_no_time():
    assert read_brief("Now: 2026-13-45T10:00").now is None


@pytest.mark.parametrize(
    "text", ["Say “Hello there.”", "Say „Hello there.“", "Say «Hello there.»", 'Say "Hello there."']
)
def test_quotations_of_all_kinds(text):
    assert quoted(text) == "Hello there."


def test_single_quoted_word_is_no_sentence():
    assert quoted('Use the word "please".') == ""


def test_language_of_a_sentence():
    assert language_of("Hello, this is Ada with an offer for you.", "cs") == "en"
    assert language_of("Hola, soy Ada y llamo de parte de la empresa.", "en") == "es"
    assert language_of("Dobrý den, tady Ada.", "en") == "cs"
    assert language_of("Ok", "es") == "es"
