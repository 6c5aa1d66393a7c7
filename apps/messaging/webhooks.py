"""Carriers' webhooks about texts: the four layers, read, one service, answer fast."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps

import structlog
from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.calls import adapters
from apps.calls.carriers.telnyx import webhooks as telnyx_calls
from apps.calls.carriers.telnyx.webhooks import Event
from apps.calls.carriers.twilio import webhooks as twilio_calls
from apps.calls.carriers.unusable import UnusableWebhook
from apps.calls.metrics import WEBHOOK_REPEATS, WEBHOOK_SECONDS
from apps.calls.models import Carrier
from apps.core import webhook_layers
from apps.core.metrics import WEBHOOK_REQUESTS_REFUSED
from apps.core.webhook_layers import Layer, WebhookRefused
from apps.messaging.channels.base import InboundText, TextNews
from apps.messaging.channels.telnyx import webhooks as telnyx
from apps.messaging.channels.twilio import webhooks as twilio
from apps.messaging.models import Message
from apps.messaging.services.progress import message_progressed
from apps.messaging.services.receiving import receive_text

log = structlog.get_logger(__name__)

View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class _Told:
    """key: what makes a repeat recognisable, "" if nothing does. effect: does it; False: it was known."""

    key: str
    effect: Callable[[], bool]


# Reads a webhook that has passed the signature; token: the message's, "" in an address without one.
Reader = Callable[[HttpRequest, str], _Told | None]


def _hook(name: str, carrier: Carrier, nothing: Callable[[], HttpResponse]) -> Callable[[Reader], View]:
    """nothing: the answer to everything that passes; Twilio obeys the document it is given."""

    def decorate(read: Reader) -> View:
        @csrf_exempt
        @require_POST
        @wraps(read)
        def view(request: HttpRequest, token: str = "") -> HttpResponse:
            with WEBHOOK_SECONDS.labels(name).time():
                try:
                    _act(name, carrier, request, read(request, token))
                except WebhookRefused as error:
                    return webhook_layers.refusal(error, request, hook=name)
                except UnusableWebhook as error:
                    webhook_layers.note(Layer.CONTENT, request, hook=name, field=error.code)
                except Exception:
                    WEBHOOK_REQUESTS_REFUSED.labels(Layer.ERROR).inc()
                    log.exception("webhook_failed", hook=name)
                    return HttpResponse(status=500)
            return nothing()

        return view

    return decorate


def _act(name: str, carrier: Carrier, request: HttpRequest, told: _Told | None) -> None:
    if told is None:
        webhook_layers.note(Layer.UNKNOWN, request, hook=name)
        return
    account = f"{carrier}-texts"
    if webhook_layers.is_repeat(account=account, key=told.key):
        webhook_layers.note(Layer.REPLAY, request, hook=name)
        WEBHOOK_REPEATS.labels(name).inc()
        return
    if not told.effect():
        WEBHOOK_REPEATS.labels(name).inc()
    webhook_layers.remember(account=account, key=told.key, keep=timedelta(hours=2 * settings.WEBHOOK_MAX_AGE_HOURS))


# ── Twilio: forms, signed with the address ──────────────────────────────────────────────────────────────────
def _empty() -> HttpResponse:
    return HttpResponse(status=204)


def _no_reply() -> HttpResponse:
    return HttpResponse("<Response/>", content_type="text/xml; charset=utf-8")


@_hook("text_status", Carrier.TWILIO, _empty)
def twilio_status(request: HttpRequest, token: str) -> _Told | None:
    news = twilio.read_status(_twilio_form(request))
    return _status(Carrier.TWILIO, token, news)


@_hook("text_inbound", Carrier.TWILIO, _no_reply)
def twilio_inbound(request: HttpRequest, token: str) -> _Told | None:
    return _inbound(Carrier.TWILIO, twilio.read_inbound(_twilio_form(request)))


def _twilio_form(request: HttpRequest) -> QueryDict:
    """The form, once rate, address, size, type and signature are in order. Raises WebhookRefused."""
    webhook_layers.admit(request, account=f"{Carrier.TWILIO}-texts", allowed=settings.TWILIO_WEBHOOK_IPS)
    body = webhook_layers.read_body(request, max_bytes=settings.WEBHOOK_MAX_BYTES)
    if request.content_type != "application/x-www-form-urlencoded":
        raise WebhookRefused(Layer.FORM, 415)
    try:
        form = QueryDict(body, encoding="utf-8")
    except TooManyFieldsSent as error:
        raise WebhookRefused(Layer.SIZE, 413) from error
    # Never the Host header: whoever sends the request chooses that one.
    url = settings.PUBLIC_ORIGIN + request.get_full_path()
    if not twilio_calls.is_signed(url, form, request.headers.get("X-Twilio-Signature", ""), adapters.twilio_secrets()):
        raise WebhookRefused(Layer.SIGNATURE, 403)
    return form


# ── Telnyx: JSON, signed with the time ──────────────────────────────────────────────────────────────────────
@_hook("text_status", Carrier.TELNYX, _empty)
def telnyx_status(request: HttpRequest, token: str) -> _Told | None:
    """Where an address of a message's own is told of something else, that is not for us."""
    event = _telnyx_event(request)
    if event.type not in {"message.sent", "message.finalized"}:
        return None
    return _status(Carrier.TELNYX, token, telnyx.read_status(event))


@_hook("text_inbound", Carrier.TELNYX, _empty)
def telnyx_inbound(request: HttpRequest, token: str) -> _Told | None:
    event = _telnyx_event(request)
    if event.type != "message.received":
        return None  # what the profile tells of messages that were sent, their own addresses tell as well
    return _inbound(Carrier.TELNYX, telnyx.read_inbound(event))


def _telnyx_event(request: HttpRequest) -> Event:
    """The event, once rate, address, size, type, signature and time are in order. Raises WebhookRefused."""
    webhook_layers.admit(request, account=f"{Carrier.TELNYX}-texts", allowed=settings.TELNYX_WEBHOOK_IPS)
    body = webhook_layers.read_body(request, max_bytes=settings.WEBHOOK_MAX_BYTES)
    if request.content_type != "application/json":
        raise WebhookRefused(Layer.FORM, 415)
    timestamp = request.headers.get("Telnyx-Timestamp", "")
    signature = request.headers.get("Telnyx-Signature-Ed25519", "")
    if not telnyx_calls.is_signed(body, timestamp, signature, adapters.telnyx_public_keys()):
        raise WebhookRefused(Layer.SIGNATURE, 403)
    webhook_layers.check_time(telnyx_calls.signed_at(timestamp), max_age=timedelta(seconds=telnyx_calls.MAX_AGE_S))
    return telnyx_calls.read_event(body)


# ── Both ────────────────────────────────────────────────────────────────────────────────────────────────────
def _status(carrier: Carrier, token: str, news: TextNews) -> _Told | None:
    message_id = Message.objects.filter(token=token, carrier=carrier).values_list("pk", flat=True).first()
    if message_id is None:
        return None
    return _Told(news.key, lambda: message_progressed(message_id, news))


def _inbound(carrier: Carrier, text: InboundText) -> _Told:
    return _Told(text.key, lambda: receive_text(carrier, text) is not None)
