"""Carrier webhooks: verify, read, one service, answer fast. Nothing is believed before its signature is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps

import structlog
from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.calls import adapters
from apps.calls.carriers.twilio import webhooks as twilio
from apps.calls.metrics import WEBHOOK_REPEATS, WEBHOOK_SECONDS
from apps.calls.models import Carrier, Leg, Number
from apps.calls.services import media_sessions, progress
from apps.calls.services.media_sessions import MediaGrant
from apps.core import phone
from apps.core.metrics import WEBHOOK_REQUESTS_REFUSED

log = structlog.get_logger(__name__)

Handler = Callable[[int, QueryDict], HttpResponse]
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class _Hook:
    """name: also its metric label. wants_document: whether the carrier waits for TwiML and obeys it."""

    name: str
    wants_document: bool = False

    @property
    def nothing(self) -> HttpResponse:
        """The answer to what we cannot use: taken note of; and a call that nobody knows is not kept on the line."""
        return _document(twilio.hang_up_document()) if self.wants_document else HttpResponse(status=204)


class _Refused(Exception):
    def __init__(self, layer: str, status: int) -> None:
        super().__init__(layer)
        self.layer = layer
        self.status = status


def _leg_hook(name: str, *, wants_document: bool = False) -> Callable[[Handler], View]:
    """A webhook whose URL bears a leg's token. The handler gets the leg's id and the verified form."""
    hook = _Hook(name, wants_document)

    def decorate(handler: Handler) -> View:
        @csrf_exempt
        @require_POST
        @wraps(handler)
        def view(request: HttpRequest, token: str) -> HttpResponse:
            def handle(form: QueryDict) -> HttpResponse:
                leg_id = Leg.objects.filter(token=token, carrier=Carrier.TWILIO).values_list("pk", flat=True).first()
                if leg_id is None:
                    return _acknowledge(hook, "unknown", call_sid=form.get("CallSid"))
                return handler(leg_id, form)

            return _answer(hook, request, handle)

        return view

    return decorate


@_leg_hook("answer", wants_document=True)
def twilio_answer(leg_id: int, form: QueryDict) -> HttpResponse:
    grant = media_sessions.answer_leg(leg_id, twilio.read_answer(form))
    return _join(leg_id, grant)


@_leg_hook("after_stream", wants_document=True)
def twilio_after_stream(leg_id: int, form: QueryDict) -> HttpResponse:
    grant = media_sessions.after_stream(leg_id, twilio.read_after_stream(form))
    return _join(leg_id, grant)


@_leg_hook("status")
def twilio_status(leg_id: int, form: QueryDict) -> HttpResponse:
    return _noted("status", progress.leg_progressed(leg_id, twilio.read_status(form)))


@_leg_hook("amd")
def twilio_amd(leg_id: int, form: QueryDict) -> HttpResponse:
    return _noted("amd", progress.machine_heard(leg_id, twilio.read_machine(form)))


@_leg_hook("stream")
def twilio_stream(leg_id: int, form: QueryDict) -> HttpResponse:
    return _noted("stream", progress.stream_changed(leg_id, twilio.read_stream(form)))


@csrf_exempt
@require_POST
def twilio_inbound(request: HttpRequest) -> HttpResponse:
    """Somebody calls one of our numbers: refused before it is answered, busy where the number is ours."""

    def handle(form: QueryDict) -> HttpResponse:
        is_ours = Number.objects.filter(e164=form.get("To", ""), is_active=True).exists()
        log.info("inbound_call_refused", is_ours=is_ours, caller=phone.mask(form.get("From", "")))
        return _document(twilio.reject_document(reason="busy" if is_ours else "rejected"))

    return _answer(_Hook("inbound", wants_document=True), request, handle)


def _answer(hook: _Hook, request: HttpRequest, handle: Callable[[QueryDict], HttpResponse]) -> HttpResponse:
    with WEBHOOK_SECONDS.labels(hook.name).time():
        try:
            return handle(_verified(request))
        except _Refused as refusal:
            WEBHOOK_REQUESTS_REFUSED.labels(refusal.layer).inc()
            log.warning("webhook_refused", hook=hook.name, layer=refusal.layer, peer=request.META.get("REMOTE_ADDR"))
            return HttpResponse(status=refusal.status)
        except twilio.UnusableWebhook as error:
            return _acknowledge(hook, "content", field=error.code)
        except Exception:
            WEBHOOK_REQUESTS_REFUSED.labels("error").inc()
            log.exception("webhook_failed", hook=hook.name)
            return hook.nothing if hook.wants_document else HttpResponse(status=500)


def _verified(request: HttpRequest) -> QueryDict:
    """The form, once its size, form, signature and age are in order, in this sequence. Raises _Refused."""
    size = request.META.get("CONTENT_LENGTH") or "0"
    if not size.isdigit() or int(size) > settings.WEBHOOK_MAX_BYTES:
        raise _Refused("size", 413)
    body = request.read(settings.WEBHOOK_MAX_BYTES + 1)
    if len(body) > settings.WEBHOOK_MAX_BYTES:
        raise _Refused("size", 413)
    if request.content_type != "application/x-www-form-urlencoded":
        raise _Refused("form", 415)
    try:
        form = QueryDict(body, encoding="utf-8")
    except TooManyFieldsSent as error:
        raise _Refused("size", 413) from error
    # Never the Host header: whoever sends the request chooses that one.
    url = settings.PUBLIC_ORIGIN + request.get_full_path()
    signature = request.headers.get("X-Twilio-Signature", "")
    if not twilio.is_signed(url, form, signature, adapters.twilio_secrets()):
        raise _Refused("signature", 403)
    happened_at = twilio.signed_at(form)
    if happened_at is not None:
        oldest = timezone.now() - timedelta(hours=settings.WEBHOOK_MAX_AGE_HOURS)
        if happened_at < oldest:
            raise _Refused("timestamp", 403)
    return form


def _acknowledge(hook: _Hook, layer: str, **facts: object) -> HttpResponse:
    """Truly from the carrier, and of no use to us: say thanks, change nothing."""
    WEBHOOK_REQUESTS_REFUSED.labels(layer).inc()
    log.warning("webhook_of_no_use", hook=hook.name, layer=layer, **facts)
    return hook.nothing


def _noted(name: str, is_news: bool) -> HttpResponse:
    if not is_news:
        WEBHOOK_REPEATS.labels(name).inc()
    return HttpResponse(status=204)


def _join(leg_id: int, grant: MediaGrant | None) -> HttpResponse:
    if grant is None:
        return _document(twilio.hang_up_document())
    token = Leg.objects.values_list("token", flat=True).get(pk=leg_id)
    addresses = adapters.webhooks_for(token)
    return _document(
        twilio.stream_document(
            media_url=adapters.media_url(grant.media_token),
            after_url=addresses.after_stream,
            status_url=addresses.stream,
            parameters={"call_id": str(grant.call_id)},
            pause_s=grant.pause_s,
        )
    )


def _document(xml: str) -> HttpResponse:
    return HttpResponse(xml, content_type="text/xml; charset=utf-8")
