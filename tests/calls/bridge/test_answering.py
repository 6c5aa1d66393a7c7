"""Who picked up: a table of what is heard, and the limits that make it end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.calls.bridge.answering import Action, AnswerEar, AnsweringPlan, Verdict
from apps.sandbox.personas.lines import LANGUAGES, line_variants

PLAN = AnsweringPlan()


def ear(**given) -> AnswerEar:
    return AnswerEar(AnsweringPlan(**given))


def greets(answer: AnswerEar, text: str, *, at_ms: int = 500, ms: int = 900):
    answer.caller_began(at_ms)
    answer.caller_stopped(at_ms + ms)
    return answer.caller_said(text, at_ms + ms + 300, is_final=True)


@pytest.mark.parametrize("text", ["Hello?", "Diga", "Prosím?", "Yes, Jana speaking."])
def test_a_short_greeting_is_a_person(text):
    decision = greets(ear(), text)
    assert decision.verdict is Verdict.HUMAN
    assert decision.action is Action.TALK
    assert decision.evidence["longest_ms"] == 900


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("line", "verdict"),
    [("voicemail_greeting", Verdict.VOICEMAIL), ("screener", Verdict.SCREENER), ("ivr_menu", Verdict.IVR)],
)
def test_what_machines_say_is_known_in_every_language_and_wording(language, line, verdict):
    for text in (variant.text for variant in line_variants(language, line)):
        assert greets(ear(), text, ms=5000).verdict is verdict, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_people_say_is_no_machine(language):
    for line in ("greeting", "interested", "not_interested", "callback_tomorrow_1500", "wants_human", "are_you_robot"):
        for text in (variant.text for variant in line_variants(language, line)):
            decision = greets(ear(), text)
            assert decision is None or decision.verdict is Verdict.HUMAN, text


def test_words_are_enough_before_they_are_final():
    answer = ear()
    answer.caller_began(0)
    assert answer.caller_said("please leave a message after", 1200, is_final=False).verdict is Verdict.VOICEMAIL
    assert answer.caller_said("please leave a message after the tone", 1500, is_final=True) is None


def test_the_carrier_is_believed_over_rhythm_but_not_over_words():
    answer = ear()
    greets(answer, "Hello?")
    revised = answer.carrier_says("machine", "machine_end_beep", 6000)
    assert (revised.verdict, revised.source, revised.action) == (Verdict.VOICEMAIL, "carrier", Action.LEAVE_MESSAGE)
    screener = ear()
    greets(screener, "Please state your name and the reason for your call.")
    assert screener.carrier_says("machine", "machine_start", 6000) is None


def test_the_carrier_does_not_turn_a_conversation_into_a_machine():
    answer = ear()
    greets(answer, "Hello?")
    greets(answer, "Yes, tell me more.", at_ms=4000)
    assert answer.carrier_says("machine", "machine_start", 8000) is None


def test_a_carrier_that_knows_nothing_changes_nothing():
    answer = ear()
    assert answer.carrier_says("unknown", "unknown", 1000) is None
    assert answer.decision is None


def test_a_person_who_takes_over_from_the_screener_is_a_person():
    answer = ear()
    greets(answer, "Please state your name and the reason for your call.", ms=4500)
    answer = ear()
    greets(answer, "State your name.", ms=1500)
    assert greets(answer, "Hello, this is Tom.", at_ms=15000, ms=1200).verdict is Verdict.HUMAN


def test_silence_is_a_verdict_and_may_still_be_broken():
    answer = ear(silence_ms=8000)
    assert answer.ticked(7999) is None
    assert answer.ticked(8000).verdict is Verdict.SILENCE
    assert answer.ticked(25_000) is None
    assert greets(answer, "Sorry, I am here now.", at_ms=30_000).verdict is Verdict.HUMAN


def test_the_time_limit_decides_whatever_was_heard():
    answer = ear(limit_ms=20_000)
    answer.caller_began(100)  # sound without a word
    assert answer.ticked(19_999) is None
    decision = answer.ticked(20_000)
    assert (decision.verdict, decision.source, decision.action) == (Verdict.UNKNOWN, "time_limit", Action.TALK)
    assert answer.carrier_says("machine", "machine_start", 21_000) is None, "it stands"
    assert answer.is_settled


def test_the_managers_choice_is_the_action():
    answer = ear(actions={Verdict.VOICEMAIL: Action.HANG_UP})
    assert greets(answer, "Leave a message after the tone.").action is Action.HANG_UP
    assert greets(ear(actions={}), "Hello?").action is Action.TALK


_NEWS = st.one_of(
    st.tuples(st.just("began")),
    st.tuples(st.just("stopped")),
    st.tuples(st.just("said"), st.text(max_size=60), st.booleans()),
    st.tuples(st.just("carrier"), st.sampled_from(["human", "machine", "fax", "unknown", "", "x"])),
)


@given(st.lists(st.tuples(st.integers(0, 2000), _NEWS), max_size=40))
def test_whatever_is_heard_there_is_a_verdict_at_the_limit(story):
    answer, now = AnswerEar(PLAN), 0
    for step, news in story:
        now += step
        match news:
            case ("began",):
                answer.caller_began(now)
            case ("stopped",):
                answer.caller_stopped(now)
            case ("said", text, is_final):
                answer.caller_said(text, now, is_final=is_final)
            case ("carrier", verdict):
                answer.carrier_says(verdict, verdict, now)
        answer.ticked(now)
    answer.ticked(max(now, PLAN.limit_ms))
    assert answer.decision is not None
