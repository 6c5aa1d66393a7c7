import threading
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext

from apps.calls.models import Call
from apps.calls.states import LegState, Outcome
from apps.campaigns import services
from apps.campaigns.dialler import run_cycle
from apps.campaigns.models import CallingWindow, CampaignContact, DialAttempt
from apps.campaigns.states import AttemptState, CampaignState, ContactState
from tests.factories.campaigns import make_attempt, make_campaign, make_number, make_person
from tests.factories.contacts import make_contact, make_dnc, make_list

# A Monday, 13:00 in New York.
NOON = datetime(2026, 11, 23, 18, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 7, tzinfo=UTC)
LONG_BEFORE = NOON - timedelta(days=1)


def _running(n_people: int = 0, **fields):
    campaign = make_campaign(state=CampaignState.RUNNING, **fields)
    people = [make_person(campaign, next_attempt_at=LONG_BEFORE) for _ in range(n_people)]
    return campaign, people


def test_a_cycle_claims_calls_and_attempts_together(db):
    campaign, _ = _running(5, calls_per_second=1)
    cycle = run_cycle(campaign.pk, now=NOON)
    assert cycle.n_placed == 2
    attempts = DialAttempt.objects.filter(campaign=campaign)
    assert {attempt.call.legs.get().state for attempt in attempts} == {LegState.CREATED}
    dialling = CampaignContact.objects.filter(campaign=campaign, state=ContactState.DIALLING)
    assert {person.pk for person in dialling} == {attempt.campaign_contact_id for attempt in attempts}
    assert {person.n_attempts for person in dialling} == {1}
    assert all(attempt.call.rule_version == "us-2026-11-22" for attempt in attempts)


def test_a_full_queue_or_full_lines_let_nobody_more_in(db):
    campaign, _ = _running(9, calls_per_second=50, max_concurrent=3)
    assert run_cycle(campaign.pk, now=NOON).n_placed == 3
    assert run_cycle(campaign.pk, now=NOON).n_placed == 0


def test_settled_attempts_free_their_lines(db):
    campaign, _ = _running(4, calls_per_second=50, max_concurrent=2)
    run_cycle(campaign.pk, now=NOON)
    attempt = DialAttempt.objects.filter(campaign=campaign).first()
    DialAttempt.objects.filter(pk=attempt.pk).update(state=AttemptState.SETTLED, outcome="busy", settled_at=NOON)
    assert run_cycle(campaign.pk, now=NOON).n_placed == 1


@pytest.mark.parametrize(
    "state", [CampaignState.DRAFT, CampaignState.PAUSED, CampaignState.STOPPED, CampaignState.COMPLETED]
)
def test_only_a_running_campaign_dials(db, state):
    campaign, _ = _running(2)
    campaign.state = state
    campaign.save()
    assert run_cycle(campaign.pk, now=NOON) is None
    assert not Call.objects.exists()


def test_promised_calls_go_before_everybody_else(db):
    campaign, people = _running(3, calls_per_second=0.5)
    retry = make_person(campaign, state=ContactState.RETRY, next_attempt_at=NOON)
    callback = make_person(campaign, state=ContactState.CALLBACK, next_attempt_at=NOON)
    make_person(campaign, state=ContactState.CALLBACK, next_attempt_at=NOON + timedelta(minutes=1))
    order = []
    for minute in range(3):
        run_cycle(campaign.pk, now=NOON + timedelta(seconds=minute))
        newest = DialAttempt.objects.order_by("-pk").first()
        order.append(newest.campaign_contact_id)
        newest.call.legs.update(state=LegState.RINGING)
    assert order[:2] == [callback.pk, retry.pk]
    assert order[2] in {person.pk for person in people}


def test_outside_the_hours_of_the_law_a_person_waits_until_they_open(db):
    campaign, (person,) = _running(1)
    cycle = run_cycle(campaign.pk, now=NIGHT)
    assert (cycle.n_placed, cycle.n_put_off) == (0, 1)
    person.refresh_from_db()
    assert (person.state, person.reason) == (ContactState.PENDING, "outside_hours")
    assert person.next_attempt_at == datetime(2026, 11, 23, 13, tzinfo=UTC)  # 08:00 in New York


def test_outside_the_campaigns_window_a_person_waits_for_window_and_law_together(db):
    campaign, (person,) = _running(1)
    CallingWindow.objects.create(campaign=campaign, weekday=1, starts_at=time(6), ends_at=time(12))
    run_cycle(campaign.pk, now=NOON)
    person.refresh_from_db()
    assert (person.state, person.reason) == (ContactState.PENDING, "outside_window")
    assert person.next_attempt_at == datetime(2026, 11, 24, 13, tzinfo=UTC)  # Tuesday, 08:00 in New York


