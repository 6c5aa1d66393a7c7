"""Twilio's REST interface for calls, their recordings and streams."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
from datetime import UTC, datetime
from typing import cast

from aiohttp import web
from multidict import MultiMapping

from apps.sandbox.carrier.courier import Hook
from apps.sandbox.carrier.faults import Fault
from apps.sandbox.carrier.recorder import Recorder, render_wav
from apps.sandbox.carrier.records import new_sid
from apps.sandbox.carrier.spoiling import Handler, carry_out, fault_of_request
from apps.sandbox.carrier.twilio.account import TwilioAccount
from apps.sandbox.carrier.twilio.call import TwilioCall
from apps.sandbox.carrier.twilio.errors import (
    ApiError,
    authentication_failed,
    not_found,
    not_in_progress,
    too_many_requests,
)
from apps.sandbox.carrier.twilio.interpreter import Source
from apps.sandbox.carrier.twilio.requests import (
    MAX_TWIML_CHARS,
    Form,
    check_url,
    parse_call,
    recording_options,
)
from apps.sandbox.carrier.twilio.resources import API, call_json, call_uri, recording_json
from apps.sandbox.carrier.twilio.stream import StreamRequest
from apps.sandbox.personas import persona_for


class RequestForm:
    """A request's form or query; missing names read as empty text."""

    def __init__(self, values: MultiMapping[str]) -> None:
        self._values = values

    def get(self, name: str, default: str = "") -> str:
        return self._values.get(name, default)

    def getall(self, name: str) -> list[str]:
        return list(self._values.getall(name, []))


async def read_form(request: web.Request) -> RequestForm:
    return RequestForm(cast("MultiMapping[str]", await request.post()))


def page_of(request: web.Request, name: str, items: list[dict[str, object]]) -> web.Response:
    """A list as Twilio pages it: by Page and PageSize, with the address of the next page."""
    size = max(1, min(int(request.query.get("PageSize", "50")), 1000))
    number = int(request.query.get("Page", "0"))
    start = number * size
    shown = items[start : start + size]

    def uri(page: int) -> str:
        return str(request.rel_url.update_query(Page=str(page), PageSize=str(size)))

    body = {
        name: shown,
        "page": number,
        "page_size": size,
        "start": start,
        "end": max(start, start + len(shown) - 1),
        "uri": str(request.rel_url),
        "first_page_uri": uri(0),
        "next_page_uri": uri(number + 1) if start + size < len(items) else None,
        "previous_page_uri": uri(number - 1) if number else None,
    }
    return web.json_response(body)


