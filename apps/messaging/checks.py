"""Wrong combinations of settings, found before the first message is."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def check_message_limits(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.MESSAGE_UNKNOWN_S > 2 * settings.CARRIER_TIMEOUT_S:
        return []
    hint = "A request that is still under way would be written off, and then arrive."
    return [Error("MESSAGE_UNKNOWN_S must be more than twice CARRIER_TIMEOUT_S.", hint=hint, id="messaging.E001")]
