"""Whom a call may be given to. The carrier does it later, when the AI's last sentence has been heard out."""

from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apps.calls.events import EventKind
from apps.calls.models import Call, TargetKind, TransferTarget, VirtualAgent
from apps.calls.services.story import call_context, lock_call, tell
from apps.contacts.hours import is_open, next_opening
from apps.core import phone
from apps.core.errors import DomainError

log = structlog.get_logger(__name__)


class UnknownTarget(DomainError):
    code = "unknown_target"


class NumberNotAllowed(DomainError):
    """Whoever could make an AI dial any number could have us pay for it."""

    code = "number_not_allowed"
    status = 403


class TargetClosed(DomainError):
    """opens_at: aware, None if not within two weeks."""

    code = "target_closed"
    status = 409

    def __init__(self, target: TransferTarget, opens_at: datetime | None) -> None:
        super().__init__(
            _("Nobody is there at this hour."), detail={"opens_at": opens_at.isoformat() if opens_at else None}
        )
        self.target = target
        self.opens_at = opens_at

    def opens_at_in(self, zone: str) -> str:
        """When it opens by the clock of a zone, like 2026-11-23T15:00; "" if that is not known."""
        return self.opens_at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") if self.opens_at else ""


@transaction.atomic
def hand_over(call_id: int, *, code: str, reason: str, now: datetime) -> TransferTarget:
    """The queue or person of that code, if this call's virtual agent was given it and it is open.

    Raises UnknownTarget, TargetClosed, Call.DoesNotExist.
    """
    call = lock_call(call_id)
    with call_context(call):
        target = _targets_of(call).exclude(kind=TargetKind.NUMBER).filter(code=code).first()
        if target is None:
            log.info("transfer_target_unknown")
            raise UnknownTarget(_("This virtual agent has no such transfer target."))
        _require_open(target, now)
        tell(call_id, EventKind.TRANSFER_REQUESTED, now, target=str(target), to=phone.mask(target.e164), reason=reason)
        log.info("transfer_requested", target=target.code)
    return target


def transfer_to_number(call_id: int, *, number: str, reason: str, now: datetime) -> str:
    """The number in E.164, if it is a target of this call's virtual agent or begins as one may.

    number: as the model wrote it. Raises NumberNotAllowed, TargetClosed, Call.DoesNotExist.
    """
    with transaction.atomic():
        call = lock_call(call_id)
        with call_context(call):
            to = _plain(number)
            target = _targets_of(call).filter(e164=to).first() if to else None
            is_allowed = target is not None or _begins_as_allowed(call, to)
            if target is not None:
                _require_open(target, now)
            if is_allowed:
                name = str(target) if target is not None else ""
                tell(call_id, EventKind.TRANSFER_REQUESTED, now, target=name, to=phone.mask(to), reason=reason)
                log.info("transfer_requested", to=phone.mask(to))
                return to
            # Kept, not rolled back: somebody may be trying what the AI can be talked into.
            tell(call_id, EventKind.TRANSFER_REFUSED, now, to=phone.mask(to or number), reason=reason)
            log.warning("transfer_number_refused", to=phone.mask(to or number))
    raise NumberNotAllowed(_("Calls of this virtual agent may not be connected to that number."))


def last_resort_of(agent: VirtualAgent, *, now: datetime) -> str:
    """Where a call goes when no voice AI can go on with it, E.164; "" for nowhere, also while nobody is there."""
    target = agent.last_resort_target
    if target is None or not target.is_active or not is_open(target.hours, now):
        return ""
    return target.e164


def _targets_of(call: Call) -> QuerySet[TransferTarget]:
    if call.virtual_agent is None:
        return TransferTarget.objects.none()
    return call.virtual_agent.transfer_targets.filter(is_active=True)


def _require_open(target: TransferTarget, now: datetime) -> None:
    hours = target.hours
    if not is_open(hours, now):
        raise TargetClosed(target, next_opening(hours, now))


def _plain(number: str) -> str:
    """E.164, or "" for what is no phone number."""
    try:
        return phone.read_phone(number, default_country=settings.DEFAULT_COUNTRY).e164
    except phone.BadPhoneNumber:
        return ""


def _begins_as_allowed(call: Call, to: str) -> bool:
    prefixes = tuple(str(prefix) for prefix in (call.virtual_agent.transfer_prefixes if call.virtual_agent else ()))
    return bool(to) and bool(prefixes) and to.startswith(prefixes) and to != call.remote_phone and not phone.is_dear(to)
