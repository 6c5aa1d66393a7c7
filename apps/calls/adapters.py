"""Settings → carrier and voice AI objects: the only file that lists them."""

import contextlib
import ssl
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar, cast

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_redis import get_redis_connection

from apps.calls.carriers.base import Capabilities, Carrier, Commanded, MediaTarget, Webhooks, proves_service_is_up
from apps.calls.carriers.capabilities import CAPABILITIES
from apps.calls.carriers.telnyx.media import socket_secret
from apps.calls.language_models import LanguageModel, LanguageModelError
from apps.calls.models import Carrier as CarrierCode
from apps.calls.models import Provider
from apps.calls.voice_ai.base import VoiceAI, VoiceAIError
from apps.core import breaker
from apps.core.errors import DomainError

if TYPE_CHECKING:
    from google.genai import Client as GeminiClient
    from openai import AsyncOpenAI

    from apps.calls.voice_ai.deepgram.assembly import Assembly

T = TypeVar("T")

# The services the parts of a pipeline use, each behind a breaker of its own.
PART_BREAKERS = ("openai_llm", "gemini_llm", "gemini_speech")


# ── Carriers ────────────────────────────────────────────────────────────────────────────────────────────────
class CarrierNotConfigured(DomainError):
    code = "carrier_not_configured"
    status = 503


def has_credentials(code: str) -> bool:
    """Whether a carrier can be asked anything at all. Loads nothing of it."""
    if code == CarrierCode.TWILIO:
        return bool(settings.TWILIO_ACCOUNT_SID and settings.TWILIO_AUTH_TOKEN)
    return code == CarrierCode.TELNYX and bool(settings.TELNYX_API_KEY and settings.TELNYX_CONNECTION_ID)


def _twilio() -> Carrier:
    if not has_credentials(CarrierCode.TWILIO):
        raise CarrierNotConfigured(_("Twilio has no credentials. Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."))
    from apps.calls.carriers.twilio.rest import TwilioCarrier  # some 15 MB, for workers only

    return TwilioCarrier(
        account_sid=settings.TWILIO_ACCOUNT_SID,
        auth_token=settings.TWILIO_AUTH_TOKEN,
        api_base=settings.TWILIO_API_BASE,
        timeout_s=settings.CARRIER_TIMEOUT_S,
    )


def _telnyx() -> Carrier:
    if not has_credentials(CarrierCode.TELNYX):
        raise CarrierNotConfigured(_("Telnyx has no credentials. Set TELNYX_API_KEY and TELNYX_CONNECTION_ID."))
    from apps.calls.carriers.telnyx.rest import TelnyxCarrier  # as above

    return TelnyxCarrier(
        api_key=settings.TELNYX_API_KEY,
        connection_id=settings.TELNYX_CONNECTION_ID,
        api_base=settings.TELNYX_API_BASE,
        timeout_s=settings.CARRIER_TIMEOUT_S,
    )


_CARRIERS: dict[str, Callable[[], Carrier]] = {CarrierCode.TWILIO: _twilio, CarrierCode.TELNYX: _telnyx}


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


def load_carriers() -> None:
    """Import the SDKs of the configured carriers now: it takes seconds, which a caller would wait for."""
    if settings.TWILIO_ACCOUNT_SID:
        import_module("apps.calls.carriers.twilio.rest")
    if settings.TELNYX_API_KEY:
        import_module("apps.calls.carriers.telnyx.rest")


def commanded_for(code: str) -> Commanded:
    """As ``carrier_for``, for a carrier that takes commands rather than documents; a TypeError for any other."""
    carrier = carrier_for(code)
    if capabilities_of(code).takes_documents:
        raise TypeError(f"{code} takes documents")
    return cast(Commanded, carrier)


def capabilities_of(code: str) -> Capabilities:
    """What a carrier can do, without asking for it: in force before it is configured, too."""
    return CAPABILITIES[code]


def longest_request_s() -> float:
    """How long a request to a carrier may take at most: connecting and reading have the time limit each."""
    return float(2 * settings.CARRIER_TIMEOUT_S)


def longest_call_s() -> int:
    return int(settings.CALL_MAX_MINUTES) * 60


