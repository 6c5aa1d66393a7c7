"""Text messages at Twilio: sent, settled, answered, opted out of."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from twilio.base.exceptions import TwilioRestException

FROM = "+15550100500"
DELIVERED = "+15550100100"
STOPS = "+15550100103"


async def send(carrier, to, product=None, **kwargs):
    if product is not None:
        kwargs["status_callback"] = f"{product.origin}/sms-status"
    given = {"from_": FROM, "body": "Your appointment is at three."} | kwargs
    return await carrier.call(carrier.sdk.messages.create, to=to, **given)


async def listen_at(carrier, product, number=FROM):
    answer = await carrier.control("PUT", f"numbers/{number}", {"sms_url": f"{product.origin}/sms"})
    assert answer["http_status"] == 200


async def test_a_message_is_queued_sent_and_delivered(carrier, product):
    message = await send(carrier, DELIVERED, product)
    assert (message.status, message.direction, message.num_segments) == ("queued", "outbound-api", "1")
    sent, delivered = await product.wait_for("/sms-status", 2)
    assert (sent["MessageStatus"], delivered["MessageStatus"]) == ("sent", "delivered")
    assert delivered["MessageSid"] == delivered["SmsSid"] == message.sid
    assert len(delivered["RawDlrDoneDate"]) == 10
    assert "ErrorCode" not in delivered
    fetched = await carrier.call(carrier.sdk.messages(message.sid).fetch)
    assert (fetched.status, fetched.error_code, fetched.body) == ("delivered", None, "Your appointment is at three.")
    assert fetched.date_sent is not None


@pytest.mark.parametrize(
    ("to", "statuses", "code"),
    [
        ("+15550100114", ["sent", "undelivered"], "30003"),
        ("+15550100119", ["sent", "undelivered"], "30006"),
        ("+15550100124", ["failed"], "30007"),
        ("+15550100113", ["sent", "undelivered"], "30008"),
    ],
)
async def test_messages_that_do_not_arrive(carrier, product, to, statuses, code):
    message = await send(carrier, to, product)
    reports = await product.wait_for("/sms-status", len(statuses))
    assert [report["MessageStatus"] for report in reports] == statuses
    assert reports[-1]["ErrorCode"] == code
    fetched = await carrier.call(carrier.sdk.messages(message.sid).fetch)
    assert (fetched.status, fetched.error_code) == (statuses[-1], int(code))


@pytest.mark.parametrize(
    ("to", "change", "code"),
    [
        ("12", {}, 21211),
        ("+15550100190", {}, 21211),
        (DELIVERED, {"from_": "nobody"}, 21212),
        (DELIVERED, {"from_": None}, 21603),
        (DELIVERED, {"body": None}, 21602),
        (DELIVERED, {"body": "x" * 1601}, 21617),
    ],
)
async def test_bad_parameters_get_twilios_codes(carrier, to, change, code):
    given = {key: value for key, value in ({"from_": FROM, "body": "x"} | change).items() if value is not None}
    with pytest.raises(TwilioRestException) as refused:
        await carrier.call(carrier.sdk.messages.create, to=to, **given)
    assert (refused.value.status, refused.value.code) == (400, code)


async def test_a_reader_who_writes_stop_gets_no_more(carrier, product):
    await listen_at(carrier, product)
    await send(carrier, STOPS)
    (stop,) = await product.wait_for("/sms")
    assert (stop["Body"], stop["OptOutType"], stop["From"], stop["To"]) == ("STOP", "STOP", STOPS, FROM)
    assert stop["MessageSid"] == stop["SmsSid"] == stop["SmsMessageSid"]
    assert (stop["SmsStatus"], stop["NumMedia"]) == ("received", "0")
    with pytest.raises(TwilioRestException) as blocked:
        await send(carrier, STOPS)
    assert (blocked.value.status, blocked.value.code) == (400, 21610)
    await send(carrier, STOPS, from_="+15550100501")  # another of our numbers is another pair


async def test_a_reader_may_come_back(carrier, product):
    await listen_at(carrier, product)
    await send(carrier, "+15550100125")
    stop, start = await product.wait_for("/sms", 2)
    assert (stop["OptOutType"], start["OptOutType"]) == ("STOP", "START")
    assert (await send(carrier, "+15550100125")).status == "queued"


async def test_readers_write_back_in_their_language(carrier, product):
    await listen_at(carrier, product)
    await send(carrier, "+34600000134")
    (reply,) = await product.wait_for("/sms")
    assert reply["Body"] == "Por favor, llámeme mañana a las tres."
    assert "OptOutType" not in reply


async def test_somebody_writes_and_the_product_answers_in_twiml(carrier, product):
    await listen_at(carrier, product)
    product.documents["/sms"] = "<Response><Message>Thank you, we will call.</Message></Response>"
    answer = await carrier.control("POST", "messages", {"from": DELIVERED, "to": FROM, "body": "Call me"})
    assert answer["http_status"] == 201
    (received,) = await product.wait_for("/sms", Body="Call me")
    assert received["MessageSid"] == answer["sid"]
    async with asyncio.timeout(5):
        while not (replies := (await carrier.control("GET", f"messages?to={DELIVERED}"))["messages"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (reply,) = replies
    assert (reply["body"], reply["direction"]) == ("Thank you, we will call.", "outbound-reply")


async def test_lists_redaction_and_deletion(carrier, product):
    first = await send(carrier, DELIVERED, product)
    await send(carrier, "+15550100101")
    await product.wait_for("/sms-status", 2)
    found = await carrier.call(carrier.sdk.messages.list, to=DELIVERED)
    assert [message.sid for message in found] == [first.sid]
    since = first.date_created - timedelta(seconds=1)
    recent = await carrier.call(carrier.sdk.messages.list, to=DELIVERED, from_=FROM, date_sent_after=since)
    assert [message.sid for message in recent] == [first.sid]
    later = first.date_created + timedelta(hours=1)
    assert await carrier.call(carrier.sdk.messages.list, date_sent_after=later) == []
    redacted = await carrier.call(carrier.sdk.messages(first.sid).update, body="")
    assert redacted.body == ""
    await carrier.call(carrier.sdk.messages(first.sid).delete)
    with pytest.raises(TwilioRestException) as gone:
        await carrier.call(carrier.sdk.messages(first.sid).fetch)
    assert gone.value.code == 20404


async def test_numbers_bring_their_faults_to_messages_too(carrier, product):
    with pytest.raises(TwilioRestException) as limited:
        await send(carrier, "+15550100191")
    assert limited.value.status == 429
    assert (await send(carrier, "+15550100191")).sid
    await send(carrier, "+15550100196", product)
    reports = await product.wait_for("/sms-status", 2)
    assert [report["MessageStatus"] for report in reports] == ["delivered", "sent"]


async def test_status_callbacks_may_come_twice(carrier, product):
    await send(carrier, "+15550100195", product)
    reports = await product.wait_for("/sms-status", 4)
    assert sorted(report["MessageStatus"] for report in reports) == ["delivered", "delivered", "sent", "sent"]


async def test_the_truth_tells_of_every_message(carrier, product):
    await listen_at(carrier, product)
    await send(carrier, STOPS)
    await product.wait_for("/sms")
    truth = await carrier.control("GET", "messages")
    sent, stop = truth["messages"]
    assert (sent["carrier"], sent["to"], sent["status"]) == ("twilio", STOPS, "delivered")
    assert (stop["direction"], stop["body"]) == ("inbound", "STOP")
    assert [entry["event"] for entry in stop["history"]][:2] == ["received", "answered_by_carrier"]
    await carrier.control("POST", "reset")
    assert (await carrier.control("GET", "messages"))["messages"] == []
    assert (await send(carrier, STOPS)).status == "queued"
