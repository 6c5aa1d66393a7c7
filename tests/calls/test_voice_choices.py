"""What each provider can be asked for."""

import pytest

from apps.calls.voice_ai.capabilities import CAPABILITIES
from apps.calls.voice_choices import Choice, problems_of, tool_problems, voices_for

ALL = {"en", "es", "cs"}


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_a_provider_that_speaks_everything_needs_nothing_else(provider):
    assert problems_of(Choice(provider), languages=ALL, uses_tools=True) == {}


def test_every_declared_model_and_voice_is_accepted():
    for provider, facts in CAPABILITIES.items():
        parts = {"llm": "openai:gpt-6-luna", "speech": "gemini:tts"} if facts.is_pipeline else {}
        for model in facts.models:
            for language in sorted(ALL):
                for voice in voices_for(provider, language, speech=parts.get("speech", "")):
                    choice = Choice(provider, model=model, voices={language: voice}, **parts)
                    assert problems_of(choice, languages=ALL, uses_tools=True) == {}


def test_a_pipeline_needs_a_second_voice_for_czech_only():
    parts = {"llm": "gemini:gemini-3.8-flash"}
    assert problems_of(Choice("deepgram", **parts), languages={"en", "es"}, uses_tools=True) == {}
    assert set(problems_of(Choice("deepgram", **parts), languages=ALL, uses_tools=True)) == {"speech"}


@pytest.mark.parametrize("llm", ["gpt-6-luna", "openai:", ":x", "openai:a b", "openai:../x", "deepgram:nova-3"])
def test_who_thinks_is_written_with_service_and_model(llm):
    assert "llm" in problems_of(Choice("deepgram", llm=llm), languages={"en"}, uses_tools=False)


def test_an_unknown_provider_is_refused():
    assert set(problems_of(Choice("acme"), languages=ALL, uses_tools=True)) == {"provider"}


@pytest.mark.parametrize("prefix", ["", "+", "+1", "1202", "+0202", "+1202x", " +1202", 5, None, "+1234567890123456"])
def test_beginnings_that_open_half_the_world_are_refused(prefix):
    assert "transfer_prefixes" in tool_problems([], target_kinds=[], prefixes=[prefix])


def test_beginnings_of_a_place_are_fine():
    assert tool_problems(["transfer_to_number"], target_kinds=[], prefixes=["+420222", "+1202"]) == {}
