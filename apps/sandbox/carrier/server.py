"""The sandbox carrier as an aiohttp application."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from apps.sandbox.carrier.config import CarrierConfig
from apps.sandbox.carrier.control import ControlApi
from apps.sandbox.carrier.exchange import Exchange
from apps.sandbox.carrier.inbound import InboundCalls
from apps.sandbox.carrier.messages import MessageDesk
from apps.sandbox.carrier.numbers import NumberBook
from apps.sandbox.carrier.records import Carrier
from apps.sandbox.carrier.telnyx.account import TelnyxAccount
from apps.sandbox.carrier.telnyx.message_api import MessageApi as TelnyxMessageApi
from apps.sandbox.carrier.telnyx.messages import TelnyxMessages
from apps.sandbox.carrier.telnyx.rest import TelnyxApi
from apps.sandbox.carrier.twilio.account import TwilioAccount
from apps.sandbox.carrier.twilio.message_api import MessageApi as TwilioMessageApi
from apps.sandbox.carrier.twilio.messages import TwilioMessages
from apps.sandbox.carrier.twilio.rest import RestApi


def make_app(config: CarrierConfig) -> web.Application:
    """REST, control interface and status page around one exchange, which lives as long as the application."""
    app = web.Application(client_max_size=1 << 20)
    exchange = Exchange(config)
    twilio = TwilioAccount(exchange)
    telnyx = TelnyxAccount(exchange, config.telnyx) if config.telnyx is not None else None

    async def lifetime(_app: web.Application) -> AsyncIterator[None]:
        await exchange.open()
        yield
        await exchange.close()

    app.cleanup_ctx.append(lifetime)
    numbers = NumberBook()
    for own in config.numbers:
        numbers.keep(own)
        if own.carrier == "telnyx" and telnyx is not None:
            telnyx.know(own.connection_id, own.webhook_url)
    desks: dict[Carrier, MessageDesk] = {"twilio": _serve_twilio(app, twilio, numbers)}
    if telnyx is not None:
        desks["telnyx"] = _serve_telnyx(app, telnyx, numbers)
    ControlApi(exchange, numbers, InboundCalls(numbers, twilio, telnyx), desks, telnyx).add_to(app)
    return app


def _serve_twilio(app: web.Application, account: TwilioAccount, numbers: NumberBook) -> TwilioMessages:
    rest, messages = RestApi(account), TwilioMessages(account, numbers)
    rest.add_to(app)
    TwilioMessageApi(messages).add_to(app, rest)
    rest.close(app)
    return messages


def _serve_telnyx(app: web.Application, account: TelnyxAccount, numbers: NumberBook) -> TelnyxMessages:
    api, messages = TelnyxApi(account), TelnyxMessages(account, numbers)
    api.add_to(app)
    TelnyxMessageApi(messages).add_to(app, api)
    api.close(app)
    return messages
