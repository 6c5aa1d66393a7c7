"""Keys that could not sign or check a token stop the release."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from apps.accounts.keys import BadKey, key_ring


@register()
def token_keys_can_be_read(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    try:
        key_ring(settings.JWT_SIGNING_KEY, settings.JWT_PREVIOUS_KEYS)
    except BadKey as error:
        return [Error(str(error), hint="openssl genpkey -algorithm ed25519 makes one.", id="accounts.E001")]
    return []
