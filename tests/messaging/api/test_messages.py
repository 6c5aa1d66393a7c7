"""Text messages by API."""

import pytest

from apps.messaging.models import Message
from tests.accounts.api.clients import api_as
from tests.factories.calls import make_callable, make_number
from tests.factories.messaging import make_message, make_textable

pytestmark = pytest.mark.django_db
URL = "/api/v1/messages/"


@pytest.fixture
def api(alice):
    return api_as(alice)


def test_messages_are_listed_newest_first_with_numbers_masked(api):
    old, new = make_message("delivered"), make_message("received", body="Thanks!")
    rows = api.get(URL).json()["results"]
    assert [row["id"] for row in rows] == [new.pk, old.pk]
    assert "•" in rows[0]["phone"]
    assert api.get(f"{URL}{new.pk}/").json()["body"] == "Thanks!"


@pytest.mark.parametrize(
    ("query", "n"),
    [("direction=inbound", 1), ("state=delivered", 1), ("q=thanks", 1), ("keyword=stop", 1), ("q=zzz", 0)],
)
def test_the_list_is_narrowed(api, query, n):
    make_message("delivered", body="See you")
    make_message("received", body="Thanks", keyword="stop")
    assert len(api.get(f"{URL}?{query}").json()["results"]) == n


def test_a_text_is_sent_to_a_contact_and_the_same_key_sends_no_other(api, tasks):
    make_number()
    body = {"contact": make_textable().pk, "body": "Hi", "key": "order-7"}
    first, second = api.post(URL, body), api.post(URL, body)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert Message.objects.get().created_by.username == "alice"


def test_two_people_may_use_the_same_key(api, admin, tasks):
    make_number()
    body = {"contact": make_textable().pk, "body": "Hi", "key": "order-7"}
    assert api.post(URL, body).json()["id"] != api_as(admin).post(URL, body).json()["id"]


def test_a_refusal_says_why_and_is_on_record(api):
    make_number()
    answer = api.post(URL, {"contact": make_callable().pk, "body": "Hi"})
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error["code"] == "no_consent"
    assert Message.objects.get(pk=error["detail"]["message"]).state == "refused"


@pytest.mark.parametrize(
    "body",
    [
        {"body": "Hi"},
        {"contact": "{contact}", "to": "+12025550123", "body": "Hi"},
        {"to": "12", "body": "Hi"},
        {"contact": "{contact}", "body": ""},
        {"contact": "{contact}", "body": "x" * 1601},
        {"contact": "{contact}", "body": "x", "number": "+19005550100"},
        {"contact": 0, "body": "x"},
    ],
)
def test_what_cannot_be_sent_is_refused_by_field(api, body):
    contact = make_textable()
    answer = api.post(URL, {name: contact.pk if value == "{contact}" else value for name, value in body.items()})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")
    assert not Message.objects.exists()


def test_without_a_number_that_can_text_it_says_so(api):
    make_number(can_text=False)
    answer = api.post(URL, {"contact": make_textable().pk, "body": "Hi"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cannot_text")


def test_agents_read_and_send_nothing(bob):
    message = make_message()
    assert api_as(bob).get(URL).status_code == 403
    assert api_as(bob).get(f"{URL}{message.pk}/").status_code == 403
    assert api_as(bob).post(URL, {"contact": message.contact.pk, "body": "Hi"}).status_code == 403
