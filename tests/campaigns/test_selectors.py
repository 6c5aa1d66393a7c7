from datetime import timedelta

import pytest
from django.utils import timezone

from apps.calls.models import Disposition
from apps.campaigns import selectors
from apps.campaigns.events import publish_card_if_changed
from apps.campaigns.models import Campaign
from apps.campaigns.states import CampaignState
from apps.core.realtime import current_seq
from tests.factories.campaigns import end_call, make_attempt, make_campaign, make_person


def _populated() -> Campaign:
    now = timezone.now()
    campaign = make_campaign(state=CampaignState.RUNNING)
    for state, reason, outcome in (
        ("pending", "", ""),
        ("pending", "outside_hours", ""),
        ("retry", "will_retry", "busy"),
        ("callback", "callback_agreed", "answered"),
        ("done", "", "answered"),
        ("done", "attempts_used_up", "busy"),
        ("blocked", "dnc", ""),
        ("blocked", "dnc", ""),
    ):
        settled_at = now if state in {"done", "blocked"} else None
        make_person(campaign, state=state, reason=reason, outcome=outcome, settled_at=settled_at)
    make_attempt(make_person(campaign))
    return campaign


def test_a_card_counts_people_by_where_they_stand(db):
    card = selectors.campaign_card(_populated())
    assert {name: n for name, n in card.items() if name.startswith("n_")} == {
        "n_people": 9,
        "n_pending": 2,
        "n_dialling": 1,
        "n_retry": 1,
        "n_callback": 1,
        "n_done": 2,
        "n_blocked": 2,
        "n_answered": 2,
        "n_success": 0,
    }


def test_success_counts_people_not_calls(db):
    campaign = make_campaign(state=CampaignState.RUNNING)
    sold = Disposition.objects.create(code="sold", name="Sold", is_success=True)
    person = make_person(campaign)
    for n in (1, 2):
        attempt = make_attempt(person, n=n)
        end_call(attempt.call, "answered")
        attempt.call.refresh_from_db()
        attempt.call.disposition = sold
        attempt.call.save()
        type(attempt).objects.filter(pk=attempt.pk).update(
            state="settled", outcome="answered", settled_at=timezone.now()
        )
    assert selectors.campaign_card(campaign)["n_success"] == 1


def test_many_cards_cost_as_much_as_one(db, django_assert_num_queries):
    campaigns = [_populated() for _ in range(3)]
    with django_assert_num_queries(3):
        cards = selectors.campaign_cards(campaigns)
    assert [card["id"] for card in cards] == [campaign.pk for campaign in campaigns]


def test_who_may_see_campaigns_is_the_roles_business(alice, bob):
    campaign = make_campaign()
    assert list(selectors.campaigns_visible_to(alice)) == [campaign]
    assert not selectors.campaigns_visible_to(bob).exists()


def test_why_people_are_not_dialled_most_first_and_what_passes_by_itself(db):
    counts = selectors.why_not_dialled(_populated())
    assert counts[0].code == "dnc"
    assert counts[0].n == 2
    assert {count.code: count.passes for count in counts} == {
        "dnc": False,
        "outside_hours": True,
        "will_retry": True,
        "callback_agreed": True,
        "attempts_used_up": False,
    }
    assert all(str(count.words) and str(count.words) != count.code for count in counts)


def test_stopping_is_announced_with_what_it_means(db):
    preview = selectors.stop_preview(_populated())
    assert (preview.n_live_calls, preview.n_left) == (1, 4)


@pytest.mark.django_db(transaction=True)
def test_counters_are_published_when_they_changed_and_not_otherwise(settings):
    from django.core.cache import cache

    campaign = _populated()

    def n_published() -> int:
        before = current_seq("live")
        cache.delete(f"campaigns:counted:{campaign.pk}")
        publish_card_if_changed(campaign)
        return current_seq("live") - before

    assert n_published() == 1
    assert n_published() == 0
    make_person(campaign, next_attempt_at=timezone.now() + timedelta(days=1))
    assert n_published() == 1
    before = current_seq("live")
    make_person(campaign)
    publish_card_if_changed(campaign)  # counted a moment ago: the next cycle tells
    assert current_seq("live") == before
