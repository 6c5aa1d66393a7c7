"""Campaigns by API: set up, moved, watched."""

import pytest

from apps.campaigns.models import Campaign, CampaignContact
from apps.campaigns.states import CampaignState
from tests.accounts.api.clients import api_as
from tests.factories.campaigns import make_campaign, make_number, make_person, make_virtual_agent
from tests.factories.contacts import make_contact, make_list

pytestmark = pytest.mark.django_db
CAMPAIGNS = "/api/v1/campaigns/"


def body(**other):
    return {
        "name": "Autumn",
        "contact_list": make_list().pk,
        "virtual_agent": make_virtual_agent().pk,
        "numbers": [make_number().pk],
        "max_concurrent": 5,
        "calls_per_second": "2.50",
        "windows": [{"weekday": 0, "starts_at": "09:00", "ends_at": "17:00"}],
        "retry_rules": [{"outcome": "busy", "delay_s": 60, "max_attempts": 2}],
        **other,
    }


def test_a_campaign_is_made_and_changed_as_a_whole(admin):
    api = api_as(admin)
    made = api.post(CAMPAIGNS, body())
    assert made.status_code == 201, made.json()
    assert (made.json()["state"], made.json()["calls_per_second"]) == ("draft", "2.50")
    url = f"{CAMPAIGNS}{made.json()['id']}/"
    changed = api.patch(url, {"retry_rules": [], "max_concurrent": 7}).json()
    assert (changed["retry_rules"], changed["max_concurrent"]) == ([], 7)
    assert len(changed["windows"]) == 1, "what was not sent stays"
    assert api.get(url).json() == changed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_concurrent", 0),
        ("calls_per_second", "0"),
        ("calls_per_second", "501"),
        ("ring_timeout_s", 5),
        ("numbers", []),
        ("windows", [{"weekday": 0, "starts_at": "17:00", "ends_at": "09:00"}]),
        ("windows", [{"weekday": 9, "starts_at": "09:00", "ends_at": "10:00"}]),
        ("retry_rules", [{"outcome": "busy"}, {"outcome": "busy"}]),
        ("name", ""),
    ],
)
def test_what_cannot_work_is_refused_with_its_field(admin, field, value):
    refused = api_as(admin).post(CAMPAIGNS, body(**{field: value}))
    assert refused.status_code == 400
    assert list(refused.json()["error"]["detail"]) == [field]
    assert not Campaign.objects.exists()


def test_it_is_started_paused_resumed_and_stopped(alice):
    campaign = make_campaign(n_contacts=2)
    api = api_as(alice)
    url = f"{CAMPAIGNS}{campaign.pk}/"
    for move, state in (("start", "running"), ("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        moved = api.post(f"{url}{move}/")
        assert (moved.status_code, moved.json()["state"]) == (200, state)
    history = api.get(f"{url}history/").json()
    assert [(event["kind"], event["by"]) for event in history] == [
        ("stopped", "alice"),
        ("resumed", "alice"),
        ("paused", "alice"),
        ("started", "alice"),
    ]


def test_a_move_that_is_not_possible_says_why(alice):
    draft = make_campaign()
    api = api_as(alice)
    for move, code in (("pause", "campaign_cannot_pause"), ("start", "campaign_without_people")):
        refused = api.post(f"{CAMPAIGNS}{draft.pk}/{move}/")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, code)


def test_only_a_draft_can_be_deleted(admin):
    api = api_as(admin)
    draft, running = make_campaign(), make_campaign(state=CampaignState.RUNNING)
    assert api.delete(f"{CAMPAIGNS}{draft.pk}/").status_code == 204
    refused = api.delete(f"{CAMPAIGNS}{running.pk}/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "campaign_was_started")


def test_whom_a_started_campaign_calls_is_settled(admin):
    campaign = make_campaign(state=CampaignState.PAUSED)
    api = api_as(admin)
    refused = api.patch(f"{CAMPAIGNS}{campaign.pk}/", {"contact_list": make_list().pk})
    assert list(refused.json()["error"]["detail"]) == ["contact_list"]
    assert api.patch(f"{CAMPAIGNS}{campaign.pk}/", {"max_concurrent": 2}).status_code == 200


def test_nobody_sets_the_state_by_hand(admin):
    campaign = make_campaign()
    assert api_as(admin).patch(f"{CAMPAIGNS}{campaign.pk}/", {"state": "running"}).json()["state"] == "draft"


def test_counters_and_reasons(alice):
    campaign = make_campaign(state=CampaignState.RUNNING)
    make_person(campaign)
    make_person(campaign, state="blocked", reason="dnc")
    api = api_as(alice)
    counters = api.get(f"{CAMPAIGNS}{campaign.pk}/counters/").json()
    assert (counters["n_people"], counters["n_pending"], counters["n_blocked"]) == (2, 1, 1)
    (reason,) = api.get(f"{CAMPAIGNS}{campaign.pk}/reasons/").json()
    assert (reason["code"], reason["n"], reason["passes"]) == ("dnc", 1, False)
    assert reason["words"]


def test_people_with_their_reason_filtered_and_masked(admin, alice):
    campaign, other = make_campaign(), make_campaign()
    contact = make_contact(campaign.contact_list, phone="+12125550199")
    blocked = make_person(campaign, contact, state="blocked", reason="dnc")
    waiting = make_person(campaign)
    make_person(other)
    url = f"{CAMPAIGNS}{campaign.pk}/people/"
    api = api_as(alice)
    assert [row["id"] for row in api.get(url).json()["results"]] == [blocked.pk, waiting.pk]
    (row,) = api.get(f"{url}?reason=dnc").json()["results"]
    assert row["reason_words"]
    assert "5550199" not in row["phone"]
    assert api_as(admin).get(f"{url}?state=blocked").json()["results"][0]["phone"] == "+12125550199"
    assert api.get(f"{CAMPAIGNS}{campaign.pk + 100}/people/").status_code == 404


@pytest.mark.parametrize("n", [1, 9])
def test_pages_cost_the_same_however_long(alice, django_assert_num_queries, n):
    campaigns = [make_campaign() for _campaign in range(n)]
    for _person in range(n):
        make_person(campaigns[0])
    assert CampaignContact.objects.count() == n
    api = api_as(alice)
    api.get(CAMPAIGNS)
    with django_assert_num_queries(6):  # who asks, how many, the page, numbers, windows, retry rules
        api.get(CAMPAIGNS)
    with django_assert_num_queries(4):  # who asks, the campaign, how many, the page
        api.get(f"{CAMPAIGNS}{campaigns[0].pk}/people/")
