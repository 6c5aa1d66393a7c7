"""The demo campaign, as `make run` starts it, dialled to its end by the real processes against the sandbox.

What the product says of it is compared with what the carrier knows to have happened.
"""

from collections import Counter
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from apps.calls.models import Call, CallReview, Leg, Speaker
from apps.calls.models.review import ReviewState
from apps.calls.states import Outcome
from apps.campaigns import reasons
from apps.campaigns.models import Campaign, CampaignContact, DialAttempt, RetryRule
from apps.campaigns.states import AttemptState, CampaignState, ContactState
from apps.contacts.models import Channel, DncEntry, DncSource
from apps.sandbox.personas import PERSONAS, persona_for
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(360)]

_UNCLEAR = "[unclear]"  # what the sandbox's voice AI makes of sounds it does not know
_OPTING_OUT = {"opt_out", "robot_opt_out"}


@pytest.fixture(scope="module")
def stack(django_db_blocker):
    with (
        Stack("e2e-demo", speed=2, cps=20, durable=False).running() as stack,
        django_db_blocker.unblock(),
        stack.connected(),
    ):
        yield stack


@pytest.fixture(scope="module")
def campaign(stack):
    """The demo campaign once it has completed by itself; only faster than a person would like to watch it."""
    stack.manage("seed_demo")
    Campaign.objects.update(max_concurrent=24, calls_per_second=8)
    RetryRule.objects.update(delay_s=3)
    stack.manage("seed_demo", "--start")
    campaign = Campaign.objects.get()

    def is_completed() -> bool:
        campaign.refresh_from_db()
        return campaign.state == CampaignState.COMPLETED

    wait_for(is_completed, "the demo campaign completes by itself", timeout_s=240)
    return campaign


@pytest.fixture(scope="module")
def truth(stack, campaign) -> dict[str, Any]:
    """What the carrier knows: its calls by sid, its create requests, how often each number was dialled."""
    answer = stack.carrier("calls")
    return {**answer, "calls": {call["sid"]: call for call in answer["calls"]}}


def people(**which: Any) -> list[CampaignContact]:
    return list(CampaignContact.objects.filter(**which).select_related("contact"))


def persona_of(person: CampaignContact) -> str:
    return persona_for(person.contact.phone).persona.key


def _who(line: dict[str, Any]) -> str:
    return f"{line['persona']}, {line['language']}, {line['to']}"


def _is_machine(line: dict[str, Any]) -> bool:
    """What the carrier found out; Telnyx tells of the beep, too, or of its absence."""
    return (line["answered_by"] or "").startswith(("machine", "fax", "beep", "no_beep", "ended"))


def _talks(truth: dict[str, Any]) -> list[tuple[Call, dict[str, Any]]]:
    """Each call that was answered, with what the carrier knows of it."""
    calls = Call.objects.filter(answered_at__isnull=False).prefetch_related("turns", "legs")
    return [(call, truth["calls"][call.legs.get().carrier_call_id]) for call in calls]


def _said(line: dict[str, Any]) -> list[str]:
    return [entry["text"] for entry in line["history"] if entry["event"] == "callee_said"]


def _said_after_hearing_us(line: dict[str, Any]) -> list[str]:
    """Their first words come while the audio is still being connected: those may be lost, these may not."""
    history = line["history"]
    heard_at = next((entry["at"] for entry in history if entry["event"] == "callee_heard"), None)
    if heard_at is None:
        return []
    return [entry["text"] for entry in history if entry["event"] == "callee_said" and entry["at"] > heard_at]


def test_everybody_has_exactly_one_settled_outcome(campaign):
    now = timezone.now()
    states = Counter(person.state for person in people())
    assert sum(states.values()) >= 60
    assert set(states) == {ContactState.DONE, ContactState.CALLBACK, ContactState.BLOCKED}
    for person in people(state=ContactState.DONE):
        assert person.outcome, person
        assert person.settled_at, person
    for person in people(state=ContactState.CALLBACK):
        assert person.outcome == Outcome.ANSWERED
        assert person.reason == reasons.CALLBACK_AGREED
        assert person.next_attempt_at > now
    for person in people(state=ContactState.BLOCKED):
        assert person.reason in reasons.REASONS
        assert person.settled_at


def test_every_persona_was_reached_in_every_language(truth):
    reached = {(call["persona"], call["language"]) for call in truth["calls"].values()}
    assert reached == {(persona.key, language) for persona in PERSONAS for language in ("en", "es", "cs")}


def test_the_outcome_is_what_happened_on_the_line(truth):
    expected = {"busy": Outcome.BUSY, "no-answer": Outcome.NO_ANSWER, "failed": Outcome.FAILED}
    for leg in Leg.objects.select_related("call"):
        line = truth["calls"][leg.carrier_call_id]
        if line["carrier"] == "telnyx" and line["persona"] == "rejects":
            assert leg.outcome == Outcome.FAILED  # Twilio calls it busy when somebody declines, Telnyx does not
        elif line["status"] in expected:
            assert leg.outcome == expected[line["status"]]
        else:
            assert leg.outcome == (Outcome.VOICEMAIL if _is_machine(line) else Outcome.ANSWERED), line
        assert leg.call.outcome == leg.outcome


