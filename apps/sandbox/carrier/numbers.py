"""The product's own numbers: at which carrier each is, and what to call when somebody calls it or writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from apps.sandbox.carrier import fields
from apps.sandbox.carrier.fields import BadRequest
from apps.sandbox.carrier.records import Carrier


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
        carrier = fields.text(data, "carrier") or self.carrier
        if carrier not in ("twilio", "telnyx"):
            raise BadRequest("carrier must be twilio or telnyx")
        return replace(
            self,
            carrier="telnyx" if carrier == "telnyx" else "twilio",
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
    """What is known of the product's numbers; one that was never set up is an empty one at Twilio."""

    def __init__(self) -> None:
        self._numbers: dict[str, OwnNumber] = {}

    def find(self, number: str) -> OwnNumber:
        return self._numbers.get(number) or OwnNumber(number)

    def keep(self, own: OwnNumber) -> None:
        self._numbers[own.number] = own

    def all(self) -> list[OwnNumber]:
        return list(self._numbers.values())
