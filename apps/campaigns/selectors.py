"""What is read about campaigns. Whatever a user sees starts from ``campaigns_visible_to``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.functional import Promise

from apps.accounts.models import Language, User
from apps.accounts.roles import Permission, may
from apps.calls.carrier_accounts import accounts
from apps.calls.states import Outcome
from apps.calls.voices import lacking_voices, missing_voices
from apps.campaigns import reasons
from apps.campaigns.models import Campaign, CampaignContact, DialAttempt
from apps.campaigns.number_pool import troubled
from apps.campaigns.states import DIALLABLE, AttemptState, CampaignState, ContactState


class CampaignCard(TypedDict):
    """A campaign's counters as open pages show them; codes, never words. n_answered and n_success count people.

    carriers_down: carriers of its numbers that do not answer while it runs; carriers_instead: those that go on.
    """

    id: int
    name: str
    state: str
    n_people: int
    n_pending: int
    n_dialling: int
    n_retry: int
    n_callback: int
    n_done: int
    n_blocked: int
    n_answered: int
    n_success: int
    calls_per_second: float
    max_concurrent: int
    carriers_down: list[str]
    carriers_instead: list[str]


@dataclass(frozen=True, slots=True)
class StopPreview:
    """What stopping means now: calls that will be allowed to finish, and people who will not be called."""

    n_live_calls: int
    n_left: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """passes: whether it passes by itself, by time or by another try."""

    code: str
    words: str | Promise
    passes: bool
    n: int


def campaigns_visible_to(user: User) -> QuerySet[Campaign]:
    if not may(user.role, Permission.CAMPAIGNS_VIEW):
        return Campaign.objects.none()
    return Campaign.objects.select_related("contact_list", "virtual_agent")


def campaign_cards(campaigns: Iterable[Campaign]) -> list[CampaignCard]:
    """The cards in the order given, in three queries however many campaigns. Raises redis.RedisError."""
    chosen = list(campaigns)
    carriers = _carriers_of([campaign.pk for campaign in chosen if campaign.state == CampaignState.RUNNING])
    standing = accounts(set().union(*carriers.values()), now=timezone.now()) if carriers else {}
    going = {pk: troubled(codes, standing) for pk, codes in carriers.items()}
    counts: dict[int, dict[str, int]] = {campaign.pk: {} for campaign in chosen}
    answered: dict[int, int] = dict.fromkeys(counts, 0)
    rows = (
        CampaignContact.objects.filter(campaign__in=counts)
        .order_by()
        .values_list("campaign_id", "state", "outcome")
        .annotate(n=Count("pk"))
    )
    for campaign_id, state, outcome, n in rows:
        counts[campaign_id][state] = counts[campaign_id].get(state, 0) + n
        if outcome == Outcome.ANSWERED:
            answered[campaign_id] += n
    successes: dict[int, int] = dict(
        DialAttempt.objects.filter(campaign__in=counts, call__disposition__is_success=True)
        .order_by()
        .values_list("campaign_id")
        .annotate(n=Count("campaign_contact", distinct=True))
    )
    return [
        CampaignCard(
            id=campaign.pk,
            name=campaign.name,
            state=campaign.state,
            n_people=sum(counts[campaign.pk].values()),
            n_pending=counts[campaign.pk].get(ContactState.PENDING, 0),
            n_dialling=counts[campaign.pk].get(ContactState.DIALLING, 0),
            n_retry=counts[campaign.pk].get(ContactState.RETRY, 0),
            n_callback=counts[campaign.pk].get(ContactState.CALLBACK, 0),
            n_done=counts[campaign.pk].get(ContactState.DONE, 0),
            n_blocked=counts[campaign.pk].get(ContactState.BLOCKED, 0),
            n_answered=answered[campaign.pk],
            n_success=successes.get(campaign.pk, 0),
            calls_per_second=float(campaign.calls_per_second),
            max_concurrent=campaign.max_concurrent,
            carriers_down=going[campaign.pk][0] if campaign.pk in going else [],
            carriers_instead=going[campaign.pk][1] if campaign.pk in going and going[campaign.pk][0] else [],
        )
        for campaign in chosen
    ]


def _carriers_of(campaign_ids: list[int]) -> dict[int, set[str]]:
    """The carriers of each campaign's active numbers."""
    carriers: dict[int, set[str]] = {}
    if campaign_ids:
        rows = Campaign.numbers.through.objects.filter(campaign__in=campaign_ids, number__is_active=True)
        for campaign_id, carrier in rows.values_list("campaign_id", "number__carrier").distinct():
            carriers.setdefault(campaign_id, set()).add(carrier)
    return carriers


def campaign_card(campaign: Campaign) -> CampaignCard:
    return campaign_cards([campaign])[0]


def people_of(campaign: Campaign) -> QuerySet[CampaignContact]:
    """The people of a campaign the user may see already."""
    return CampaignContact.objects.filter(campaign=campaign).select_related("contact")


def stop_preview(campaign: Campaign) -> StopPreview:
    return StopPreview(
        n_live_calls=DialAttempt.objects.filter(campaign=campaign, state=AttemptState.CLAIMED).count(),
        n_left=CampaignContact.objects.filter(campaign=campaign, state__in=DIALLABLE).count(),
    )


def why_not_dialled(campaign: Campaign) -> list[ReasonCount]:
    """How many people wait or are left out for each reason, most first."""
    rows = (
        CampaignContact.objects.filter(campaign=campaign)
        .exclude(reason="")
        .order_by()
        .values_list("reason")
        .annotate(n=Count("pk"))
    )
    counts = [ReasonCount(code, reasons.words(code), code in reasons.PASSING, n) for code, n in rows]
    return sorted(counts, key=lambda count: (-count.n, count.code))


def languages_of(campaign: Campaign) -> set[str]:
    """What the people of the list are spoken to in: their own language, or the virtual agent's."""
    known = campaign.contact_list.contacts.order_by().values_list("language", flat=True).distinct()
    return {language or campaign.virtual_agent.language for language in known}


def voices_missing(campaign: Campaign) -> str:
    """Names of the languages its people need and nobody of its virtual agent's voice AIs speaks; "" for none."""
    agent = campaign.virtual_agent
    if not lacking_voices(agent, Language.values):
        return ""  # most speak everything, and no list has to be looked through
    return _names(missing_voices(agent, languages_of(campaign)))


def voices_lacking(campaign: Campaign) -> str:
    """As above, but of the virtual agent's own voice AI: others take over where it has no voice."""
    agent = campaign.virtual_agent
    return _names(lacking_voices(agent, languages_of(campaign))) if lacking_voices(agent, Language.values) else ""


def _names(languages: list[str]) -> str:
    return ", ".join(str(Language(code).label) for code in languages)


def n_to_call(campaign: Campaign) -> int:
    """How many people a start would take up now: of the list, without those who are done already."""
    done = CampaignContact.objects.filter(campaign=campaign, state=ContactState.DONE).values("contact")
    return campaign.contact_list.contacts.exclude(pk__in=done).count()
