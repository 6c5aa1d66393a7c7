"""What is said first: the manager's words, and what the rules put beside them."""

from dataclasses import replace

import pytest

from apps.calls.bridge.answering import Action, Verdict
from apps.calls.models import VirtualAgent
from apps.calls.opening import answering, opening
from apps.contacts.rules import all_packs

VALUES = {"first_name": "Ana", "agent": "Ada", "company": "Acme"}
US, CZ = all_packs()["US"], all_packs()["CZ"]


def agent(**given) -> VirtualAgent:
    return VirtualAgent(**{"greeting_en": "Hello {first_name}.", "instructions_en": "x", **given})


def said(who: VirtualAgent, language: str = "en", *, pack=US, is_recorded: bool = False) -> str:
    return opening(who, language, pack=pack, is_recorded=is_recorded, values=VALUES).text


def test_an_emptied_disclosure_is_ours_where_the_rules_demand_one():
    assert said(agent()) == "Hello Ana. I am an AI assistant."
    assert said(agent(), pack=replace(US, says_it_is_ai=False)) == "Hello Ana."


@pytest.mark.parametrize("language", ["es", "cs"])
def test_our_words_are_in_the_language_of_the_call(language):
    text = said(agent(**{f"greeting_{language}": "X."}), language, is_recorded=True)
    assert "I am" not in text
    assert "recorded" not in text


def test_the_managers_own_words_stand_where_they_are_wanted():
    who = agent(
        greeting_en="Hello {first_name}, {agent}, {disclosure} of {company}. {recording} Do you have a minute?",
        ai_disclosure_en="the AI assistant",
        recording_notice_en="We record this.",
    )
    assert said(who, is_recorded=True) == (
        "Hello Ana, Ada, the AI assistant of Acme. We record this. Do you have a minute?"
    )
    assert said(who) == "Hello Ana, Ada, the AI assistant of Acme. Do you have a minute?"


def test_recording_is_announced_as_the_rules_of_the_country_want_it():
    assert said(agent(), is_recorded=True).endswith("This call is recorded; if you do not want that, just say so.")
    assert said(agent(), pack=CZ, is_recorded=True).endswith("This call is recorded.")
    free = replace(US, recording="none")
    assert not opening(agent(), "en", pack=free, is_recorded=True, values=VALUES).is_recording_announced
    assert opening(agent(), "en", pack=CZ, is_recorded=True, values=VALUES).is_recording_announced


def test_the_managers_choices_per_verdict_reach_the_plan():
    plan = answering(
        agent(on_voicemail="hang_up", voicemail_message_en="{agent} of {company}."),
        values=VALUES,
        languages=["en", "es"],
    )
    assert plan.actions[Verdict.VOICEMAIL] is Action.HANG_UP
    assert plan.actions[Verdict.SCREENER] is Action.ANSWER
    assert plan.message == {"en": "Ada of Acme.", "es": ""}
