"""Twilio's webhooks: forms, one address per kind, and documents that it obeys."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import TypeVar

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.calls import adapters
from apps.calls.carriers.base import (
    InboundCall,
    LineNews,
    LineStatus,
    MachineNews,
    RecordingNews,
    StreamNews,
    TransferNews,
)
from apps.calls.carriers.twilio import webhooks as twilio
from apps.calls.models import Carrier, Leg
from apps.calls.services import carrier_recordings, inbound, media_sessions, progress, transfers
from apps.calls.services.media_sessions import Elsewhere, MediaGrant
from apps.calls.webhooks.door import Hook, noted, once, serve, unknown
from apps.core import webhook_layers as layers
from apps.core.webhook_layers import Layer, WebhookRefused

News = TypeVar("News", LineNews, MachineNews, StreamNews, TransferNews, RecordingNews | None)
View = Callable[..., HttpResponse]
_WAIT_S = 3


def _hang_up() -> HttpResponse:
    return _document(twilio.hang_up_document())


def _hook(name: str, *, wants_document: bool = False) -> Hook:
    max_age = timedelta(hours=settings.WEBHOOK_MAX_AGE_HOURS)
    return Hook(Carrier.TWILIO, name, max_age, _hang_up if wants_document else None)


def _leg_hook(
    name: str, read: Callable[[QueryDict], News], *, wants_document: bool = False
) -> Callable[[Callable[..., HttpResponse]], View]:
    """A webhook whose URL bears a leg's token. The handler gets the leg's id, what was read, and the URL's rest."""

    def decorate(handler: Callable[..., HttpResponse]) -> View:
        @csrf_exempt
        @require_POST
        @wraps(handler)
        def view(request: HttpRequest, token: str, **rest: int) -> HttpResponse:
            hook = _hook(name, wants_document=wants_document)

            def verified(body: bytes) -> Callable[[], HttpResponse]:
                form = _verified(request, body, hook)

                def act() -> HttpResponse:
                    leg_id = (
                        Leg.objects.filter(token=token, carrier=Carrier.TWILIO).values_list("pk", flat=True).first()
                    )
                    if leg_id is None:
                        return unknown(hook, request, call_sid=form.get("CallSid"))
                    news = read(form)
                    key = getattr(news, "key", "")
                    return once(hook, request, f"{leg_id}:{key}" if key else "", lambda: handler(leg_id, news, **rest))

                return act

            return serve(hook, request, verified)

        return view

    return decorate


@_leg_hook("answer", twilio.read_answer, wants_document=True)
def answer(leg_id: int, news: LineNews) -> HttpResponse:
    return _join(leg_id, media_sessions.answer_leg(leg_id, news))


@_leg_hook("after_stream", twilio.read_after_stream, wants_document=True)
def after_stream(leg_id: int, news: LineNews, *, n_lost: int) -> HttpResponse:
    return _join(leg_id, media_sessions.after_stream(leg_id, news, n_lost=n_lost))


@_leg_hook("transferred", twilio.read_transferred, wants_document=True)
def transferred(leg_id: int, news: TransferNews) -> HttpResponse:
    """The dialling of another number is over. Whoever it did not reach gets the virtual agent back."""
    if news.is_joined or news.status.is_final or not transfers.not_joined(leg_id, reason="not_reached"):
        return _hang_up()
    return _join(leg_id, media_sessions.grant_again(leg_id))


@_leg_hook("status", twilio.read_status)
def status(leg_id: int, news: LineNews) -> HttpResponse:
    return noted(_hook("status"), progress.leg_progressed(leg_id, news))


@_leg_hook("amd", twilio.read_machine)
def amd(leg_id: int, news: MachineNews) -> HttpResponse:
    return noted(_hook("amd"), progress.machine_heard(leg_id, news))


@_leg_hook("stream", twilio.read_stream)
def stream(leg_id: int, news: StreamNews) -> HttpResponse:
    return noted(_hook("stream"), progress.stream_changed(leg_id, news))


@_leg_hook("recording", twilio.read_recording)
def recording(leg_id: int, news: RecordingNews | None) -> HttpResponse:
    return noted(_hook("recording"), news is not None and carrier_recordings.recording_ready(leg_id, news))


