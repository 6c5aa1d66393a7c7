"""The way in, for every carrier: the layers of core in their order, and what is answered when one of them says no."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.calls.carriers.unusable import UnusableWebhook
from apps.calls.metrics import WEBHOOK_REPEATS, WEBHOOK_SECONDS
from apps.core import webhook_layers as layers
from apps.core.metrics import WEBHOOK_REQUESTS_REFUSED
from apps.core.webhook_layers import Layer, WebhookRefused

log = structlog.get_logger(__name__)

KEEP_BEYOND = timedelta(hours=1)  # a repeat is known for so long after its time has passed


@dataclass(frozen=True, slots=True)
class Hook:
    """name: its metric label. nothing: the answer to what we cannot use, where the carrier obeys what it is answered.

    max_age: of what the carrier has signed.
    """

    carrier: str
    name: str
    max_age: timedelta
    nothing: Callable[[], HttpResponse] | None = None

    def thanks(self) -> HttpResponse:
        """Taken note of. A call that nobody knows is not kept on the line."""
        return self.nothing() if self.nothing is not None else HttpResponse(status=204)


def serve(hook: Hook, request: HttpRequest, verified: Callable[[bytes], Callable[[], HttpResponse]]) -> HttpResponse:
    """Answer one webhook.

    verified: checks signature and time of a body, and gives back what is to be done then. It raises WebhookRefused,
    or UnusableWebhook, which the second step may, too.
    """
    with WEBHOOK_SECONDS.labels(hook.name).time():
        try:
            allowed = settings.TELNYX_WEBHOOK_IPS if hook.carrier == "telnyx" else settings.TWILIO_WEBHOOK_IPS
            layers.admit(request, account=hook.carrier, allowed=allowed)
            return verified(layers.read_body(request, max_bytes=settings.WEBHOOK_MAX_BYTES))()
        except WebhookRefused as refusal:
            return layers.refusal(refusal, request, hook=hook.name, carrier=hook.carrier)
        except UnusableWebhook as error:
            layers.note(Layer.CONTENT, request, hook=hook.name, carrier=hook.carrier, field=error.code)
            return hook.thanks()
        except Exception:
            WEBHOOK_REQUESTS_REFUSED.labels(Layer.ERROR).inc()
            log.exception("webhook_failed", hook=hook.name, carrier=hook.carrier)
            return hook.nothing() if hook.nothing is not None else HttpResponse(status=500)


def once(hook: Hook, request: HttpRequest, key: str, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Act on a genuine webhook, unless it has had its effect. One that waits for a document gets it again.

    key: of signed fields, "" if it bears none that tell it from another.
    """
    if key:
        key = f"{hook.name}:{key}"
    if layers.is_repeat(account=hook.carrier, key=key):
        layers.note(Layer.REPLAY, request, hook=hook.name, carrier=hook.carrier)
        WEBHOOK_REPEATS.labels(hook.name).inc()
        if hook.nothing is None:
            return HttpResponse(status=204)
    response = act()
    layers.remember(account=hook.carrier, key=key, keep=hook.max_age + KEEP_BEYOND)
    return response


def unknown(hook: Hook, request: HttpRequest, **facts: object) -> HttpResponse:
    """Truly from the carrier, of no call of ours: say thanks, change nothing."""
    layers.note(Layer.UNKNOWN, request, hook=hook.name, carrier=hook.carrier, **facts)
    return hook.thanks()


def noted(hook: Hook, is_news: bool) -> HttpResponse:
    if not is_news:
        WEBHOOK_REPEATS.labels(hook.name).inc()
    return HttpResponse(status=204)
