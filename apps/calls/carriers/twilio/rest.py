"""Twilio's REST interface through its own SDK, against any base URL, with a time limit and no silent repeats."""

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.api.v2010.account.call import CallInstance

from apps.calls.carriers.base import (
    CarrierCall,
    CarrierError,
    Fault,
    LineNews,
    LineStatus,
    PlaceRequest,
    RecordingNews,
    TransferRequest,
    Webhooks,
    seconds_of,
)
from apps.calls.carriers.capabilities import CAPABILITIES
from apps.calls.carriers.twilio.webhooks import transfer_document
from apps.calls.carriers.twilio.words import STATUSES, verdict_of, whole_number
from apps.calls.metrics import CARRIER_ERRORS, CARRIER_REQUEST_SECONDS

_OFFICIAL = "https://api.twilio.com"
_POOL = 32
_CHUNK = 65_536
# By default Twilio tries a webhook again only if it could not connect; the fragment, which it neither sends nor signs,
# asks for more: three tries in all, after our errors and time-outs too.
_TRY_AGAIN = "#rc=2&rp=5xx,ct,rt"

# What a dialler does about Twilio's error codes; everything else of 4xx is a fault in our request or account.
_FAULTS = {
    "10004": Fault.LIMIT,  # more concurrent calls than the account may have
    "20429": Fault.LIMIT,
    "21211": Fault.NUMBER,  # not a valid number
    "21214": Fault.NUMBER,  # cannot be reached
    "21215": Fault.NUMBER,  # no permission for that country
    "21216": Fault.NUMBER,  # blocked
    "21217": Fault.NUMBER,
    "21219": Fault.NUMBER,  # not verified, on a trial account
    "13227": Fault.NUMBER,
    "32205": Fault.NUMBER,
    "21220": Fault.OVER,  # not in progress
    "20404": Fault.OVER,
}


_before_send: ContextVar[Callable[[], None] | None] = ContextVar("before_send", default=None)


class _Adapter(HTTPAdapter):
    """Everything is prepared when this is called: what must happen at the last moment happens here."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        if (before_send := _before_send.get()) is not None:
            before_send()
        return super().send(*args, **kwargs)


class HttpClient(TwilioHttpClient):  # type: ignore[misc]  # the SDK carries no types
    """The SDK's client aimed at ``api_base``; every answer that is not a success leaves as a CarrierError."""

    def __init__(self, api_base: str, timeout_s: float) -> None:
        super().__init__(timeout=timeout_s)
        self._base = api_base.rstrip("/")
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, _Adapter(pool_connections=4, pool_maxsize=_POOL, max_retries=0))

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        is_write = method.upper() != "GET"
        try:
            response = super().request(method, url.replace(_OFFICIAL, self._base, 1), *args, **kwargs)
        except requests.RequestException as error:
            raise CarrierError(
                f"{type(error).__name__} after {method}",
                fault=Fault.OUTAGE,
                retryable=True,
                maybe_placed=is_write and not _was_never_sent(error),
            ) from error
        if not 200 <= response.status_code < 300:
            raise _refusal(response, is_write=is_write)
        return response

    def log_request(self, kwargs: dict[str, Any]) -> None:
        """Nothing: the SDK would log whole phone numbers."""

    def log_response(self, status_code: int, response: requests.Response) -> None:
        """Nothing, as above."""