@csrf_exempt
@require_POST
def inbound_call(request: HttpRequest) -> HttpResponse:
    """Somebody calls one of our numbers: the document says who takes it, or that nobody does."""
    hook = _hook("inbound", wants_document=True)

    def verified(body: bytes) -> Callable[[], HttpResponse]:
        news = twilio.read_inbound(_verified(request, body, hook))
        return lambda: once(hook, request, news.key, lambda: _taken(news))

    return serve(hook, request, verified)


@csrf_exempt
@require_POST
def inbound_status(request: HttpRequest) -> HttpResponse:
    """How a call to one of our numbers goes on: the address that the number itself has at the carrier."""
    hook = _hook("inbound_status")

    def verified(body: bytes) -> Callable[[], HttpResponse]:
        news = twilio.read_status(_verified(request, body, hook))

        def act() -> HttpResponse:
            legs = Leg.objects.filter(carrier=Carrier.TWILIO, carrier_call_id=news.carrier_call_id)
            leg_id = legs.values_list("pk", flat=True).first()
            if leg_id is None:
                return unknown(hook, request, call_sid=news.carrier_call_id)
            return once(hook, request, news.key, lambda: noted(hook, progress.leg_progressed(leg_id, news)))

        return act

    return serve(hook, request, verified)


def _verified(request: HttpRequest, body: bytes, hook: Hook) -> QueryDict:
    """The form, once its type, signature and age are in order. Raises WebhookRefused."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise WebhookRefused(Layer.FORM, 415)
    try:
        form = QueryDict(body, encoding="utf-8")
    except TooManyFieldsSent as error:
        raise WebhookRefused(Layer.SIZE, 413) from error
    # Never the Host header: whoever sends the request chooses that one.
    url = settings.PUBLIC_ORIGIN + request.get_full_path()
    signature = request.headers.get("X-Twilio-Signature", "")
    if not twilio.is_signed(url, form, signature, adapters.twilio_secrets()):
        raise WebhookRefused(Layer.SIGNATURE, 403)
    happened_at = twilio.signed_at(form)
    if happened_at is not None:
        layers.check_time(happened_at, max_age=hook.max_age)
    return form


def _taken(news: InboundCall) -> HttpResponse:
    decision = inbound.receive_call(Carrier.TWILIO, news)
    if isinstance(decision, inbound.Refused):
        return _document(twilio.reject_document(reason="busy" if decision.is_busy else "rejected"))
    if not decision.forward_to:
        answered = LineNews(carrier_call_id=news.carrier_call_id, status=LineStatus.ANSWERED)
        return _join(decision.leg_id, media_sessions.answer_leg(decision.leg_id, answered))
    request = transfers.forward_call(decision.leg_id, to=decision.forward_to)
    if request is None:
        return _hang_up()
    return _document(
        twilio.transfer_document(
            to=request.to,
            caller_id=request.from_,
            done_url=request.webhooks.transferred,
            status_url=request.target.status,
            ring_timeout_s=request.ring_timeout_s,
            max_duration_s=request.max_duration_s,
        )
    )


def _join(leg_id: int, grant: MediaGrant | Elsewhere | None) -> HttpResponse:
    if grant is None:
        return _hang_up()
    leg = Leg.objects.only("token").get(pk=leg_id)
    if isinstance(grant, Elsewhere):
        n_lost = media_sessions.n_lost_so_far(leg_id)
        again = adapters.webhooks_for(Carrier.TWILIO, leg.token, n_lost=n_lost).after_stream
        return _document(twilio.wait_document(url=again, pause_s=_WAIT_S))
    addresses = adapters.webhooks_for(Carrier.TWILIO, leg.token, n_lost=grant.n_lost)
    return _document(
        twilio.stream_document(
            media_url=adapters.media_url(Carrier.TWILIO, grant.media_token),
            after_url=addresses.after_stream,
            status_url=addresses.stream,
            parameters={"call_id": str(grant.call_id)},
            pause_s=grant.pause_s,
        )
    )


def _document(xml: str) -> HttpResponse:
    return HttpResponse(xml, content_type="text/xml; charset=utf-8")
