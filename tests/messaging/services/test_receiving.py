from datetime import timedelta

import pytest
from django.utils import timezone

from apps.contacts.models import Channel, Consent, DncEntry, DncSource
from apps.messaging.channels.base import InboundText
from apps.messaging.models import Message
from apps.messaging.services.receiving import receive_text
from apps.messaging.services.sending import hand_over
from tests.factories.calls import make_number
from tests.factories.contacts import make_dnc
from tests.factories.messaging import make_message, make_textable

pytestmark = pytest.mark.django_db


@pytest.fixture
def number():
    return make_number()


@pytest.fixture
def person():
    return make_textable()


@pytest.fixture
def write(number, person):
    n = iter(range(1000))

    def write(body: str, **fields) -> Message | None:
        given = {"carrier_message_id": f"SM{next(n)}", "from_": person.phone, "to": number.e164, "body": body}
        return receive_text("twilio", InboundText(**{**given, **fields}))

    return write


def entries(person) -> list[tuple[str, str]]:
    return list(DncEntry.objects.filter(phone=person.phone).values_list("channel", "source"))


def test_a_text_is_kept_with_who_wrote_it_and_after_what(write, person, number):
    make_message("delivered", contact=person, campaign_id=4, campaign_name="Spring")
    message = write("Thank you!")
    assert (message.state, message.contact, message.number, message.campaign_id) == ("received", person, number, 4)
    assert message.keyword == ""
    assert entries(person) == []


def test_a_repeat_is_kept_once(write):
    assert write("Hi", carrier_message_id="SMx") is not None
    assert write("Hi", carrier_message_id="SMx") is None
    assert Message.objects.count() == 1


def test_stop_goes_on_the_list_and_takes_the_consent_back(write, person):
    message = write("Stop")
    assert message.keyword == "stop"
    assert entries(person) == [("sms", "text")]
    assert not Consent.objects.filter(phone=person.phone, channel="sms", withdrawn_at__isnull=True).exists()
    assert Consent.objects.filter(phone=person.phone, channel="voice", withdrawn_at__isnull=True).exists()


def test_the_carriers_own_words_are_answered_by_the_carrier(write, channel):
    write("STOP")
    write("whatever it was", keyword="stop")
    write("HELP")
    assert not Message.objects.filter(direction="outbound").exists()


def test_our_own_words_are_confirmed_once_and_in_their_language(write, person, channel):
    message = write("ODHLÁSIT")
    reply = message.reply
    assert reply.state == "created"
    hand_over(reply.pk)
    assert [request.to for request in channel.sent] == [person.phone]
    write("ODHLÁSIT")
    write("BAJA")
    assert Message.objects.filter(direction="outbound").count() == 1


def test_after_stop_nothing_else_is_sent(write, person, channel):
    waiting = make_message(contact=person)
    write("STOP")
    hand_over(waiting.pk)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("refused", "dnc")
    assert channel.sent == []


def test_start_takes_back_a_stop_by_text_with_a_new_consent(write, person):
    write("STOP")
    assert write("START").keyword == "start"
    assert entries(person) == []
    consent = Consent.objects.get(phone=person.phone, channel="sms", withdrawn_at__isnull=True)
    assert consent.is_written
    assert "START" in consent.source


def test_a_start_that_is_delivered_after_a_later_stop_comes_too_late(write, person):
    began = timezone.now()
    for body, after_s in (("STOP", 0), ("STOP", 20), ("START", 10)):
        write(body, at=began + timedelta(seconds=after_s))
    assert entries(person) == [("sms", "text")]
    write("START", at=began + timedelta(seconds=30))
    assert entries(person) == []


@pytest.mark.parametrize("source", [DncSource.AI_CALL, DncSource.MANUAL, DncSource.IMPORT])
def test_start_does_not_take_back_what_was_said_otherwise(write, person, source):
    make_dnc(person.phone, channel=Channel.SMS, source=source)
    write("START")
    assert entries(person) == [("sms", str(source))]


def test_yes_is_no_consent_of_its_own(write, person):
    Consent.objects.filter(phone=person.phone, channel="sms").delete()
    write("yes")
    assert not Consent.objects.filter(phone=person.phone, channel="sms").exists()


def test_help_is_answered_once_a_day(write):
    assert write("ayuda").reply.body
    second = write("pomoc")
    assert not Message.objects.filter(answers=second).exists()


def test_a_number_that_is_not_ours_is_heard_all_the_same(write, person):
    message = write("STOP", to="+12025550000")
    assert message.number is None
    assert entries(person) == [("sms", "text")]
    write("ODHLÁSIT", to="+12025550000")
    assert not Message.objects.filter(direction="outbound").exists()


def test_a_sender_without_a_phone_number_stops_nothing(write):
    message = write("STOP", from_="28777")
    assert message.keyword == "stop"
    assert not DncEntry.objects.exists()


def test_nothing_of_it_happens_if_it_cannot_be_kept(write, person, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("apps.messaging.services.receiving.opt_out", broken)
    with pytest.raises(RuntimeError):
        write("STOP")
    assert not Message.objects.exists()
    assert entries(person) == []
