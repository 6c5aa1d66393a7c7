from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from apps.calls.carriers.base import CarrierError, Fault
from apps.calls.models import CostItem, Number
from apps.contacts.models import Consent, DncEntry
from apps.core.rate import hold
from apps.messaging import adapters
from apps.messaging.channels.base import TextNews, TextStatus
from apps.messaging.models import Message
from apps.messaging.services.progress import message_progressed
from apps.messaging.services.reconcile import reconcile_message, reconcile_messages
from apps.messaging.services.sending import NoTextNumber, hand_over, send_for_event, send_text
from apps.messaging.states import MessageState
from tests.factories.calls import make_call, make_callable, make_number, make_price
from tests.factories.contacts import make_dnc
from tests.factories.messaging import make_message, make_textable

pytestmark = pytest.mark.django_db


def state_of(message: Message) -> str:
    message.refresh_from_db()
    return message.state


def unanswered() -> CarrierError:
    return CarrierError("ReadTimeout", fault=Fault.OUTAGE, retryable=True, maybe_placed=True)


def test_a_text_is_one_row_and_one_task(tasks, django_capture_on_commit_callbacks):
    contact, number = make_textable(), make_number()
    with django_capture_on_commit_callbacks(execute=True):
        message = send_text(to=contact.phone, body=" Hi\x00 ", contact=contact)
    assert (message.state, message.body, message.number) == ("created", "Hi", number)
    assert message.rule_version
    assert message.consent_id == Consent.objects.get(phone=contact.phone, channel="sms").pk
    assert [(task.name, task.args) for task in tasks] == [("messaging.hand_over", (message.pk,))]


@pytest.mark.parametrize("barred", [True, False])
def test_who_must_not_be_written_to_is_not_and_the_reason_is_kept(
    tasks, channel, django_capture_on_commit_callbacks, barred
):
    make_number()
    contact = make_textable() if barred else make_callable()
    if barred:
        make_dnc(contact.phone, channel="sms")
    with django_capture_on_commit_callbacks(execute=True):
        message = send_text(to=contact.phone, body="Hi")
    assert (message.state, message.reason) == ("refused", "dnc" if barred else "no_consent")
    assert message.contact == contact
    assert tasks == []
    hand_over(message.pk)
    assert channel.sent == []


def test_a_stranger_is_judged_by_the_number():
    make_number()
    message = send_text(to="+420777123456", body="Hi")
    assert (message.state, message.reason, message.contact) == ("refused", "no_consent", None)


def test_the_same_key_is_the_same_message():
    make_number()
    contact = make_textable()
    first = send_text(to=contact.phone, body="Hi", key="api:1:x")
    assert send_text(to=contact.phone, body="Hi", key="api:1:x") == first
    assert send_text(to=contact.phone, body="Hi", key="api:1:y") != first


def test_the_number_of_the_call_writes_where_it_can():
    others = make_number("+12025550101"), make_number("+12025550102", carrier="telnyx")
    call = make_call(contact=make_textable(), number=make_number("+12025550103"))
    assert send_text(to=call.remote_phone, body="a", call=call).number == call.number
    Number.objects.filter(pk=call.number.pk).update(can_text=False)
    assert send_text(to=call.remote_phone, body="b", call=call).number == others[0]
    Number.objects.update(can_text=False)
    with pytest.raises(NoTextNumber):
        send_text(to=call.remote_phone, body="c", call=call)


def test_a_line_of_a_calls_story_becomes_one_message_however_often_it_is_told():
    call = make_call(contact=make_textable(), brief={"campaign_id": 7, "campaign_name": "Spring"})
    event = call.events.create(kind="text_requested", data={"text": "See you"})
    message = send_for_event(event.pk)
    assert message is not None
    assert (message.call, message.campaign_id, message.campaign_name) == (call, 7, "Spring")
    assert send_for_event(event.pk) == message
    assert send_for_event(call.events.create(kind="ringing").pk) is None
    assert send_for_event(0) is None