def test_people_who_must_not_be_called_are_blocked_with_the_reason(db):
    campaign, _ = _running(0)
    barred = make_person(campaign, next_attempt_at=LONG_BEFORE)
    make_dnc(barred.contact.phone)
    without = make_person(campaign, make_contact(campaign.contact_list, consent="none"), next_attempt_at=LONG_BEFORE)
    spoken = make_person(campaign, make_contact(campaign.contact_list, consent="any"), next_attempt_at=LONG_BEFORE)
    fine = make_person(campaign, next_attempt_at=LONG_BEFORE)
    cycle = run_cycle(campaign.pk, now=NOON)
    assert (cycle.n_placed, cycle.n_blocked) == (1, 3)
    found = {person.pk: (person.state, person.reason) for person in CampaignContact.objects.all()}
    assert found[barred.pk] == (ContactState.BLOCKED, "dnc")
    assert found[without.pk] == (ContactState.BLOCKED, "no_consent")
    assert found[spoken.pk] == (ContactState.BLOCKED, "consent_not_written")
    assert found[fine.pk] == (ContactState.DIALLING, "")


def test_somebody_we_talked_to_who_opted_out_since_is_done_not_blocked(db):
    campaign, _ = _running(0)
    person = make_person(
        campaign, state=ContactState.RETRY, outcome=Outcome.BUSY, n_attempts=1, next_attempt_at=LONG_BEFORE
    )
    make_dnc(person.contact.phone)
    run_cycle(campaign.pk, now=NOON)
    person.refresh_from_db()
    assert (person.state, person.reason, person.outcome) == (ContactState.DONE, "dnc", Outcome.BUSY)


def test_those_who_may_not_be_called_do_not_hold_up_those_who_may(db):
    campaign, _ = _running(0, calls_per_second=1)
    for _ in range(45):
        make_person(campaign, make_contact(campaign.contact_list, consent="none"), next_attempt_at=LONG_BEFORE)
    make_person(campaign, next_attempt_at=LONG_BEFORE + timedelta(hours=1))
    cycle = run_cycle(campaign.pk, now=NOON)
    assert (cycle.n_placed, cycle.n_blocked) == (1, 45)


def test_a_person_in_a_live_call_is_not_rung_a_second_time(db):
    phone = "+12125550177"
    first, _ = _running(0)
    make_attempt(make_person(first, make_contact(first.contact_list, phone=phone)))
    second, _ = _running(0)
    person = make_person(second, make_contact(second.contact_list, phone=phone), next_attempt_at=LONG_BEFORE)
    assert run_cycle(second.pk, now=NOON).n_placed == 0
    person.refresh_from_db()
    assert (person.state, person.reason) == (ContactState.PENDING, "already_in_call")
    assert NOON < person.next_attempt_at <= NOON + timedelta(minutes=1)


def test_caller_numbers_take_turns_and_numbers_out_of_use_do_not(db):
    campaign, _ = _running(6, n_numbers=3, calls_per_second=1)
    resting = make_number(is_active=False)
    campaign.numbers.add(resting)
    used = []
    for _ in range(3):
        run_cycle(campaign.pk, now=NOON)
        used += Call.objects.order_by("pk").values_list("number_id", flat=True)[len(used) :]
        for call in Call.objects.all():
            call.legs.update(state=LegState.RINGING)
    assert len(used) == 6
    assert used[:3] == used[3:]
    assert len(set(used)) == 3
    assert resting.pk not in used


def test_without_a_number_in_use_nothing_happens(db):
    campaign, _ = _running(2, n_numbers=0)
    assert run_cycle(campaign.pk, now=NOON).n_placed == 0


def test_a_second_attempt_has_the_next_number_even_after_one_that_was_not_placed(db):
    campaign, (person,) = _running(1)
    attempt = make_attempt(person)
    DialAttempt.objects.filter(pk=attempt.pk).update(state="settled", outcome="not_placed", settled_at=LONG_BEFORE)
    attempt.call.legs.update(state="ended", outcome="not_placed", ended_at=LONG_BEFORE)
    Call.objects.update(ended_at=LONG_BEFORE, outcome="not_placed")
    CampaignContact.objects.update(state="pending", n_attempts=0, next_attempt_at=LONG_BEFORE)
    run_cycle(campaign.pk, now=NOON)
    assert list(DialAttempt.objects.order_by("n").values_list("n", flat=True)) == [1, 2]
    assert CampaignContact.objects.get().n_attempts == 1


def test_the_number_of_queries_does_not_grow_with_the_people(db):
    def n_queries(n_people: int) -> int:
        campaign, _ = _running(n_people, calls_per_second=200, max_concurrent=500)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert run_cycle(campaign.pk, now=NOON).n_placed == n_people
        return len(queries)

    assert n_queries(30) == n_queries(3)


@pytest.mark.django_db(transaction=True)
def test_cycles_that_race_never_claim_one_person_twice():
    contact_list = make_list()
    campaigns = [make_campaign(contact_list=contact_list, max_concurrent=100, calls_per_second=100) for _ in range(2)]
    for _ in range(40):
        make_contact(contact_list)
    for campaign in campaigns:
        services.start(campaign_id=campaign.pk, by=None)
    CampaignContact.objects.update(next_attempt_at=LONG_BEFORE)
    gate = threading.Barrier(6)
    failures: list[Exception] = []

    def work(campaign_id: int) -> None:
        try:
            gate.wait(timeout=10)
            for _ in range(4):
                run_cycle(campaign_id, now=NOON)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=work, args=(campaigns[n % 2].pk,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    phones = list(Call.objects.values_list("remote_phone", flat=True))
    assert len(phones) == len(set(phones)) == 40
    assert DialAttempt.objects.count() == 40
