"""Telnyx's Call Control through its own SDK, against any base URL, with a time limit and no silent repeats."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

import httpx
from telnyx import APIConnectionError, APIError, APIStatusError, Telnyx
from telnyx.resources import calls as _calls  # noqa: F401 - the SDK would load it, for seconds, with the first call
from telnyx.resources import connections as _connections  # noqa: F401 - as above

from apps.calls.carriers.base import (
    CarrierCall,
    CarrierError,
    Fault,
    LineNews,
    LineStatus,
    MediaTarget,
    PlaceRequest,
    RecordingNews,
    TransferRequest,
    Webhooks,
    seconds_of,
)
from apps.calls.carriers.capabilities import CAPABILITIES
from apps.calls.carriers.telnyx.words import client_state, moment, token_of
from apps.calls.metrics import CARRIER_ERRORS, CARRIER_REQUEST_SECONDS

_POOL: Final = httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=60)
_CHUNK: Final = 65_536
_MAX_ACTIVE: Final = 1000  # live calls looked through for one of ours

# What a dialler does about Telnyx's error codes; everything else of 4xx is a fault in our request or account.
_FAULTS = {
    "10011": Fault.LIMIT,
    "90015": Fault.OVER,  # no such call
    "90018": Fault.OVER,  # has ended
    "90034": Fault.OVER,  # never answered: nothing to act on
    "90041": Fault.LIMIT,  # more calls at once than account, profile or connection may have
    "90042": Fault.LIMIT,
    "90043": Fault.LIMIT,
    "90045": Fault.LIMIT,  # more than one media stream: the one before is not over yet
    "10005": Fault.OVER,  # not found
}
# Sound in both directions as it is on the line, and heard by the leg that carries the stream: by default Telnyx takes
# mp3, sends whatever the call negotiated, and plays to the other leg of a bridge, of which there is none.
_STREAM: dict[str, Any] = {
    "stream_track": "inbound_track",
    "stream_codec": "PCMU",
    "stream_bidirectional_mode": "rtp",
    "stream_bidirectional_codec": "PCMU",
    "stream_bidirectional_sampling_rate": 8000,
    "stream_bidirectional_target_legs": "self",
}

_before_send: ContextVar[Callable[[], None] | None] = ContextVar("telnyx_before_send", default=None)


class _Transport(httpx.HTTPTransport):
    """Everything is prepared when this is called: what must happen at the last moment happens here."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if (before_send := _before_send.get()) is not None:
            before_send()
        return super().handle_request(request)