def test_every_conversation_has_both_sides_in_writing(truth):
    n_conversations = 0
    for call, line in _talks(truth):
        turns = list(call.turns.all())
        assert all(turn.text.strip() for turn in turns)
        if not _said_after_hearing_us(line):
            continue
        n_conversations += 1
        assert {turn.speaker for turn in turns} == {Speaker.CALLER, Speaker.AI}, _who(line)
    assert n_conversations >= 50


def test_the_callers_words_are_what_they_said(truth):
    """Nothing is put into their mouth; and nothing is lost of what they said in answer to us."""
    for call, line in _talks(truth):
        heard = [turn.text for turn in call.turns.all() if turn.speaker == Speaker.CALLER]
        if heard and heard[0] == _UNCLEAR:  # the audio was connected in the middle of a word
            heard.pop(0)
        said = " ".join(_said(line))
        assert all(text in said for text in heard), (_who(line), heard)
        # Their last words may fall into our hanging up.
        for text in _said_after_hearing_us(line)[:-1]:
            assert text in " ".join(heard), _who(line)


def test_every_conversation_is_summed_up_and_marked(truth):
    talks = {
        call.pk
        for call, _ in _talks(truth)
        if {Speaker.CALLER, Speaker.AI} <= {turn.speaker for turn in call.turns.all()}
    }

    def are_done() -> bool:
        return talks <= set(CallReview.objects.exclude(state=ReviewState.WAITING).values_list("call_id", flat=True))

    wait_for(are_done, "all conversations have been reviewed", timeout_s=120)
    for review in CallReview.objects.filter(call__in=talks):
        assert (review.state, bool(review.summary), review.qa_score is not None) == (ReviewState.DONE, True, True)


def test_who_asked_not_to_be_called_is_on_the_list(campaign):
    asked = [person for person in people(n_attempts__gt=0) if persona_of(person) in _OPTING_OUT]
    assert len(asked) == 6
    for person in asked:
        entry = DncEntry.objects.get(phone=person.contact.phone, channel=Channel.VOICE)
        assert entry.source == DncSource.AI_CALL
        assert entry.call_id
        assert Call.objects.get(pk=entry.call_id).contact_id == person.contact_id
        assert (person.state, person.reason) == (ContactState.DONE, reasons.DNC)
    others = {person.contact.phone for person in people()} - {person.contact.phone for person in asked}
    assert not DncEntry.objects.filter(phone__in=others, source=DncSource.AI_CALL).exists()


def test_a_callback_stands_at_the_hour_they_asked_for(campaign):
    asked = [person for person in people() if persona_of(person) == "callback"]
    assert len(asked) == 3
    for person in asked:
        call = person.attempts.get().call
        zone = ZoneInfo(person.contact.time_zone)
        assert person.state == ContactState.CALLBACK
        at = person.next_attempt_at.astimezone(zone)
        assert at.time() == time(15, 0)
        assert at.date() == call.answered_at.astimezone(zone).date() + timedelta(days=1)


def test_whom_the_rules_forbid_was_never_dialled(truth):
    blocked = people(state=ContactState.BLOCKED)
    assert Counter(person.reason for person in blocked) == {"dnc": 1, "no_consent": 2, "consent_not_written": 1}
    dialled = {entry["to"] for entry in truth["creates"]}
    assert not dialled & {person.contact.phone for person in blocked}


def test_each_attempt_is_one_call_at_the_carrier(truth):
    attempts = Counter(DialAttempt.objects.values_list("campaign_contact__contact__phone", flat=True))
    assert truth["times_dialled"] == dict(attempts)
    assert set(truth["calls"]) == set(Leg.objects.values_list("carrier_call_id", flat=True))
    for person in people(n_attempts__gt=0):
        assert person.n_attempts == attempts[person.contact.phone]


def test_both_carriers_carried_their_share(campaign, truth):
    legs = Counter(Leg.objects.values_list("carrier", flat=True))
    assert legs == Counter(call["carrier"] for call in truth["calls"].values())
    assert min(legs["twilio"], legs["telnyx"]) >= 10, legs


def test_every_conversation_has_its_price(campaign):
    for call in Call.objects.filter(answered_at__isnull=False).prefetch_related("cost_items"):
        services = {item.service for item in call.cost_items.all()}
        assert call.legs.get().carrier in services, call
        if call.turns.filter(speaker=Speaker.AI).count() > 1:  # the bill comes with the end of each answer
            assert "openai" in services, call
            assert call.cost > 0


def test_nothing_is_left_over(truth):
    assert not Leg.objects.live().exists()
    assert not Call.objects.live().exists()
    assert not DialAttempt.objects.filter(state=AttemptState.CLAIMED).exists()
    assert truth["n_live"] == 0


# uvicorn's words for a carrier that gave up before its socket was answered, as on a machine with too much to do.
_GONE_BEFORE_ANSWER = "error: ASGI callable returned without completing handshake."


def test_no_process_failed_at_anything(stack: Stack, campaign):
    for name in ("web", "media", "worker", "beat"):
        errors = [line for line in stack.noteworthy_lines(name) if not line.startswith("warning:")]
        assert [line for line in errors if "/readyz" not in line and line != _GONE_BEFORE_ANSWER] == [], name
        assert not [line for line in stack.noteworthy_lines(name) if "price_missing" in line], name
