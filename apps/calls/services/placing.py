"""Place calls: the legal gate, the rows, and then, by one worker per leg, the request to the carrier."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q, TextField
from django.utils import timezone

from apps.calls import adapters
from apps.calls.carrier_accounts import limits_of, pace_key
from apps.calls.carriers.base import CarrierError, Fault, PlaceRequest
from apps.calls.events import LIVE_GROUP, EventKind
from apps.calls.metrics import CALLS_CREATED, CALLS_REFUSED, PLACINGS_UNKNOWN
from apps.calls.models import Call, CallEvent, Direction, Leg, Number, Party, VirtualAgent
from apps.calls.selectors import live_call_card
from apps.calls.services.ending import settle_leg
from apps.calls.services.media_sessions import TOKEN_LIFE_S
from apps.calls.services.progress import leg_accepted, leg_accepted_at_once
from apps.calls.services.steps import claim_undialled, mark_asked
from apps.calls.services.story import announce, call_context, lock_leg, tell
from apps.calls.states import LegState, Outcome
from apps.contacts import consent
from apps.contacts.consent import NotCallable
from apps.contacts.models import Channel, Contact
from apps.core import phone
from apps.core.breaker import CircuitOpen, guard
from apps.core.queue import enqueue
from apps.core.rate import Held, Turn, held_s, hold, near_turn, start_together
from apps.core.realtime import publish_many

log = structlog.get_logger(__name__)

DIAL_WITHIN_S = 60  # a call that could not be dialled so long after its claim is given back
MAX_WAIT_S = 5.0  # for its turn at the campaign's pace; longer, and the worker does something else meanwhile
PUT_BACK_S = 2.0
# Legs that are due at once share tasks, when there are more of them than workers could dial side by side anyway.
ENOUGH_TASKS = 32
MOST_TOGETHER = 8

# What the virtual agent says is for the media session; a dial only shows the agent's name.
_LONG_TEXTS = [
    f"call__virtual_agent__{field.name}" for field in VirtualAgent._meta.concrete_fields if isinstance(field, TextField)
]


@dataclass(frozen=True, slots=True)
class CallBrief:
    """What whoever wants the call knows about it; kept with the call as data.

    pace_key: what is paced together (calls_per_second holds for all calls of the same key). ring_timeout_s: seconds.
    is_recorded: False, and the call is not, whatever its virtual agent is set to.
    seed_turns: (speaker, text) of what was said before, for a call that continues another.
    """

    campaign_id: int | None = None
    campaign_name: str = ""
    pace_key: str = "calls"
    calls_per_second: float = 1.0
    ring_timeout_s: int = 25
    is_recorded: bool = True
    seed_turns: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CallBrief":
        """Reads what ``as_json`` wrote, also an older version of it."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        known["seed_turns"] = tuple((speaker, text) for speaker, text in known.get("seed_turns", ()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class CallRequest:
    contact: Contact
    number: Number  # ours, shown as caller ID
    virtual_agent: VirtualAgent
    brief: CallBrief


@transaction.atomic
def place_calls(
    requests: Sequence[CallRequest], *, now: datetime, dial_within_s: float = DIAL_WITHIN_S
) -> list[Call | NotCallable]:
    """Create a call with its first leg for everyone who may be called now; the carrier is asked after commit.

    Answers in the order of the requests: the call, or why there is none. A fixed number of queries, however many.
    """
    people = [request.contact for request in requests]
    verdicts = consent.check_many(people, channel=Channel.VOICE, at=now, is_ai=True)
    results: list[Call | NotCallable] = []
    calls: list[Call] = []
    for request in requests:
        verdict = verdicts[request.contact.pk]
        if not verdict.allowed:
            CALLS_REFUSED.labels(verdict.reason).inc()
            results.append(NotCallable(verdict))
            continue
        call = Call(
            direction=Direction.OUTBOUND,
            number=request.number,
            contact=request.contact,
            virtual_agent=request.virtual_agent,
            language=request.contact.language or request.virtual_agent.language,
            remote_phone=request.contact.phone,
            brief=request.brief.as_json(),
            rule_version=verdict.rule_version,
            created_at=now,
        )
        calls.append(call)
        results.append(call)
    _create(calls, now=now, expires_at=now + timedelta(seconds=dial_within_s))
    return results