def test_a_message_is_given_to_the_carrier_once(channel):
    message = make_message()
    hand_over(message.pk)
    hand_over(message.pk)
    [request] = channel.sent
    assert (request.to, request.from_, request.token) == (message.remote_phone, message.number.e164, message.token)
    assert request.status_url.endswith(message.token)
    assert state_of(message) == MessageState.QUEUED


def test_the_gate_is_asked_again_right_before_sending(channel):
    message = make_message()
    make_dnc(message.remote_phone, channel="sms")
    hand_over(message.pk)
    assert channel.sent == []
    assert (state_of(message), message.reason) == ("refused", "dnc")


def test_what_waited_too_long_is_not_sent(channel):
    message = make_message(expires_at=timezone.now() - timedelta(seconds=1))
    hand_over(message.pk)
    assert channel.sent == []
    assert state_of(message) == MessageState.FAILED


def test_a_request_without_an_answer_is_never_sent_again(channel, tasks, django_capture_on_commit_callbacks):
    message = make_message()
    channel.answers = [unanswered()]
    with django_capture_on_commit_callbacks(execute=True):
        hand_over(message.pk)
    assert state_of(message) == MessageState.UNKNOWN
    assert [task.name for task in tasks] == ["messaging.reconcile_message"]
    hand_over(message.pk)
    reconcile_messages()
    assert len(channel.sent) == 1


def test_a_lost_message_is_found_at_the_carrier(channel):
    message = make_message(MessageState.UNKNOWN, requested_at=timezone.now())
    make_message(MessageState.SENT, carrier_message_id="SMother", number=message.number)
    channel.found = [TextNews("SMother", TextStatus.SENT), TextNews("SMmine", TextStatus.DELIVERED)]
    reconcile_message(message.pk)
    assert state_of(message) == MessageState.DELIVERED
    assert message.carrier_message_id == "SMmine"


@pytest.mark.parametrize("finds", [True, False])
def test_a_message_nobody_knows_of_fails_in_the_end_and_not_before(channel, settings, finds):
    channel.finds = finds
    young = make_message(MessageState.UNKNOWN, requested_at=timezone.now())
    old = make_message(
        MessageState.UNKNOWN, requested_at=timezone.now() - timedelta(seconds=settings.MESSAGE_UNKNOWN_S + 1)
    )
    for message in (young, old):
        reconcile_message(message.pk)
    assert state_of(young) == MessageState.UNKNOWN
    assert (state_of(old), old.error_code) == ("failed", "unknown")
    assert channel.sent == []


def test_what_was_never_sent_is_put_back(channel, tasks, django_capture_on_commit_callbacks):
    message = make_message()
    channel.answers = [CarrierError("429", fault=Fault.LIMIT, retryable=True, retry_after_s=7)]
    with django_capture_on_commit_callbacks(execute=True):
        hand_over(message.pk)
    assert state_of(message) == MessageState.CREATED
    assert [(task.name, task.options["countdown"]) for task in tasks] == [("messaging.hand_over", 7)]


def test_when_the_carrier_says_until_when_no_text_leaves_until_then(channel, tasks, django_capture_on_commit_callbacks):
    told, other = make_message(), make_message()
    channel.answers = [CarrierError("429", fault=Fault.LIMIT, retryable=True, retry_after_s=7)]
    with django_capture_on_commit_callbacks(execute=True):
        hand_over(told.pk)
        hand_over(other.pk)
    assert len(channel.sent) == 1
    assert state_of(other) == MessageState.CREATED
    assert [(task.args, 6 < task.options["countdown"] <= 7) for task in tasks] == [
        ((told.pk,), True),
        ((other.pk,), True),
    ]
    elsewhere = make_message(number=make_number(carrier="telnyx"))
    hand_over(elsewhere.pk)
    assert state_of(elsewhere) == MessageState.QUEUED
    cache.clear()  # and then it is over
    hand_over(other.pk)
    assert state_of(other) == MessageState.QUEUED


