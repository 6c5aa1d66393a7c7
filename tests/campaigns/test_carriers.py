"""Which carrier a campaign's calls go out by, and what it does when one of them takes none."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.calls.models import Leg
from apps.calls.states import LegState
from apps.campaigns.dialler import run_cycle
from apps.campaigns.selectors import campaign_card
from apps.campaigns.states import CampaignState
from apps.core import breaker, rate
from tests.factories.calls import make_number
from tests.factories.campaigns import make_campaign, make_person
from tests.factories.contacts import make_list

pytestmark = pytest.mark.django_db
# A Monday, 13:00 in New York.
NOON = datetime(2026, 11, 23, 18, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _closed_again():
    yield
    for carrier in ("twilio", "telnyx"):
        breaker.close(carrier)


def make_running(n_people: int, *carriers: str, **fields):
    fields = {"calls_per_second": 50, "max_concurrent": 100, **fields}
    campaign = make_campaign(state=CampaignState.RUNNING, contact_list=make_list(), **fields)
    campaign.numbers.set([make_number(carrier=carrier) for carrier in carriers])
    for _ in range(n_people):
        make_person(campaign, next_attempt_at=NOON - timedelta(days=1))
    return campaign


def n_by_carrier() -> dict[str, int]:
    return dict(Counter(Leg.objects.values_list("carrier", flat=True)))


def test_carriers_take_turns_while_both_answer():
    campaign = make_running(6, "twilio", "telnyx")
    assert run_cycle(campaign.pk, now=NOON).n_placed == 6
    assert n_by_carrier() == {"twilio": 3, "telnyx": 3}


def open_at_noon(carrier: str, *, for_s: float = 60) -> None:
    """Its breaker lets nobody through for so long, seen from NOON."""
    breaker.open(carrier, for_s=(NOON - timezone.now()).total_seconds() + for_s)


def test_while_one_carrier_does_not_answer_the_others_numbers_are_used():
    campaign = make_running(6, "twilio", "telnyx", "twilio")
    open_at_noon("twilio")
    assert run_cycle(campaign.pk, now=NOON).n_placed == 6
    assert n_by_carrier() == {"telnyx": 6}


def test_where_no_carrier_is_left_the_cycle_waits_and_says_why(caplog):
    campaign = make_running(3, "twilio")
    open_at_noon("twilio")
    with caplog.at_level("WARNING"):
        assert run_cycle(campaign.pk, now=NOON).n_placed == 0
    assert "dial_cycle_waits" in caplog.text
    assert "not_answering" in caplog.text
    assert set(campaign.people.values_list("state", "n_attempts")) == {("pending", 0)}


def test_one_call_finds_out_whether_a_carrier_answers_again():
    """Without it nobody would ever ask, as everybody goes round it."""
    campaign = make_running(20, "twilio", "telnyx", calls_per_second=5)
    open_at_noon("twilio", for_s=-1)
    assert run_cycle(campaign.pk, now=NOON).n_placed == 10
    assert n_by_carrier() == {"twilio": 1, "telnyx": 9}
    Leg.objects.filter(carrier="telnyx").update(state=LegState.RINGING)
    assert run_cycle(campaign.pk, now=NOON).n_placed == 10
    assert n_by_carrier() == {"twilio": 1, "telnyx": 19}, "one that waits will do"


def test_what_waits_for_a_carrier_that_is_away_keeps_nobody_from_the_other():
    campaign = make_running(9, "twilio", "telnyx", calls_per_second=1)
    assert run_cycle(campaign.pk, now=NOON).n_placed == 2
    Leg.objects.update(carrier="twilio")
    assert run_cycle(campaign.pk, now=NOON).n_placed == 0, "the queue is full"
    open_at_noon("twilio")
    assert run_cycle(campaign.pk, now=NOON).n_placed == 2
    assert n_by_carrier() == {"twilio": 2, "telnyx": 2}


def test_a_carrier_that_asked_to_be_left_alone_is_left_alone():
    campaign = make_running(4, "twilio", "telnyx")
    rate.hold("account:twilio", 30)
    run_cycle(campaign.pk, now=NOON)
    assert n_by_carrier() == {"telnyx": 4}


def test_campaigns_share_what_an_account_may_have_at_once(settings):
    settings.TWILIO_MAX_CONCURRENT = 5
    first, second = make_running(4, "twilio"), make_running(4, "twilio")
    assert run_cycle(first.pk, now=NOON).n_placed == 4
    assert run_cycle(second.pk, now=NOON).n_placed == 1
    assert run_cycle(second.pk, now=NOON).n_placed == 0
    Leg.objects.filter(call__attempt__campaign=first).update(state=LegState.ENDED, ended_at=NOON)
    assert run_cycle(second.pk, now=NOON).n_placed == 3


def test_no_more_wait_in_front_of_an_account_than_it_dials_soon(settings):
    settings.TWILIO_CALLS_PER_SECOND = 3
    campaign = make_running(30, "twilio", calls_per_second=50)
    assert run_cycle(campaign.pk, now=NOON).n_placed == 6


def test_the_notice_on_open_pages_goes_by_itself():
    campaign = make_running(1, "twilio", "telnyx")
    assert campaign_card(campaign)["carriers_down"] == []
    breaker.open("twilio")
    card = campaign_card(campaign)
    assert (card["carriers_down"], card["carriers_instead"]) == (["twilio"], ["telnyx"])
    breaker.open("telnyx")
    card = campaign_card(campaign)
    assert (card["carriers_down"], card["carriers_instead"]) == (["telnyx", "twilio"], [])
    for carrier in ("twilio", "telnyx"):
        breaker.close(carrier)
    card = campaign_card(campaign)
    assert (card["carriers_down"], card["carriers_instead"]) == ([], [])
    campaign.state = CampaignState.PAUSED
    breaker.open("twilio")
    assert campaign_card(campaign)["carriers_down"] == [], "who does not dial misses no carrier"
