"""Give a call to another number: the AI is out of it, the carrier joins the two, and they end the call."""

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.calls import adapters
from apps.calls.carriers.base import CarrierError, TransferRequest
from apps.calls.events import EventKind
from apps.calls.metrics import TRANSFERS
from apps.calls.models import Call, EndReason, Leg, Party
from apps.calls.models.recording import Wish
from apps.calls.services import recording_commands
from apps.calls.services.ending import request_end, settle_leg
from apps.calls.services.story import announce, call_context, lock_call, lock_leg, tell
from apps.calls.states import LegState, Outcome
from apps.core import phone
from apps.core.breaker import CircuitOpen, guard
from apps.core.errors import DomainError
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)

RING_S = 30
_SECOND_ROPE_S = 4.0  # where one of two joined legs ends, the carrier ends the other by itself
_TALKED = [Outcome.ANSWERED, Outcome.VOICEMAIL]


class TransferFailed(DomainError):
    """The call is still ours. code says why: not_transferable, or what the carrier said."""

    code = "transfer_failed"
    status = 409


def begin_transfer(call_id: int, *, to: str) -> None:
    """Have a worker join the caller with another number. Raises TransferFailed, and the call goes on with us.

    to: E.164. From here on the media socket may close: the line waits. If the carrier refuses, or nobody answers there,
    the caller comes back to the virtual agent.
    """
    _first, target = _begin(call_id, to=to)
    if target is None:
        raise TransferFailed(_("The call cannot be passed on now."))
    enqueue("calls.ask_transfer", target.pk)


def transfer_call(call_id: int, *, to: str) -> None:
    """As ``begin_transfer``, and ask the carrier at once, for as long as that takes. Raises TransferFailed."""
    _first, target = _begin(call_id, to=to)
    if target is None:
        raise TransferFailed(_("The call cannot be passed on now."))
    ask_transfer(target.pk)


def ask_transfer(leg_id: int) -> None:
    """Ask the carrier for a transfer that was begun. leg_id: of the new leg. Raises TransferFailed."""
    target = Leg.objects.select_related("call").get(pk=leg_id)
    first = Leg.objects.filter(call_id=target.call_id, party=Party.CUSTOMER).order_by("-pk")[0]
    if target.state == LegState.ENDED or target.carrier_call_id is not None:
        return  # asked before, or over
    with call_context(target.call):
        try:
            carrier = adapters.carrier_for(first.carrier)
            with guard(first.carrier):
                carrier.transfer(first.carrier_call_id or "", transfer_request(first, target))
        except (CarrierError, CircuitOpen, adapters.CarrierNotConfigured) as error:
            code = getattr(error, "code", "") or type(error).__name__
            log.warning("transfer_refused", leg_id=first.pk, code=code, error=str(error))
            with transaction.atomic():
                call, target = lock_leg(leg_id)
                # If the carrier did it all the same, the new leg's webhooks find it written off, and it is hung up.
                settle_leg(target, Outcome.NOT_PLACED, at=timezone.now(), carrier_error=str(error))
                _come_back(call, reason=code)
            raise TransferFailed(_("The call could not be passed on."), detail={"code": code}) from error
        log.info("transfer_asked", leg_id=first.pk, target_id=target.pk)


def forward_call(leg_id: int, *, to: str) -> TransferRequest | None:
    """Pass a call that rings at one of our numbers on, where the carrier waits to be told by our answer to it.

    Asked again, the answer is the same. None: the call is over.
    """
    call_id = Leg.objects.values_list("call_id", flat=True).get(pk=leg_id)
    first, target = _begin(call_id, to=to, is_answered=False)
    if target is None:
        target = Leg.objects.filter(call_id=call_id, party=Party.TARGET, to_number=to).live().first()
    return transfer_request(first, target) if target is not None else None


def transfer_request(first: Leg, target: Leg) -> TransferRequest:
    return TransferRequest(
        to=target.to_number,
        from_=target.from_number,
        token=target.token,
        webhooks=adapters.webhooks_for(first.carrier, first.token),
        target=adapters.webhooks_for(target.carrier, target.token),
        ring_timeout_s=RING_S,
        max_duration_s=adapters.longest_call_s(),
    )


@transaction.atomic
def target_ended(leg_id: int) -> None:
    """The other number hung up, or was never reached."""
    call, target = lock_leg(leg_id)
    with call_context(call):
        first = Leg.objects.filter(call_id=call.pk, party=Party.CUSTOMER).live().first()
        if first is None:
            return
        if target.outcome in _TALKED:
            enqueue("calls.hang_up_leg", first.pk, countdown_s=_SECOND_ROPE_S)
        else:
            _come_back(call, reason=str(target.outcome))


@transaction.atomic
def not_joined(leg_id: int, *, reason: str) -> bool:
    """The carrier asks on about a call whose transfer came to nothing. False: it is over, or being ended."""
    call, leg = lock_leg(leg_id)
    with call_context(call):
        _come_back(call, reason=reason)
        return leg.state != LegState.ENDED and not call.end_reason


@transaction.atomic
def _begin(call_id: int, *, to: str, is_answered: bool = True) -> tuple[Leg, Leg | None]:
    now = timezone.now()
    call = lock_call(call_id)
    first = Leg.objects.filter(call_id=call_id, party=Party.CUSTOMER).order_by("-pk")[0]
    first.call = call
    is_ready = first.state == LegState.ANSWERED if is_answered else first.state != LegState.ENDED
    if not is_ready or call.end_reason or call.transferred_to or first.carrier_call_id is None:
        log.warning("call_not_transferable", state=first.state, end_reason=call.end_reason)
        return first, None
    # Ours is the number we own at this carrier: shown to whoever is rung, whichever way the call came.
    target = Leg.objects.create(
        call=call,
        party=Party.TARGET,
        carrier=first.carrier,
        from_number=call.number.e164,
        to_number=to,
        state=LegState.QUEUED,
        requested_at=now,
    )
    recording_commands.want(call_id, Wish.PAUSE, reason="transfer")  # what two people say is not ours to record
    Call.objects.filter(pk=call_id).update(transferred_to=to)
    call.transferred_to = to
    tell(call_id, EventKind.TRANSFER_STARTED, now, leg_id=target.pk, to=phone.mask(to))
    announce(call)
    return first, target


def _come_back(call: Call, *, reason: str) -> None:
    """The transfer came to nothing: the caller gets the virtual agent back, once; a call without one ends."""
    now = timezone.now()
    if not Call.objects.filter(~Q(transferred_to=""), pk=call.pk, ended_at__isnull=True).update(transferred_to=""):
        return
    to, call.transferred_to = call.transferred_to, ""
    tell(call.pk, EventKind.TRANSFER_FAILED, now, to=phone.mask(to), reason=reason)
    log.info("transfer_failed", reason=reason)
    first = Leg.objects.filter(call_id=call.pk, party=Party.CUSTOMER).live().first()
    if first is None or call.end_reason:
        return
    TRANSFERS.labels(first.carrier, "failed").inc()
    if call.virtual_agent_id is None:
        request_end(call.pk, reason=EndReason.NOT_ANSWERED)
    elif not adapters.capabilities_of(first.carrier).takes_documents:
        enqueue("calls.start_stream", first.pk)
    announce(call)
