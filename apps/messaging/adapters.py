"""Settings → channels: the only file of messaging that lists carriers."""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_redis import get_redis_connection

from apps.calls.adapters import CarrierNotConfigured
from apps.calls.carriers.base import proves_service_is_up
from apps.calls.models import Carrier
from apps.core import breaker
from apps.messaging.channels.base import TextChannel


def _twilio() -> TextChannel:
    if not (settings.TWILIO_ACCOUNT_SID and settings.TWILIO_AUTH_TOKEN):
        raise CarrierNotConfigured(_("Twilio has no credentials. Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."))
    from apps.messaging.channels.twilio.rest import TwilioTexts  # some 15 MB, for workers only

    return TwilioTexts(
        account_sid=settings.TWILIO_ACCOUNT_SID,
        auth_token=settings.TWILIO_AUTH_TOKEN,
        api_base=settings.TWILIO_API_BASE,
        timeout_s=settings.CARRIER_TIMEOUT_S,
    )


def _telnyx() -> TextChannel:
    if not settings.TELNYX_API_KEY:
        raise CarrierNotConfigured(_("Telnyx has no key. Set TELNYX_API_KEY."))
    from apps.messaging.channels.telnyx.rest import TelnyxTexts

    return TelnyxTexts(
        api_key=settings.TELNYX_API_KEY,
        api_base=settings.TELNYX_API_BASE,
        timeout_s=settings.CARRIER_TIMEOUT_S,
    )


_CHANNELS: dict[str, Callable[[], TextChannel]] = {Carrier.TWILIO: _twilio, Carrier.TELNYX: _telnyx}


def circuit_of(carrier: str) -> str:
    """The breaker round a carrier's text service; calls have their own, as either may fail without the other."""
    return f"{carrier}-texts"


def pace_key(carrier: str) -> str:
    """Under which a carrier's texts are held while it wants to be left alone."""
    return f"texts:{carrier}"


@lru_cache
def channel_for(carrier: str) -> TextChannel:
    """A carrier's text service, one object per process. Raises CarrierNotConfigured."""
    make = _CHANNELS.get(carrier)
    if make is None:
        raise CarrierNotConfigured(_("This carrier is not known."), detail={"carrier": carrier})
    channel = make()
    breaker.configure(circuit_of(carrier), redis=get_redis_connection("default"), ignore=proves_service_is_up)
    return channel


def status_url(carrier: str, token: str) -> str:
    """Where the carrier tells what became of a message."""
    return str(settings.PUBLIC_ORIGIN) + reverse(f"text-hooks:{carrier}-status", args=[token])