class TwilioCarrier:
    """One account. Safe to share between threads; make it after a fork, not before."""

    name = "twilio"
    capabilities = CAPABILITIES["twilio"]

    def __init__(self, *, account_sid: str, auth_token: str, api_base: str, timeout_s: float) -> None:
        self._http = HttpClient(api_base, timeout_s)
        self._account = f"{api_base.rstrip('/')}/2010-04-01/Accounts/{account_sid}"
        self._auth = (account_sid, auth_token)
        self._timeout_s = timeout_s
        self._client = Client(account_sid, auth_token, http_client=self._http)

    def close(self) -> None:
        """Let the pooled connections go."""
        self._http.session.close()

    def place(self, request: PlaceRequest) -> CarrierCall:
        options: dict[str, Any] = {}
        if request.detect_machine:
            options = {
                "machine_detection": "DetectMessageEnd",
                "async_amd": "true",  # a word, not a truth value
                "async_amd_status_callback": request.webhooks.machine + _TRY_AGAIN,
                "async_amd_status_callback_method": "POST",
            }
        with operation("place", maybe_placed=True), _calling(request.before_send):
            call = self._client.calls.create(
                to=request.to,
                from_=request.from_,
                url=request.webhooks.answer + _TRY_AGAIN,
                method="POST",
                status_callback=request.webhooks.status + _TRY_AGAIN,
                status_callback_method="POST",
                status_callback_event=["initiated", "ringing", "answered", "completed"],
                timeout=request.ring_timeout_s,
                time_limit=request.max_duration_s,
                **options,
            )
            return _shown(call)

    def hang_up(self, carrier_call_id: str) -> None:
        with operation("hang_up"):
            self._client.calls(carrier_call_id).update(status="completed")

    def fetch(self, carrier_call_id: str) -> LineNews | None:
        try:
            with operation("fetch"):
                call = _shown(self._client.calls(carrier_call_id).fetch())
        except CarrierError as error:
            if error.fault is Fault.OVER:
                return None
            raise
        return LineNews(
            carrier_call_id=call.id,
            status=call.status,
            at=call.ended_at if call.status.is_final else None,  # Twilio's start is the dialling, not the answer
            answered_by=call.answered_by,
            verdict=verdict_of(call.answered_by),
            duration_s=call.duration_s,
        )

    def find(self, *, to: str, from_: str, since: datetime, token: str) -> list[CarrierCall]:
        # Twilio keeps no word of ours with a call: numbers and time have to do. Its own filter is by start time, which
        # a call that still waits in its queue does not have.
        with operation("find"):
            calls = [_shown(call) for call in self._client.calls.list(to=to, from_=from_, limit=50, page_size=50)]
        young = [call for call in calls if call.created_at is not None and call.created_at >= since]
        return sorted(young, key=lambda call: (call.created_at or since, call.id))

    def transfer(self, carrier_call_id: str, request: TransferRequest) -> None:
        document = transfer_document(
            to=request.to,
            caller_id=request.from_,
            done_url=request.webhooks.transferred,
            status_url=request.target.status,
            ring_timeout_s=request.ring_timeout_s,
            max_duration_s=request.max_duration_s,
        )
        with operation("transfer"):
            self._client.calls(carrier_call_id).update(twiml=document)

    def send_dtmf(self, carrier_call_id: str, digits: str) -> None:
        raise CarrierError("Twilio plays no keys into a call that has a media stream", fault=Fault.CONFIG)

    def start_recording(self, carrier_call_id: str, webhooks: Webhooks, *, token: str) -> str:
        with operation("start_recording"):
            recording = self._client.calls(carrier_call_id).recordings.create(
                recording_channels="dual",
                recording_status_callback=webhooks.recording + _TRY_AGAIN,
                recording_status_callback_method="POST",
                recording_status_callback_event=["completed", "absent"],
            )
            if not isinstance(recording.sid, str):
                raise TypeError("an answer without sid")
            return recording.sid

    def pause_recording(self, carrier_call_id: str, recording_id: str) -> None:
        self._change_recording("pause_recording", carrier_call_id, recording_id, "paused", pause_behavior="silence")

    def resume_recording(self, carrier_call_id: str, recording_id: str) -> None:
        self._change_recording("resume_recording", carrier_call_id, recording_id, "in-progress")

    def stop_recording(self, carrier_call_id: str, recording_id: str) -> None:
        self._change_recording("stop_recording", carrier_call_id, recording_id, "stopped")

    def _change_recording(
        self, name: str, carrier_call_id: str, recording_id: str, status: str, **options: str
    ) -> None:
        with operation(name):
            recordings = self._client.calls(carrier_call_id).recordings
            recordings(recording_id or "Twilio.CURRENT").update(status=status, **options)

    def fetch_recording(self, news: RecordingNews) -> Iterator[bytes]:
        # From the id, not from the URL that was told: our credentials go to nobody else.
        url = f"{self._account}/Recordings/{news.recording_id}.wav"
        with operation("fetch_recording"):
            try:
                with self._http.session.get(url, auth=self._auth, stream=True, timeout=self._timeout_s) as response:
                    if response.status_code != 200:
                        fault = Fault.OVER if response.status_code in {404, 410} else Fault.OUTAGE
                        message = f"{response.status_code} for a recording"
                        raise CarrierError(message, fault=fault, retryable=fault is Fault.OUTAGE)
                    yield from response.iter_content(_CHUNK)
            except requests.RequestException as error:
                raise CarrierError(f"{type(error).__name__}", fault=Fault.OUTAGE, retryable=True) from error


