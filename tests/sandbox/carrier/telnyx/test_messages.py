"""Text messages at Telnyx: sent, finalized, answered, opted out of."""

from __future__ import annotations

import pytest
import telnyx

FROM = "+15550100500"
DELIVERED = "+15550100100"
STOPS = "+15550100103"


async def send(line, to, **kwargs):
    given = {"from_": FROM, "text": "Your appointment is at three.", "webhook_url": line.product.hook} | kwargs
    response = await line.carrier.call(line.sdk.messages.send, to=to, **given)
    return response.data


async def listen_at(line, **settings):
    data = {"carrier": "telnyx", "sms_webhook_url": line.product.hook} | settings
    answer = await line.carrier.control("PUT", f"numbers/{FROM}", data)
    assert answer["http_status"] == 200


async def test_a_message_is_queued_sent_and_finalized(line, product):
    message = await send(line, DELIVERED)
    assert (message.record_type, message.direction, message.to[0].status) == ("message", "outbound", "queued")
    (sent,) = await product.wait_for("message.sent")
    (final,) = await product.wait_for("message.finalized")
    assert sent["payload"]["id"] == final["payload"]["id"] == message.id
    assert sent["payload"]["to"][0]["status"] == "sent"
    assert final["payload"]["to"][0]["status"] == "delivered"
    assert final["payload"]["errors"] == []
    assert final["payload"]["completed_at"] is not None
    fetched = await line.carrier.call(line.sdk.messages.retrieve, message.id)
    assert fetched.data.id == message.id
    assert product.refused == 0


@pytest.mark.parametrize(
    ("to", "status", "codes"),
    [
        ("+15550100114", "delivery_failed", ["40008"]),
        ("+15550100119", "delivery_failed", ["40001"]),
        ("+15550100124", "sending_failed", ["40002"]),
        ("+15550100113", "delivery_unconfirmed", []),
    ],
)
async def test_messages_that_do_not_arrive(line, product, to, status, codes):
    await send(line, to)
    (final,) = await product.wait_for("message.finalized")
    assert final["payload"]["to"][0]["status"] == status
    assert [error["code"] for error in final["payload"]["errors"]] == codes


async def test_an_idempotency_key_sends_once(line):
    first = await send(line, DELIVERED, idempotency_key="one")
    again = await send(line, DELIVERED, idempotency_key="one")
    assert first.id == again.id
    assert len((await line.carrier.control("GET", "messages"))["messages"]) == 1


async def test_a_reader_who_writes_stop_gets_no_more_from_the_profile(line, product):
    await listen_at(line, messaging_profile_id="profile-1")
    await send(line, STOPS)
    (received,) = await product.wait_for("message.received")
    payload = received["payload"]
    assert (payload["text"], payload["autoresponse_type"], payload["direction"]) == ("STOP", "STOP", "inbound")
    assert payload["from"]["phone_number"] == STOPS
    assert payload["to"][0] == payload["to"][0] | {"phone_number": FROM, "status": "webhook_delivered"}
    with pytest.raises(telnyx.ConflictError) as blocked:
        await send(line, STOPS)
    assert blocked.value.body["errors"][0]["code"] == "40300"
    with pytest.raises(telnyx.ConflictError):
        await send(line, STOPS, from_="+15550100501", messaging_profile_id="profile-1")
    await line.carrier.control("POST", "messages", {"carrier": "telnyx", "from": STOPS, "to": FROM, "body": " start "})
    (start,) = await product.wait_for("message.received", autoresponse_type="START")
    assert start["payload"]["text"] == " start "
    assert (await send(line, STOPS)).id


async def test_yes_is_no_opt_in_here(line, product):
    await listen_at(line)
    await line.carrier.control("POST", "messages", {"carrier": "telnyx", "from": DELIVERED, "to": FROM, "body": "yes"})
    (received,) = await product.wait_for("message.received")
    assert "autoresponse_type" not in received["payload"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"to": "12"}, 422, "10016"),
        ({"from_": "nobody"}, 422, "10016"),
        ({"text": ""}, 422, "10004"),
        ({"webhook_url": "nowhere"}, 422, "10003"),
    ],
)
async def test_bad_parameters_get_telnyxs_codes(line, change, status, code):
    with pytest.raises(telnyx.APIStatusError) as refused:
        await send(line, **({"to": DELIVERED} | change))
    assert (refused.value.status_code, refused.value.body["errors"][0]["code"]) == (status, code)


async def test_the_defaults_of_a_carrier_serve_every_number_of_it(line, product):
    settings = {"carrier": "telnyx", "sms_webhook_url": product.hook, "webhook_url": product.hook}
    await line.carrier.control("PUT", "numbers/default", settings)
    await line.carrier.control(
        "POST", "messages", {"carrier": "telnyx", "from": DELIVERED, "to": "+15550100777", "body": "Hi"}
    )
    (received,) = await product.wait_for("message.received")
    assert received["payload"]["to"][0]["phone_number"] == "+15550100777"
    answer = await line.carrier.control(
        "POST", "inbound", {"carrier": "telnyx", "from": DELIVERED, "to": "+15550100777"}
    )
    assert answer["http_status"] == 201
    await line.act("reject", answer["sid"], cause="USER_BUSY")
