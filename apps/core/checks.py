"""Wrong combinations of settings, told at release time instead of by the first request that trips over them."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.translation import get_language_info


@register()
def secret_key_is_long_enough(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if len(settings.SECRET_KEY) >= 50:
        return []
    return [
        Error(
            "SECRET_KEY is shorter than 50 characters.",
            hint='python -c "import secrets; print(secrets.token_urlsafe(48))" makes one.',
            id="core.E001",
        )
    ]


@register()
def token_lifetimes_are_sound(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if 1 <= settings.JWT_ACCESS_MINUTES <= 60 and 1 <= settings.JWT_REFRESH_DAYS <= 90:
        return []
    return [
        Error(
            "JWT_ACCESS_MINUTES must lie between 1 and 60, JWT_REFRESH_DAYS between 1 and 90.",
            hint="Access tokens are short-lived, and refresh tokens renew them.",
            id="core.E002",
        )
    ]


@register()
def login_lockout_is_on(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if 1 <= settings.AXES_FAILURE_LIMIT <= 50 and settings.AXES_COOLOFF_TIME.total_seconds() >= 60:
        return []
    return [
        Error(
            "LOGIN_FAILURE_LIMIT must lie between 1 and 50, LOGIN_LOCKOUT_MINUTES be at least 1.",
            hint="Without it, passwords can be guessed at leisure.",
            id="core.E003",
        )
    ]


@register()
def languages_are_known(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    unknown = [code for code, _name in settings.LANGUAGES if get_language_info(code)["code"] != code]
    return [Error(f"Django does not know the language {code}.", id="core.E004") for code in unknown]


@register()
def proxies_are_networks(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    found: list[CheckMessage] = []
    for text in settings.TRUSTED_PROXY_IPS:
        try:
            ip_network(text)
        except ValueError as error:
            hint = "Write networks as 192.0.2.0/24, with commas between them."
            found.append(Error(f"TRUSTED_PROXY_IPS: {error}.", hint=hint, id="core.E005"))
    if settings.TRUSTED_PROXY_IPS and not settings.TRUSTED_PROXIES:
        hint = "Set TRUSTED_PROXIES to how many of them a request passes."
        found.append(Error("TRUSTED_PROXY_IPS is set, and TRUSTED_PROXIES is 0.", hint=hint, id="core.E006"))
    return found


@register(deploy=True)
def metrics_can_be_read(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if settings.METRICS_TOKEN:
        return []
    return [
        Warning(
            "METRICS_TOKEN is not set: /metrics answers only this machine itself and admins.",
            hint="Set it, and give Prometheus the same as its bearer token.",
            id="core.W001",
        )
    ]