@contextmanager
def _calling(before_send: Callable[[], None] | None) -> Iterator[None]:
    token = _before_send.set(before_send)
    try:
        yield
    finally:
        _before_send.reset(token)


@contextmanager
def operation(name: str, *, maybe_placed: bool = False) -> Iterator[None]:
    """Time the request, count what went wrong, and let nothing but CarrierError out."""
    began = time.perf_counter()
    try:
        yield
    except CarrierError as error:
        CARRIER_ERRORS.labels("twilio", name, error.fault.value).inc()
        raise
    except (TwilioException, ValueError, KeyError, TypeError) as error:
        # A success that cannot be read: it was done, but we do not know under which name.
        CARRIER_ERRORS.labels("twilio", name, Fault.OUTAGE.value).inc()
        raise CarrierError(
            f"unreadable answer: {type(error).__name__}", fault=Fault.OUTAGE, maybe_placed=maybe_placed
        ) from error
    finally:
        CARRIER_REQUEST_SECONDS.labels("twilio", name).observe(time.perf_counter() - began)


def _shown(call: CallInstance) -> CarrierCall:
    """Raises KeyError or TypeError where the answer is not a call."""
    if not isinstance(call.sid, str) or not call.sid:
        raise TypeError("an answer without sid")
    status: LineStatus = STATUSES[str(call.status)]
    return CarrierCall(
        id=call.sid,
        status=status,
        to=call.to or "",
        from_=call._from or "",
        created_at=_utc(call.date_created),
        started_at=_utc(call.start_time),
        ended_at=_utc(call.end_time),
        duration_s=whole_number(str(call.duration or "")),
        answered_by=call.answered_by or "",
    )


def _utc(at: object) -> datetime | None:
    """The SDK gives a time, or the very text it could not read."""
    if not isinstance(at, datetime):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _refusal(response: Response, *, is_write: bool) -> CarrierError:
    headers = response.headers or {}
    try:
        body = json.loads(response.text)
    except ValueError:
        body = None
    facts: dict[str, Any] = body if isinstance(body, dict) else {}
    status = response.status_code
    code = str(facts.get("code") or "")
    if status == 429:
        fault = Fault.LIMIT
    elif status >= 500:
        fault = Fault.OUTAGE
    elif status == 404 and code in {"", "20404"}:
        fault = Fault.OVER
    else:
        fault = _FAULTS.get(code, Fault.CONFIG)
    return CarrierError(
        f"{status} {facts.get('message') or ''}".strip()[:180],
        fault=fault,
        code=code or str(status),
        retryable=fault in {Fault.LIMIT, Fault.OUTAGE},
        maybe_placed=is_write and fault is Fault.OUTAGE,
        retry_after_s=seconds_of(headers.get("Retry-After")),
        request_id=str(headers.get("Twilio-Request-Id", "")),
    )


def _was_never_sent(error: requests.RequestException) -> bool:
    """Whether the connection itself failed, so that the other side cannot have seen the request."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL | requests.exceptions.ProxyError):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", None)
    if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        return True
    return isinstance(reason, urllib3.exceptions.SSLError) and any(
        isinstance(detail, ssl.SSLCertVerificationError) for detail in reason.args
    )
