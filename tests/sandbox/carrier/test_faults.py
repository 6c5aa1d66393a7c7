"""The ugly things on demand, each seen from the product's side."""

from __future__ import annotations

import asyncio
import time

import pytest
import requests
from aiohttp import web
from twilio.base.exceptions import TwilioRestException

from tests.sandbox.carrier.conftest import serve
from tests.sandbox.carrier.product import SID, TOKEN, Product, wait_until

ALL = ["initiated", "ringing", "answered", "completed"]
BUSY, SILENT, INTERESTED = "+15550100112", "+15550100108", "+15550100100"


def status_hooks(product) -> dict:
    return {"url": f"{product.origin}/v", "status_callback": f"{product.origin}/s", "status_callback_event": ALL}


@pytest.mark.parametrize(
    ("kind", "options", "status", "code"),
    [
        ("rest_429", {}, 429, 20429),
        ("rest_500", {}, 500, 20500),
        ("rest_error", {"status": 400, "code": 10004, "message": "Call concurrency limit exceeded"}, 400, 10004),
    ],
)
async def test_refusals_leave_nothing_behind_and_pass(carrier, product, kind, options, status, code):
    await carrier.fault(kind, times=1, **options)
    with pytest.raises(TwilioRestException) as refused:
        await carrier.place(BUSY, url=f"{product.origin}/v")
    assert (refused.value.status, refused.value.code) == (status, code)
    truth = await carrier.control("GET", "calls")
    assert truth["calls"] == []
    assert [entry["code"] for entry in truth["creates"]] == [code]
    assert (await carrier.place(BUSY, url=f"{product.origin}/v")).sid


async def test_faults_can_concern_one_number_only(carrier, product):
    await carrier.fault("rest_500", to=INTERESTED)
    assert (await carrier.place(BUSY, url=f"{product.origin}/v")).sid
    with pytest.raises(TwilioRestException):
        await carrier.place(INTERESTED, url=f"{product.origin}/v")


async def test_a_withheld_answer_hides_a_call_that_exists(carrier, product):
    await carrier.fault("rest_timeout", times=1, hold_s=3)
    carrier.sdk.http_client.timeout = 0.3
    with pytest.raises(requests.exceptions.Timeout):
        await carrier.place(BUSY, url=f"{product.origin}/v")
    carrier.sdk.http_client.timeout = 10
    (found,) = await carrier.call(carrier.sdk.calls.list, to=BUSY)
    assert (await carrier.control("GET", "calls"))["times_dialled"] == {BUSY: 1}
    await carrier.ended(found.sid)


@pytest.mark.parametrize("processed", [True, False])
async def test_a_reset_connection_may_hide_a_call(carrier, product, processed):
    await carrier.fault("rest_reset", times=1, processed=processed)
    with pytest.raises(requests.exceptions.ConnectionError):
        await carrier.place(BUSY, url=f"{product.origin}/v")
    assert (await carrier.control("GET", "calls"))["times_dialled"] == ({BUSY: 1} if processed else {})


async def test_duplicates_share_their_idempotency_token(carrier, product):
    await carrier.fault("callback_duplicate", events=["ringing"], copies=2)
    call = await carrier.place(BUSY, **status_hooks(product))
    await carrier.ended(call.sid)
    await product.wait_for("/s", 5)
    ringing = [t for t, (_, p) in zip(product.tokens, product.requests, strict=True) if p["CallStatus"] == "ringing"]
    assert len(ringing) == 3
    assert len(set(ringing)) == 1


async def test_dropped_and_delayed_callbacks(carrier, product):
    await carrier.fault("callback_drop", events=["ringing"], times=1)
    await carrier.fault("callback_delay", events=["initiated"], delay_s=6)
    call = await carrier.place(BUSY, **status_hooks(product))
    await carrier.ended(call.sid)
    arrived = await product.wait_for("/s", 2)
    assert [p["CallStatus"] for p in arrived] == ["busy", "initiated"]
    assert [p["SequenceNumber"] for p in arrived] == ["2", "0"]


