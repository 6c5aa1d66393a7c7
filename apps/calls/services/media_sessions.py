"""Which media socket a call may open: one token, one socket; another one when the first was lost."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from apps.calls.carriers.base import LineNews
from apps.calls.events import EventKind
from apps.calls.models import Call, CallEvent, EndReason, Leg
from apps.calls.models.leg import new_token
from apps.calls.services.ending import request_end
from apps.calls.services.progress import leg_progressed
from apps.calls.services.story import call_context, lock_leg, tell
from apps.calls.states import LegState

log = structlog.get_logger(__name__)

TOKEN_LIFE_S = 60
MAX_SESSIONS = 3  # media sessions a leg may have had before a further loss ends the call
MAX_LOSSES = 5  # losses in all, sockets that never opened included


@dataclass(frozen=True, slots=True)
class MediaGrant:
    """Leave to open one media socket within TOKEN_LIFE_S. pause_s: how long the line should wait before it does."""

    media_token: str
    call_id: int
    pause_s: int = 0


def answer_leg(leg_id: int, news: LineNews) -> MediaGrant | None:
    """The carrier was answered and asks what to do. None: hang up.

    Asked again about the same call it gives the same grant, so that a repeated request does not open two sessions.
    """
    leg_progressed(leg_id, news)
    with transaction.atomic():
        call, leg = lock_leg(leg_id)
        if leg.carrier_call_id != news.carrier_call_id or not _goes_on(call, leg):
            return None
        if leg.n_media_sessions == 0:
            expires_at = timezone.now() + timedelta(seconds=TOKEN_LIFE_S)
            Leg.objects.filter(pk=leg_id).update(media_token_expires_at=expires_at)
        return MediaGrant(leg.media_token, call.pk)


@transaction.atomic
def after_stream(leg_id: int, news: LineNews) -> MediaGrant | None:
    """The leg's media socket is gone: on purpose (None: hang up), or lost, which deserves a new one a few times.

    A session that ends on purpose has called ``request_end`` before. The waits grow, for a media process to restart.
    """
    call, leg = lock_leg(leg_id)
    with call_context(call):
        if leg.carrier_call_id != news.carrier_call_id or news.status.is_final or not _goes_on(call, leg):
            return None
        now = timezone.now()
        n_lost = CallEvent.objects.filter(leg_id=leg_id, kind=EventKind.MEDIA_LOST).count() + 1
        tell(call.pk, EventKind.MEDIA_LOST, now, leg_id=leg_id, n=n_lost)
        log.warning("media_lost", leg_id=leg_id, n_lost=n_lost, n_sessions=leg.n_media_sessions)
        if leg.n_media_sessions >= MAX_SESSIONS or n_lost >= MAX_LOSSES:
            request_end(call.pk, reason=EndReason.MEDIA_LOST)
            return None
        token = new_token()
        Leg.objects.filter(pk=leg_id).update(
            media_token=token, media_token_expires_at=now + timedelta(seconds=TOKEN_LIFE_S), updated_at=now
        )
        return MediaGrant(token, call.pk, pause_s=min(2 ** (n_lost - 1), 4))


def _goes_on(call: Call, leg: Leg) -> bool:
    return leg.state != LegState.ENDED and not call.end_reason and call.ended_at is None
