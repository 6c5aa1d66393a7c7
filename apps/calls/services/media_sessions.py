"""Which media socket a call may open: one token, one socket; another one when the first was lost."""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from apps.calls.carriers.base import LineNews
from apps.calls.events import EventKind
from apps.calls.models import Call, CallEvent, Direction, EndReason, Leg
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
    """Leave to open one media socket within TOKEN_LIFE_S.

    pause_s: how long the line should wait before it does. n_lost: sockets of the leg that were lost before.
    """

    media_token: str
    call_id: int
    pause_s: int = 0
    n_lost: int = 0


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The call has no media socket because it is on its way to another number: the line waits."""


def answer_leg(leg_id: int, news: LineNews) -> MediaGrant | None:
    """The carrier was answered and asks what to do. None: hang up.

    Asked again about the same call it gives the same grant, so that a repeated request does not open two sessions.
    """
    leg_progressed(leg_id, news)
    with transaction.atomic():
        call, leg = lock_leg(leg_id)
        if leg.carrier_call_id != news.carrier_call_id or not goes_on(call, leg):
            return None
        if leg.n_media_sessions == 0:
            expires_at = timezone.now() + timedelta(seconds=TOKEN_LIFE_S)
            Leg.objects.filter(pk=leg_id).update(media_token_expires_at=expires_at)
        return MediaGrant(leg.media_token, call.pk, n_lost=_n_lost(leg))


@transaction.atomic
def after_stream(leg_id: int, news: LineNews, *, n_lost: int) -> MediaGrant | Elsewhere | None:
    """The carrier asks what to do now that the leg's media socket is gone.

    On purpose (None: hang up), or lost, which deserves a new one a few times. A session that ends on purpose has called
    ``request_end`` before. n_lost: as it was in the grant that is asked about; asked again, the answer is the same.
    """
    call, leg = lock_leg(leg_id)
    with call_context(call):
        if leg.carrier_call_id != news.carrier_call_id:
            return None
        if news.status.is_final:
            if call.direction == Direction.INBOUND:  # whose end the carrier may tell nowhere else
                leg_progressed(leg_id, news)
            return None
        if not goes_on(call, leg):
            return None
        if call.transferred_to:
            return Elsewhere()
        return _next_socket(call, leg, n_lost=n_lost)


@transaction.atomic
def stream_lost(leg_id: int, *, n_lost: int, media_token: str = "", unless_opened: bool = False) -> MediaGrant | None:
    """As ``after_stream``, for a carrier that only tells of the loss. None: there is nothing to be opened.

    n_lost: how many losses were known when this one was told. media_token: of the socket that was lost, "" if that is
    not known; where another one has taken its place, nothing was lost. unless_opened: and none either if that socket
    was opened.
    """
    call, leg = lock_leg(leg_id)
    with call_context(call):
        if not goes_on(call, leg) or call.transferred_to or call.virtual_agent_id is None:
            return None
        if leg.state != LegState.ANSWERED or _n_lost(leg) != n_lost:
            return None
        if media_token and leg.media_token != media_token:
            return None
        if unless_opened and leg.media_token_expires_at is None:  # used up, by whoever opened it
            return None
        return _next_socket(call, leg, n_lost=n_lost)


@transaction.atomic
def grant_again(leg_id: int) -> MediaGrant | None:
    """A fresh token for a call that comes back to us, or is to have its first media socket. None: there is no call."""
    call, leg = lock_leg(leg_id)
    if not goes_on(call, leg) or call.transferred_to or call.virtual_agent_id is None:
        return None
    return MediaGrant(_renew(leg), call.pk, n_lost=_n_lost(leg))


def n_lost_so_far(leg_id: int) -> int:
    return CallEvent.objects.filter(leg_id=leg_id, kind=EventKind.MEDIA_LOST).count()


def goes_on(call: Call, leg: Leg) -> bool:
    """Whether the leg is in a conversation that nobody has ended."""
    return leg.state != LegState.ENDED and not call.end_reason and call.ended_at is None


def _next_socket(call: Call, leg: Leg, *, n_lost: int) -> MediaGrant | None:
    """After a loss. The waits grow, for a media process to restart."""
    n_known = _n_lost(leg)
    if n_lost < n_known:
        return MediaGrant(leg.media_token, call.pk, pause_s=_pause_s(n_known), n_lost=n_known)
    n = n_known + 1
    tell(call.pk, EventKind.MEDIA_LOST, timezone.now(), leg_id=leg.pk, n=n)
    log.warning("media_lost", leg_id=leg.pk, n_lost=n, n_sessions=leg.n_media_sessions)
    if leg.n_media_sessions >= MAX_SESSIONS or n >= MAX_LOSSES:
        request_end(call.pk, reason=EndReason.MEDIA_LOST)
        return None
    return MediaGrant(_renew(leg), call.pk, pause_s=_pause_s(n), n_lost=n)


def _renew(leg: Leg) -> str:
    now = timezone.now()
    leg.media_token = new_token()
    Leg.objects.filter(pk=leg.pk).update(
        media_token=leg.media_token, media_token_expires_at=now + timedelta(seconds=TOKEN_LIFE_S), updated_at=now
    )
    return leg.media_token


def _pause_s(n_lost: int) -> int:
    return int(min(2 ** (n_lost - 1), 4))


def _n_lost(leg: Leg) -> int:
    return n_lost_so_far(leg.pk)