async def test_reordered_callbacks_all_arrive(carrier, product):
    await carrier.fault("callback_reorder", events=["ringing"], times=1)
    call = await carrier.place(BUSY, **status_hooks(product))
    await carrier.ended(call.sid)
    assert [p["CallStatus"] for p in await product.wait_for("/s", 3)] == ["initiated", "busy", "ringing"]


@pytest.mark.parametrize(
    ("answers", "fragment", "n_requests"),
    [([500, 500], "", 1), ([500, 503, 204], "#rc=2&rp=5xx", 3), ([404, 404], "#rc=1&rp=4xx", 2), ([404], "#rp=5xx", 1)],
)
async def test_retries_follow_the_urls_fragment(carrier, product, answers, fragment, n_requests):
    product.answers["/s"] = answers
    call = await carrier.place(BUSY, url=f"{product.origin}/v", status_callback=f"{product.origin}/s{fragment}")
    await carrier.ended(call.sid)
    await product.wait_for("/s", n_requests)
    await asyncio.sleep(0.1)
    assert len(product.of("/s")) == n_requests
    assert len(set(product.tokens)) == 1


async def test_a_callback_is_tried_again_after_a_failed_connection(carrier, product):
    late = Product()
    runner, late.origin = await serve(late.app())
    port = runner.addresses[0][1]
    await runner.cleanup()  # nobody listens there for now
    call = await carrier.place(BUSY, url=f"{product.origin}/v", status_callback=f"{late.origin}/s")
    await carrier.ended(call.sid)
    log: list[dict] = []
    async with asyncio.timeout(5):
        while len(log) < 2:
            log = (await carrier.history(call.sid))["webhooks"]
            await asyncio.sleep(0.02)
    assert [(e["request"]["attempt"], e["response"]["failure"]) for e in log] == [(0, "ct"), (1, "ct")]
    assert str(port) in log[0]["request"]["url"]


async def test_a_document_that_does_not_come_is_11205(carrier, product):
    call = await carrier.place(SILENT, url="http://127.0.0.1:9/v")
    history = await carrier.ended(call.sid)
    assert [e["code"] for e in history["history"] if e["event"] == "debugger"] == [11205]


async def test_a_media_socket_is_cut_in_mid_call(carrier, product):
    await carrier.fault("media_drop", times=1, after_s=1)
    product.documents["/v"] = product.connect("<Redirect>/next</Redirect>")
    call = await carrier.place(SILENT, url=f"{product.origin}/v")
    await carrier.ended(call.sid)
    (session,) = product.sessions
    assert [m["event"] for m in session.messages[-2:]] == ["media", "media"]  # no stop
    assert len(product.of("/next")) == 1


async def test_a_live_stream_is_cut_by_hand(carrier, product):
    product.documents["/v"] = product.connect()
    call = await carrier.place(SILENT, url=f"{product.origin}/v")
    await wait_until(lambda: product.sessions and product.sessions[0].heard)
    assert (await carrier.control("POST", f"calls/{call.sid}/drop-media"))["http_status"] == 204
    assert (await carrier.ended(call.sid))["status"] == "completed"
    assert product.sessions[0].messages[-1]["event"] == "media"


@pytest.mark.parametrize(
    ("variant", "seen"),
    [
        ("not_json", lambda s: any(isinstance(r, str) and r.endswith("payl") for r in s.raw)),
        ("binary", lambda s: b"\x00\x01\x02\x03" in s.raw),
        ("bad_base64", lambda s: any("*" in m.get("media", {}).get("payload", "") for m in s.messages)),
        ("missing_fields", lambda s: any(m["event"] == "media" and "media" not in m for m in s.messages)),
        ("oversized", lambda s: any(len(m.get("media", {}).get("payload", "")) > 800_000 for m in s.messages)),
        ("out_of_order", lambda s: [m.get("sequenceNumber") for m in s.messages].count("2") == 2),
    ],
)
async def test_garbage_is_sent_in_mid_call(carrier, product, variant, seen):
    await carrier.fault("media_garbage", times=1, after_s=0.5, variant=variant)
    product.documents["/v"] = product.connect()

    async def talk(session):
        for _ in range(60):
            await session.receive()

    product.talk = talk
    call = await carrier.place(SILENT, url=f"{product.origin}/v")
    await carrier.ended(call.sid)
    assert seen(product.sessions[0])


