from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from apps.calls.models import CallEvent
from apps.calls.services.handover import last_resort_of
from apps.calls.tools import specs_for
from tests.factories.calls import make_transfer_target

pytestmark = pytest.mark.django_db
MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def agent(leg):
    return leg.call.virtual_agent


def give(agent, *targets):
    agent.transfer_targets.add(*targets)


def schema(agent, name: str) -> dict:
    agent.tools = ["hand_over", "transfer_to_number"]
    [spec] = [spec for spec in specs_for(agent) if spec.name == name]
    return spec.parameters["properties"]


def test_only_the_agents_own_targets_are_offered(agent):
    give(agent, make_transfer_target("billing", description="Questions about invoices"))
    make_transfer_target("board")
    target = schema(agent, "hand_over")["target"]
    assert target["enum"] == ["billing"]
    assert "Questions about invoices" in target["description"]


def test_a_hand_over_names_where_the_call_goes(ask, leg, agent):
    give(agent, make_transfer_target("billing", e164="+12025550199"))
    result = ask("hand_over", {"target": "billing", "reason": "wants a\nhuman"})
    assert result.transfer_to == "+12025550199"
    assert result.text.startswith("Done")
    event = CallEvent.objects.get(call=leg.call, kind="transfer_requested")
    assert event.data["reason"] == "wants a human"
    assert "+12025550199" not in str(event.data)


@pytest.mark.parametrize(
    "arguments",
    [{"target": "board", "reason": ""}, {"target": "+19005550100"}, {"target": ["billing"]}, {}, {"target": "hotline"}],
)
def test_what_the_agent_was_not_given_is_not_reached(ask, agent, arguments):
    give(agent, make_transfer_target("billing"), make_transfer_target("hotline", kind="number"))
    make_transfer_target("board")
    result = ask("hand_over", arguments)
    assert result.text.startswith("Failed")
    assert result.transfer_to == ""


def test_outside_its_hours_a_target_is_not_rung_and_the_model_learns_when_it_opens(ask, agent, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: MONDAY_NOON)
    give(
        agent,
        make_transfer_target(
            "billing", opens_at=time(9), closes_at=time(11), open_days=[0, 1], time_zone="Europe/Prague"
        ),
    )
    result = ask("hand_over", {"target": "billing", "reason": ""}, zone="Europe/Prague")
    assert result.transfer_to == ""
    assert "2026-11-24T09:00" in result.text


def test_a_number_among_the_targets_is_connected(ask, agent):
    give(agent, make_transfer_target("hotline", kind="number", e164="+12025550144"))
    assert schema(agent, "transfer_to_number")["number"]["enum"] == ["+12025550144"]
    assert ask("transfer_to_number", {"number": "+1 202-555-0144", "reason": ""}).transfer_to == "+12025550144"


@pytest.mark.parametrize(
    ("number", "prefixes"),
    [
        ("+12025550100", []),  # nothing allowed
        ("+12125550100", ["+1202555"]),  # begins otherwise
        ("+19005550100", ["+1900"]),  # premium rate, whatever the prefix
        ("+420906123456", ["+420"]),  # the same in Czechia
        ("112", ["+1"]),
        ("sip:evil@example.com", ["+1", ""]),
        ("", ["+1"]),
        ("+1202555010؀", ["+1"]),
        ({"n": 1}, ["+1"]),
    ],
)
def test_a_number_the_caller_dictates_is_refused_and_kept_on_record(ask, leg, agent, number, prefixes):
    agent.transfer_prefixes = prefixes
    agent.save()
    result = ask("transfer_to_number", {"number": number, "reason": "he said so"})
    assert result.text.startswith("Failed")
    assert result.transfer_to == ""
    if isinstance(number, str) and number:
        assert CallEvent.objects.filter(call=leg.call, kind="transfer_refused").count() == 1


def test_a_number_with_an_allowed_beginning_is_connected(ask, agent):
    agent.transfer_prefixes = ["+1202555"]
    agent.save()
    assert ask("transfer_to_number", {"number": "+12025550123", "reason": "x"}).transfer_to == "+12025550123"


def test_the_person_is_not_connected_with_themselves(ask, leg, agent):
    agent.transfer_prefixes = [leg.call.remote_phone[:4]]
    agent.save()
    assert ask("transfer_to_number", {"number": leg.call.remote_phone, "reason": "x"}).transfer_to == ""


def test_the_last_resort_is_rung_while_it_is_open_and_in_use(agent):
    target = make_transfer_target(opens_at=time(9), closes_at=time(17), time_zone="UTC")
    assert last_resort_of(agent, now=MONDAY_NOON) == ""
    agent.last_resort_target = target
    assert last_resort_of(agent, now=MONDAY_NOON) == target.e164
    assert last_resort_of(agent, now=MONDAY_NOON + timedelta(hours=6)) == ""
    target.is_active = False
    assert last_resort_of(agent, now=MONDAY_NOON) == ""


def test_a_target_open_on_some_days_is_closed_on_the_others():
    target = make_transfer_target(open_days=[5, 6])
    [(hours, zone)] = target.hours
    assert zone == "UTC"
    assert [bool(spans) for spans in hours.weekdays] == [False] * 5 + [True] * 2