class TelnyxCarrier:
    """One account and its Call Control application. Safe to share between threads; make it after a fork."""

    name = "telnyx"
    capabilities = CAPABILITIES["telnyx"]

    def __init__(self, *, api_key: str, connection_id: str, api_base: str, timeout_s: float) -> None:
        self._connection_id = connection_id
        self._http = httpx.Client(
            base_url=api_base,
            timeout=httpx.Timeout(timeout_s, pool=1.0),
            transport=_Transport(limits=_POOL),
            follow_redirects=False,
        )
        # The SDK would repeat a POST by itself after 5xx, 429 and lost connections; a call would be dialled twice.
        self._client = Telnyx(api_key=api_key, base_url=api_base, http_client=self._http, max_retries=0)

    def close(self) -> None:
        self._client.close()

    def place(self, request: PlaceRequest) -> CarrierCall:
        media: dict[str, Any] = {}
        if request.media is not None:
            media = {
                **_STREAM,
                "stream_url": request.media.url,
                "stream_auth_token": request.media.secret,
                "send_silence_when_idle": True,
            }
        with operation("place", is_write=True), _calling(request.before_send):
            answer = self._client.calls.dial(
                connection_id=self._connection_id,
                to=request.to,
                from_=request.from_,
                command_id=f"dial-{request.token}",
                client_state=client_state(request.token),
                webhook_url=request.webhooks.status,
                webhook_url_method="POST",
                timeout_secs=max(5, request.ring_timeout_s),
                time_limit_secs=max(60, request.max_duration_s),
                answering_machine_detection="premium" if request.detect_machine else "disabled",
                preferred_codecs="PCMU,PCMA",
                **media,
            )
            return CarrierCall(
                id=_named(answer.data.call_control_id if answer.data else None),
                status=LineStatus.QUEUED,
                to=request.to,
                from_=request.from_,
            )

    def answer(self, carrier_call_id: str, webhooks: Webhooks, *, token: str) -> None:
        with operation("answer", is_write=True):
            self._client.calls.actions.answer(
                carrier_call_id,
                command_id=f"answer-{token}",
                client_state=client_state(token),
                webhook_url=webhooks.status,
                webhook_url_method="POST",
            )

    def reject(self, carrier_call_id: str, *, is_busy: bool) -> None:
        with operation("reject", is_write=True):
            self._client.calls.actions.reject(carrier_call_id, cause="USER_BUSY" if is_busy else "CALL_REJECTED")

    def start_stream(self, carrier_call_id: str, media: MediaTarget) -> None:
        with operation("start_stream", is_write=True):
            self._client.calls.actions.start_streaming(
                carrier_call_id, stream_url=media.url, stream_auth_token=media.secret, **_STREAM
            )

    def hang_up(self, carrier_call_id: str) -> None:
        with operation("hang_up", is_write=True):
            self._client.calls.actions.hangup(carrier_call_id)

    def fetch(self, carrier_call_id: str) -> LineNews | None:
        """Telnyx shows whether a call lives, not whether it was answered or how it ended: the webhooks tell that."""
        try:
            with operation("fetch"):
                call = self._client.calls.retrieve_status(carrier_call_id).data
                if call is None:
                    raise TypeError("an answer without data")
        except CarrierError as error:
            if error.fault is Fault.OVER:
                return None
            raise
        if call.is_alive or (call.end_time is None and call.start_time is None):
            return LineNews(carrier_call_id, LineStatus.QUEUED)
        return LineNews(carrier_call_id, LineStatus.OVER, at=moment(call.end_time))

    def find(self, *, to: str, from_: str, since: datetime, token: str) -> list[CarrierCall]:
        """Live calls only, and these exactly: Telnyx keeps the token with the call."""
        found = []
        with operation("find"):
            active = self._client.connections.list_active_calls(self._connection_id, page_size=250)
            for n, call in enumerate(active):
                if token_of(call.client_state) == token:
                    found.append(
                        CarrierCall(id=_named(call.call_control_id), status=LineStatus.QUEUED, to=to, from_=from_)
                    )
                if n >= _MAX_ACTIVE:
                    break
        return found

    def transfer(self, carrier_call_id: str, request: TransferRequest) -> None:
        with operation("transfer", is_write=True):
            self._client.calls.actions.transfer(
                carrier_call_id,
                to=request.to,
                from_=request.from_,
                command_id=f"transfer-{request.token}",
                target_leg_client_state=client_state(request.token),
                webhook_url=request.target.status,
                webhook_url_method="POST",
                timeout_secs=max(5, request.ring_timeout_s),
                time_limit_secs=max(60, request.max_duration_s),
            )

    def send_dtmf(self, carrier_call_id: str, digits: str) -> None:
        with operation("send_dtmf", is_write=True):
            self._client.calls.actions.send_dtmf(carrier_call_id, digits=digits)

    def start_recording(self, carrier_call_id: str, webhooks: Webhooks, *, token: str) -> str:
        with operation("start_recording", is_write=True):
            self._client.calls.actions.start_recording(
                carrier_call_id, channels="dual", format="wav", command_id=f"record-{token}"
            )
        return ""

    def pause_recording(self, carrier_call_id: str, recording_id: str) -> None:
        with operation("pause_recording", is_write=True):
            self._client.calls.actions.pause_recording(carrier_call_id)

    def resume_recording(self, carrier_call_id: str, recording_id: str) -> None:
        with operation("resume_recording", is_write=True):
            self._client.calls.actions.resume_recording(carrier_call_id)

    def stop_recording(self, carrier_call_id: str, recording_id: str) -> None:
        with operation("stop_recording", is_write=True):
            self._client.calls.actions.stop_recording(carrier_call_id)

    def fetch_recording(self, news: RecordingNews) -> Iterator[bytes]:
        """The URL bears its own permission and holds for some ten minutes."""
        with operation("fetch_recording"), self._http.stream("GET", news.url) as response:
            if response.status_code != 200:
                fault = Fault.OVER if response.status_code in {403, 404, 410} else Fault.OUTAGE
                message = f"{response.status_code} for a recording"
                raise CarrierError(message, fault=fault, retryable=fault is Fault.OUTAGE)
            yield from response.iter_bytes(_CHUNK)


