"""Campaigns, their people and attempts."""

from datetime import datetime
from itertools import count

from django.utils import timezone

from apps.calls.events import EventKind
from apps.calls.models import Call, CallEvent, Direction, Leg, Number, VirtualAgent
from apps.calls.states import LegState
from apps.campaigns.models import Campaign, CampaignContact, DialAttempt, RetryRule
from apps.campaigns.states import CampaignState, ContactState
from apps.contacts.models import Contact, ContactList
from tests.factories.contacts import make_contact, make_list

_numbers = count(1)


def make_number(e164: str = "", **fields) -> Number:
    return Number.objects.create(e164=e164 or f"+1302{5550000 + next(_numbers):07d}", carrier="twilio", **fields)


def make_virtual_agent(name: str = "", **fields) -> VirtualAgent:
    defaults = {
        "speaks_as": "Ada",
        "company": "Acme",
        "greeting": "Hello, an AI is speaking.",
        "instructions": "Be brief.",
    }
    return VirtualAgent.objects.create(name=name or f"Agent {next(_numbers)}", **{**defaults, **fields})


def make_campaign(
    name: str = "",
    *,
    contact_list: ContactList | None = None,
    n_contacts: int = 0,
    state: str = CampaignState.DRAFT,
    n_numbers: int = 1,
    **fields,
) -> Campaign:
    """A campaign with n_contacts callable people in its list; they join it when it starts."""
    contact_list = contact_list or make_list()
    for _ in range(n_contacts):
        make_contact(contact_list)
    campaign = Campaign.objects.create(
        name=name or f"Campaign {next(_numbers)}",
        contact_list=contact_list,
        virtual_agent=fields.pop("virtual_agent", None) or make_virtual_agent(),
        state=state,
        **fields,
    )
    campaign.numbers.set([make_number() for _ in range(n_numbers)])
    return campaign


def make_person(campaign: Campaign, contact: Contact | None = None, **fields) -> CampaignContact:
    contact = contact or make_contact(campaign.contact_list)
    return CampaignContact.objects.create(campaign=campaign, contact=contact, **fields)


def make_retry_rule(campaign: Campaign, outcome: str, *, delay_s: int = 60, max_attempts: int = 2) -> RetryRule:
    return RetryRule.objects.create(campaign=campaign, outcome=outcome, delay_s=delay_s, max_attempts=max_attempts)


def make_attempt(person: CampaignContact, *, claimed_at: datetime | None = None, n: int | None = None) -> DialAttempt:
    """A live attempt with its call and a leg that waits to be dialled; the person is being dialled."""
    claimed_at = claimed_at or timezone.now()
    number = person.campaign.numbers.first() or make_number()
    call = Call.objects.create(
        direction=Direction.OUTBOUND,
        number=number,
        contact=person.contact,
        virtual_agent=person.campaign.virtual_agent,
        language="en",
        remote_phone=person.contact.phone,
        created_at=claimed_at,
    )
    Leg.objects.create(
        call=call, carrier="twilio", from_number=number.e164, to_number=call.remote_phone, state=LegState.CREATED
    )
    n = n or person.n_attempts + 1
    CampaignContact.objects.filter(pk=person.pk).update(state=ContactState.DIALLING, n_attempts=n)
    person.refresh_from_db()
    return DialAttempt.objects.create(
        campaign_contact=person, campaign=person.campaign, n=n, call=call, claimed_at=claimed_at
    )


def end_call(call: Call, outcome: str, *, at: datetime | None = None, end_reason: str = "caller_hung_up") -> None:
    """The call as its carrier's last word leaves it; nobody is told."""
    at = at or timezone.now()
    call.legs.update(state=LegState.ENDED, outcome=outcome, ended_at=at)
    Call.objects.filter(pk=call.pk).update(outcome=outcome, ended_at=at, end_reason=end_reason)


def say_callback(call: Call, at: datetime) -> CallEvent:
    """What the story of a call holds after a callback was agreed in it."""
    return CallEvent.objects.create(call=call, kind=EventKind.CALLBACK_REQUESTED, data={"at": at.isoformat()})
