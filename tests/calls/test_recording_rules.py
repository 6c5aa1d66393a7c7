"""Whether a call may be recorded, and what of it is never written down."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.calls import plans
from apps.calls.bridge.sink import SpokenTurn
from apps.calls.journal import EventRecord, Journal, TurnRecord
from apps.calls.models import CallEvent, Leg, Turn
from apps.calls.plans import load_plan
from apps.calls.services.recording_erasure import refuse_recording
from apps.contacts.rules import pack_for
from tests.factories.calls import make_call, make_callable, make_leg, make_virtual_agent

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
TOOLS = {"pause_recording", "resume_recording", "stop_recording"}


def plan_of(phone: str = "", *, brief: dict | None = None, **agent):
    contact = make_callable(phone)
    call = make_call(contact=contact, virtual_agent=make_virtual_agent(**agent))
    call.brief |= brief or {}
    call.save()
    leg = make_leg("answered", call=call, media_token_expires_at=timezone.now() + timedelta(seconds=60))
    return load_plan(leg.media_token, "twilio")


def tools_of(plan) -> set[str]:
    return {tool.name for tool in plan.brief.tools} & TOOLS


@pytest.mark.parametrize(("phone", "need"), [("+12125550123", "consent"), ("+34612345678", "announced")])
def test_where_people_must_be_told_the_opening_tells_them(phone, need):
    plan = plan_of(phone)
    assert plan.recording.need == need
    assert plan.recording.rule_version == pack_for({"+1": "US", "+3": "ES"}[phone[:2]]).version
    assert plan.is_recording_announced
    assert plan.may_be_recorded
    assert "recorded" in plan.greeting
    assert tools_of(plan) == TOOLS


def test_without_the_announcement_nothing_is_recorded():
    plan = plan_of("+12125550123")
    assert not replace(plan, is_recording_announced=False).may_be_recorded


def test_where_nothing_is_needed_it_needs_no_announcement(monkeypatch):
    pack = replace(pack_for("US"), recording="none")
    monkeypatch.setattr(plans, "pack_for", lambda country: pack)
    plan = plan_of("+12125550123")
    assert not plan.is_recording_announced
    assert plan.may_be_recorded


@pytest.mark.parametrize(("agent", "brief"), [({"is_recorded": False}, {}), ({}, {"is_recorded": False})])
def test_virtual_agent_and_campaign_may_switch_it_off(agent, brief):
    plan = plan_of("+12125550123", brief=brief, **agent)
    assert plan.recording is None
    assert not plan.may_be_recorded
    assert not tools_of(plan)
    assert "recorded" not in plan.greeting


def test_who_has_refused_is_not_recorded_when_the_audio_comes_back():
    plan = plan_of("+12125550123")
    refuse_recording(plan.call_id)
    Leg.objects.filter(pk=plan.leg_id).update(media_token_expires_at=timezone.now() + timedelta(seconds=60))
    again = load_plan(Leg.objects.get(pk=plan.leg_id).media_token, "twilio")
    assert again.recording is None


def test_no_card_number_reaches_the_transcript_or_the_story():
    journal, leg = Journal(), make_leg("answered")
    journal.start()

    def told(text: str, item_id: str, *, is_secret: bool = False) -> None:
        spoken = SpokenTurn(item_id, "caller", text, 0, 900, language="en")
        journal.add(TurnRecord(leg.call_id, spoken, AT, is_secret=is_secret))

    told("It is 4111 1111 1111 1111, and I live at 12 High Street.", "u1")
    told("Four one one one, and the rest later. I live at 12 High Street.", "u2", is_secret=True)
    journal.add(EventRecord(leg.call_id, leg.pk, "tool_called", {"name": "x", "note": "4111111111111111"}, AT))
    asyncio.run(asyncio.wait_for(journal.flush(leg.call_id), 5))
    journal.stop()
    assert list(Turn.objects.order_by("pk").values_list("text", flat=True)) == [
        "It is [card data], and I live at 12 High Street.",
        "[card data], and the rest later. I live at [card data] High Street.",
    ]
    assert CallEvent.objects.get(call=leg.call).data["note"] == "[card data]"