@contextmanager
def _calling(before_send: Callable[[], None] | None) -> Iterator[None]:
    token = _before_send.set(before_send)
    try:
        yield
    finally:
        _before_send.reset(token)


@contextmanager
def operation(name: str, *, is_write: bool = False) -> Iterator[None]:
    """Time the request, count what went wrong, and turn what the SDK raises into CarrierError.

    is_write: if nothing certain came back, Telnyx may have done it all the same.
    """
    began = time.perf_counter()
    try:
        yield
    except (CarrierError, APIError, httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        told = _told(error, is_write=is_write)
        CARRIER_ERRORS.labels("telnyx", name, told.fault.value).inc()
        raise told from error
    finally:
        CARRIER_REQUEST_SECONDS.labels("telnyx", name).observe(time.perf_counter() - began)


def _told(error: Exception, *, is_write: bool) -> CarrierError:
    """Raises what is neither Telnyx's fault nor the network's."""
    if isinstance(error, CarrierError):
        return error
    if isinstance(error, APIStatusError):
        return _refusal(error, is_write=is_write)
    if isinstance(error, APIConnectionError | httpx.HTTPError):
        cause = error if isinstance(error, httpx.HTTPError) else error.__cause__
        if not isinstance(cause, httpx.HTTPError):
            raise cause or error  # the SDK takes every exception of the transport for a lost connection
        was_sent = not isinstance(
            cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol
        )
        return CarrierError(
            f"{type(cause).__name__}", fault=Fault.OUTAGE, retryable=True, maybe_placed=is_write and was_sent
        )
    # A success that cannot be read: it was done, but we do not know under which name.
    return CarrierError(f"unreadable answer: {type(error).__name__}", fault=Fault.OUTAGE, maybe_placed=is_write)


def _refusal(error: APIStatusError, *, is_write: bool) -> CarrierError:
    status, headers = error.status_code, error.response.headers
    code, text, pointer = _first_error(error.body)
    if status == 429:
        fault = Fault.LIMIT
    elif status >= 500:
        fault = Fault.OUTAGE
    elif status == 404:
        fault = Fault.OVER
    elif (code == "10015" and pointer == "/to") or (code == "10016" and pointer != "/from"):
        fault = Fault.NUMBER
    else:
        fault = _FAULTS.get(code, Fault.CONFIG)
    return CarrierError(
        f"{status} {text}".strip()[:180],
        fault=fault,
        code=code or str(status),
        retryable=fault in {Fault.LIMIT, Fault.OUTAGE},
        maybe_placed=is_write and fault is Fault.OUTAGE,
        retry_after_s=seconds_of(headers.get("Retry-After")) or seconds_of(headers.get("x-ratelimit-reset")),
        request_id=headers.get("x-request-id", ""),
    )


def _first_error(body: object) -> tuple[str, str, str]:
    """Code, words and the field at fault of the first of the errors; "" for what is not there."""
    errors = body.get("errors") if isinstance(body, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    source = first.get("source")
    pointer = source.get("pointer") if isinstance(source, dict) else ""
    return str(first.get("code") or ""), str(first.get("detail") or first.get("title") or ""), str(pointer or "")


def _named(call_id: object) -> str:
    """Raises TypeError for what is no name of a call."""
    if not isinstance(call_id, str) or not 3 <= len(call_id) <= 120:
        raise TypeError("an answer without call_control_id")
    return call_id
