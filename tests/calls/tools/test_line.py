import pytest

from apps.calls.models import CallEvent, Number
from tests.factories.contacts import make_consent, make_dnc

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    """Ids of the events handed to messaging."""
    ids: list[int] = []
    monkeypatch.setattr("apps.calls.services.texts.enqueue", lambda task, pk: ids.append((task, pk)))
    return ids


@pytest.fixture
def agreed(leg):
    make_consent(leg.call.remote_phone, channel="sms")


def test_keys_are_pressed_for_the_model(ask, leg):
    result = ask("send_dtmf", {"keys": "1w2#"})
    assert result.digits == "1w2#"
    assert CallEvent.objects.get(call=leg.call, kind="keys_sent").data == {"digits": "1w2#"}


@pytest.mark.parametrize("keys", ["", "w", "12,3", "x", "1" * 33, 5, None, ["1"], "\uff11"])
def test_what_no_phone_has_is_not_pressed(ask, keys):
    result = ask("send_dtmf", {"keys": keys})
    assert result.text.startswith("Failed")
    assert result.digits == ""


def test_a_text_becomes_a_line_in_the_story_that_messaging_works_off(use, leg, agreed, sent):
    assert use("send_sms", {"text": " See you at nine. "}).startswith("Done")
    event = CallEvent.objects.get(call=leg.call, kind="text_requested")
    assert event.data == {"text": "See you at nine."}
    assert sent == [("messaging.send_text", event.pk)]


def test_the_same_text_twice_is_one(use, leg, agreed, sent):
    use("send_sms", {"text": "Nine."})
    assert "already" in use("send_sms", {"text": "Nine. "})
    assert len(sent) == 1


def test_there_is_an_end_to_the_texts_of_a_call(use, agreed, sent):
    for n in range(3):
        assert use("send_sms", {"text": f"{n}"}).startswith("Done")
    assert "Send no more" in use("send_sms", {"text": "4"})
    assert len(sent) == 3


def test_without_consent_nothing_is_texted_and_the_refusal_is_on_record(use, leg, sent):
    assert "no_consent" in use("send_sms", {"text": "Hi"})
    assert CallEvent.objects.get(call=leg.call, kind="text_refused").data == {"reason": "no_consent"}
    assert sent == []


def test_who_is_on_the_do_not_call_list_is_not_texted(use, leg, agreed, sent):
    make_dnc(leg.call.remote_phone, channel="sms")
    assert "(dnc)" in use("send_sms", {"text": "Hi"})
    assert sent == []


def test_a_caller_nobody_knows_is_judged_by_the_number(use, leg, sent):
    leg.call.contact = None
    leg.call.save()
    assert "no_consent" in use("send_sms", {"text": "Hi"})
    make_consent(leg.call.remote_phone, channel="sms")
    result = use("send_sms", {"text": "Hi"})
    assert result.startswith("Done") or "outside_hours" in result


def test_without_a_number_that_can_text_it_says_so(use, agreed, sent):
    Number.objects.update(can_text=False)
    assert "no text can be sent" in use("send_sms", {"text": "Hi"})
    assert sent == []


@pytest.mark.parametrize("text", ["", "  ", None, 5, ["a"], "a" * 801])
def test_what_is_no_message_is_refused(use, agreed, sent, text):
    assert use("send_sms", {"text": text}).startswith("Failed")
    assert sent == []
