"""Everything the live page needs to draw itself, in a number of queries that does not grow with calls."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict

from django.db.models import Case, Count, F, IntegerField, Q, Value, When, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from apps.accounts.models import User
from apps.calls.events import LIVE_GROUP, CallCard, LiveTurn
from apps.calls.models import Call, Disposition, Turn
from apps.calls.selectors import calls_visible_to, live_call_card, with_people
from apps.calls.states import Outcome
from apps.campaigns.models import Campaign
from apps.campaigns.selectors import CampaignCard, campaign_cards, campaigns_visible_to
from apps.campaigns.states import CampaignState
from apps.cockpit.services_view import services_away
from apps.core.realtime import current_seq

MAX_CALLS = 1000
MAX_CAMPAIGNS = 12
_N_LINES = 2
_NEVER_TRIED = [Outcome.NOT_PLACED, Outcome.CANCELED]


class LiveCall(CallCard):
    """A card with the last lines that were spoken. last_said_at: when the newest of them began, or None."""

    turns: list[LiveTurn]
    last_said_at: str | None


class Today(TypedDict):
    """Calls made since midnight (TIME_ZONE) and ended. n_answered counts machines too; n_voicemail is the machines."""

    day: str
    since: str
    n_tried: int
    n_answered: int
    n_voicemail: int
    n_success: int


class Snapshot(TypedDict):
    """seq: deltas up to and including it are in here. success_codes: dispositions that count as success.

    services_away: outside services that are not asked now, because they failed too often.
    """

    seq: int
    at: str
    calls: list[LiveCall]
    campaigns: list[CampaignCard]
    today: Today
    success_codes: list[str]
    services_away: list[str]


def take_snapshot(user: User) -> Snapshot:
    """What this person may see right now. Nine queries, and four questions to Redis.

    The number is read first: a delta that is in the rows already arrives once more, and changes nothing.
    """
    seq = current_seq(LIVE_GROUP)
    now = timezone.now()
    calls = list(with_people(calls_visible_to(user).live()).order_by("created_at", "pk")[:MAX_CALLS])
    last_lines = _last_lines(call.pk for call in calls)
    return Snapshot(
        seq=seq,
        at=now.isoformat(),
        calls=[_live_call(call, last_lines.get(call.pk, [])) for call in calls],
        campaigns=campaign_cards(_campaigns_of_interest(user)),
        today=_today(user, now),
        success_codes=list(Disposition.objects.filter(is_success=True).values_list("code", flat=True)),
        services_away=services_away(),
    )


def today_code(now: datetime) -> str:
    """The day that the counters belong to: a new one makes open pages ask anew."""
    return timezone.localtime(now).date().isoformat()


def _live_call(call: Call, turns: list[Turn]) -> LiveCall:
    lines = [
        LiveTurn(
            call_id=call.pk,
            item_id=turn.item_id,
            speaker=turn.speaker,
            text=turn.text,
            started_ms=turn.started_ms,
            ended_ms=turn.ended_ms,
            was_interrupted=turn.was_interrupted,
            language=turn.language,
            is_final=True,
        )
        for turn in turns
    ]
    return LiveCall(**live_call_card(call), turns=lines, last_said_at=turns[-1].at.isoformat() if turns else None)


def _last_lines(call_ids: Iterable[int]) -> dict[int, list[Turn]]:
    """The newest lines of each call, oldest first."""
    newest_first = Window(RowNumber(), partition_by=F("call_id"), order_by=[F("started_ms").desc(), F("pk").desc()])
    turns = (
        Turn.objects.filter(call_id__in=list(call_ids))
        .exclude(text="")
        .annotate(place=newest_first)
        .filter(place__lte=_N_LINES)
        .order_by("call_id", "started_ms", "pk")
    )
    lines: dict[int, list[Turn]] = {}
    for turn in turns:
        lines.setdefault(turn.call_id, []).append(turn)
    return lines


def _campaigns_of_interest(user: User) -> list[Campaign]:
    """Those that dial first, then those that could, newest first."""
    order = Case(
        When(state=CampaignState.RUNNING, then=Value(0)),
        When(state=CampaignState.PAUSED, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    return list(
        campaigns_visible_to(user)
        .annotate(interest=order)
        .order_by("interest", "-state_changed_at", "-pk")[:MAX_CAMPAIGNS]
    )


def _today(user: User, now: datetime) -> Today:
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    ended = calls_visible_to(user).filter(created_at__gte=midnight, ended_at__isnull=False)
    answered = [Outcome.ANSWERED, Outcome.VOICEMAIL]
    counts = ended.aggregate(
        n_tried=Count("pk", filter=~Q(outcome__in=_NEVER_TRIED)),
        n_answered=Count("pk", filter=Q(outcome__in=answered)),
        n_voicemail=Count("pk", filter=Q(outcome=Outcome.VOICEMAIL)),
        n_success=Count("pk", filter=Q(disposition__is_success=True)),
    )
    return Today(
        day=today_code(now),
        since=midnight.isoformat(),
        n_tried=counts["n_tried"],
        n_answered=counts["n_answered"],
        n_voicemail=counts["n_voicemail"],
        n_success=counts["n_success"],
    )
