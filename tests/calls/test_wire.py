"""Whole calls over loopback: our worker, our web server and the carrier process, with nothing between them replaced."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
import websockets
from celery import current_app
from celery.contrib.testing.worker import start_worker
from django.db import connection
from django.utils import timezone

from apps.calls import adapters
from apps.calls.carriers.capabilities import CAPABILITIES
from apps.calls.carriers.media import is_media_signed
from apps.calls.models import Call, CallEvent, CostItem, EndReason, Leg
from apps.calls.services import commanding, ending, media_sessions
from apps.calls.services.placing import place_calls
from apps.calls.states import LegState, Outcome
from tests.calls.conftest import CarrierProcess, free_port
from tests.factories.calls import make_callable, make_carrier_price, make_request

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]


class MediaServer:
    """Takes the carrier's media sockets, keeps them open, and notes who came."""

    def __init__(self) -> None:
        self.port = free_port()
        self.opened: list[tuple[str, dict]] = []  # path, and what an ASGI server would make of the request
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._sockets: set = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(5)

    def cut(self) -> None:
        """As a killed process would."""

        async def close() -> None:
            for socket in list(self._sockets):
                socket.transport.abort()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(5)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._done = asyncio.Event()
        async with websockets.serve(self._take, "127.0.0.1", self.port):
            self._ready.set()
            await self._done.wait()

    async def _take(self, socket) -> None:
        path, headers = socket.request.path, socket.request.headers
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.raw_items()]
        self.opened.append((path, {"raw_path": path.encode(), "query_string": b"", "headers": raw}))
        self._sockets.add(socket)
        try:
            async for _message in socket:
                pass
        except websockets.ConnectionClosed:
            pass
        finally:
            self._sockets.discard(socket)


@pytest.fixture
def media(settings) -> Iterator[MediaServer]:
    server = MediaServer()
    settings.PUBLIC_MEDIA_ORIGIN = f"ws://127.0.0.1:{server.port}"
    server.start()
    yield server
    server.stop()


@pytest.fixture
def product(live_server, carrier: CarrierProcess, settings) -> Iterator[CarrierProcess]:
    """A web server and a worker of ours, and the carrier that reaches them."""
    settings.PUBLIC_ORIGIN = live_server.url
    current_app.loader.import_default_modules()
    with start_worker(current_app, pool="threads", concurrency=4, perform_ping_check=False, loglevel="ERROR"):
        yield carrier


@pytest.fixture(params=sorted(CAPABILITIES))
def name(request) -> str:
    """Of the carrier."""
    return str(request.param)


def call_number(carrier: str, to: str, **brief) -> Leg:
    (call,) = place_calls([make_request(make_callable(to), carrier=carrier, **brief)], now=timezone.now())
    assert isinstance(call, Call)
    return Leg.objects.get(call=call)


def wait_for(leg: Leg, *states: str, within_s: float = 20) -> Leg:
    until = time.monotonic() + within_s
    while True:
        leg.refresh_from_db()
        if leg.state in states:
            return leg
        assert time.monotonic() < until, f"still {leg.state}: {list(leg.events.values_list('kind', 'data'))}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("ending_digits", "outcome", "sip_code"),
    [("12", Outcome.BUSY, 486), ("13", Outcome.NO_ANSWER, 487), ("14", Outcome.FAILED, 404)],
)
def test_a_phone_that_nobody_answers(product, name, ending_digits, outcome, sip_code):
    leg = wait_for(call_number(name, f"+121255520{ending_digits}"), LegState.ENDED)
    assert (leg.outcome, leg.sip_code) == (outcome, sip_code)
    call = Call.objects.get(pk=leg.call_id)
    assert (call.outcome, call.is_live, call.answered_at) == (outcome, False, None)
    kinds = list(CallEvent.objects.filter(call=call, data__is_late__isnull=True).values_list("kind", flat=True))
    assert kinds[0] == "created"
    assert "ended" in kinds
    assert product.n_creates(leg.to_number) == 1


def test_a_conversation_that_we_end(product, name, media, settings):
    make_carrier_price(carrier=name)
    leg = wait_for(call_number(name, "+12125552100"), LegState.ANSWERED)
    until = time.monotonic() + 10
    while not media.opened:
        assert time.monotonic() < until
        time.sleep(0.02)
    leg.refresh_from_db()
    ((path, scope),) = media.opened
    assert path == f"/media/{name}/{leg.media_token}"
    secrets, origin = adapters.media_secrets(name), settings.PUBLIC_MEDIA_ORIGIN
    assert is_media_signed(name, scope, origin=origin, media_token=leg.media_token, secrets=secrets)
    assert ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)
    call = Call.objects.get(pk=leg.call_id)
    assert (call.outcome, call.end_reason) == (Outcome.ANSWERED, EndReason.STAFF_ENDED)
    assert call.answered_at
    assert CostItem.objects.filter(call=call, part="carrier").exists()
    kinds = set(CallEvent.objects.filter(call=call).values_list("kind", flat=True))
    assert {"created", "answered", "stream_started", "end_requested", "ended"} <= kinds


def test_a_lost_media_socket_is_opened_again_with_another_token(product, name, media):
    leg = wait_for(call_number(name, "+12125552200"), LegState.ANSWERED)
    until = time.monotonic() + 15
    while len(media.opened) < 2:
        if len(media.opened) == 1 and media._sockets:
            media.cut()
        assert time.monotonic() < until, media.opened
        time.sleep(0.05)
    assert media.opened[0][0] != media.opened[1][0]
    assert leg.events.filter(kind="media_lost").count() >= 1
    ending.request_end(leg.call_id, reason=EndReason.STAFF_ENDED)
    wait_for(leg, LegState.ENDED)


def test_a_media_process_that_never_comes_back_ends_the_call(product, name, settings, monkeypatch):
    # The carrier's clock runs twenty times as fast as ours, and its people do not wait for our waits.
    monkeypatch.setattr(commanding, "_END_MAY_FOLLOW_S", 0.05)
    monkeypatch.setattr(media_sessions, "_pause_s", lambda n_lost: 0)
    settings.PUBLIC_MEDIA_ORIGIN = f"ws://127.0.0.1:{free_port()}"
    leg = wait_for(call_number(name, "+12125552300"), LegState.ENDED, within_s=40)
    call = Call.objects.get(pk=leg.call_id)
    assert (call.end_reason, call.outcome) == (EndReason.MEDIA_LOST, Outcome.ANSWERED)


@pytest.mark.parametrize("kind", ["callback_duplicate", "callback_delay", "callback_reorder"])
def test_an_unruly_carrier_comes_to_the_same(product, name, kind):
    to = "+12125552413"
    product.fault(kind, to=to, copies=2, delay_s=3)
    leg = wait_for(call_number(name, to), LegState.ENDED)
    assert leg.outcome == Outcome.NO_ANSWER
    time.sleep(0.5)  # what is still on its way
    leg.refresh_from_db()
    assert leg.outcome == Outcome.NO_ANSWER
    assert leg.events.filter(kind="ended", data__is_late__isnull=True).count() == 1


def test_a_create_that_timed_out_is_settled_by_its_own_webhooks(product, name):
    to = "+12125552512"
    product.fault("rest_timeout", times=1, to=to, hold_s=8)
    leg = wait_for(call_number(name, to), LegState.ENDED)
    assert leg.outcome == Outcome.BUSY
    assert leg.carrier_call_id == product.calls_to(to)[0]["sid"]
    assert product.n_creates(to) == 1


@pytest.fixture(autouse=True)
def _close_connections():
    yield
    connection.close()