class RestApi:
    """Handlers under `/2010-04-01/Accounts/{Sid}`; what is refused is refused with Twilio's codes."""

    def __init__(self, account: TwilioAccount) -> None:
        self._account, self._exchange = account, account.exchange
        self._n_open = 0

    def add_to(self, app: web.Application) -> None:
        base = API + "/Accounts/{account}"
        call, recording = base + "/Calls/{call}", base + "/Recordings/{recording}"
        self.route(app, "POST", base + "/Calls.json", self._create, places=True)
        self.route(app, "GET", base + "/Calls.json", self._list)
        self.route(app, "GET", call + ".json", self._fetch)
        self.route(app, "POST", call + ".json", self._update)
        self.route(app, "DELETE", call + ".json", self._delete)
        self.route(app, "GET", call + "/Events.json", self._events)
        self.route(app, "POST", call + "/Recordings.json", self._start_recording)
        self.route(app, "GET", call + "/Recordings.json", self._list_recordings)
        self.route(app, "GET", call + "/Recordings/{recording}.json", self._fetch_recording)
        self.route(app, "POST", call + "/Recordings/{recording}.json", self._update_recording)
        self.route(app, "POST", call + "/Streams.json", self._start_stream)
        self.route(app, "POST", call + "/Streams/{stream}.json", self._stop_stream)
        self.route(app, "GET", base + "/Recordings.json", self._list_recordings)
        self.route(app, "GET", recording + ".json", self._fetch_recording)
        self.route(app, "DELETE", recording + ".json", self._delete_recording)
        self.route(app, "GET", recording + ".wav", self._download)
        self.route(app, "GET", recording, self._download)

    def close(self, app: web.Application) -> None:
        """After every other handler has been added: the rest is answered as not found."""
        self.route(app, "*", "/{rest:20.*}", self._nothing_here)

    def route(self, app: web.Application, method: str, path: str, handler: Handler, *, places: bool = False) -> None:
        """places: the request begins something with a number, which may bring a fault."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            return await self._guarded(request, handler, places=places)

        app.router.add_route(method, path, guarded)

    async def _guarded(self, request: web.Request, handler: Handler, *, places: bool) -> web.StreamResponse:
        began = time.monotonic()
        self._n_open += 1
        try:
            self._check_credentials(request)
            self._account.origin = str(request.url.origin())  # as the product reaches this server
            response = await self._spoiled(request, handler, places=places)
        except ApiError as error:
            response = error.response()
        finally:
            self._n_open -= 1
        response.headers["Twilio-Request-Id"] = new_sid("RQ")
        response.headers["Twilio-Concurrent-Requests"] = str(self._n_open + 1)
        response.headers["Twilio-Request-Duration"] = f"{time.monotonic() - began:.3f}"
        response.headers["X-Home-Region"] = "us1"
        response.headers["X-API-Domain"] = "api.twilio.com"
        return response

    def _check_credentials(self, request: web.Request) -> None:
        ours = self._account
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise authentication_failed() from None
        expected = f"{ours.sid}:{ours.auth_token}".encode()
        account = request.match_info.get("account", ours.sid)
        if scheme != "Basic" or not hmac.compare_digest(given, expected) or account != ours.sid:
            raise authentication_failed()

    async def _spoiled(self, request: web.Request, handler: Handler, *, places: bool) -> web.StreamResponse:
        """The handler's answer, unless a fault is to befall this request."""
        form = await read_form(request) if request.method == "POST" else RequestForm(request.query)
        fault = fault_of_request(self._exchange, request, to=form.get("To"), is_create=places)
        refused = _refusal(fault) if fault else None
        if refused is not None:
            if handler == self._create:
                to, from_ = form.get("To"), form.get("From")
                self._exchange.log_create("twilio", to=to, from_=from_, sid=None, code=refused.code)
            raise refused
        return await carry_out(request, handler, fault)

    async def _nothing_here(self, request: web.Request) -> web.StreamResponse:
        raise not_found(request.path)

    # ---- calls

    def _call(self, request: web.Request) -> TwilioCall:
        return self._account.live_call(request.match_info["call"])

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        to, from_ = form.get("To"), form.get("From")
        try:
            wanted = parse_call(form, self._account.owned_numbers)
            if persona_for(to).fault == "rest_invalid_to":
                raise ApiError(400, 21211, f"The phone number you are attempting to call, {to}, is not valid.")
        except ApiError as error:
            self._exchange.log_create("twilio", to=to, from_=from_, sid=None, code=error.code)
            raise
        call = self._account.place(wanted)
        self._exchange.log_create("twilio", to=to, from_=from_, sid=call.record.sid, code=None)
        return web.json_response(call_json(call.record), status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        calls = [call.record for call in reversed(self._account.calls())]
        for name, attribute in (("To", "to"), ("From", "from_"), ("Status", "status"), ("ParentCallSid", "parent_sid")):
            if wanted := query.get(name):
                calls = [record for record in calls if getattr(record, attribute) == wanted]
        for field, attribute in (("StartTime", "started_at"), ("EndTime", "ended_at")):
            for operator in ("", "<", ">"):
                if text := query.get(field + operator):
                    limit = moment(text)
                    # A queued call has no start yet; its creation stands for it.
                    calls = [r for r in calls if matches(getattr(r, attribute) or r.created_at, operator, limit)]
        return page_of(request, "calls", [call_json(record) for record in calls])

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(call_json(self._call(request).record))

    async def _update(self, request: web.Request) -> web.StreamResponse:
        call, form = self._call(request), await read_form(request)
        if call.record.is_over:
            raise not_in_progress()
        status, twiml, url = form.get("Status"), form.get("Twiml"), form.get("Url")
        if status not in {"", "completed", "canceled"}:
            raise ApiError(400, 21200, f"Status may be completed or canceled, not {status}")
        if twiml and url:
            raise ApiError(400, 21200, "Url and Twiml cannot both be given")
        if len(twiml) > MAX_TWIML_CHARS:
            raise ApiError(400, 32018, f"Twiml is longer than {MAX_TWIML_CHARS} characters")
        if status_url := form.get("StatusCallback"):
            method = form.get("StatusCallbackMethod") or "POST"
            call.reports.hook = Hook(check_url(status_url, 21609, "StatusCallback"), method)
        if (limit := form.get("TimeLimit")) and limit.isdigit():
            call.limit_time(float(limit))
        if status == "completed" or (status == "canceled" and not call.is_answered):
            self._end(call)
        elif twiml or url:
            fallback_url = form.get("FallbackUrl")
            call.redirect(
                Source(
                    hook=Hook(check_url(url, 21205, "Url"), form.get("Method") or "POST") if url else None,
                    twiml=twiml,
                    fallback=Hook(fallback_url, form.get("FallbackMethod") or "POST") if fallback_url else None,
                )
            )
        call.record.note("updated", status=status, url=url, has_twiml=bool(twiml))
        return web.json_response(call_json(call.record))

    def _end(self, call: TwilioCall) -> None:
        if call.record.started_at is None:
            self._account.cancel_queued(call)
        else:
            call.hang_up("api")

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        call = self._call(request)
        if not call.record.is_over:
            raise ApiError(409, 20009, "Cannot delete this resource before it is complete")
        del self._exchange.calls[call.record.sid]
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return page_of(request, "events", list(self._call(request).record.webhooks))

    # ---- recordings

    async def _start_recording(self, request: web.Request) -> web.StreamResponse:
        call, form = self._call(request), await read_form(request)
        if not call.is_answered or call.record.is_over:
            raise ApiError(400, 21220, "Requested resource is not eligible for recording")
        options = recording_options(form, source="StartCallRecordingAPI", prefix="", trim_default="do-not-trim")
        return self._recording_json(call.start_recording(options), status=201)

    async def _list_recordings(self, request: web.Request) -> web.StreamResponse:
        call_sid = request.match_info.get("call") or request.query.get("CallSid")
        records = [r.record for r in self._recorders() if call_sid in {None, r.record.call_sid}]
        origin = self._account.origin
        return page_of(request, "recordings", [recording_json(record, origin=origin) for record in reversed(records)])

    def _recorders(self) -> list[Recorder]:
        recorders = self._exchange.recordings.values()
        return [recorder for recorder in recorders if recorder.record.account_sid == self._account.sid]

    def _recorder(self, request: web.Request) -> Recorder:
        sid, call_sid = request.match_info["recording"], request.match_info.get("call")
        for recorder in reversed(self._recorders()):
            record = recorder.record
            if call_sid in {None, record.call_sid} and (
                record.sid == sid or (sid == "Twilio.CURRENT" and record.status in {"in-progress", "paused"})
            ):
                return recorder
        raise not_found(f"/Recordings/{sid}")

    def _recording_json(self, recorder: Recorder, status: int = 200) -> web.Response:
        return web.json_response(recording_json(recorder.record, origin=self._account.origin), status=status)

    async def _fetch_recording(self, request: web.Request) -> web.StreamResponse:
        return self._recording_json(self._recorder(request))

    async def _update_recording(self, request: web.Request) -> web.StreamResponse:
        recorder, form = self._recorder(request), await read_form(request)
        status = form.get("Status")
        if recorder.record.status not in {"in-progress", "paused"}:
            raise ApiError(400, 21220, "Recording is not in-progress")
        if status == "paused":
            recorder.pause(skips=form.get("PauseBehavior") == "skip")
        elif status == "in-progress":
            recorder.resume()
        elif status == "stopped":
            self._account.live_call(recorder.record.call_sid).finish_recording(recorder)
        else:
            raise ApiError(400, 21200, "Status may be paused, in-progress or stopped")
        return self._recording_json(recorder)

    async def _delete_recording(self, request: web.Request) -> web.StreamResponse:
        recorder = self._recorder(request)
        del self._exchange.recordings[recorder.record.sid]
        recorder.path.unlink(missing_ok=True)
        return web.Response(status=204)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        recorder = self._recorder(request)
        if recorder.record.status != "completed":
            raise not_found(request.path)
        channels = int(request.query.get("RequestedChannels", recorder.record.channels))
        wav = await asyncio.to_thread(render_wav, recorder.path, channels)
        return web.Response(body=wav, content_type="audio/x-wav")

    # ---- one-way streams

    async def _start_stream(self, request: web.Request) -> web.StreamResponse:
        call, form = self._call(request), await read_form(request)
        if not call.is_answered or call.record.is_over:
            raise not_in_progress()
        hook_url = form.get("StatusCallback")
        stream = await call.open_stream(
            StreamRequest(
                url=form.get("Url"),
                name=form.get("Name"),
                track=form.get("Track") or "inbound_track",
                parameters=_parameters(form),
                status_hook=Hook(hook_url, form.get("StatusCallbackMethod") or "POST") if hook_url else None,
            )
        )
        if stream is None:
            raise ApiError(400, 31920, "The stream could not be started")
        return web.json_response(self._stream_json(call, stream.sid, stream.request.name, "in-progress"), status=201)

    async def _stop_stream(self, request: web.Request) -> web.StreamResponse:
        call, wanted = self._call(request), request.match_info["stream"]
        if (stream := call.stop_streams(wanted)) is not None:
            return web.json_response(self._stream_json(call, stream.sid, stream.request.name, "stopped"))
        raise not_found(request.path)

    def _stream_json(self, call: TwilioCall, sid: str, name: str, status: str) -> dict[str, object]:
        record = call.record
        uri = call_uri(record).removesuffix(".json") + f"/Streams/{sid}.json"
        return {
            "sid": sid,
            "account_sid": record.account_sid,
            "call_sid": record.sid,
            "name": name,
            "status": status,
            "date_updated": None,
            "uri": uri,
        }


def _refusal(fault: Fault) -> ApiError | None:
    """The error a fault answers with before anything is processed."""
    if fault.kind == "rest_429":
        return too_many_requests(fault.number("retry_after_s", 0) or None)
    if fault.kind == "rest_500":
        return ApiError(500, 20500, "Internal Server Error")
    if fault.kind == "rest_error":
        status, code = int(fault.number("status", 400)), int(fault.number("code", 20001))
        return ApiError(status, code, fault.text("message", "Refused on demand"))
    return None


def _parameters(form: Form) -> dict[str, str]:
    pairs = ((form.get(f"Parameter{i}.Name"), form.get(f"Parameter{i}.Value")) for i in range(1, 100))
    return {name: value for name, value in pairs if name}


def moment(text: str) -> datetime:
    """A date or time of a filter, UTC; raises ApiError 20001."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(400, 20001, f"{text} is not a date") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def matches(at: datetime, operator: str, limit: datetime) -> bool:
    """Bare dates name the whole day; < and > include the moment itself."""
    if operator == "<":
        return at <= limit
    if operator == ">":
        return at >= limit
    return at.date() == limit.date()
