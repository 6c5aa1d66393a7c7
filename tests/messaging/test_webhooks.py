"""Webhooks about texts over HTTP: who is believed, and what is answered."""

import time
from urllib.parse import urlencode

import pytest
from prometheus_client import REGISTRY

from apps.contacts.models import DncEntry
from apps.core.webhook_layers import Layer
from apps.messaging.models import Message
from tests.factories import telnyx
from tests.factories.calls import make_number, sid, signature
from tests.factories.messaging import make_message, make_textable

pytestmark = pytest.mark.django_db


def refused(layer: str) -> float:
    return REGISTRY.get_sample_value("callcentre_webhook_requests_refused_total", {"layer": layer}) or 0.0


@pytest.fixture
def twilio(client, settings):
    """Send a webhook as Twilio does; ``signed``: a wrong secret, or None for no signature."""

    def send(path: str, form: dict[str, str], *, signed: str | None = "", **headers):
        path = f"/hooks/twilio/texts/{path}"
        if signed is not None:
            headers["X-Twilio-Signature"] = signature(settings.PUBLIC_ORIGIN + path, form, signed or None)
        return client.post(
            path, urlencode(form), content_type="application/x-www-form-urlencoded; charset=UTF-8", headers=headers
        )

    return send


@pytest.fixture
def telnyx_hook(client):
    def send(path: str, message: dict, **signing):
        body = telnyx.as_body(message)
        headers = telnyx.signed(body, **signing)
        return client.post(f"/hooks/telnyx/texts{path}", body, content_type="application/json", headers=headers)

    return send


def status_form(message: Message, word: str, **fields: str) -> dict[str, str]:
    return {
        "MessageSid": message.carrier_message_id or sid("SM"),
        "MessageStatus": word,
        "SmsStatus": word,
        "To": message.remote_phone,
        "SomethingNewOfTomorrow": "",
        **fields,
    }


def inbound_form(body: str, **fields: str) -> dict[str, str]:
    number = make_number()
    given = {"MessageSid": sid("SM"), "From": make_textable().phone, "To": number.e164, "Body": body, "NumMedia": "0"}
    return {**given, **fields}


def sent() -> Message:
    return make_message("queued", carrier_message_id=sid("SM"))


def telnyx_payload(message: Message, status: str) -> dict:
    return {
        "id": message.carrier_message_id,
        "direction": "outbound",
        "to": [{"phone_number": message.remote_phone, "status": status}],
        "from": {"phone_number": message.number.e164},
        "cost": {"amount": "0.0040", "currency": "USD"},
        "parts": 1,
        "errors": [],
    }


def test_a_status_moves_the_message(twilio):
    message = sent()
    assert twilio(f"status/{message.token}", status_form(message, "delivered")).status_code == 204
    message.refresh_from_db()
    assert message.state == "delivered"


def test_a_failure_is_kept_with_its_code(twilio):
    message = sent()
    twilio(f"status/{message.token}", status_form(message, "undelivered", ErrorCode="30003"))
    message.refresh_from_db()
    assert (message.state, message.error_code) == ("undelivered", "30003")


@pytest.mark.parametrize("signed", [None, "another-secret"])
def test_what_twilio_has_not_signed_changes_nothing(twilio, signed):
    message, before = sent(), refused(Layer.SIGNATURE)
    assert twilio(f"status/{message.token}", status_form(message, "failed"), signed=signed).status_code == 403
    assert twilio("inbound", inbound_form("STOP"), signed=signed).status_code == 403
    message.refresh_from_db()
    assert message.state == "queued"
    assert not DncEntry.objects.exists()
    assert refused(Layer.SIGNATURE) == before + 2


def test_a_signature_of_another_message_or_text_is_refused(twilio, settings):
    message, other = sent(), sent()
    form = status_form(message, "failed")
    stolen = signature(f"{settings.PUBLIC_ORIGIN}/hooks/twilio/texts/status/{other.token}", form)
    answer = twilio(f"status/{message.token}", form, signed=None, **{"X-Twilio-Signature": stolen})
    assert answer.status_code == 403


def test_a_replay_is_answered_and_has_no_second_effect(twilio):
    form, before = inbound_form("STOP"), refused(Layer.REPLAY)
    for _ in range(3):
        answer = twilio("inbound", form)
        assert (answer.status_code, answer.content) == (200, b"<Response/>")
    assert Message.objects.filter(direction="inbound").count() == 1
    assert refused(Layer.REPLAY) == before + 2


def test_a_replayed_start_does_not_undo_a_later_stop(twilio, telnyx_hook):
    """Somebody who has got hold of an old START may send it as often as they like."""
    start = inbound_form("START")
    stop = {**start, "MessageSid": sid("SM"), "Body": "STOP"}
    twilio("inbound", {**stop, "MessageSid": sid("SM")})
    twilio("inbound", start)
    twilio("inbound", stop)
    assert DncEntry.objects.filter(phone=start["From"]).exists()
    twilio("inbound", start)
    assert DncEntry.objects.filter(phone=start["From"]).exists()


@pytest.mark.parametrize(
    ("path", "form", "layer"),
    [
        ("status/{token}", {"MessageSid": "SM1", "MessageStatus": "exploded"}, Layer.CONTENT),
        ("status/{token}", {"MessageStatus": "sent"}, Layer.CONTENT),
        ("status/{token}", {"MessageSid": "../../x", "MessageStatus": "sent"}, Layer.CONTENT),
        ("status/nobodys", {"MessageSid": "SM1", "MessageStatus": "sent"}, Layer.UNKNOWN),
        ("inbound", {"MessageSid": "SM1", "From": "", "To": "+12025550100", "Body": "x"}, Layer.CONTENT),
        ("inbound", {"MessageSid": "SM1", "From": "+" + "1" * 40, "To": "+12025550100"}, Layer.CONTENT),
    ],
)
def test_what_is_signed_and_of_no_use_is_acknowledged(twilio, path, form, layer):
    before = refused(layer)
    assert twilio(path.format(token=sent().token), form).status_code in {200, 204}
    assert refused(layer) == before + 1


