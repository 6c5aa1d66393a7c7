"""How calls end: someone asks for it, the carrier is told, and the line's last word settles leg and call."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User
from apps.calls import adapters, costs
from apps.calls.carriers.base import CarrierError, Fault
from apps.calls.events import EventKind
from apps.calls.metrics import LEGS_ENDED, TALK_SECONDS
from apps.calls.models import Call, EndReason, Leg, Party
from apps.calls.services.story import announce, call_context, lock_call, send_after_commit, tell
from apps.calls.signals import call_ended
from apps.calls.states import LIVE, LegState, Outcome
from apps.core.breaker import CircuitOpen, guard
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

_REASONS = {
    Outcome.ANSWERED: EndReason.CALLER_HUNG_UP,
    Outcome.VOICEMAIL: EndReason.CALLER_HUNG_UP,
    Outcome.BUSY: EndReason.NOT_ANSWERED,
    Outcome.NO_ANSWER: EndReason.NOT_ANSWERED,
    Outcome.FAILED: EndReason.CARRIER_FAILED,
    Outcome.CANCELED: EndReason.STAFF_ENDED,
    Outcome.NOT_PLACED: EndReason.NOT_PLACED,
}
# These end with the media socket. Where its closing lets the carrier hang up, our request is a second rope.
_FROM_SESSION = {EndReason.AI_ENDED, EndReason.TIME_LIMIT, EndReason.AI_FAILED}
_SECOND_ROPE_S = 4.0
_AGAIN_S = 5.0


@transaction.atomic
def request_end(call_id: int, *, reason: EndReason | str, by: User | None = None) -> bool:
    """Have a call hung up; it is over when the carrier says so. False if it is over, or being ended, already.

    A leg that nobody has asked the carrier for yet ends here and now. A media session that ends on purpose says so
    by this before it closes its socket: a socket that closes unannounced counts as lost, and is opened again.
    """
    now = timezone.now()
    call = lock_call(call_id)
    if not Call.objects.filter(pk=call_id, ended_at__isnull=True, end_reason="").update(end_reason=reason):
        return False
    call.end_reason = str(reason)
    with call_context(call):
        tell(call_id, EventKind.END_REQUESTED, now, by=by, reason=str(reason))
        for leg in Leg.objects.filter(call_id=call_id).live():
            leg.call = call
            if leg.state == LegState.CREATED and settle_leg(
                leg, Outcome.CANCELED, at=now, only_if=Q(state=LegState.CREATED)
            ):
                continue
            is_second_rope = reason in _FROM_SESSION and adapters.capabilities_of(leg.carrier).hangs_up_after_stream
            countdown_s = _SECOND_ROPE_S if is_second_rope else None
            enqueue("calls.hang_up_leg", leg.pk, countdown_s=countdown_s)
        log.info("call_end_requested", reason=str(reason))
    return True


def end_leg(leg_id: int) -> None:
    """End a leg that should have ended with the other one of its call, known to the carrier or not."""
    leg = Leg.objects.get(pk=leg_id)
    if leg.state != LegState.ENDED and leg.carrier_call_id is None:
        enqueue("calls.reconcile_leg", leg_id)
    hang_up_leg(leg_id)


def hang_up_leg(leg_id: int) -> None:
    """Tell the carrier to end the leg's call, in whatever state. Safe to repeat."""
    leg = Leg.objects.select_related("call").get(pk=leg_id)
    # A leg written off as never placed may turn out to ring all the same: that one is hung up although it ended.
    is_over = leg.state == LegState.ENDED and leg.outcome != Outcome.NOT_PLACED
    if is_over or leg.carrier_call_id is None:
        return  # without the carrier's id: whoever learns it sees that the call is to end
    with call_context(leg.call):
        try:
            carrier = adapters.carrier_for(leg.carrier)
            with guard(leg.carrier):
                carrier.hang_up(leg.carrier_call_id)
        except CircuitOpen:
            enqueue("calls.hang_up_leg", leg_id, countdown_s=_AGAIN_S)
        except CarrierError as error:
            if error.fault is Fault.OVER:
                enqueue("calls.reconcile_leg", leg_id, countdown_s=1)  # its last webhook may be on the way, or lost
            elif error.retryable:
                enqueue("calls.hang_up_leg", leg_id, countdown_s=error.retry_after_s or _AGAIN_S)
            else:
                log.error("hang_up_refused", leg_id=leg_id, code=error.code, request_id=error.request_id)
                tell(leg.call_id, EventKind.HANG_UP_FAILED, timezone.now(), leg_id=leg_id, code=error.code)
        else:
            log.info("leg_hang_up_asked", leg_id=leg_id)


