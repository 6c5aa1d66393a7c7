"""The live page's buttons."""

import pytest
from django.urls import reverse

from apps.calls.models import EndReason
from apps.calls.states import LegState
from apps.campaigns.states import CampaignState
from tests.factories.calls import make_leg
from tests.factories.campaigns import make_campaign

pytestmark = pytest.mark.django_db
SCRIPT = {"HTTP_X_REQUESTED_WITH": "fetch"}


def address(kind: str, pk: int, act: str) -> str:
    return reverse("cockpit:command", args=[kind, pk, act])


def test_a_supervisor_pauses_a_campaign_and_an_agent_does_not(client, alice, bob):
    campaign = make_campaign(state=CampaignState.RUNNING)
    client.force_login(bob)
    assert client.post(address("campaign", campaign.pk, "pause")).status_code == 403
    client.force_login(alice)
    assert client.post(address("campaign", campaign.pk, "pause"), **SCRIPT).status_code == 200
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.PAUSED
    assert campaign.state_changed_by == alice


def test_the_question_counts_whom_it_touches(client, alice):
    campaign = make_campaign(n_contacts=3)
    client.force_login(alice)
    page = client.get(address("campaign", campaign.pk, "start"), **SCRIPT).content.decode()
    assert "Call 3 people starting now" in page
    assert "<html" not in page
    assert "<html" in client.get(address("campaign", campaign.pk, "start")).content.decode()
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT, "asking must not act"


def test_what_a_campaign_cannot_do_is_said_in_words(client, alice):
    campaign = make_campaign(state=CampaignState.DRAFT)
    client.force_login(alice)
    answer = client.post(address("campaign", campaign.pk, "resume"), **SCRIPT)
    assert answer.status_code == 409
    assert answer.json()["error"]["message"]
    page = client.post(address("campaign", campaign.pk, "resume"), follow=True)
    assert [message.level_tag for message in page.context["messages"]] == ["error"]


def test_a_call_is_ended_once(client, alice, bob):
    leg = make_leg(LegState.ANSWERED)
    client.force_login(bob)
    assert client.post(address("call", leg.call_id, "end")).status_code == 403
    client.force_login(alice)
    first = client.post(address("call", leg.call_id, "end"), **SCRIPT).json()["message"]
    second = client.post(address("call", leg.call_id, "end"), **SCRIPT).json()["message"]
    assert first != second
    leg.call.refresh_from_db()
    assert leg.call.end_reason == EndReason.STAFF_ENDED


@pytest.mark.parametrize(
    ("kind", "act"), [("campaign", "erase"), ("call", "start"), ("contact", "end"), ("call", "pause")]
)
def test_unknown_buttons_do_not_exist(client, alice, kind, act):
    leg, campaign = make_leg(LegState.ANSWERED), make_campaign()
    client.force_login(alice)
    pk = leg.call_id if kind == "call" else campaign.pk
    assert client.post(address(kind, pk, act)).status_code == 404


def test_what_is_not_there_cannot_be_ended(client, alice):
    client.force_login(alice)
    assert client.post(address("call", 1, "end")).status_code == 404
    assert client.get(address("campaign", 1, "stop")).status_code == 404