def webhooks_for(carrier: str, token: str, *, n_lost: int = 0) -> Webhooks:
    """Every address a carrier is given for a leg. n_lost: media sockets of the leg that were lost before."""

    def url(hook: str, **options: object) -> str:
        return str(settings.PUBLIC_ORIGIN) + reverse(f"hooks:{carrier}-{hook}", kwargs={"token": token, **options})

    if not capabilities_of(carrier).takes_documents:
        return Webhooks(status=url("leg"))
    return Webhooks(
        status=url("status"),
        answer=url("answer"),
        machine=url("amd"),
        stream=url("stream"),
        after_stream=url("after-stream", n_lost=n_lost),
        recording=url("recording"),
        transferred=url("transferred"),
    )


def media_target(carrier: str, media_token: str) -> MediaTarget:
    """Where a carrier opens a leg's media socket, and what it shows there."""
    url = media_url(carrier, media_token)
    if capabilities_of(carrier).takes_documents:
        return MediaTarget(url)
    return MediaTarget(url, secret=socket_secret(media_token, settings.SECRET_KEY))


def media_url(carrier: str, media_token: str) -> str:
    return f"{settings.PUBLIC_MEDIA_ORIGIN}/media/{carrier}/{media_token}"


def media_secrets(carrier: str) -> list[str]:
    """What ``carriers.media.is_media_signed`` believes."""
    if carrier == CarrierCode.TWILIO:
        return twilio_secrets()
    return [settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS)]


def twilio_secrets() -> list[str]:
    """The tokens that may sign a webhook: the current one, and the one before while it is being replaced."""
    return [token for token in (settings.TWILIO_AUTH_TOKEN, settings.TWILIO_AUTH_TOKEN_PREVIOUS) if token]


def telnyx_public_keys() -> list[str]:
    """The keys that may have signed a webhook, as above."""
    return [key for key in (settings.TELNYX_PUBLIC_KEY, settings.TELNYX_PUBLIC_KEY_PREVIOUS) if key]


# ── Voice AI ────────────────────────────────────────────────────────────────────────────────────────────────
class VoiceAINotConfigured(DomainError):
    code = "voice_ai_not_configured"
    status = 503


# Providers' packages are imported where they are used: heavy as they are, only the media process needs them.
@lru_cache
def _openai_client() -> "AsyncOpenAI":
    """One for the process: each would bring its own TLS context, which costs more memory than a call."""
    from openai import AsyncOpenAI

    if not settings.OPENAI_API_KEY:
        raise VoiceAINotConfigured(_("OpenAI has no key. Set OPENAI_API_KEY."))
    breaker.configure(Provider.OPENAI, ignore=_is_final_refusal)
    return AsyncOpenAI(
        api_key=settings.OPENAI_API_KEY,
        base_url=settings.OPENAI_BASE_URL,
        websocket_base_url=settings.OPENAI_REALTIME_BASE,
        max_retries=0,
    )


@lru_cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _is_final_refusal(error: BaseException) -> bool:
    """Whether the provider answered with a reason, which must not open its breaker."""
    return isinstance(error, VoiceAIError) and not error.retryable


def _openai_realtime() -> VoiceAI:
    from apps.calls.voice_ai.openai_realtime import OpenAIRealtime

    is_encrypted = settings.OPENAI_REALTIME_BASE.startswith("wss:")
    return OpenAIRealtime(
        _openai_client(),
        ssl_context=_tls() if is_encrypted else None,
        open_timeout_s=settings.VOICE_AI_OPEN_TIMEOUT_S,
        guard=partial(breaker.guard, Provider.OPENAI),
    )


@lru_cache
def _gemini_client() -> "GeminiClient":
    """One for the process, with the one TLS context of all its connections."""
    from google.genai import Client
    from google.genai.types import HttpOptions

    if not settings.GEMINI_API_KEY:
        raise VoiceAINotConfigured(_("Gemini has no key. Set GEMINI_API_KEY."))
    breaker.configure(Provider.GEMINI, ignore=_is_final_refusal)
    tls = ssl.create_default_context()
    if settings.GEMINI_CA_FILE:
        tls.load_verify_locations(cafile=settings.GEMINI_CA_FILE)
    options = HttpOptions(
        base_url=settings.GEMINI_API_BASE,
        api_version=settings.GEMINI_API_VERSION,
        client_args={"verify": tls},
        async_client_args={"verify": tls, "ssl": tls},
    )
    return Client(enterprise=False, api_key=settings.GEMINI_API_KEY, http_options=options)