def settle_leg(
    leg: Leg,
    outcome: Outcome,
    *,
    at: datetime,
    only_if: Q | None = None,
    key: str = "",
    sip_code: int | None = None,
    duration_s: int | None = None,
    carrier_error: str = "",
) -> bool:
    """End a leg, and its call if it was the last; False if it had ended. Call it under the call's lock.

    at: when the line ended. only_if: what else must be true of the row. duration_s: from answer to end, as the
    carrier counts it.
    """
    call = leg.call
    now = timezone.now()
    answered_at = leg.answered_at
    if outcome in {Outcome.ANSWERED, Outcome.VOICEMAIL} and answered_at is None:
        # Its own webhook was lost, or is still on the way. Only an answered call has a media socket.
        answered_at = at - timedelta(seconds=duration_s) if duration_s else min(leg.media_opened_at or at, at)
    moved = Leg.objects.filter(only_if or Q(), pk=leg.pk, state__in=LIVE).update(
        state=LegState.ENDED,
        outcome=outcome,
        answered_at=answered_at,
        ended_at=at,
        sip_code=sip_code if sip_code is not None else leg.sip_code,
        carrier_error=carrier_error[:200] or leg.carrier_error,
        media_token_expires_at=None,
        updated_at=now,
    )
    if not moved:
        return False
    leg.state, leg.outcome, leg.answered_at, leg.ended_at = LegState.ENDED, outcome, answered_at, at
    talk_s = duration_s if duration_s is not None else _seconds(answered_at, at)
    LEGS_ENDED.labels(leg.carrier, str(outcome)).inc()
    if answered_at is not None:
        TALK_SECONDS.labels(leg.carrier).observe(talk_s)
        costs.record_carrier(leg, duration_s=talk_s)
    tell(
        call.pk,
        EventKind.ENDED,
        at,
        leg_id=leg.pk,
        key=key,
        outcome=str(outcome),
        sip_code=sip_code,
        duration_s=talk_s or None,
    )
    if leg.party == Party.TARGET:
        enqueue("calls.settle_transfer", leg.pk)
    _settle_call(call, leg, outcome=outcome, at=at)
    announce(call, leg)
    log.info("leg_ended", leg_id=leg.pk, outcome=str(outcome), talk_s=talk_s, sip_code=sip_code)
    return True


def _settle_call(call: Call, leg: Leg, *, outcome: Outcome, at: datetime) -> None:
    """End the call with its last leg; what the customer's leg came to is what the call came to."""
    if others := list(Leg.objects.filter(call_id=call.pk).live().values_list("pk", flat=True)):
        if leg.party == Party.CUSTOMER:  # nobody is left for them to talk to
            for other_id in others:
                enqueue("calls.end_leg", other_id, countdown_s=_SECOND_ROPE_S)
        return
    if leg.party != Party.CUSTOMER:
        customer = Leg.objects.filter(call_id=call.pk, party=Party.CUSTOMER).order_by("-pk").first()
        outcome = Outcome(customer.outcome) if customer is not None else outcome
    reason = call.end_reason or (EndReason.TRANSFERRED if call.transferred_to else _REASONS[outcome])
    moved = Call.objects.filter(pk=call.pk, ended_at__isnull=True).update(
        outcome=outcome, end_reason=reason, answered_at=call.answered_at or leg.answered_at, ended_at=at
    )
    if moved:
        call.outcome, call.end_reason, call.ended_at = outcome, reason, at
        call.answered_at = call.answered_at or leg.answered_at
        send_after_commit(call_ended, call_id=call.pk)


def _seconds(since: datetime | None, until: datetime) -> int:
    return max(0, round((until - since).total_seconds())) if since is not None else 0
