"""Settings → carrier and voice AI objects: the only file that lists them."""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_redis import get_redis_connection

from apps.calls.carriers.base import Carrier, Webhooks, proves_service_is_up
from apps.calls.carriers.twilio.rest import TwilioCarrier
from apps.calls.models import Carrier as CarrierCode
from apps.core import breaker
from apps.core.errors import DomainError


# ── Carriers ────────────────────────────────────────────────────────────────────────────────────────────────
class CarrierNotConfigured(DomainError):
    code = "carrier_not_configured"
    status = 503


def _twilio() -> Carrier:
    if not (settings.TWILIO_ACCOUNT_SID and settings.TWILIO_AUTH_TOKEN):
        raise CarrierNotConfigured(_("Twilio has no credentials. Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."))
    return TwilioCarrier(
        account_sid=settings.TWILIO_ACCOUNT_SID,
        auth_token=settings.TWILIO_AUTH_TOKEN,
        api_base=settings.TWILIO_API_BASE,
        timeout_s=settings.CARRIER_TIMEOUT_S,
    )


_CARRIERS: dict[str, Callable[[], Carrier]] = {CarrierCode.TWILIO: _twilio}


@lru_cache
def carrier_for(code: str) -> Carrier:
    """The carrier of a number or leg, one object per process. Raises CarrierNotConfigured."""
    make = _CARRIERS.get(code)
    if make is None:
        raise CarrierNotConfigured(_("This carrier is not known."), detail={"carrier": code})
    carrier = make()
    # Shared by all workers, so that one worker's bad news is everybody's.
    breaker.configure(code, redis=get_redis_connection("default"), ignore=proves_service_is_up)
    return carrier


def webhooks_for(token: str) -> Webhooks:
    """Every address a carrier is given for a leg."""

    def url(hook: str) -> str:
        return str(settings.PUBLIC_ORIGIN) + reverse(f"hooks:twilio-{hook}", args=[token])

    return Webhooks(
        answer=url("answer"),
        status=url("status"),
        machine=url("amd"),
        stream=url("stream"),
        after_stream=url("after-stream"),
    )


def media_url(media_token: str) -> str:
    """Where a carrier opens a leg's media socket."""
    return f"{settings.PUBLIC_MEDIA_ORIGIN}/media/twilio/{media_token}"


def twilio_secrets() -> list[str]:
    """The tokens that may sign a webhook: the current one, and the one before while it is being replaced."""
    return [token for token in (settings.TWILIO_AUTH_TOKEN, settings.TWILIO_AUTH_TOKEN_PREVIOUS) if token]
