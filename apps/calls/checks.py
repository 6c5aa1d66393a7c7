"""Wrong combinations of settings, found before the first call is."""

import base64
import binascii
import ssl
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security)
def check_twilio_credentials(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    sid, token = settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN
    if bool(sid) != bool(token):
        missing = "TWILIO_AUTH_TOKEN" if sid else "TWILIO_ACCOUNT_SID"
        return [
            Error(f"Twilio is half set up: {missing} is missing.", hint=f"Set {missing}, or neither.", id="calls.E001")
        ]
    if sid and not sid.startswith("AC"):
        hint = "It starts with AC and stands on the front page of the Twilio console."
        return [Error("TWILIO_ACCOUNT_SID is not an account.", hint=hint, id="calls.E002")]
    return []


@register(Tags.security)
def check_telnyx_credentials(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    parts = ["TELNYX_API_KEY", "TELNYX_PUBLIC_KEY", "TELNYX_CONNECTION_ID"]
    missing = [name for name in parts if not getattr(settings, name)]
    if missing and len(missing) < len(parts):
        names = ", ".join(missing)
        return [Error(f"Telnyx is half set up: {names} is missing.", hint="Set all, or none.", id="calls.E011")]
    found: list[CheckMessage] = []
    for name in ("TELNYX_PUBLIC_KEY", "TELNYX_PUBLIC_KEY_PREVIOUS"):
        if not _is_public_key(getattr(settings, name)):
            hint = "It is 44 characters of base64, to be found in the portal under Keys & Credentials."
            found.append(Error(f"{name} is no Ed25519 public key.", hint=hint, id="calls.E012"))
    return found


@register(Tags.security)
def check_webhook_networks(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name in ("TELNYX_WEBHOOK_IPS", "TWILIO_WEBHOOK_IPS"):
        for text in getattr(settings, name):
            try:
                ip_network(text)
            except ValueError as error:
                hint = "Write networks as 192.0.2.0/24, with commas between them."
                found.append(Error(f"{name}: {error}.", hint=hint, id="calls.E013"))
    return found


@register(Tags.urls)
def check_public_origin(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A real carrier must be able to reach us; one on this machine can, whatever the origin."""
    carriers = {
        "Twilio": settings.TWILIO_ACCOUNT_SID and _is_public(settings.TWILIO_API_BASE),
        "Telnyx": settings.TELNYX_API_KEY and _is_public(settings.TELNYX_API_BASE),
    }
    real = [carrier for carrier, is_real in carriers.items() if is_real]
    if not real:
        return []
    found: list[CheckMessage] = []
    for name, id_ in (("PUBLIC_ORIGIN", "calls.E003"), ("PUBLIC_MEDIA_ORIGIN", "calls.E004")):
        origin = getattr(settings, name)
        if not _is_public(origin) or urlsplit(origin).scheme not in {"https", "wss"}:
            hint = f"Set {name} to the address under which the carrier reaches this machine, with TLS."
            found.append(Error(f"{name} ({origin}) cannot be reached by {' and '.join(real)}.", hint=hint, id=id_))
    if "Twilio" in real and "_" in (urlsplit(settings.PUBLIC_ORIGIN).hostname or ""):
        found.append(
            Error(
                "PUBLIC_ORIGIN has an underscore in its host name.", hint="Twilio refuses such URLs.", id="calls.E005"
            )
        )
    return found


@register(Tags.security, deploy=True)
def check_no_debug(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.DEBUG:
        hint = "Error pages would show phone numbers. Unset DEBUG."
        return [Error("DEBUG is on.", hint=hint, id="calls.E006")]
    return []


@register
def check_limits(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not 1 <= settings.CARRIER_TIMEOUT_S <= 15:
        hint = "Longer, and the check for lost workers would doubt requests that are still under way."
        found.append(Error("CARRIER_TIMEOUT_S must lie between 1 and 15.", hint=hint, id="calls.E007"))
    if settings.LEG_QUIET_S < 9:
        hint = "Media processes give a sign of life every five seconds."
        found.append(Error("LEG_QUIET_S must be at least 9.", hint=hint, id="calls.E008"))
    if settings.LEG_UNKNOWN_S < 2 * settings.CARRIER_TIMEOUT_S + 1:
        hint = "A request that is still under way would be written off, and then ring."
        found.append(Error("LEG_UNKNOWN_S must be more than twice CARRIER_TIMEOUT_S.", hint=hint, id="calls.E009"))
    if settings.RECONCILE_EVERY_S < 1:
        found.append(Error("RECONCILE_EVERY_S must be at least 1.", hint="Give it seconds.", id="calls.E010"))
    if settings.WEBHOOK_SOURCE_PER_S < 50 or settings.WEBHOOK_ACCOUNT_PER_S < settings.WEBHOOK_SOURCE_PER_S:
        hint = "A healthy carrier sends fifty a second, and an account may use several addresses."
        message = "WEBHOOK_SOURCE_PER_S must be at least 50, WEBHOOK_ACCOUNT_PER_S at least as much."
        found.append(Error(message, hint=hint, id="calls.E014"))
    if settings.WEBHOOK_MAX_AGE_HOURS < 1:
        found.append(Warning("WEBHOOK_MAX_AGE_HOURS refuses every webhook.", hint="Give it hours.", id="calls.W001"))
    return found


@register(Tags.security)
def check_recordings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.RECORDING_STORAGE == "s3" and not settings.STORAGES["recordings"]["OPTIONS"]["bucket_name"]:
        found.append(
            Error(
                "Recordings are to be kept in S3, but no bucket is named.",
                hint="Set RECORDING_S3_BUCKET.",
                id="calls.E015",
            )
        )
    if settings.RECORDING_X_ACCEL and settings.RECORDING_STORAGE != "file":
        hint = "nginx can only serve files. Unset RECORDING_X_ACCEL."
        found.append(Error("RECORDING_X_ACCEL needs RECORDING_STORAGE=file.", hint=hint, id="calls.E016"))
    if settings.RECORDING_KEEP_DAYS < 0:
        found.append(Error("RECORDING_KEEP_DAYS is negative.", hint="0 keeps for ever.", id="calls.E017"))
    return found


@register(Tags.security)
def check_gemini(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.GEMINI_CA_FILE:
        try:
            ssl.create_default_context(cafile=settings.GEMINI_CA_FILE)
        except OSError as error:  # ssl's errors are among them
            hint = "Name a PEM file of certificates that this process may read, or leave it empty."
            found.append(Error(f"GEMINI_CA_FILE: {error.strerror or error}.", hint=hint, id="calls.E018"))
    if urlsplit(settings.GEMINI_API_BASE).scheme != "https":
        hint = "Google's SDK speaks TLS whatever the address says."
        found.append(Error("GEMINI_API_BASE is no https address.", hint=hint, id="calls.E019"))
    return found


def _is_public_key(text: str) -> bool:
    """Whether it could be one; none at all is no mistake of this kind."""
    try:
        return not text or len(base64.b64decode(text, validate=True)) == 32
    except binascii.Error:
        return False


def _is_public(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host
