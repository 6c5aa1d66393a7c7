"""`/2010-04-01/Accounts/{Sid}/Messages`."""

from __future__ import annotations

from aiohttp import web

from apps.sandbox.carrier.twilio.errors import ApiError
from apps.sandbox.carrier.twilio.messages import TwilioMessages
from apps.sandbox.carrier.twilio.resources import API
from apps.sandbox.carrier.twilio.rest import RestApi, matches, moment, page_of, read_form

_FINAL = frozenset({"delivered", "undelivered", "failed", "received", "canceled"})


class MessageApi:
    """Create, fetch, list, redact and delete."""

    def __init__(self, messages: TwilioMessages) -> None:
        self._messages = messages

    def add_to(self, app: web.Application, rest: RestApi) -> None:
        base = API + "/Accounts/{account}/Messages"
        rest.route(app, "POST", base + ".json", self._create, places=True)
        rest.route(app, "GET", base + ".json", self._list)
        rest.route(app, "GET", base + "/{message}.json", self._fetch)
        rest.route(app, "POST", base + "/{message}.json", self._update)
        rest.route(app, "DELETE", base + "/{message}.json", self._delete)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        message = self._messages.create(await read_form(request))
        return web.json_response(self._messages.as_json(message), status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        found = list(reversed(self._messages.messages.values()))
        for name, attribute in (("To", "to"), ("From", "from_")):
            if wanted := request.query.get(name):
                found = [message for message in found if getattr(message, attribute) == wanted]
        for operator in ("", "<", ">"):
            if text := request.query.get("DateSent" + operator):
                # A message on its way has no such date yet; its creation stands for it.
                limit = moment(text)
                found = [
                    message for message in found if matches(message.sent_at or message.created_at, operator, limit)
                ]
        return page_of(request, "messages", [self._messages.as_json(message) for message in found])

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._messages.as_json(self._messages.find(request.match_info["message"])))

    async def _update(self, request: web.Request) -> web.StreamResponse:
        message, form = self._messages.find(request.match_info["message"]), await read_form(request)
        if form.get("Status") == "canceled":
            raise ApiError(400, 30409, "Message is not in a cancelable state")
        if message.status not in _FINAL:
            raise ApiError(400, 20009, "Cannot redact a message before it is complete")
        message.body = form.get("Body")
        return web.json_response(self._messages.as_json(message))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        message = self._messages.find(request.match_info["message"])
        if message.status not in _FINAL:
            raise ApiError(409, 20009, "Cannot delete this resource before it is complete")
        del self._messages.messages[message.sid]
        return web.Response(status=204)
