"""Recordings that the carrier makes: begun and paused by command, fetched into our storage when they are ready."""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from apps.calls import adapters
from apps.calls.carriers.base import Carrier, CarrierError, Fault, RecordingNews
from apps.calls.events import EventKind
from apps.calls.models import Leg, Party, Recording
from apps.calls.models.leg import new_token
from apps.calls.models.recording import RecordingSource, RecordingState
from apps.calls.services.recordings import keep_carrier_recording
from apps.calls.services.story import call_context, is_told, lock_leg, tell
from apps.core.breaker import CircuitOpen, guard
from apps.core.errors import DomainError
from apps.core.queue import enqueue

log = structlog.get_logger(__name__)
T = TypeVar("T")

MAX_BYTES: Final = 500_000_000
_AGAIN_S: Final = 20.0
_MAX_TRIES: Final = 6  # within some two minutes: with some carriers the address holds for ten


class RecordingFailed(DomainError):
    """The carrier did not do it."""

    code = "recording_failed"
    status = 409


def start_recording(call_id: int) -> str:
    """Have the carrier record the customer's line. Its reference, "" where the end tells it. Raises RecordingFailed.

    Whether the call may be recorded, and that it was said, is the caller's to know.
    """
    leg = _live_leg(call_id)
    webhooks = adapters.webhooks_for(leg.carrier, leg.token)
    found = _command(leg, lambda carrier, call: carrier.start_recording(call, webhooks, token=new_token()))
    tell(call_id, EventKind.RECORDING_STARTED, timezone.now(), leg_id=leg.pk, source="carrier")
    return _reference(leg, found) if found else ""


def pause_recording(call_id: int, *, reason: str) -> None:
    """What is said from now on is not kept. Raises RecordingFailed: then it is."""
    leg = _live_leg(call_id)
    _command(leg, lambda carrier, call: carrier.pause_recording(call, ""))
    tell(call_id, EventKind.RECORDING_PAUSED, timezone.now(), leg_id=leg.pk, reason=reason, source="carrier")


def resume_recording(call_id: int) -> None:
    """Raises RecordingFailed."""
    leg = _live_leg(call_id)
    _command(leg, lambda carrier, call: carrier.resume_recording(call, ""))
    tell(call_id, EventKind.RECORDING_RESUMED, timezone.now(), leg_id=leg.pk, source="carrier")


def stop_recording(call_id: int) -> None:
    """End it; what was recorded is fetched when it is ready. Raises RecordingFailed."""
    leg = _live_leg(call_id)
    _command(leg, lambda carrier, call: carrier.stop_recording(call, ""))


@transaction.atomic
def recording_ready(leg_id: int, news: RecordingNews) -> bool:
    """The carrier has finished a recording, or has none to give. False for a repeat."""
    call, _leg = lock_leg(leg_id)
    with call_context(call):
        if is_told(news.key):
            return False
        now = timezone.now()
        if news.error:
            tell(call.pk, EventKind.RECORDING_FAILED, now, leg_id=leg_id, key=news.key, reason=news.error)
            log.warning("carrier_recording_failed", leg_id=leg_id, reason=news.error)
            _there_is_none(call.pk)
            return True
        tell(call.pk, EventKind.RECORDING_SAVED, now, leg_id=leg_id, key=news.key)
        started_at = (news.started_at or now).isoformat()
        reference = news.recording_id or news.key
        enqueue("calls.fetch_recording", leg_id, reference, news.url, started_at, news.duration_ms, 1)
        return True


def fetch_recording(leg_id: int, reference: str, url: str, started_at: str, duration_ms: int, n_try: int) -> None:
    """Bring a recording into our storage. Safe to repeat; tried again for as long as it makes sense."""
    leg = Leg.objects.select_related("call").get(pk=leg_id)
    news = RecordingNews(reference, url, "", started_at=parse_datetime(started_at))
    with call_context(leg.call):
        try:
            carrier = adapters.carrier_for(leg.carrier)
            with guard(leg.carrier):
                keep_carrier_recording(
                    leg.call_id,
                    reference=_reference(leg, reference),
                    started_at=news.started_at or timezone.now(),
                    duration_ms=duration_ms,
                    chunks=_bounded(carrier.fetch_recording(news)),
                )
        except (CarrierError, CircuitOpen) as error:
            is_final = isinstance(error, CarrierError) and error.fault is Fault.CONFIG
            if is_final or n_try >= _MAX_TRIES:
                log.error("carrier_recording_lost", leg_id=leg_id, error=str(error))
                _there_is_none(leg.call_id)
                tell(leg.call_id, EventKind.RECORDING_FAILED, timezone.now(), leg_id=leg_id, reason=str(error))
            else:
                log.warning("carrier_recording_not_there", leg_id=leg_id, error=str(error), n_try=n_try)
                enqueue(
                    "calls.fetch_recording",
                    *(leg_id, reference, url, started_at, duration_ms, n_try + 1),
                    countdown_s=_AGAIN_S,
                )
        else:
            log.info("carrier_recording_kept", leg_id=leg_id)


def _there_is_none(call_id: int) -> None:
    live = Recording.objects.filter(call_id=call_id, source=RecordingSource.CARRIER, state=RecordingState.RECORDING)
    live.update(state=RecordingState.FAILED)


def _bounded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    n = 0
    for chunk in chunks:
        n += len(chunk)
        if n > MAX_BYTES:
            raise CarrierError("a recording larger than any call", fault=Fault.CONFIG)
        yield chunk


def _live_leg(call_id: int) -> Leg:
    # Its sound may be with us before the carrier's word that it was answered.
    leg = Leg.objects.filter(call_id=call_id, party=Party.CUSTOMER).live().first()
    if leg is None or leg.carrier_call_id is None:
        raise RecordingFailed(_("Nobody is on the line."))
    return leg


def _reference(leg: Leg, recording_id: str) -> str:
    return f"{leg.carrier}:{recording_id}"[:120]


def _command(leg: Leg, ask: Callable[[Carrier, str], T]) -> T:
    try:
        carrier = adapters.carrier_for(leg.carrier)
        with guard(leg.carrier):
            return ask(carrier, leg.carrier_call_id or "")
    except (CarrierError, CircuitOpen, adapters.CarrierNotConfigured) as error:
        log.warning("recording_command_failed", leg_id=leg.pk, error=str(error))
        code = getattr(error, "code", "")
        raise RecordingFailed(_("The carrier did not take the recording's command."), detail={"code": code}) from error
