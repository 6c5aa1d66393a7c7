from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from apps.calls.models import CallEvent, Leg, Turn
from apps.calls.plans import StreamRefused, load_plan
from apps.calls.voice_ai.base import PastTurn
from tests.factories.calls import (
    make_call,
    make_callable,
    make_disposition,
    make_leg,
    make_transfer_target,
    make_virtual_agent,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def leg() -> Leg:
    agent = make_virtual_agent(
        greeting_en="Hello {first_name}, {agent} of {company}.",
        greeting_es="Hola {first_name}, soy {agent}.",
        greeting_cs="",
        instructions_en="Sell.",
        instructions_es="Vende.",
        tools=["end_call", "set_disposition"],
    )
    contact = make_callable(first_name="Ana", last_name="Ruiz", time_zone="Europe/Madrid", fields={"plan": "gold"})
    call = make_call(contact=contact, virtual_agent=agent, language="es")
    return make_leg("answered", call=call, media_token_expires_at=timezone.now() + timedelta(seconds=60))


def test_a_plan_speaks_the_language_of_the_call_whoever_reads(leg):
    make_disposition("sale")
    with translation.override("cs"):
        plan = load_plan(leg.media_token, "twilio")
    assert plan.greeting.startswith("Hola Ana, soy Ada. ")
    assert plan.brief.instructions.endswith("Vende.")
    assert plan.brief.languages == ["es", "en", "cs"]
    assert {"end_call", "set_disposition"} <= {tool.name for tool in plan.brief.tools}
    local = timezone.now().astimezone(ZoneInfo("Europe/Madrid")).strftime("Now: %Y-%m-%dT%H:")
    assert local in plan.brief.instructions
    assert "Contact: Ana Ruiz" in plan.brief.instructions


def test_a_text_missing_in_the_language_of_the_call_is_english(leg):
    leg.call.language = "cs"
    leg.call.save()
    assert load_plan(leg.media_token, "twilio").greeting.startswith("Hello Ana, Ada of Acme. ")


def test_the_person_is_not_named_to_the_provider_by_number(leg):
    plan = load_plan(leg.media_token, "twilio")
    assert leg.call.remote_phone not in plan.brief.instructions
    assert plan.brief.caller_id
    assert leg.call.remote_phone not in plan.brief.caller_id


def test_a_plan_costs_a_handful_of_queries(leg, django_assert_max_num_queries):
    with django_assert_max_num_queries(7):
        load_plan(leg.media_token, "twilio")


def test_a_token_opens_one_stream(leg):
    load_plan(leg.media_token, "twilio")
    with pytest.raises(StreamRefused) as refused:
        load_plan(leg.media_token, "twilio")
    assert refused.value.reason == "used_token"
    with pytest.raises(StreamRefused) as refused:
        load_plan("z" * 32, "twilio")
    assert refused.value.reason == "unknown_token"


def test_a_token_is_of_no_use_at_another_carriers_door(leg):
    with pytest.raises(StreamRefused):
        load_plan(leg.media_token, "telnyx")
    assert load_plan(leg.media_token, "twilio").leg_id == leg.pk


def test_a_first_stream_has_no_past(leg):
    Turn.objects.create(call=leg.call, speaker="ai", text="?", item_id="a", started_ms=0, ended_ms=1, at=timezone.now())
    plan = load_plan(leg.media_token, "twilio")
    assert (list(plan.history), plan.offset_ms) == ([], 0)


def test_a_second_stream_knows_what_was_said_and_since_when_the_call_runs(leg):
    now = timezone.now()
    for n, (speaker, text) in enumerate([("ai", "Hello."), ("caller", "Who?"), ("ai", "")]):
        Turn.objects.create(
            call=leg.call, speaker=speaker, text=text, item_id=f"i{n}", started_ms=n * 1000, ended_ms=n * 1000, at=now
        )
    Leg.objects.filter(pk=leg.pk).update(n_media_sessions=1, media_opened_at=now - timedelta(seconds=30))
    plan = load_plan(leg.media_token, "twilio")
    assert list(plan.history) == [PastTurn("ai", "Hello."), PastTurn("caller", "Who?")]
    assert 30_000 <= plan.offset_ms < 60_000


@pytest.mark.parametrize(
    ("was_interrupted", "is_owed"), [((True,), True), ((True, False), False), ((False,), False), ((), True)]
)
def test_a_greeting_that_no_stream_has_brought_to_its_end_is_still_owed(leg, was_interrupted, is_owed):
    now = timezone.now()
    Turn.objects.create(call=leg.call, speaker="caller", text="Yes?", item_id="c", started_ms=0, ended_ms=1, at=now)
    for n, was_cut in enumerate(was_interrupted):
        Turn.objects.create(
            call=leg.call,
            speaker="ai",
            text="Hello",
            item_id=f"a{n}",
            started_ms=n,
            ended_ms=n,
            at=now,
            was_interrupted=was_cut,
        )
    assert not load_plan(leg.media_token, "twilio").owes_greeting
    reopen(leg)
    assert load_plan(leg.media_token, "twilio").owes_greeting is is_owed


def test_a_call_from_nobody_we_know_has_a_plan_too(leg):
    leg.call.contact = None
    leg.call.save()
    plan = load_plan(leg.media_token, "twilio")
    assert plan.greeting.startswith("Hola, soy Ada. ")
    assert "Contact:" not in plan.brief.instructions


def test_who_takes_over_when_every_voice_ai_fails_is_known_before_the_first_word(leg):
    assert load_plan(leg.media_token, "twilio").last_resort_transfer_to == ""
    leg.call.virtual_agent.last_resort_target = make_transfer_target(e164="+12025550147")
    leg.call.virtual_agent.save()
    reopen(leg)
    assert load_plan(leg.media_token, "twilio").last_resort_transfer_to == "+12025550147"
    CallEvent.objects.create(call=leg.call, kind="session_started")
    CallEvent.objects.create(call=leg.call, kind="transfer_failed")
    reopen(leg)
    assert load_plan(leg.media_token, "twilio").last_resort_transfer_to == "", "nobody was there: they are called back"


@pytest.mark.parametrize(
    ("kinds", "is_paused"),
    [([], False), (["recording_paused"], True), (["recording_paused", "recording_resumed"], False)],
)
def test_a_recording_that_paused_when_a_stream_broke_pauses_in_the_next_one(leg, kinds, is_paused):
    for kind in kinds:
        CallEvent.objects.create(call=leg.call, kind=kind)
    assert not load_plan(leg.media_token, "twilio").is_recording_paused
    reopen(leg)
    assert load_plan(leg.media_token, "twilio").is_recording_paused is is_paused


def test_a_stream_after_a_transfer_that_failed_begins_with_saying_so(leg):
    load_plan(leg.media_token, "twilio")
    CallEvent.objects.create(call=leg.call, kind="session_started")
    reopen(leg)
    assert load_plan(leg.media_token, "twilio").opening_prompt == ""
    CallEvent.objects.create(call=leg.call, kind="transfer_failed", data={"to": "+12•••", "reason": "busy"})
    reopen(leg)
    prompt = load_plan(leg.media_token, "twilio").opening_prompt
    assert "could not be passed on" in prompt
    assert "Spanish" in prompt


def test_recorded_phrases_are_no_part_of_what_was_said(leg):
    load_plan(leg.media_token, "twilio")
    for n, (speaker, text) in enumerate([("ai", "Hello."), ("system", "One moment, please."), ("caller", "Yes?")]):
        Turn.objects.create(
            call=leg.call, speaker=speaker, text=text, item_id=str(n), started_ms=n, ended_ms=n, at=timezone.now()
        )
    reopen(leg)
    history = load_plan(leg.media_token, "twilio").history
    assert history == [PastTurn("ai", "Hello."), PastTurn("caller", "Yes?")]


def reopen(leg: Leg) -> None:
    """As a lost stream is given another one."""
    Leg.objects.filter(pk=leg.pk).update(media_token_expires_at=timezone.now() + timedelta(seconds=60))
