"""Telnyx's webhooks: signed JSON, one address for all of a leg's events, and nothing obeyed in our answer.

What has to be done about an event is done by a task: Telnyx waits two seconds, and its REST interface may be slow.
"""

from collections.abc import Callable
from datetime import timedelta

import structlog
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.calls import adapters
from apps.calls.carriers.base import LineStatus
from apps.calls.carriers.telnyx import webhooks as telnyx
from apps.calls.carriers.telnyx.webhooks import Event
from apps.calls.carriers.unusable import UnusableWebhook
from apps.calls.models import Carrier, Leg
from apps.calls.services import carrier_recordings, commanding, inbound, progress
from apps.calls.webhooks.door import Hook, noted, once, serve, unknown
from apps.core import webhook_layers as layers
from apps.core.queue import enqueue
from apps.core.webhook_layers import Layer, WebhookRefused

log = structlog.get_logger(__name__)

_MAX_AGE = timedelta(seconds=telnyx.MAX_AGE_S)
_LEG = Hook(Carrier.TELNYX, "telnyx_leg", _MAX_AGE)
_EVENTS = Hook(Carrier.TELNYX, "telnyx_events", _MAX_AGE)


@csrf_exempt
@require_POST
def leg_events(request: HttpRequest, token: str) -> HttpResponse:
    """Whatever happens to a leg of ours: the URL bears its token."""

    def act(event: Event) -> HttpResponse:
        # A command about one leg may move the other one's news to its address: whose they are, they say themselves.
        legs = Leg.objects.filter(token__in=[token, event.token], carrier=Carrier.TELNYX)
        found = dict(legs.values_list("token", "pk"))
        return _told(_LEG, request, found.get(event.token) or found.get(token), event)

    return _serve(_LEG, request, act)


@csrf_exempt
@require_POST
def events(request: HttpRequest) -> HttpResponse:
    """The application's own address: calls that come in, and what happens to them before they have one of their own."""

    def act(event: Event) -> HttpResponse:
        call = telnyx.read_inbound(event)
        if call is not None:
            decision = inbound.receive_call(Carrier.TELNYX, call)
            if isinstance(decision, inbound.Refused):
                enqueue("calls.reject_call", Carrier.TELNYX.value, call.carrier_call_id, int(decision.is_busy))
            else:
                enqueue("calls.answer_leg", decision.leg_id)
            return noted(_EVENTS, True)
        legs = Leg.objects.filter(carrier=Carrier.TELNYX)
        mine = legs.filter(token=event.token) if event.token else legs.filter(carrier_call_id=event.call_id or None)
        return _told(_EVENTS, request, mine.values_list("pk", flat=True).first(), event)

    return _serve(_EVENTS, request, act)


def _serve(hook: Hook, request: HttpRequest, act: Callable[[Event], HttpResponse]) -> HttpResponse:
    def verified(body: bytes) -> Callable[[], HttpResponse]:
        timestamp = request.headers.get("Telnyx-Timestamp", "")
        signature = request.headers.get("Telnyx-Signature-Ed25519", "")
        if not telnyx.is_signed(body, timestamp, signature, adapters.telnyx_public_keys()):
            raise WebhookRefused(Layer.SIGNATURE, 403)
        try:
            signed_at = telnyx.signed_at(timestamp)
        except UnusableWebhook as error:
            raise WebhookRefused(Layer.TIME, 403) from error
        layers.check_time(signed_at, max_age=hook.max_age)
        event = telnyx.read_event(body)
        return lambda: once(hook, request, event.key, lambda: act(event))

    return serve(hook, request, verified)


def _told(hook: Hook, request: HttpRequest, leg_id: int | None, event: Event) -> HttpResponse:
    """Give an event to its service."""
    if leg_id is None:
        return unknown(hook, request, event_type=event.type)
    if (line := telnyx.read_line(event)) is not None:
        if line.status is LineStatus.ANSWERED:
            return noted(hook, commanding.leg_answered(leg_id, line))
        return noted(hook, progress.leg_progressed(leg_id, line))
    if (machine := telnyx.read_machine(event)) is not None:
        return noted(hook, progress.machine_heard(leg_id, machine))
    if (stream := telnyx.read_stream(event)) is not None:
        is_news = progress.stream_changed(leg_id, stream)
        if is_news and stream.event != "started":
            commanding.stream_gone(leg_id, media_token=stream.media_token)
        return noted(hook, is_news)
    if (recording := telnyx.read_recording(event)) is not None:
        return noted(hook, carrier_recordings.recording_ready(leg_id, recording))
    log.debug("webhook_of_no_interest", event_type=event.type)  # keys come over the media socket, too
    return HttpResponse(status=204)
