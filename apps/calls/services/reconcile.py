"""What a crash, a lost webhook or a silent carrier left behind, put right: run often, run twice, in any order.

Nothing here is a guess. A leg that may have reached the carrier is asked for there before anybody decides about it.
"""

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.calls import adapters
from apps.calls.carriers.base import CarrierCall, CarrierError, LineStatus
from apps.calls.events import EventKind
from apps.calls.metrics import LEGS_RECONCILED
from apps.calls.models import Leg, Party
from apps.calls.services.ending import settle_leg
from apps.calls.services.media_sessions import n_lost_so_far
from apps.calls.services.placing import MAX_WAIT_S
from apps.calls.services.progress import leg_accepted, leg_progressed
from apps.calls.services.story import call_context, lock_leg, tell
from apps.calls.states import LegState, Outcome
from apps.core.breaker import CircuitOpen, guard
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

BATCH = 200
ASK_UNKNOWN_EVERY_S = 4
CLOCK_SKEW_S = 5  # between the carrier's clock and ours
# Where only our own processes are waited for, not people, a leg is looked after in this part of LEG_QUIET_S.
_OURS = 1 / 3


def worker_lost_s(*, has_asked: bool) -> float:
    """Longer than a worker waits, for its turn or for the carrier: a leg still requested has lost its worker."""
    return (adapters.longest_request_s() if has_asked else MAX_WAIT_S) + CLOCK_SKEW_S


def reconcile_stale_legs(*, limit: int = BATCH) -> int:
    """Look after legs that have been quiet for too long; returns how many. Each is taken by one run at a time."""
    now = timezone.now()

    def quiet_for(seconds: float) -> Q:
        return Q(updated_at__lt=now - timedelta(seconds=seconds))

    quiet_s = settings.LEG_QUIET_S
    no_heartbeat = Q(media_heartbeat_at__isnull=True) | Q(media_heartbeat_at__lt=now - timedelta(seconds=quiet_s))
    cases = {
        "not_picked_up": Q(state=LegState.CREATED) & quiet_for(quiet_s * _OURS),
        "worker_lost_waiting": Q(state=LegState.REQUESTED, requested_at__isnull=True)
        & quiet_for(worker_lost_s(has_asked=False)),
        "worker_lost_asking": Q(state=LegState.REQUESTED, requested_at__isnull=False)
        & quiet_for(worker_lost_s(has_asked=True)),
        "unknown": Q(state=LegState.UNKNOWN) & quiet_for(ASK_UNKNOWN_EVERY_S),
        "end_overdue": Q(carrier_call_id__isnull=False) & ~Q(call__end_reason="") & quiet_for(quiet_s * _OURS),
        "ring_quiet": Q(state__in=[LegState.QUEUED, LegState.RINGING]) & quiet_for(quiet_s),
        "talk_quiet": Q(state=LegState.ANSWERED) & quiet_for(quiet_s) & no_heartbeat,
    }
    n_done = 0
    for case, condition in cases.items():
        stale = Leg.objects.live().filter(condition).order_by("updated_at")
        for leg_id, seen_at in stale.values_list("pk", "updated_at")[: limit - n_done]:
            # Whoever moves updated_at has the leg; it is due again only after another quiet spell.
            if Leg.objects.filter(pk=leg_id, updated_at=seen_at).update(updated_at=now):
                enqueue("calls.reconcile_leg", leg_id)
                LEGS_RECONCILED.labels(case).inc()
                n_done += 1
    if n_done:
        log.info("stale_legs_found", n=n_done)
    return n_done


def reconcile_leg(leg_id: int) -> None:
    """Look at one leg as it is now, and do what its state calls for."""
    leg = Leg.objects.select_related("call").get(pk=leg_id)
    with call_context(leg.call):
        if leg.state == LegState.ENDED:
            return
        if leg.state == LegState.CREATED:
            _dial_or_drop(leg)
        elif leg.state == LegState.REQUESTED:
            _doubt(leg)
        elif leg.carrier_call_id is None:
            if leg.party == Party.TARGET:
                _give_up_unseen(leg)
            else:
                _ask_carrier_for(leg)
        else:
            if leg.call.end_reason:
                enqueue("calls.hang_up_leg", leg_id)
            _ask_carrier_about(leg, leg.carrier_call_id)


def _give_up_unseen(leg: Leg) -> None:
    """The second leg of a transfer, of which the carrier never told anything: nobody was rung."""
    now = timezone.now()
    first_is_over = not Leg.objects.filter(call_id=leg.call_id).exclude(pk=leg.pk).live().exists()
    if first_is_over or now - leg.created_at > timedelta(seconds=settings.LEG_UNKNOWN_S):
        with transaction.atomic():
            call, leg = lock_leg(leg.pk)
            unseen = Q(carrier_call_id__isnull=True)
            if settle_leg(leg, Outcome.NOT_PLACED, at=now, only_if=unseen, carrier_error="never told of"):
                tell(call.pk, EventKind.NOT_FOUND, now, leg_id=leg.pk)