@pytest.mark.parametrize("carrier", ["twilio", "telnyx"])
def test_ten_megabytes_are_not_read(client, carrier):
    answer = client.post(f"/hooks/{carrier}/texts", b"x" * 10_000_000, content_type="application/json")
    assert answer.status_code in {404, 413}
    answer = client.post(f"/hooks/{carrier}/texts/inbound", b"x" * 10_000_000, content_type="application/json")
    assert answer.status_code in {413}


def test_texts_are_heard_from_listed_networks_only(twilio, telnyx_hook, settings):
    message, before = sent(), refused(Layer.ADDRESS)
    settings.TELNYX_WEBHOOK_IPS = settings.TWILIO_WEBHOOK_IPS = ["192.76.120.128/26"]
    assert telnyx_hook("", telnyx.event("message.received")).status_code == 403
    assert twilio(f"status/{message.token}", status_form(message, "delivered")).status_code == 403
    assert refused(Layer.ADDRESS) == before + 2
    settings.TELNYX_WEBHOOK_IPS = settings.TWILIO_WEBHOOK_IPS = ["127.0.0.1"]
    assert telnyx_hook("", telnyx.event("message.received")).status_code == 204
    assert twilio(f"status/{message.token}", status_form(message, "delivered")).status_code == 204


def test_only_posts_are_taken(client):
    for path in ("twilio/texts/inbound", "telnyx/texts", "telnyx/texts/x", "twilio/texts/status/x"):
        assert client.get(f"/hooks/{path}").status_code == 405


def test_telnyx_tells_what_became_of_a_message(telnyx_hook):
    message = make_message("queued", carrier="telnyx", carrier_message_id="40385f64-5717-4562-b3fc-2c963f66afa6")
    for kind, word in (("message.sent", "sent"), ("message.finalized", "delivered")):
        answer = telnyx_hook(f"/{message.token}", telnyx.event(kind, **telnyx_payload(message, word)))
        assert answer.status_code == 204
        message.refresh_from_db()
        assert message.state == word
    assert float(message.cost) == 0.004


def test_news_of_telnyx_may_come_in_any_order(telnyx_hook):
    message = make_message("queued", carrier="telnyx", carrier_message_id="40385f64-5717-4562-b3fc-2c963f66afa6")
    telnyx_hook(f"/{message.token}", telnyx.event("message.finalized", **telnyx_payload(message, "delivered")))
    telnyx_hook(f"/{message.token}", telnyx.event("message.sent", **telnyx_payload(message, "sent")))
    message.refresh_from_db()
    assert message.state == "delivered"


def telnyx_text(body: str, sender: str) -> dict:
    return telnyx.event(
        "message.received",
        id="40385f64-5717-4562-b3fc-2c963f66afa6",
        text=body,
        **{"from": {"phone_number": sender}, "to": [{"phone_number": make_number(carrier="telnyx").e164}]},
        media=[],
        parts=1,
        received_at="2026-11-22T10:00:00.000+00:00",
    )


def test_a_stop_by_telnyx_is_obeyed_once(telnyx_hook):
    message = telnyx_text("STOP", make_textable().phone)
    for _ in range(2):
        assert telnyx_hook("", message).status_code == 204
    assert Message.objects.count() == 1
    assert DncEntry.objects.get().source == "text"


@pytest.mark.parametrize(("key", "off_s"), [(telnyx.other_key(), 0), (None, -400), (None, 400)])
def test_a_forged_or_stale_event_of_telnyx_changes_nothing(telnyx_hook, key, off_s):
    signing = {"at": time.time() + off_s} | ({"key": key} if key else {})
    assert telnyx_hook("", telnyx_text("STOP", make_textable().phone), **signing).status_code == 403
    assert not Message.objects.exists()


def test_a_changed_body_of_telnyx_is_refused(client):
    body = telnyx.as_body(telnyx_text("START", make_textable().phone))
    headers = telnyx.signed(body.replace(b"START", b"HELLO"))
    answer = client.post("/hooks/telnyx/texts", body, content_type="application/json", headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "message",
    [
        {"data": []},
        [],
        {"data": {"id": "40385f64-5717", "event_type": "message.received", "payload": {"from": [], "to": {}}}},
        {"data": {"id": "40385f64-5717", "event_type": "message.received", "payload": {"id": 5}}},
        {"data": {"id": "40385f64-5717", "event_type": "call.answered", "payload": {}}},
    ],
)
def test_nonsense_of_telnyx_is_acknowledged_and_changes_nothing(telnyx_hook, message):
    assert telnyx_hook("", message).status_code == 204
    assert not Message.objects.exists()


def test_twilio_cannot_speak_about_telnyx_messages(twilio):
    message = make_message("queued", carrier="telnyx", carrier_message_id="SM00")
    twilio(f"status/{message.token}", status_form(message, "failed"))
    message.refresh_from_db()
    assert message.state == "queued"


def test_our_own_failure_asks_the_carrier_to_try_again(twilio, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr("apps.messaging.webhooks.receive_text", broken)
    form = inbound_form("Hi")
    assert twilio("inbound", form).status_code == 500
    monkeypatch.undo()
    assert twilio("inbound", form).status_code == 200
    assert Message.objects.count() == 1
