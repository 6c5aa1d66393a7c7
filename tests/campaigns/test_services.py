from datetime import timedelta

import pytest
from django.utils import timezone

from apps.calls.models import Call
from apps.calls.states import LegState, Outcome
from apps.campaigns import services
from apps.campaigns.dialler import run_cycle
from apps.campaigns.errors import CampaignRefused
from apps.campaigns.models import Campaign, CampaignContact, CampaignEvent, DialAttempt
from apps.campaigns.states import CampaignState, ContactState
from tests.factories.campaigns import make_attempt, make_campaign, make_person
from tests.factories.contacts import make_contact


def _kinds(campaign: Campaign) -> list[str]:
    return list(CampaignEvent.objects.filter(campaign=campaign).order_by("pk").values_list("kind", flat=True))


def test_starting_takes_in_the_list_and_says_who_did_it(alice):
    campaign = make_campaign(n_contacts=3)
    services.start(campaign_id=campaign.pk, by=alice)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.state_changed_by) == (CampaignState.RUNNING, alice)
    assert campaign.started_at is not None
    assert set(campaign.people.values_list("state", flat=True)) == {ContactState.PENDING}
    event = CampaignEvent.objects.get()
    assert (event.kind, event.by, event.data["n_joined"]) == ("started", alice, 3)


def test_every_step_done_twice_is_done_once(alice):
    campaign = make_campaign(n_contacts=1)
    for step in (services.start, services.pause, services.resume, services.stop):
        step(campaign_id=campaign.pk, by=alice)
        step(campaign_id=campaign.pk, by=alice)
    assert _kinds(campaign) == ["started", "paused", "resumed", "stopped"]
    assert campaign.people.count() == 1


@pytest.mark.parametrize(
    ("state", "step", "code"),
    [
        (CampaignState.PAUSED, services.start, "campaign_cannot_start"),
        (CampaignState.DRAFT, services.pause, "campaign_cannot_pause"),
        (CampaignState.STOPPED, services.pause, "campaign_cannot_pause"),
        (CampaignState.DRAFT, services.resume, "campaign_cannot_resume"),
        (CampaignState.COMPLETED, services.resume, "campaign_cannot_resume"),
        (CampaignState.DRAFT, services.stop, "campaign_cannot_stop"),
    ],
)
def test_steps_that_make_no_sense_are_refused(alice, state, step, code):
    campaign = make_campaign(n_contacts=1, state=state)
    with pytest.raises(CampaignRefused) as refused:
        step(campaign_id=campaign.pk, by=alice)
    assert refused.value.code == code
    campaign.refresh_from_db()
    assert campaign.state == state
    assert _kinds(campaign) == []


def test_a_campaign_without_people_numbers_or_agent_does_not_start(alice):
    empty = make_campaign()
    numberless = make_campaign(n_contacts=1, n_numbers=0)
    agentless = make_campaign(n_contacts=1)
    agentless.virtual_agent.is_active = False
    agentless.virtual_agent.save()
    expected = {
        empty.pk: "campaign_without_people",
        numberless.pk: "campaign_without_numbers",
        agentless.pk: "virtual_agent_not_in_use",
    }
    for campaign_id, code in expected.items():
        with pytest.raises(CampaignRefused) as refused:
            services.start(campaign_id=campaign_id, by=alice)
        assert refused.value.code == code


def test_starting_again_goes_on_takes_in_new_people_and_looks_again_at_the_blocked(alice):
    campaign = make_campaign(n_contacts=3)
    services.start(campaign_id=campaign.pk, by=alice)
    done, blocked, _ = campaign.people.order_by("pk")
    CampaignContact.objects.filter(pk=done.pk).update(state="done", outcome="answered", settled_at=timezone.now())
    CampaignContact.objects.filter(pk=blocked.pk).update(state="blocked", reason="dnc", settled_at=timezone.now())
    services.stop(campaign_id=campaign.pk, by=alice)
    make_contact(campaign.contact_list)
    services.start(campaign_id=campaign.pk, by=alice)
    assert sorted(campaign.people.values_list("state", flat=True)) == ["done", "pending", "pending", "pending"]
    assert CampaignContact.objects.get(pk=blocked.pk).reason == ""


