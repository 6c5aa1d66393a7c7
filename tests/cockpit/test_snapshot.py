"""What the live page draws itself from."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.calls.models import Speaker, Turn
from apps.calls.states import LegState, Outcome
from apps.campaigns.states import CampaignState
from apps.cockpit.snapshot import take_snapshot
from apps.core.realtime import current_seq
from tests.factories.calls import make_call, make_disposition, make_leg
from tests.factories.campaigns import make_campaign, make_person

pytestmark = pytest.mark.django_db


def say(call, *texts: str) -> None:
    for n, text in enumerate(texts):
        Turn.objects.create(
            call=call,
            speaker=Speaker.AI if n % 2 == 0 else Speaker.CALLER,
            text=text,
            item_id=f"item{n}",
            started_ms=1000 * n,
            ended_ms=1000 * n + 900,
            at=timezone.now(),
        )


def make_ended(outcome: str, **fields) -> None:
    now = timezone.now()
    make_call(outcome=outcome, created_at=now, ended_at=now, **fields)


def test_calls_in_progress_bear_their_last_two_lines(alice):
    leg = make_leg(LegState.ANSWERED)
    say(leg.call, "Hello?", "Yes?", "This is Ada.", "")
    make_ended(Outcome.BUSY)
    snapshot = take_snapshot(alice)
    assert [call["id"] for call in snapshot["calls"]] == [leg.call_id]
    call = snapshot["calls"][0]
    assert [turn["text"] for turn in call["turns"]] == ["Yes?", "This is Ada."]
    assert call["state"] == "answered"
    assert call["phone_masked"] != leg.call.remote_phone
    assert snapshot["seq"] == current_seq("live")


def test_today_counts_tries_answers_machines_and_successes(alice):
    won = make_disposition("agreed", is_success=True)
    make_ended(Outcome.ANSWERED, disposition=won)
    make_ended(Outcome.VOICEMAIL)
    make_ended(Outcome.NO_ANSWER)
    make_ended(Outcome.NOT_PLACED)
    make_ended(Outcome.CANCELED)
    yesterday = timezone.now() - timedelta(days=1)
    make_call(outcome=Outcome.ANSWERED, created_at=yesterday, ended_at=yesterday)
    today = take_snapshot(alice)["today"]
    assert (today["n_tried"], today["n_answered"], today["n_voicemail"], today["n_success"]) == (3, 2, 1, 1)


def test_campaigns_that_dial_come_first(alice):
    make_campaign("done", state=CampaignState.COMPLETED)
    make_campaign("paused", state=CampaignState.PAUSED)
    running = make_campaign("running", state=CampaignState.RUNNING)
    make_person(running)
    campaigns = take_snapshot(alice)["campaigns"]
    assert [card["name"] for card in campaigns] == ["running", "paused", "done"]
    assert campaigns[0]["n_people"] == 1


def test_an_agent_sees_nothing_of_it(alice, bob):
    make_leg(LegState.RINGING)
    make_campaign(state=CampaignState.RUNNING)
    assert take_snapshot(alice)["calls"]
    assert take_snapshot(bob)["calls"] == []
    assert take_snapshot(bob)["campaigns"] == []


def test_queries_do_not_grow_with_calls(alice, django_assert_num_queries):
    make_campaign(state=CampaignState.RUNNING)
    say(make_leg(LegState.ANSWERED).call, "Hello?")
    with django_assert_num_queries(9):
        take_snapshot(alice)
    for _ in range(5):
        say(make_leg(LegState.ANSWERED).call, "Hello?", "Yes?")
        make_campaign(state=CampaignState.PAUSED)
    with django_assert_num_queries(9):
        assert len(take_snapshot(alice)["calls"]) == 6