@pytest.mark.parametrize(("number", "status"), [("+15550100191", 429), ("+15550100192", 500)])
async def test_numbers_that_bring_a_refusal_do_so_once(carrier, product, number, status):
    with pytest.raises(TwilioRestException) as refused:
        await carrier.place(number, url=f"{product.origin}/v")
    assert refused.value.status == status
    assert (await carrier.place(number, url=f"{product.origin}/v")).status == "queued"


async def test_number_whose_last_callback_never_comes(carrier, product):
    call = await carrier.place("+15550100199", time_limit=2, **status_hooks(product))
    product.documents["/v"] = "<Response><Pause length='1'/></Response>"
    assert (await carrier.ended(call.sid))["status"] == "completed"
    await product.wait_for("/s", 3)
    await asyncio.sleep(0.1)
    assert [p["CallStatus"] for p in product.of("/s")] == ["initiated", "ringing", "in-progress"]


@pytest.mark.parametrize(
    "fault",
    [{}, {"kind": "flood"}, {"kind": "rest_500", "times": 0}, {"kind": "media_garbage", "variant": "odd"}, [1]],
)
async def test_unknown_faults_are_refused(carrier, fault):
    assert (await carrier.control("POST", "faults", fault))["http_status"] == 400


async def test_faults_are_listed_and_cleared(carrier):
    await carrier.fault("callback_drop", times=3)
    assert [(f["kind"], f["times"]) for f in (await carrier.control("GET", "faults"))["faults"]] == [
        ("callback_drop", 3)
    ]
    await carrier.control("DELETE", "faults")
    assert (await carrier.control("GET", "faults"))["faults"] == []


async def test_reset_ends_calls_and_forgets(carrier, product):
    product.documents["/v"] = product.connect()
    await carrier.place(SILENT, url=f"{product.origin}/v")
    await product.wait_for("/v")
    began = time.monotonic()
    assert (await carrier.control("POST", "reset"))["http_status"] == 204
    assert time.monotonic() - began < 5
    truth = await carrier.control("GET", "calls")
    assert (truth["calls"], truth["creates"], truth["times_dialled"]) == ([], [], {})


class TestQueueAtReset:
    @pytest.fixture
    def carrier_options(self):
        return {"speed": 10.0, "cps": 2.0}

    async def test_queued_calls_are_not_dialled_after_a_reset(self, carrier, product):
        for _ in range(3):
            await carrier.place(BUSY, **status_hooks(product))
        await carrier.control("POST", "reset")
        n_before = len(product.requests)
        await asyncio.sleep(0.3)
        assert len(product.requests) == n_before
        assert (await carrier.control("GET", "calls"))["calls"] == []


async def test_the_status_page_shows_live_calls(carrier, product):
    product.documents["/v"] = product.connect()
    await carrier.place(SILENT, url=f"{product.origin}/v")
    await product.wait_for("/v")
    async with carrier.http.get(carrier.base + "/") as page:
        text = await page.text()
    assert SILENT in text
    assert "in-progress" in text
    async with carrier.http.get(carrier.base + "/healthz") as health:
        assert health.status == 200


async def test_hooks_that_hang_are_given_up(carrier, product):
    hung = asyncio.Event()

    async def hang(_request):
        await hung.wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hang)
    runner, origin = await serve(app)
    try:
        call = await carrier.place(BUSY, url=f"{origin}/v", status_callback=f"{origin}/s#rt=200&rc=0")
        await carrier.ended(call.sid)
        async with asyncio.timeout(3):
            log: list[dict] = []
            while not log:
                log = (await carrier.history(call.sid))["webhooks"]
                await asyncio.sleep(0.02)
        assert log[0]["response"]["failure"] == "rt"
    finally:
        hung.set()
        await runner.cleanup()


async def test_a_refusal_may_say_when_to_come_back(carrier, product):
    await carrier.fault("rest_429", times=1, retry_after_s=4)
    form = {"To": "+15550100112", "From": "+15550100500", "Url": f"{product.origin}/v"}
    url = f"{carrier.base}/2010-04-01/Accounts/{SID}/Calls.json"
    answer = await carrier.call(requests.post, url, data=form, auth=(SID, TOKEN), timeout=5)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "4")