def _gemini_live() -> VoiceAI:
    from apps.calls.voice_ai.gemini_live import GeminiLive

    return GeminiLive(
        _gemini_client(),
        open_timeout_s=settings.VOICE_AI_OPEN_TIMEOUT_S,
        guard=partial(breaker.guard, Provider.GEMINI),
    )


@lru_cache
def _deepgram_assembly() -> "Assembly":
    from apps.calls.voice_ai.deepgram.assembly import Assembly
    from apps.calls.voice_ai.deepgram.sockets import deepgram_client

    if not settings.DEEPGRAM_API_KEY:
        raise VoiceAINotConfigured(_("Deepgram has no key. Set DEEPGRAM_API_KEY."))
    for service in (Provider.DEEPGRAM, *PART_BREAKERS):
        breaker.configure(service, ignore=_is_final_refusal)
    assembly = Assembly(
        deepgram_client(api_key=settings.DEEPGRAM_API_KEY, api_base=settings.DEEPGRAM_API_BASE),
        openai_client=partial(_client_of_a_part, _openai_client, "openai"),
        gemini_client=partial(_client_of_a_part, _gemini_client, "gemini"),
        guard=breaker.guard,
        open_timeout_s=settings.VOICE_AI_OPEN_TIMEOUT_S,
    )
    with contextlib.suppress(VoiceAIError):
        assembly.warm_up()
    return assembly


def _client_of_a_part(make: Callable[[], T], service: str) -> T:
    """A language model's or second voice's client, for whom a missing key is a loss like any other."""
    try:
        return make()
    except VoiceAINotConfigured as error:
        raise VoiceAIError(f"{service}_not_configured", retryable=False) from error


def _deepgram() -> VoiceAI:
    return _deepgram_assembly().conversation()


# ── Language models, for work after the call ────────────────────────────────────────────────────────────────
class LanguageModelNotConfigured(DomainError):
    code = "language_model_not_configured"
    status = 503


def llm_breaker(service: str) -> str:
    """The name of the breaker round a language model's service, the same as in a pipeline's conversation."""
    return f"{service}_llm"


def _openai_model() -> LanguageModel:
    from openai import OpenAI

    from apps.calls.language_models.openai_chat import OpenAIModel

    if not settings.OPENAI_API_KEY:
        raise LanguageModelNotConfigured(_("OpenAI has no key. Set OPENAI_API_KEY."))
    client = OpenAI(
        api_key=settings.OPENAI_API_KEY,
        base_url=settings.OPENAI_BASE_URL,
        timeout=settings.REVIEW_TIMEOUT_S,
        max_retries=0,
    )
    return OpenAIModel(client)


def _gemini_model() -> LanguageModel:
    from apps.calls.language_models.gemini import GeminiModel

    if not settings.GEMINI_API_KEY:
        raise LanguageModelNotConfigured(_("Gemini has no key. Set GEMINI_API_KEY."))
    return GeminiModel(_gemini_client())


_LANGUAGE_MODELS: dict[str, Callable[[], LanguageModel]] = {"openai": _openai_model, "gemini": _gemini_model}
LANGUAGE_MODEL_SERVICES = tuple(_LANGUAGE_MODELS)


@lru_cache
def language_model_for(service: str) -> LanguageModel:
    """Who answers in a worker, one client per process. Raises LanguageModelNotConfigured."""
    make = _LANGUAGE_MODELS.get(service)
    if make is None:
        raise LanguageModelNotConfigured(_("This language model is not known."), detail={"service": service})
    model = make()
    breaker.configure(llm_breaker(service), redis=get_redis_connection("default"), ignore=_is_final_answer)
    return model


def _is_final_answer(error: BaseException) -> bool:
    return isinstance(error, LanguageModelError) and not error.retryable


_VOICE_AIS: dict[str, Callable[[], VoiceAI]] = {
    Provider.OPENAI: _openai_realtime,
    Provider.GEMINI: _gemini_live,
    Provider.DEEPGRAM: _deepgram,
}


def load_voice_ais() -> None:
    """Import what the configured providers need now, rather than while someone is on the line."""
    for provider in _VOICE_AIS:
        with contextlib.suppress(VoiceAINotConfigured):
            voice_ai_for(provider)


def voice_ai_for(provider: str) -> VoiceAI:
    """A new conversation with the provider, not yet opened. Raises VoiceAINotConfigured."""
    make = _VOICE_AIS.get(provider)
    if make is None:
        raise VoiceAINotConfigured(_("This voice AI is not known."), detail={"provider": provider})
    return make()