def _dial_or_drop(leg: Leg) -> None:
    now = timezone.now()
    if leg.expires_at is None or leg.expires_at > now:
        enqueue("calls.dial_legs", leg.pk, expires_s=settings.LEG_QUIET_S)
        return
    with transaction.atomic():
        call, leg = lock_leg(leg.pk)
        if settle_leg(leg, Outcome.NOT_PLACED, at=now, only_if=Q(state=LegState.CREATED)):
            tell(call.pk, EventKind.EXPIRED, now, leg_id=leg.pk)


def _reconnect(leg: Leg) -> None:
    """A live call without audio, at a carrier that will not ask what to do about it: what we knew to do was lost."""
    if adapters.capabilities_of(leg.carrier).takes_documents or leg.party != Party.CUSTOMER:
        return
    quiet_since = timezone.now() - timedelta(seconds=settings.LEG_QUIET_S)
    is_silent = leg.media_heartbeat_at is None or leg.media_heartbeat_at < quiet_since
    if leg.state == LegState.ANSWERED and is_silent and not leg.call.end_reason and not leg.call.transferred_to:
        if leg.call.virtual_agent_id is None:
            enqueue("calls.forward_leg", leg.pk)
        else:
            enqueue("calls.reopen_stream", leg.pk, n_lost_so_far(leg.pk))


def _doubt(leg: Leg) -> None:
    """Its worker is gone. If it had not asked the carrier, another may; if it had, the phone may ring, or not."""
    now = timezone.now()
    requested = Leg.objects.filter(pk=leg.pk, state=LegState.REQUESTED)
    with transaction.atomic():
        if requested.filter(requested_at__isnull=True).update(state=LegState.CREATED, updated_at=now):
            tell(leg.call_id, EventKind.PUT_BACK, now, leg_id=leg.pk, reason="worker_lost")
            enqueue("calls.reconcile_leg", leg.pk)
            return
        quiet = now - timedelta(seconds=worker_lost_s(has_asked=True))
        if requested.filter(requested_at__lt=quiet).update(state=LegState.UNKNOWN, updated_at=now):
            tell(leg.call_id, EventKind.UNKNOWN, now, leg_id=leg.pk, message="worker lost")
            enqueue("calls.reconcile_leg", leg.pk)


def _ask_carrier_for(leg: Leg) -> None:
    """The leg may have become a call whose name we were not told: look for it by its numbers."""
    if leg.state != LegState.UNKNOWN or leg.requested_at is None:
        return
    now = timezone.now()
    since = leg.requested_at - timedelta(seconds=CLOCK_SKEW_S)
    try:
        carrier = adapters.carrier_for(leg.carrier)
        with guard(leg.carrier):
            found = carrier.find(
                to=leg.to_number, from_=leg.from_number, since=since.replace(microsecond=0), token=leg.token
            )
    except (CarrierError, CircuitOpen, adapters.CarrierNotConfigured) as error:
        log.warning("unknown_leg_not_checked", leg_id=leg.pk, error=str(error))
        return  # asked again after the next quiet spell, for as long as it takes
    call = _not_ours_yet(leg, found)
    if call is not None:
        tell(leg.call_id, EventKind.FOUND, now, leg_id=leg.pk)
        log.info("unknown_leg_found", leg_id=leg.pk)
        leg_accepted(leg.pk, call.id)
        if call.status is not LineStatus.QUEUED:
            _ask_carrier_about(leg, call.id)
    elif now - leg.requested_at > timedelta(seconds=settings.LEG_UNKNOWN_S):
        with transaction.atomic():
            _, leg = lock_leg(leg.pk)
            if leg.carrier_call_id is None and settle_leg(
                leg,
                Outcome.NOT_PLACED,
                at=now,
                only_if=Q(state=LegState.UNKNOWN),
                carrier_error="not found at the carrier",
            ):
                tell(leg.call_id, EventKind.NOT_FOUND, now, leg_id=leg.pk)


def _not_ours_yet(leg: Leg, found: list[CarrierCall]) -> CarrierCall | None:
    """The oldest of the carrier's calls that no other leg bears the name of."""
    known = set(
        Leg.objects.filter(carrier=leg.carrier, carrier_call_id__in=[call.id for call in found]).values_list(
            "carrier_call_id", flat=True
        )
    )
    return next((call for call in found if call.id not in known), None)


def _ask_carrier_about(leg: Leg, carrier_call_id: str) -> None:
    try:
        carrier = adapters.carrier_for(leg.carrier)
        with guard(leg.carrier):
            news = carrier.fetch(carrier_call_id)
    except (CarrierError, CircuitOpen, adapters.CarrierNotConfigured) as error:
        log.warning("quiet_leg_not_checked", leg_id=leg.pk, error=str(error))
        return
    if news is not None:
        leg_progressed(leg.pk, news)
        if not news.status.is_final:
            _reconnect(leg)
        return
    now = timezone.now()
    with transaction.atomic():
        _, leg = lock_leg(leg.pk)
        if settle_leg(leg, Outcome.FAILED, at=now, carrier_error="the carrier knows no such call"):
            tell(leg.call_id, EventKind.NOT_FOUND, now, leg_id=leg.pk)
