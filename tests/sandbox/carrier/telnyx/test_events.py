"""How events are delivered: signed, retried, and spoiled on demand."""

from __future__ import annotations

import base64
import json

import pytest
import telnyx
from telnyx.lib import WebhookVerificationError, verify_webhook_signature

from apps.sandbox.carrier.telnyx.signing import load_key, signature
from tests.sandbox.carrier.telnyx.product import PUBLIC_KEY, SIGNING_KEY

BUSY = "+15550100112"


def test_the_signature_is_that_of_the_published_vector():
    body = b'{"data":{"event_type":"call.answered","id":"00000000-0000-0000-0000-000000000001"}}'
    expected = "UuW41lUJ3EYAs8/gOVpXsikHDvtpNsAdC2IzccoTBav9WGIscHjk1D9xTEVd8j7ygPxWnR92UhttOgiqBmOoCw=="
    assert PUBLIC_KEY == "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
    assert signature(load_key(SIGNING_KEY), "1790000000", body) == expected
    stale = {"telnyx-signature-ed25519": expected, "telnyx-timestamp": "1790000000"}
    with pytest.raises(WebhookVerificationError, match="old"):
        verify_webhook_signature(body, stale, PUBLIC_KEY)


def test_only_ed25519_keys_are_taken():
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="not an Ed25519 key"):
        load_key(other.decode())
    with pytest.raises(ValueError, match="PEM"):
        load_key("nonsense")


async def test_every_event_parses_as_the_sdks_own_type(line, product):
    product.talk = product.converse
    await line.dial("+15550100109", answering_machine_detection="premium", **product.stream())
    await product.wait_for("call.machine.premium.greeting.ended")
    await product.wait_for("call.hangup")
    await product.wait_for("streaming.stopped")
    client = telnyx.Telnyx(api_key="x", public_key=PUBLIC_KEY)
    for event in product.events:
        parsed = client.webhooks.unsafe_unwrap(json.dumps(event))
        assert parsed.data.event_type == event["data"]["event_type"]
        assert parsed.data.payload.call_control_id == event["data"]["payload"]["call_control_id"]
    client.close()


async def test_a_refused_event_comes_again_with_a_higher_attempt(line, product):
    product.answers["call.hangup"] = [500, 429]
    await line.dial(BUSY)
    first, second, third = await product.wait_for("call.hangup", 3)
    assert first["id"] == second["id"] == third["id"]
    attempts = [e["meta"]["attempt"] for e in product.events if e["data"]["event_type"] == "call.hangup"]
    assert attempts == [1, 2, 3]


async def test_a_client_error_is_not_retried(line, product):
    product.answers["call.initiated"] = [404]
    call = await line.dial(BUSY)
    await product.wait_for("call.hangup")
    history = await line.carrier.ended(call.call_control_id)
    assert len(product.of("call.initiated")) == 1
    statuses = [hook["response"]["response_code"] for hook in history["webhooks"]]
    assert 404 in statuses


async def test_retries_may_be_asked_for(line, product):
    product.answers["call.hangup"] = [503] * 3
    policy = {"call.hangup": {"retries_ms": [100, 100, 100]}}
    await line.dial(BUSY, webhook_retries_policies=policy)
    assert len(await product.wait_for("call.hangup", 4)) == 4


async def test_duplicates_and_drops_on_demand(line, product, carrier):
    await carrier.fault("callback_duplicate", events=["call.hangup"], copies=2, times=1)
    await carrier.fault("callback_drop", events=["initiated"], times=1)
    await line.dial(BUSY)
    copies = await product.wait_for("call.hangup", 3)
    assert len({data["id"] for data in copies}) == 1
    assert product.of("call.initiated") == []


async def test_held_back_events_are_overtaken(line, product, carrier):
    await carrier.fault("callback_reorder", events=["call.initiated"], times=1)
    await line.dial("+15550100100")
    await product.wait_for("call.initiated")
    arrived = [event["data"]["event_type"] for event in product.events]
    assert arrived == ["call.answered", "call.initiated"]
    in_order = sorted((event["data"] for event in product.events), key=lambda data: data["occurred_at"])
    assert [data["event_type"] for data in in_order] == ["call.initiated", "call.answered"]


async def test_rest_refusals_on_demand(line, carrier):
    await carrier.fault("rest_429", times=1, retry_after_s=3)
    with pytest.raises(telnyx.RateLimitError) as limited:
        await line.dial(BUSY)
    assert limited.value.body["errors"][0]["code"] == "10011"
    assert limited.value.response.headers["Retry-After"] == "3"
    await carrier.fault("rest_500", times=1)
    with pytest.raises(telnyx.InternalServerError):
        await line.dial(BUSY)
    await carrier.fault("rest_error", times=1, status=403, code=10010)
    with pytest.raises(telnyx.PermissionDeniedError):
        await line.dial(BUSY)
    assert (await line.dial(BUSY)).call_control_id
    truth = await carrier.control("GET", "calls")
    assert [entry["code"] for entry in truth["creates"]] == [10011, 10007, 10010, None]


async def test_a_reset_connection_may_have_dialled(line, carrier):
    with pytest.raises(telnyx.APIConnectionError):
        await line.dial("+15550100194", command_id="once", client_state=base64.b64encode(b"x").decode())
    again = await line.dial("+15550100194", command_id="once")
    truth = await carrier.control("GET", "calls")
    assert truth["times_dialled"] == {"+15550100194": 1}
    assert truth["calls"][0]["sid"] == again.call_control_id
