"""Campaigns in the back office: set up, asked about, moved."""

import pytest
from django.urls import reverse

from apps.campaigns.models import Campaign, CampaignEvent
from apps.campaigns.states import CampaignState
from tests.factories.campaigns import make_campaign, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client, admin):
    client.force_login(admin, backend="apps.accounts.backends.RoleBackend")
    return client


def move_url(move, *campaigns):
    ids = ",".join(str(campaign.pk) for campaign in campaigns)
    return f"{reverse('admin:campaigns_campaign_move', args=[move])}?ids={ids}"


def test_before_a_start_the_page_says_how_many_will_be_called(office):
    campaign = make_campaign(n_contacts=3)
    page = office.get(move_url("start", campaign)).content.decode()
    assert "Call 3 people starting now" in page
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT, "asking moves nothing"


def test_a_campaign_is_moved_through_its_life(office, admin):
    campaign = make_campaign(n_contacts=1)
    for move, state in (("start", "running"), ("pause", "paused"), ("resume", "running"), ("stop", "stopped")):
        assert office.post(move_url(move, campaign)).status_code == 302
        campaign.refresh_from_db()
        assert campaign.state == state
    assert campaign.state_changed_by == admin
    page = office.get(reverse("admin:campaigns_campaign_change", args=[campaign.pk])).content.decode()
    assert page.count("field-kind") >= 4, "its history stands below"


def test_several_at_once_each_for_itself(office):
    good, empty = make_campaign("Good", n_contacts=1), make_campaign("Empty")
    chosen = {"action": "start_campaigns", "_selected_action": [good.pk, empty.pk]}
    asked = office.post(reverse("admin:campaigns_campaign_changelist"), chosen)
    assert asked.status_code == 302
    done = office.post(asked["Location"], follow=True)
    assert {campaign.name: campaign.state for campaign in Campaign.objects.all()} == {
        "Good": "running",
        "Empty": "draft",
    }
    assert "Empty: The contact list is empty" in done.content.decode()


def test_what_cannot_be_moved_is_named_and_stays(office):
    draft = make_campaign("Draft")
    response = office.get(move_url("pause", draft))
    assert response.context["left_out"] == [draft]
    assert 'type="submit" class="default"' not in response.content.decode()


def test_unknown_moves_and_campaigns_are_not_found(office):
    campaign = make_campaign()
    assert office.get(move_url("explode", campaign)).status_code == 404
    assert office.get(move_url("start")).status_code == 404


def test_only_drafts_are_deleted(office):
    draft, running = make_campaign(), make_campaign(state=CampaignState.RUNNING)
    CampaignEvent.objects.create(campaign=running, kind="started")
    assert office.get(reverse("admin:campaigns_campaign_delete", args=[draft.pk])).status_code == 200
    assert office.get(reverse("admin:campaigns_campaign_delete", args=[running.pk])).status_code == 403
    actions = office.get(reverse("admin:campaigns_campaign_changelist")).context["cl"].model_admin.actions
    assert "delete_selected" not in actions


def test_whom_a_started_campaign_calls_is_settled(office):
    form = office.get(reverse("admin:campaigns_campaign_change", args=[make_campaign(state="paused").pk]))
    assert "contact_list" not in form.context["adminform"].form.fields
    form = office.get(reverse("admin:campaigns_campaign_change", args=[make_campaign().pk]))
    assert "contact_list" in form.context["adminform"].form.fields


def test_the_reason_stands_in_words(office):
    make_person(make_campaign(), state="blocked", reason="dnc")
    page = office.get(reverse("admin:campaigns_campaigncontact_changelist")).content.decode()
    assert "On the do-not-call list." in page
