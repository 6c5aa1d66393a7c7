"""Carriers without documents: told by us what to do with a call, one command after each piece of news.

Each is a task, for a webhook waits for no carrier. A command that came to nothing is asked again while there is a call.
"""

import structlog
from django.db import transaction
from django.utils import timezone

from apps.calls import adapters
from apps.calls.carriers.base import CarrierError, Fault, LineNews
from apps.calls.models import Direction, EndReason, Leg
from apps.calls.services import media_sessions, transfers
from apps.calls.services.ending import request_end
from apps.calls.services.media_sessions import MediaGrant, goes_on
from apps.calls.services.progress import leg_progressed
from apps.calls.services.story import call_context, lock_leg
from apps.calls.states import LegState
from apps.core.breaker import CircuitOpen, guard
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

_AGAIN_S = 1.0
_PATIENCE_S = 30.0  # how long a caller who rings is tried to be answered
_MAX_REJECTS = 10  # after that whoever rings will have hung up
_END_MAY_FOLLOW_S = 1.0  # after a stream's end the call's own end is told, in whatever order


def leg_answered(leg_id: int, news: LineNews) -> bool:
    """A call is up. One that we dialled opens its media socket by itself; one that came in is told to. As progress."""
    moved = leg_progressed(leg_id, news)
    if moved:
        with transaction.atomic():
            call, leg = lock_leg(leg_id)
            if call.direction == Direction.INBOUND and goes_on(call, leg):
                task = "calls.start_stream" if call.virtual_agent_id is not None else "calls.forward_leg"
                enqueue(task, leg_id)
    return moved


def stream_gone(leg_id: int, *, media_token: str = "") -> None:
    """A media stream stopped or failed; whether that was a loss shows when the call turns out to go on.

    media_token: of the stream's socket, "" for the leg's latest.
    """
    gone = media_token or Leg.objects.values_list("media_token", flat=True).get(pk=leg_id)
    n_lost = media_sessions.n_lost_so_far(leg_id)
    enqueue("calls.reopen_stream", leg_id, n_lost, gone, countdown_s=_END_MAY_FOLLOW_S)


def answer_leg(leg_id: int) -> None:
    """Take a call that came in."""
    leg = Leg.objects.select_related("call").get(pk=leg_id)
    if leg.state not in {LegState.QUEUED, LegState.RINGING} or leg.carrier_call_id is None or leg.call.end_reason:
        return
    with call_context(leg.call):
        try:
            with guard(leg.carrier):
                webhooks = adapters.webhooks_for(leg.carrier, leg.token)
                adapters.commanded_for(leg.carrier).answer(leg.carrier_call_id, webhooks, token=leg.token)
        except (CarrierError, CircuitOpen) as error:
            waited_s = (timezone.now() - leg.created_at).total_seconds()
            _after_failure(leg, error, again="calls.answer_leg" if waited_s < _PATIENCE_S else "")


def start_stream(leg_id: int) -> None:
    """Give a call its first media socket, or one more after it was elsewhere."""
    grant = media_sessions.grant_again(leg_id)
    if grant is not None:
        _open_stream(leg_id, grant)


def reopen_stream(leg_id: int, n_lost: int, media_token: str = "", unless_opened: int = 0) -> None:
    """Give a call that lost its media socket another one. n_lost: losses known when this one was told.

    media_token: of the socket that was lost, "" if that is not known. unless_opened: 1 if nobody has told of a loss:
    it is not known whether the socket was opened at all.
    """
    grant = media_sessions.stream_lost(
        leg_id, n_lost=n_lost, media_token=media_token, unless_opened=bool(unless_opened)
    )
    if grant is None:
        return
    if grant.pause_s > 1:
        enqueue("calls.open_granted_stream", leg_id, grant.n_lost, countdown_s=grant.pause_s)
    else:
        _open_stream(leg_id, grant)


def open_granted_stream(leg_id: int, n_lost: int) -> None:
    """After the wait: with a token of its own, for waiting must not use up the life of one."""
    if media_sessions.n_lost_so_far(leg_id) == n_lost:
        start_stream(leg_id)


def forward_leg(leg_id: int) -> None:
    """Pass a call that came in on to its number's target."""
    leg = Leg.objects.select_related("call__number__target").get(pk=leg_id)
    target = leg.call.number.target
    if leg.state != LegState.ANSWERED or leg.call.transferred_to:
        return
    if target is None:  # taken from the number meanwhile
        request_end(leg.call_id, reason=EndReason.NOT_ANSWERED)
        return
    try:
        transfers.transfer_call(leg.call_id, to=target.e164)
    except transfers.TransferFailed:
        request_end(leg.call_id, reason=EndReason.CARRIER_FAILED)


def reject_call(carrier: str, carrier_call_id: str, is_busy: int, n_try: int = 1) -> None:
    """Refuse a call that is nobody's, or that nobody is there for. is_busy: 1 or 0."""
    try:
        with guard(carrier):
            adapters.commanded_for(carrier).reject(carrier_call_id, is_busy=bool(is_busy))
    except (CarrierError, CircuitOpen) as error:
        log.warning("reject_failed", carrier=carrier, error=str(error), n_try=n_try)
        if n_try < _MAX_REJECTS and _is_passing(error):
            again_s = getattr(error, "retry_after_s", None) or _AGAIN_S
            enqueue("calls.reject_call", carrier, carrier_call_id, is_busy, n_try + 1, countdown_s=again_s)


def _open_stream(leg_id: int, grant: MediaGrant) -> None:
    leg = Leg.objects.select_related("call").get(pk=leg_id)
    with call_context(leg.call):
        try:
            with guard(leg.carrier):
                media = adapters.media_target(leg.carrier, grant.media_token)
                adapters.commanded_for(leg.carrier).start_stream(leg.carrier_call_id or "", media)
        except CircuitOpen:
            enqueue("calls.reopen_stream", leg_id, grant.n_lost, grant.media_token, 1, countdown_s=_AGAIN_S)
        except CarrierError as error:
            if error.fault is Fault.OVER:
                enqueue("calls.reconcile_leg", leg_id, countdown_s=1)
            elif error.retryable or error.maybe_placed:
                # It counts as a loss, so that it is not tried for ever.
                again_s = error.retry_after_s or _AGAIN_S
                enqueue("calls.reopen_stream", leg_id, grant.n_lost, grant.media_token, 1, countdown_s=again_s)
            else:
                _after_failure(leg, error, again="")
        else:
            log.info("stream_asked", leg_id=leg_id, n_lost=grant.n_lost)


def _after_failure(leg: Leg, error: CarrierError | CircuitOpen, *, again: str) -> None:
    """Try again where that makes sense; a call that nothing can be done with ends."""
    if isinstance(error, CarrierError) and error.fault is Fault.OVER:
        enqueue("calls.reconcile_leg", leg.pk, countdown_s=1)
        return
    if again and _is_passing(error):
        enqueue(again, leg.pk, countdown_s=getattr(error, "retry_after_s", None) or _AGAIN_S)
        return
    log.error("command_refused", leg_id=leg.pk, code=getattr(error, "code", ""), error=str(error))
    request_end(leg.call_id, reason=EndReason.CARRIER_FAILED)


def _is_passing(error: CarrierError | CircuitOpen) -> bool:
    """Whether the same command may go through a little later."""
    return isinstance(error, CircuitOpen) or error.retryable or error.maybe_placed