def test_a_long_wait_does_not_pile_up_tasks(channel, tasks, django_capture_on_commit_callbacks):
    waiting = make_message(expires_at=timezone.now() + timedelta(hours=1))
    hold(adapters.pace_key("twilio"), 600)
    with django_capture_on_commit_callbacks(execute=True):
        hand_over(waiting.pk)
    assert (state_of(waiting), tasks, channel.sent) == (MessageState.CREATED, [], [])
    Message.objects.filter(pk=waiting.pk).update(updated_at=timezone.now() - timedelta(minutes=1))
    with django_capture_on_commit_callbacks(execute=True):
        reconcile_messages()
    assert [(task.name, task.args) for task in tasks] == [("messaging.hand_over", (waiting.pk,))]


def test_an_open_breaker_puts_back_without_asking(channel, tasks, django_capture_on_commit_callbacks):
    channel.answers = [CarrierError("refused", fault=Fault.OUTAGE, retryable=True) for _ in range(5)]
    for message in [make_message() for _ in range(5)]:
        hand_over(message.pk)
    late = make_message()
    hand_over(late.pk)
    assert len(channel.sent) == 5
    assert state_of(late) == MessageState.CREATED


def test_who_has_stopped_at_the_carrier_is_on_our_list_from_then_on(channel):
    message = make_message()
    channel.answers = [CarrierError("400 unsubscribed", fault=Fault.NUMBER, code="21610")]
    hand_over(message.pk)
    assert (state_of(message), message.error_code) == ("failed", "21610")
    assert DncEntry.objects.get(phone=message.remote_phone).channel == "sms"


def test_news_only_moves_a_message_on():
    message = make_message(MessageState.QUEUED, carrier_message_id="SM1")
    assert message_progressed(message.pk, TextNews("SM1", TextStatus.DELIVERED))
    assert not message_progressed(message.pk, TextNews("SM1", TextStatus.SENT))
    assert not message_progressed(message.pk, TextNews("SM1", TextStatus.FAILED))
    assert state_of(message) == MessageState.DELIVERED


def test_news_of_another_message_is_none():
    message = make_message(MessageState.QUEUED, carrier_message_id="SM1")
    assert not message_progressed(message.pk, TextNews("SM2", TextStatus.DELIVERED))
    assert state_of(message) == MessageState.QUEUED


def test_a_webhook_that_is_faster_than_the_answer_counts():
    message = make_message(MessageState.UNKNOWN)
    assert message_progressed(message.pk, TextNews("SM1", TextStatus.SENT))
    assert (state_of(message), message.carrier_message_id) == ("sent", "SM1")


def test_each_part_costs_what_the_table_says_once():
    make_price("twilio", "message", "0.0079", unit="message")
    message = make_message(MessageState.REQUESTED, call=make_call())
    message_progressed(message.pk, TextNews("SM1", TextStatus.QUEUED, n_parts=3))
    message_progressed(message.pk, TextNews("SM1", TextStatus.SENT, n_parts=3))
    message.refresh_from_db()
    assert float(message.cost) == pytest.approx(0.0237)
    item = CostItem.objects.get(call=message.call, part="message")
    assert (item.quantity, float(item.amount)) == (3, pytest.approx(0.0237))


def test_what_a_crash_left_behind_is_found(channel, tasks, django_capture_on_commit_callbacks):
    long_ago = timezone.now() - timedelta(minutes=5)
    forgotten, dying = make_message(), make_message(MessageState.REQUESTED, requested_at=long_ago)
    call = make_call(contact=make_textable())
    event = call.events.create(kind="text_requested", data={"text": "Hi"}, at=long_ago)
    Message.objects.update(updated_at=long_ago)
    with django_capture_on_commit_callbacks(execute=True):
        reconcile_messages()
        reconcile_messages()
    assert Message.objects.filter(key=f"event:{event.pk}").count() == 1
    assert state_of(dying) == MessageState.UNKNOWN
    assert [task.args for task in tasks if task.name == "messaging.hand_over"].count((forgotten.pk,)) == 1
