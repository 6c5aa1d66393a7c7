"""What is read of calls. What a user sees starts from ``calls_visible_to``."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch, Sum
from django.db.models.functions import Coalesce

from apps.accounts.models import User
from apps.accounts.permissions import allowed
from apps.accounts.roles import Permission
from apps.calls.events import CallCard, EventKind
from apps.calls.models import Call, CallEvent, CallReview, CostItem, Leg, Recording, Turn
from apps.calls.models.call import CallQuerySet
from apps.calls.models.recording import RecordingQuerySet
from apps.calls.states import LegState

_PAUSES = frozenset({EventKind.RECORDING_PAUSED.value, EventKind.RECORDING_RESUMED.value})


@dataclass(frozen=True, slots=True)
class CallDetail:
    """Everything the call page shows, read in a fixed number of queries. cost: USD so far.

    recordings: ours first; none where the visitor may not listen.
    """

    call: Call
    legs: list[Leg]
    events: list[CallEvent]
    turns: list[Turn]
    cost_items: list[CostItem]
    cost: Decimal
    recordings: list[Recording]
    review: CallReview | None

    @property
    def is_recording_paused(self) -> bool:
        """Whether the running call's recording pauses just now."""
        told = [event.kind for event in self.events if event.kind in _PAUSES]
        return bool(told) and told[-1] == EventKind.RECORDING_PAUSED


def calls_visible_to(user: User | AnonymousUser) -> CallQuerySet:
    """All calls for those who may view calls, none for others."""
    return Call.objects.all() if allowed(user, Permission.CALLS_VIEW) else Call.objects.none()


def recordings_visible_to(user: User | AnonymousUser) -> RecordingQuerySet:
    """Recordings of the calls the visitor may see, for those who may listen."""
    if not allowed(user, Permission.RECORDINGS_LISTEN):
        return Recording.objects.none()
    return Recording.objects.filter(call__in=calls_visible_to(user))


def with_people(calls: CallQuerySet) -> CallQuerySet:
    """With everything that a card or a table row shows, in two queries however many calls."""
    legs = Prefetch("legs", queryset=Leg.objects.order_by("pk"))
    return calls.select_related("contact", "virtual_agent", "disposition", "number").prefetch_related(legs)


def with_costs(calls: CallQuerySet) -> CallQuerySet:
    """With ``total_cost`` (USD), so that a table need not ask per row."""
    return calls.annotate(total_cost=Coalesce(Sum("cost_items__amount"), Decimal(0)))


def live_calls() -> CallQuerySet:
    """Calls in progress or waiting to be dialled, oldest first, ready for ``live_call_card``."""
    return with_people(Call.objects.live()).order_by("created_at", "pk")


def live_cards(*, limit: int = 1000) -> list[CallCard]:
    """The snapshot of calls in progress; two queries."""
    return [live_call_card(call) for call in live_calls()[:limit]]


def live_call_card(call: Call) -> CallCard:
    """The call as open pages are told. Asks nothing more if the call came by ``with_people``."""
    brief: dict[str, Any] = call.brief
    state = LegState.ENDED.value if call.ended_at else _state_of_customer(call)
    return CallCard(
        id=call.pk,
        state=state,
        outcome=call.outcome,
        end_reason=call.end_reason,
        contact_name=call.contact.name if call.contact else "",
        phone_masked=call.masked_phone,
        campaign_id=brief.get("campaign_id"),
        campaign_name=str(brief.get("campaign_name") or ""),
        language=call.language,
        agent_name=call.virtual_agent.name if call.virtual_agent else "",
        created_at=call.created_at.isoformat(),
        answered_at=call.answered_at.isoformat() if call.answered_at else None,
        ended_at=call.ended_at.isoformat() if call.ended_at else None,
        disposition=call.disposition.code if call.disposition else "",
    )


def call_detail(user: User | AnonymousUser, call_id: int) -> CallDetail:
    """One call with its story. Raises Call.DoesNotExist, also where the user may not see it."""
    call = with_people(calls_visible_to(user)).get(pk=call_id)
    cost_items = list(call.cost_items.order_by("service", "part"))
    return CallDetail(
        call=call,
        legs=list(call.legs.all()),
        events=[event for event in call.events.order_by("at", "pk") if not event.data.get("is_late")],
        turns=list(call.turns.order_by("started_ms", "pk")),
        cost_items=cost_items,
        cost=sum((item.amount for item in cost_items), Decimal(0)),
        review=CallReview.objects.filter(call=call).first(),
        recordings=list(recordings_visible_to(user).filter(call=call).order_by("source", "started_at")),
    )


def _state_of_customer(call: Call) -> str:
    legs = list(call.legs.all())
    return next((leg.state for leg in legs if leg.party == "customer"), LegState.CREATED.value)
