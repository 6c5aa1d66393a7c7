"""Calls from outside to the product's numbers, begun by the control interface."""

from __future__ import annotations

from collections.abc import Mapping

from apps.sandbox.carrier import fields
from apps.sandbox.carrier.call import PhoneCall
from apps.sandbox.carrier.courier import Hook
from apps.sandbox.carrier.fields import BadRequest
from apps.sandbox.carrier.numbers import NumberBook, OwnNumber
from apps.sandbox.carrier.telnyx.account import TelnyxAccount
from apps.sandbox.carrier.telnyx.events import Route
from apps.sandbox.carrier.telnyx.requests import LegRequest
from apps.sandbox.carrier.twilio.account import TwilioAccount
from apps.sandbox.carrier.twilio.requests import CallRequest
from apps.sandbox.personas import CalleeScript, inbound_script
from apps.sandbox.personas.lines import LANGUAGES


class InboundCalls:
    """Lets somebody call a number of ours."""

    def __init__(self, numbers: NumberBook, twilio: TwilioAccount, telnyx: TelnyxAccount | None) -> None:
        self._numbers, self._twilio, self._telnyx = numbers, twilio, telnyx

    def begin(self, data: Mapping[str, object]) -> PhoneCall:
        """data: from, to; persona and language of who calls; and what the number's set-up does not say already.

        Raises BadRequest.
        """
        from_, to = fields.number(data, "from"), fields.number(data, "to")
        own = self._numbers.find(to, fields.carrier(data)).changed(data)
        script = _script(from_, data)
        if own.carrier == "telnyx":
            return self._at_telnyx(own, from_, script)
        return self._at_twilio(own, from_, script)

    def _at_twilio(self, own: OwnNumber, from_: str, script: CalleeScript) -> PhoneCall:
        if not own.voice_url:
            raise BadRequest(f"voice_url: nothing is set up for {own.number}")
        request = CallRequest(
            to=own.number,
            from_=from_,
            document=Hook(own.voice_url, own.method),
            twiml="",
            fallback=Hook(own.fallback_url) if own.fallback_url else None,
            status_hook=Hook(own.status_callback) if own.status_callback else None,
        )
        return self._twilio.receive(request, script)

    def _at_telnyx(self, own: OwnNumber, from_: str, script: CalleeScript) -> PhoneCall:
        if self._telnyx is None:
            raise BadRequest("this sandbox has no Telnyx account")
        if not own.webhook_url:
            raise BadRequest(f"webhook_url: nothing is set up for {own.number}")
        request = LegRequest(
            to=own.number,
            from_=from_,
            connection_id=own.connection_id or "1000000000000000000",
            route=Route(own.webhook_url),
        )
        return self._telnyx.receive(request, script)


def _script(from_: str, data: Mapping[str, object]) -> CalleeScript:
    wanted = fields.text(data, "language")
    language = next((known for known in LANGUAGES if known == wanted), None)
    if wanted and language is None:
        raise BadRequest(f"language must be one of {', '.join(LANGUAGES)}")
    try:
        return inbound_script(from_, persona=fields.text(data, "persona") or None, language=language)
    except ValueError as error:
        raise BadRequest(str(error)) from error