def _create(calls: list[Call], *, now: datetime, expires_at: datetime) -> None:
    Call.objects.bulk_create(calls)
    legs = Leg.objects.bulk_create(
        Leg(
            call=call,
            party=Party.CUSTOMER,
            carrier=call.number.carrier,
            from_number=call.number.e164,
            to_number=call.remote_phone,
            expires_at=expires_at,
        )
        for call in calls
    )
    CallEvent.objects.bulk_create(
        CallEvent(
            call=call,
            leg=leg,
            kind=EventKind.CREATED,
            at=now,
            data={"to": phone.mask(leg.to_number), "from": leg.from_number, "rule_version": call.rule_version},
        )
        for call, leg in zip(calls, legs, strict=True)
    )
    for call, leg in zip(calls, legs, strict=True):
        call._prefetched_objects_cache = {"legs": [leg]}  # type: ignore[attr-defined]  # Django's own, for the card
    n_together = min(MOST_TOGETHER, max(1, len(legs) // ENOUGH_TASKS))
    for at in range(0, len(legs), n_together):
        together = [leg.pk for leg in legs[at : at + n_together]]
        enqueue("calls.dial_legs", *together, expires_s=(expires_at - now).total_seconds())
    publish_many(LIVE_GROUP, [("call", dict(live_call_card(call))) for call in calls])
    CALLS_CREATED.inc(len(calls))


def dial_legs(leg_ids: Sequence[int]) -> None:
    """Ask the carrier to dial, one after the other. Whoever moves a leg from created to requested does it, nobody else.

    A leg that fails in an unforeseen way is left to reconciling, and the others are dialled all the same.
    """
    claimed = claim_undialled(leg_ids, now=timezone.now())
    legs = Leg.objects.select_related("call__contact", "call__virtual_agent").defer(*_LONG_TEXTS)
    for leg in legs.filter(pk__in=claimed).order_by("pk"):
        try:
            _dial(leg)
        except Exception:
            log.exception("dial_failed", leg_id=leg.pk)


def dial_leg(leg_id: int) -> None:
    dial_legs([leg_id])


def _dial(leg: Leg) -> None:
    """Look again at what may change between claim and dial: the rules, the time, and whether it is still wanted."""
    with call_context(leg.call):
        if not _may_dial(leg):
            return
        brief = CallBrief.from_json(leg.call.brief)
        try:
            turns = _near_turns(leg.carrier, brief)
        except Held as held:
            _put_back(leg, reason=Fault.LIMIT.value, code="held", after_s=held.for_s)
            return
        if turns is None:
            _put_back(leg, reason="pace")
        elif _still_wanted(leg):
            _place(leg, brief, turns)


def _near_turns(carrier: str, brief: CallBrief) -> list[Turn] | None:
    """The turns of the campaign and of the account, both about to come; None if one of them is too far away.

    The account's comes last: a turn of it that passes unused is lost to every other campaign. Raises Held.
    """
    paces = [(brief.pace_key, brief.calls_per_second)]
    if account_per_second := limits_of(carrier).calls_per_second:
        paces.append((pace_key(carrier), account_per_second))
    elif held_for_s := held_s([pace_key(carrier)])[0]:  # no pace of its own, but it may want to be left alone
        raise Held(held_for_s)
    turns = []
    for key, per_second in paces:
        turn = near_turn(key, per_second=per_second, max_wait_s=MAX_WAIT_S)
        if turn is None:
            return None
        turns.append(turn)
    return turns


def _start(turns: list[Turn]) -> None:
    try:
        start_together(turns)
    except Held as held:  # the carrier named a moment while we waited; said in its own words
        raise CarrierError(
            str(held), fault=Fault.LIMIT, code="held", retryable=True, retry_after_s=held.for_s
        ) from held


def _may_dial(leg: Leg) -> bool:
    """The gate once more, right before the dial; a leg that may not be dialled ends as not placed."""
    now = timezone.now()
    if leg.expires_at is not None and leg.expires_at <= now:
        _give_up(leg, EventKind.EXPIRED)
        return False
    call = leg.call
    if call.contact is None:
        _give_up(leg, EventKind.NOT_CALLABLE, reason="contact_gone")
        return False
    try:
        consent.require(call.contact, channel=Channel.VOICE, at=now, is_ai=call.virtual_agent_id is not None)
    except NotCallable as refusal:
        CALLS_REFUSED.labels(refusal.code).inc()
        _give_up(leg, EventKind.NOT_CALLABLE, reason=refusal.code)
        return False
    return True


def _still_wanted(leg: Leg) -> bool:
    """Whether the leg is still to be dialled after the wait, and by us: requested_at is set once, by who will ask.

    A leg without it has not been asked for, whatever became of its worker; a leg with it may have been.
    """
    now = timezone.now()
    media_until = None
    if not adapters.capabilities_of(leg.carrier).takes_documents:  # it opens the socket as soon as somebody answers
        ring_s = CallBrief.from_json(leg.call.brief).ring_timeout_s
        media_until = now + timedelta(seconds=ring_s + 2 * TOKEN_LIFE_S)
    # With its line in the story, which stands even if we die in the next moment; and who asks for its end from now on
    # finds it with the carrier.
    if mark_asked(leg, now=now, media_until=media_until):
        return True
    with transaction.atomic():
        call, row = lock_leg(leg.pk)
        outcome = Outcome.CANCELED if call.end_reason else Outcome.NOT_PLACED
        if settle_leg(row, outcome, at=now, only_if=_as_left(leg)) and not call.end_reason:
            tell(call.pk, EventKind.EXPIRED, now, leg_id=leg.pk)
    return False


def _place(leg: Leg, brief: CallBrief, turns: list[Turn]) -> None:
    request = PlaceRequest(
        to=leg.to_number,
        from_=leg.from_number,
        token=leg.token,
        webhooks=adapters.webhooks_for(leg.carrier, leg.token),
        media=adapters.media_target(leg.carrier, leg.media_token),
        ring_timeout_s=brief.ring_timeout_s,
        max_duration_s=adapters.longest_call_s(),
        detect_machine=leg.call.virtual_agent_id is not None,
        before_send=partial(_start, turns),
    )
    try:
        carrier = adapters.carrier_for(leg.carrier)
        with guard(leg.carrier):
            placed = carrier.place(request)
    except adapters.CarrierNotConfigured as error:
        log.error("carrier_not_configured", carrier=leg.carrier)
        _give_up(leg, EventKind.REFUSED, fault=Fault.CONFIG, code=error.code, message=str(error))
    except CircuitOpen:
        _put_back(leg, reason="circuit_open")
    except CarrierError as error:
        _not_accepted(leg, error)
    else:
        if not leg_accepted_at_once(leg, placed.id):
            leg_accepted(leg.pk, placed.id)


def _not_accepted(leg: Leg, error: CarrierError) -> None:
    facts = {"fault": error.fault.value, "code": error.code, "request_id": error.request_id}
    if error.maybe_placed:
        log.warning("placing_unknown", leg_id=leg.pk, error=str(error), **facts)
        PLACINGS_UNKNOWN.labels(leg.carrier).inc()
        _mark_unknown(leg, str(error))
    elif error.retryable:
        log.warning("placing_put_back", leg_id=leg.pk, **facts)
        if error.fault is Fault.LIMIT and error.retry_after_s:
            hold(pace_key(leg.carrier), error.retry_after_s)  # what one worker was told holds for all
        _put_back(leg, reason=error.fault.value, code=error.code, after_s=error.retry_after_s)
    else:
        level = log.info if error.fault is Fault.NUMBER else log.error
        level("placing_refused", leg_id=leg.pk, error=str(error), **facts)
        _give_up(leg, EventKind.REFUSED, fault=error.fault, code=error.code, message=str(error))


def _mark_unknown(leg: Leg, message: str) -> None:
    """The phone may ring: nobody dials again before the carrier has been asked, or has told us itself."""
    now = timezone.now()
    with transaction.atomic():
        call, row = lock_leg(leg.pk)
        row.state = LegState.UNKNOWN
        mine = Leg.objects.filter(_as_left(leg), pk=leg.pk)
        if not mine.update(state=row.state, carrier_error=message[:200], updated_at=now):
            return  # a webhook was faster than our doubt
        tell(call.pk, EventKind.UNKNOWN, now, leg_id=row.pk, message=message)
        enqueue("calls.reconcile_leg", row.pk, countdown_s=3)
        announce(call, row)


def _put_back(leg: Leg, *, reason: str, code: str = "", after_s: float | None = None) -> None:
    """Nothing was sent: the leg waits to be dialled again, until it expires."""
    now = timezone.now()
    with transaction.atomic():
        mine = Leg.objects.filter(_as_left(leg), pk=leg.pk)
        if mine.update(state=LegState.CREATED, requested_at=None, updated_at=now):
            tell(leg.call_id, EventKind.PUT_BACK, now, leg_id=leg.pk, reason=reason, code=code)
            enqueue("calls.dial_legs", leg.pk, countdown_s=after_s or PUT_BACK_S)


def _give_up(leg: Leg, kind: EventKind, **facts: str) -> None:
    """The carrier will not be asked, or said no. A number that cannot be called failed; the rest was not placed."""
    now = timezone.now()
    outcome = Outcome.FAILED if facts.get("fault") == Fault.NUMBER else Outcome.NOT_PLACED
    data: dict[str, Any] = {name: str(fact) for name, fact in facts.items()}
    error = " ".join(filter(None, [facts.get("code", ""), facts.get("message", "")]))
    with transaction.atomic():
        call, row = lock_leg(leg.pk)
        if settle_leg(row, outcome, at=now, only_if=_as_left(leg), carrier_error=error):
            tell(call.pk, kind, now, leg_id=row.pk, **data)


def _as_left(leg: Leg) -> Q:
    """The row is still as this worker left it: not taken from it as dead, and not moved on by a webhook."""
    asked = Q(requested_at=leg.requested_at) if leg.requested_at is not None else Q(requested_at__isnull=True)
    return asked & Q(state=LegState.REQUESTED, carrier_call_id__isnull=True)