def test_after_pause_and_resume_nothing_is_lost(alice, django_capture_on_commit_callbacks):
    campaign = make_campaign(n_contacts=4, calls_per_second=1)
    services.start(campaign_id=campaign.pk, by=alice)
    now = timezone.now().replace(hour=18)
    CampaignContact.objects.update(next_attempt_at=now - timedelta(days=2))
    assert run_cycle(campaign.pk, now=now).n_placed == 2
    ringing = DialAttempt.objects.order_by("pk").first()
    ringing.call.legs.update(state=LegState.RINGING, carrier_call_id="CA1")

    with django_capture_on_commit_callbacks(execute=True):
        services.pause(campaign_id=campaign.pk, by=alice)

    assert sorted(campaign.people.values_list("state", flat=True)) == ["dialling", "pending", "pending", "pending"]
    assert CampaignContact.objects.get(pk=ringing.campaign_contact_id).state == ContactState.DIALLING
    assert set(campaign.people.exclude(state="dialling").values_list("n_attempts", flat=True)) == {0}
    assert run_cycle(campaign.pk, now=now) is None
    services.resume(campaign_id=campaign.pk, by=alice)
    CampaignContact.objects.exclude(state="dialling").update(next_attempt_at=now - timedelta(days=2))
    assert run_cycle(campaign.pk, now=now).n_placed == 2


def test_stopping_lets_running_calls_finish_and_takes_back_those_not_dialled(alice, django_capture_on_commit_callbacks):
    campaign = make_campaign(state=CampaignState.RUNNING)
    talking, waiting = (make_attempt(make_person(campaign)) for _ in range(2))
    talking.call.legs.update(state=LegState.ANSWERED, carrier_call_id="CA1")
    with django_capture_on_commit_callbacks(execute=True):
        services.stop(campaign_id=campaign.pk, by=alice)
    assert Call.objects.get(pk=talking.call_id).is_live
    taken_back = Call.objects.get(pk=waiting.call_id)
    assert taken_back.outcome == Outcome.CANCELED
    assert CampaignContact.objects.get(pk=waiting.campaign_contact_id).state == ContactState.PENDING


@pytest.mark.parametrize(
    ("people", "is_done"),
    [
        (["done", "blocked"], True),
        (["done", "pending"], False),
        (["done", "retry"], False),
        (["done", "dialling"], False),
        (["done", "callback"], True),
    ],
)
def test_a_campaign_completes_when_nobody_is_left_to_call_soon(db, people, is_done):
    now = timezone.now()
    campaign = make_campaign(state=CampaignState.RUNNING)
    for state in people:
        is_settled = state in {"done", "blocked"}
        make_person(
            campaign,
            state=state,
            outcome="answered" if state == "done" else "",
            settled_at=now if is_settled else None,
            next_attempt_at=now + timedelta(days=1),
        )
    assert services.complete_if_done(campaign_id=campaign.pk, now=now) is is_done
    campaign.refresh_from_db()
    assert (campaign.state == CampaignState.COMPLETED) is is_done
    assert (campaign.completed_at is not None) is is_done


def test_a_callback_that_is_near_keeps_the_campaign_open(db):
    now = timezone.now()
    campaign = make_campaign(state=CampaignState.RUNNING)
    make_person(campaign, state="callback", next_attempt_at=now + timedelta(minutes=20))
    assert not services.complete_if_done(campaign_id=campaign.pk, now=now)


def test_a_completed_campaign_opens_again_for_a_callback_that_is_due_and_a_stopped_one_does_not(db):
    now = timezone.now()
    completed, stopped, early = (make_campaign(state=state) for state in ("completed", "stopped", "completed"))
    for campaign, in_minutes in ((completed, -1), (stopped, -1), (early, 30)):
        make_person(campaign, state="callback", next_attempt_at=now + timedelta(minutes=in_minutes))
    assert services.reopen_for_callbacks(now=now) == 1
    states = dict(Campaign.objects.values_list("pk", "state"))
    assert states == {completed.pk: "running", stopped.pk: "stopped", early.pk: "completed"}
    assert _kinds(completed) == ["reopened"]
