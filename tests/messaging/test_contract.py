"""The same conversation by text over each carrier: real SDKs, real signatures, the sandbox's servers."""

import pytest
from django.core.cache import cache

from apps.calls.models import Number
from apps.contacts.models import Contact, DncEntry
from apps.messaging import adapters
from apps.messaging.channels.base import OPTED_OUT, TextRequest, TextStatus
from apps.messaging.models import Message
from apps.messaging.services.reconcile import reconcile_message
from apps.messaging.services.sending import hand_over, send_text
from apps.messaging.states import MessageState
from tests.factories.calls import make_number
from tests.factories.contacts import make_consent
from tests.factories.messaging import make_textable

pytestmark = pytest.mark.django_db
DELIVERED, WRITES_STOP, UNREACHABLE, INVALID = "+15550100100", "+15550100103", "+15550100114", "+15550100190"
OURS = "+15550100500"


@pytest.fixture(params=["twilio", "telnyx"])
def number(request, carrier, box) -> Number:
    inbound = f"{box.origin}/hooks/{request.param}/texts" + ("/inbound" if request.param == "twilio" else "")
    key = "sms_url" if request.param == "twilio" else "sms_webhook_url"
    carrier.control("PUT", f"numbers/{OURS}", {"carrier": request.param, key: inbound})
    return make_number(OURS, carrier=request.param)


def send(number: Number, to: str, body: str = "See you at nine.") -> Message:
    person = Contact.objects.filter(phone=to).first() or make_textable(phone=to)
    message = send_text(to=to, body=body, contact=person, number=number)
    assert message.state == MessageState.CREATED, message.reason
    hand_over(message.pk)
    message.refresh_from_db()
    return message


def test_a_text_is_accepted_sent_and_delivered(number, box, client):
    message = send(number, DELIVERED)
    assert message.state == MessageState.QUEUED
    assert message.carrier_message_id
    for state in (MessageState.SENT, MessageState.DELIVERED):
        assert box.deliver(client) == 204
        message.refresh_from_db()
        assert message.state == state
    assert message.sent_at is not None
    assert message.finished_at is not None


def test_one_that_does_not_arrive_says_why(number, box, client):
    message = send(number, UNREACHABLE)
    for _ in range(2):
        box.deliver(client)
    message.refresh_from_db()
    assert message.state in {MessageState.UNDELIVERED, MessageState.FAILED}
    assert message.error_code


def test_a_number_that_cannot_be_texted_fails_at_once(number):
    message = send(number, INVALID)
    assert message.state == MessageState.FAILED
    assert message.error_code


def test_a_stop_reaches_the_list_and_the_carrier_blocks_as_well(number, box, client):
    send(number, WRITES_STOP)
    for _ in range(3):
        assert box.deliver(client) in {200, 204}
    assert DncEntry.objects.get(phone=WRITES_STOP).source == "text"
    assert not Message.objects.filter(answers__isnull=False).exists()
    assert Message.objects.get(direction="inbound").keyword == "stop"
    refused = send_text(to=WRITES_STOP, body="once more", number=number)
    assert (refused.state, refused.reason) == ("refused", "dnc")
    # Were the list lost, the carrier would say no, and we should know again.
    DncEntry.objects.all().delete()
    make_consent(WRITES_STOP, channel="sms")
    again = send(number, WRITES_STOP, "and again")
    assert (again.state, again.error_code in OPTED_OUT) == (MessageState.FAILED, True)
    assert DncEntry.objects.filter(phone=WRITES_STOP, channel="sms").exists()


def test_a_forged_copy_of_a_true_webhook_is_refused(number, box, client):
    message = send(number, DELIVERED)
    path, headers, body = box.next()
    forged = body.replace(b"sent", b"failed") if b"sent" in body else body + b" "
    assert box.deliver(client, (path, dict(headers), forged)) == 403
    message.refresh_from_db()
    assert message.state == MessageState.QUEUED
    assert box.deliver(client, (path, dict(headers), body)) == 204
    assert box.deliver(client, (path, dict(headers), body)) == 204  # a repeat


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("rest_timeout", MessageState.UNKNOWN),
        ("rest_reset", MessageState.UNKNOWN),
        ("rest_500", MessageState.UNKNOWN),
        ("rest_429", MessageState.CREATED),
    ],
)
def test_nothing_is_sent_twice_whatever_the_carrier_answers(number, carrier, fault, state):
    carrier.fault(fault, to=DELIVERED, times=1)
    message = send(number, DELIVERED)
    assert message.state == state
    cache.clear()  # until when it wanted to be left alone
    hand_over(message.pk)
    message.refresh_from_db()
    assert message.state == (MessageState.QUEUED if state == MessageState.CREATED else state)
    assert len(texts_to(carrier, DELIVERED)) == (0 if fault == "rest_500" else 1)


def test_a_message_is_found_again_after_a_time_out(number, carrier, box, client):
    carrier.fault("rest_timeout", to=DELIVERED)
    message = send(number, DELIVERED)
    assert (message.state, message.carrier_message_id) == (MessageState.UNKNOWN, None)
    if adapters.channel_for(number.carrier).finds:
        reconcile_message(message.pk)
    else:
        box.deliver(client)
    message.refresh_from_db()
    assert message.carrier_message_id == texts_to(carrier, DELIVERED)[0]["sid"]
    assert message.state in {MessageState.QUEUED, MessageState.SENT, MessageState.DELIVERED}


def test_the_carrier_is_asked_where_a_message_stands(number):
    message = send(number, DELIVERED)
    news = adapters.channel_for(number.carrier).fetch(message.carrier_message_id)
    assert news is not None
    assert news.status in {TextStatus.QUEUED, TextStatus.SENT, TextStatus.DELIVERED}
    unknown = {"twilio": "SM" + "0" * 32, "telnyx": "00000000-0000-4000-8000-000000000000"}[number.carrier]
    assert adapters.channel_for(number.carrier).fetch(unknown) is None


def test_the_same_request_of_telnyx_under_one_token_is_one_message(carrier):
    request = TextRequest(DELIVERED, OURS, "Hi", "token-of-mine", "http://127.0.0.1:9/hooks/x")
    channel = adapters.channel_for("telnyx")
    assert channel.send(request).carrier_message_id == channel.send(request).carrier_message_id
    assert len(texts_to(carrier, DELIVERED)) == 1


def texts_to(carrier, number: str) -> list[dict]:
    return [text for text in carrier.control("GET", "messages")["messages"] if text["to"] == number]
