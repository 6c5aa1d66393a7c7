"""Numbers choose personas, and every line has its text, its meaning and its translations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from apps.sandbox.personas import (
    EXTRA_PERSONAS,
    INTENTS,
    PERSONAS,
    SPARE_FAULTS,
    all_lines,
    inbound_script,
    persona_for,
)
from apps.sandbox.personas.lines import LANGUAGES, line_variants
from apps.sandbox.personas.scripts import Menu, Say
from apps.sandbox.personas.texts import text_script


@pytest.mark.parametrize(
    ("number", "language", "key", "fault"),
    [
        ("+15550100100", "en", "interested", None),
        ("+15550100103", "en", "opt_out", None),
        ("+34600000039", "es", "voicemail", None),
        ("+420600000089", "cs", "hangs_up_at_once", None),
        ("+15550100190", "en", "interested", "rest_invalid_to"),
        ("+15550100199", "en", "interested", "callback_drop"),
        ("+15550199900", "es", "speaks_spanish", None),
        ("+15550199902", "en", "changes_to_spanish", None),
        ("+15550199934", "es", "reads_card", None),
        ("+15550199929", "en", "hangs_up_at_once", None),
        ("+15550199991", "en", "interested", "rest_429"),
        ("", "en", "interested", None),
    ],
)
def test_the_last_two_digits_choose(number, language, key, fault):
    script = persona_for(number)
    assert (script.language, script.persona.key, script.fault) == (language, key, fault)


def test_there_are_thirty_personas_and_ten_faults():
    assert len(PERSONAS) == 30
    assert len({persona.key for persona in (*PERSONAS, *EXTRA_PERSONAS)}) == 30 + len(EXTRA_PERSONAS)
    assert len(SPARE_FAULTS) == 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_a_script_speaks_exists_in_every_language(language):
    everything = all_lines()
    for persona in (*PERSONAS, *EXTRA_PERSONAS):
        keys = [step.key for step in persona.steps if isinstance(step, Say | Menu)]
        keys += [step.invalid_key for step in persona.steps if isinstance(step, Menu)]
        for key in [*keys, "still_there", "ivr_goodbye"]:
            assert all(line in everything for line in line_variants(language, key))


def test_every_line_is_distinct_and_has_a_known_meaning():
    lines = all_lines()
    assert max(Counter((line.language, line.text) for line in lines).values()) == 1
    assert {line.intent for line in lines} == set(INTENTS)
    for language in LANGUAGES:
        assert {line.intent for line in lines if line.language == language} == set(INTENTS)


def test_numbers_of_one_persona_vary_their_words():
    said = {persona_for(f"+155501{i:03}00").line("interested").text for i in range(3)}
    assert len(said) == 3


def test_a_caller_waits_to_be_greeted():
    script = inbound_script("+15550100100", persona="opt_out", language="cs")
    assert script.language == "cs"
    assert not isinstance(script.persona.steps[0], Say)
    with pytest.raises(ValueError, match="no persona"):
        inbound_script("+15550100100", persona="nobody")


@pytest.mark.parametrize(
    ("number", "fate", "replies"),
    [
        ("+15550100100", "delivered", []),
        ("+15550100103", "delivered", ["STOP"]),
        ("+34600000155", "delivered", ["Stop", "START"]),
        ("+420600000164", "delivered", ["Zavolejte mi prosím zítra ve tři."]),
        ("+15550199906", "delivered", ["Thanks, that is what I needed."]),
        ("+15550100114", "unreachable", []),
        ("+15550100119", "landline", []),
    ],
)
def test_the_digits_decide_what_becomes_of_a_text_message(number, fate, replies):
    script = text_script(number)
    assert script.fate == fate
    assert [reply.text for reply in script.replies] == replies


def test_the_readme_lists_every_persona_and_fault_by_its_digits():
    text = (Path(__file__).parents[2] / "apps/sandbox/README.md").read_text(encoding="utf-8")
    for i, persona in enumerate(PERSONAS):
        assert f"| {i:02} {i + 30} {i + 60} | `{persona.key}` |" in text
    for i, persona in enumerate(EXTRA_PERSONAS):
        assert f"| 999{i:02} 999{i + 30} 999{i + 60} | `{persona.key}` |" in text
    for i, fault in enumerate(SPARE_FAULTS, start=90):
        assert f"{i} `{fault}` |" in text
