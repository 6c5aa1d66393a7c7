"""The product's own numbers: at which carrier each is, and what to call when somebody calls it or writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from apps.sandbox.carrier import fields
from apps.sandbox.carrier.records import Carrier

DEFAULT: Final = "default"  # stands for every number that was not set up by itself


@dataclass(frozen=True, slots=True)
class OwnNumber:
    """How a number is set up.

    At Twilio: voice_url, method, fallback_url, status_callback and sms_url. At Telnyx: webhook_url and connection_id
    are those of its Call Control application, sms_webhook_url and messaging_profile_id those of its messaging profile.
    """

    number: str
    carrier: Carrier = "twilio"
    voice_url: str = ""
    fallback_url: str = ""
    status_callback: str = ""
    method: str = "POST"
    sms_url: str = ""
    webhook_url: str = ""
    sms_webhook_url: str = ""
    connection_id: str = ""
    messaging_profile_id: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    def changed(self, data: Mapping[str, object]) -> OwnNumber:
        """With the settings that `data` names; raises BadRequest."""
        return replace(
            self,
            carrier=fields.carrier(data) or self.carrier,
            voice_url=fields.url(data, "voice_url") or self.voice_url,
            fallback_url=fields.url(data, "fallback_url") or self.fallback_url,
            status_callback=fields.url(data, "status_callback") or self.status_callback,
            method=fields.text(data, "method") or self.method,
            sms_url=fields.url(data, "sms_url") or self.sms_url,
            webhook_url=fields.url(data, "webhook_url") or self.webhook_url,
            sms_webhook_url=fields.url(data, "sms_webhook_url") or self.sms_webhook_url,
            connection_id=fields.text(data, "connection_id") or self.connection_id,
            messaging_profile_id=fields.text(data, "messaging_profile_id") or self.messaging_profile_id,
        )


class NumberBook:
    """What is known of the product's numbers. One that was never set up is as `default` is at its carrier."""

    def __init__(self) -> None:
        self._numbers: dict[str, OwnNumber] = {}
        self._defaults: dict[Carrier, OwnNumber] = {}

    def find(self, number: str, carrier: Carrier | None = None) -> OwnNumber:
        """carrier: where to look for defaults if the number itself is not known; None is Twilio."""
        known = self._numbers.get(number)
        if known is not None and carrier in {None, known.carrier}:
            return known
        default = self._defaults.get(carrier or "twilio") or OwnNumber(DEFAULT, carrier or "twilio")
        return replace(default, number=number)

    def keep(self, own: OwnNumber) -> None:
        if own.number == DEFAULT:
            self._defaults[own.carrier] = own
        else:
            self._numbers[own.number] = own

    def all(self) -> list[OwnNumber]:
        return [*self._defaults.values(), *self._numbers.values()]
