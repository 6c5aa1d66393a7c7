"""The campaign pages: forms, questions before acts, people and their reasons."""

import pytest
from django.urls import reverse

from apps.calls.models import Number
from apps.campaigns.models import Campaign
from apps.campaigns.states import CampaignState, ContactState
from apps.core import breaker
from tests.factories.campaigns import make_campaign, make_number, make_person, make_virtual_agent
from tests.factories.contacts import make_contact, make_list

pytestmark = pytest.mark.django_db


def _form(campaign_list, agent, number, **changes):
    data = {
        "name": "Autumn",
        "contact_list": campaign_list.pk,
        "virtual_agent": agent.pk,
        "numbers": [number.pk],
        "max_concurrent": 5,
        "calls_per_second": "2",
        "ring_timeout_s": 25,
    }
    for prefix in ("windows", "retries"):
        data |= {f"{prefix}-TOTAL_FORMS": 1, f"{prefix}-INITIAL_FORMS": 0}
    return data | changes


def test_a_campaign_is_made_with_its_windows_and_retry_rules(client, admin):
    client.force_login(admin)
    data = _form(make_list(), make_virtual_agent(), make_number())
    data |= {"windows-0-weekday": 0, "windows-0-starts_at": "09:00", "windows-0-ends_at": "17:00"}
    data |= {"retries-0-outcome": "busy", "retries-0-delay_s": 60, "retries-0-max_attempts": 3}
    assert client.post(reverse("campaigns:new"), data).status_code == 302
    campaign = Campaign.objects.get(name="Autumn")
    assert campaign.windows.get().weekday == 0
    assert campaign.retry_rules.get().max_attempts == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"max_concurrent": 0},
        {"calls_per_second": "0"},
        {"ring_timeout_s": 5},
        {"windows-0-weekday": 0, "windows-0-starts_at": "17:00", "windows-0-ends_at": "09:00"},
        {"retries-0-outcome": "busy", "retries-0-delay_s": 60, "retries-0-max_attempts": 0},
    ],
)
def test_a_bad_form_says_so_and_saves_nothing(client, admin, changes):
    client.force_login(admin)
    data = _form(make_list(), make_virtual_agent(), make_number(), **changes)
    response = client.post(reverse("campaigns:new"), data)
    assert response.status_code == 400
    assert "field-error" in response.content.decode()
    assert not Campaign.objects.exists()


def test_two_rules_for_one_outcome_are_refused(client, admin):
    client.force_login(admin)
    data = _form(make_list(), make_virtual_agent(), make_number()) | {"retries-TOTAL_FORMS": 2}
    for n in range(2):
        data |= {f"retries-{n}-outcome": "busy", f"retries-{n}-delay_s": 60, f"retries-{n}-max_attempts": 3}
    assert client.post(reverse("campaigns:new"), data).status_code == 400
    assert not Campaign.objects.exists()


def test_starting_asks_with_a_count_and_then_starts(client, alice):
    campaign = make_campaign(n_contacts=3)
    client.force_login(alice)
    url = reverse("campaigns:act", args=[campaign.pk, "start"])
    assert "Call 3 people starting now" in client.get(url).content.decode()
    assert Campaign.objects.get(pk=campaign.pk).state == CampaignState.DRAFT
    assert client.post(url).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.state, campaign.state_changed_by) == (CampaignState.RUNNING, alice)
    assert "started" in client.get(reverse("campaigns:history", args=[campaign.pk])).content.decode()


def test_what_is_not_possible_is_explained(client, alice):
    campaign = make_campaign(n_contacts=0)
    client.force_login(alice)
    response = client.post(reverse("campaigns:act", args=[campaign.pk, "start"]), follow=True)
    assert "The contact list is empty." in response.content.decode()
    assert client.get(reverse("campaigns:act", args=[campaign.pk, "explode"])).status_code == 404


def test_agents_may_neither_look_nor_act(client, bob):
    campaign = make_campaign(n_contacts=1)
    client.force_login(bob)
    assert client.get(reverse("campaigns:detail", args=[campaign.pk])).status_code == 403
    assert client.post(reverse("campaigns:act", args=[campaign.pk, "start"])).status_code == 403
    assert Campaign.objects.get(pk=campaign.pk).state == CampaignState.DRAFT


def test_people_show_their_one_reason_and_can_be_filtered_by_it(client, alice):
    campaign = make_campaign()
    blocked = make_contact(campaign.contact_list, first_name="Dana", last_name="Nocall")
    make_person(campaign, blocked, state=ContactState.BLOCKED, reason="dnc")
    make_person(campaign, make_contact(campaign.contact_list, first_name="Petr", last_name="Free"))
    client.force_login(alice)
    page = client.get(reverse("campaigns:people", args=[campaign.pk]), {"reason": "dnc"}).content.decode()
    assert "Dana Nocall" in page
    assert "On the do-not-call list." in page
    assert "Petr Free" not in page


@pytest.mark.parametrize("name", ["detail", "people", "setup", "history"])
def test_tabs_cost_the_same_queries_for_any_number_of_people(client, alice, django_assert_max_num_queries, name):
    campaign = make_campaign(n_contacts=0)
    for _ in range(25):
        make_person(campaign)
    client.force_login(alice)
    with django_assert_max_num_queries(16):
        assert client.get(reverse(f"campaigns:{name}", args=[campaign.pk])).status_code == 200


def test_the_list_costs_the_same_queries_for_any_number_of_campaigns(client, alice, django_assert_max_num_queries):
    for _ in range(12):
        make_campaign(n_contacts=1)
    client.force_login(alice)
    with django_assert_max_num_queries(9):
        assert client.get(reverse("campaigns:list")).status_code == 200


def _sent_by_a_browser(field):
    """Where nothing is chosen, a list sends its first choice."""
    if field.value() is None:
        return next((value for value, _label in getattr(field.field, "choices", [])), "")
    return field.value()


def test_saving_an_edited_campaign_adds_no_rule_that_nobody_asked_for(client, admin):
    client.force_login(admin)
    campaign = make_campaign()
    campaign.retry_rules.create(outcome="busy", delay_s=60, max_attempts=2)
    page = client.get(reverse("campaigns:edit", args=[campaign.pk]))
    data = {}
    for form in (page.context["form"], *page.context["windows"], *page.context["retries"]):
        data |= {field.html_name: _sent_by_a_browser(field) for field in form if field.value() is not False}
    for forms in (page.context["windows"], page.context["retries"]):
        data |= {field.html_name: field.value() for field in forms.management_form}
    assert client.post(reverse("campaigns:edit", args=[campaign.pk]), data | {"name": "Winter"}).status_code == 302
    assert Campaign.objects.get(pk=campaign.pk).name == "Winter"
    assert [(rule.outcome, rule.delay_s) for rule in campaign.retry_rules.all()] == [("busy", 60)]


def test_the_page_of_a_running_campaign_says_which_carrier_does_not_answer(client, alice):
    campaign = make_campaign(state=CampaignState.RUNNING)
    campaign.numbers.set([make_number(), Number.objects.create(e164="+13025559999", carrier="telnyx")])
    client.force_login(alice)
    url = reverse("campaigns:detail", args=[campaign.pk])
    words = "Twilio does not answer: going on with Telnyx numbers."
    assert words not in client.get(url).content.decode()
    breaker.open("twilio")
    try:
        assert words in client.get(url).content.decode()
    finally:
        breaker.close("twilio")
