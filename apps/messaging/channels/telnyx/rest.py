"""Telnyx's messages through its own SDK."""

from datetime import datetime
from typing import Final

import httpx
from telnyx import Telnyx

from apps.calls.carriers.base import CarrierError, Fault
from apps.calls.carriers.telnyx.rest import operation
from apps.messaging.channels.base import OPTED_OUT, TextNews, TextRequest
from apps.messaging.channels.telnyx.webhooks import read_message

_POOL: Final = httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=60)
_NUMBER_FAULTS: Final = OPTED_OUT | {"10015", "10016", "40310"}


class TelnyxTexts:
    """One account. Safe to share between threads."""

    name = "telnyx"
    finds = False  # there is no list of messages: a lost one is known by its webhooks, or not at all

    def __init__(self, *, api_key: str, api_base: str, timeout_s: float) -> None:
        self._http = httpx.Client(
            base_url=api_base, timeout=httpx.Timeout(timeout_s, pool=1.0), limits=_POOL, follow_redirects=False
        )
        # The SDK would repeat a POST by itself after 5xx, 429 and lost connections.
        self._client = Telnyx(api_key=api_key, base_url=api_base, http_client=self._http, max_retries=0)

    def close(self) -> None:
        self._client.close()

    def send(self, request: TextRequest) -> TextNews:
        try:
            with operation("send_text", is_write=True):
                answer = self._client.messages.send(
                    to=request.to,
                    from_=request.from_,
                    text=request.body,
                    webhook_url=request.status_url,
                    use_profile_webhooks=False,
                    idempotency_key=request.token,
                )
                return read_message(answer.data.to_dict(mode="json") if answer.data is not None else {})
        except CarrierError as error:
            if error.code in _NUMBER_FAULTS:
                error.fault = Fault.NUMBER
            raise

    def fetch(self, carrier_message_id: str) -> TextNews | None:
        try:
            with operation("fetch_text"):
                answer = self._client.messages.retrieve(carrier_message_id)
                return read_message(answer.data.to_dict(mode="json") if answer.data is not None else {})
        except CarrierError as error:
            if error.fault is Fault.OVER:
                return None
            raise

    def find(self, request: TextRequest, *, since: datetime) -> list[TextNews]:
        return []
