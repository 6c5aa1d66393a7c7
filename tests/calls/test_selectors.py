"""Who sees which calls, in how many queries, and what a card says."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from apps.calls import selectors
from apps.calls.events import EventKind
from apps.calls.models import Call, CallEvent
from apps.calls.states import LegState, Outcome
from tests.factories.calls import make_call, make_callable, make_disposition, make_leg

pytestmark = pytest.mark.django_db


def test_supervisors_see_calls_and_agents_do_not(admin, alice, bob):
    call = make_call()
    for user, sees in ((admin, True), (alice, True), (bob, False), (AnonymousUser(), False)):
        assert selectors.calls_visible_to(user).filter(pk=call.pk).exists() is sees
    assert selectors.call_detail(alice, call.pk).call == call
    with pytest.raises(Call.DoesNotExist):
        selectors.call_detail(bob, call.pk)


def test_a_card_has_codes_and_a_masked_number():
    contact = make_callable(first_name="Ada", last_name="Byron")
    call = make_call(
        contact=contact, disposition=make_disposition("sale"), brief={"campaign_id": 3, "campaign_name": "N"}
    )
    make_leg(LegState.RINGING, call=call)
    (card,) = selectors.live_cards()
    assert card["state"] == "ringing"
    assert (card["contact_name"], card["campaign_id"], card["campaign_name"]) == ("Ada Byron", 3, "N")
    assert card["disposition"] == "sale"
    assert contact.phone not in json.dumps(card)
    assert card["phone_masked"].endswith(contact.phone[-2:])


def test_ended_calls_are_not_live():
    leg = make_leg(LegState.ENDED, outcome=Outcome.BUSY, ended_at=timezone.now())
    Call.objects.filter(pk=leg.call_id).update(ended_at=timezone.now(), outcome=Outcome.BUSY)
    assert selectors.live_cards() == []
    assert selectors.live_call_card(Call.objects.get(pk=leg.call_id))["state"] == "ended"


def test_the_snapshot_costs_two_queries_for_any_number_of_calls(django_assert_num_queries):
    for _ in range(8):
        make_leg(LegState.ANSWERED)
    with django_assert_num_queries(2):
        assert len(selectors.live_cards()) == 8


def test_the_call_page_costs_seven_queries_and_hides_late_repeats(alice, django_assert_num_queries):
    leg = make_leg(LegState.ANSWERED)
    CallEvent.objects.create(call=leg.call, leg=leg, kind=EventKind.ANSWERED)
    CallEvent.objects.create(call=leg.call, leg=leg, kind=EventKind.RINGING, data={"is_late": True})
    with django_assert_num_queries(7):
        detail = selectors.call_detail(alice, leg.call_id)
    assert [event.kind for event in detail.events] == ["answered"]


def test_tables_can_show_costs_without_asking_per_row(django_assert_num_queries):
    for _ in range(4):
        make_leg()
    rows: Any = selectors.with_people(selectors.with_costs(Call.objects.all()))
    with django_assert_num_queries(2):
        assert [row.total_cost for row in rows] == [0] * 4


def test_every_event_kind_has_words():
    assert all(label for label in EventKind.labels)
    assert max(len(kind) for kind in EventKind.values) <= CallEvent._meta.get_field("kind").max_length
