"""The pages of messages."""

import pytest

from apps.messaging.models import Message
from tests.factories.calls import make_callable, make_number
from tests.factories.messaging import make_message, make_textable

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client, alice):
    client.force_login(alice, backend="apps.accounts.backends.RoleBackend")
    return client


def test_an_empty_list_says_what_will_be_there(page):
    assert "No messages yet" in page.get("/messages/").content.decode()


def test_the_list_shows_both_directions_and_masks_numbers(page, django_assert_max_num_queries):
    for n in range(5):
        make_message("received", body=f"Thanks {n} <b>", keyword="stop")
        make_message("failed", error_code="30007", error="filtered")
    with django_assert_max_num_queries(12):
        html = page.get("/messages/").content.decode()
    assert "Thanks 4 &lt;b&gt;" in html
    assert "no more messages" in html
    assert "30007" in html
    assert Message.objects.first().remote_phone not in html


def test_filters_that_match_nothing_offer_the_way_back(page):
    make_message()
    html = page.get("/messages/?q=zzzz").content.decode()
    assert "No message matches these filters" in html


def test_the_csv_is_what_is_listed(page):
    make_message("received", body="=1+1")
    make_message("delivered")
    text = b"".join(page.get("/messages/?format=csv&direction=inbound").streaming_content).decode()
    assert "'=1+1" in text
    assert len(text.strip().splitlines()) == 2


def test_a_contact_shows_what_was_written(page):
    contact = make_textable()
    make_message("received", contact=contact, body="Where are you?")
    html = page.get(f"/contacts/{contact.pk}/").content.decode()
    assert "Where are you?" in html
    assert f"/messages/contact/{contact.pk}/" in html


def test_a_text_is_sent_from_the_contacts_page(page, tasks):
    number, contact = make_number(), make_textable()
    url = f"/messages/contact/{contact.pk}/"
    assert "Yes, now" in page.get(url).content.decode()
    answer = page.post(url, {"body": "Hello!", "number": number.pk}, follow=True)
    assert "The message is being sent." in answer.content.decode()
    assert Message.objects.get().body == "Hello!"


def test_what_the_rules_refuse_is_said_before_and_after(page):
    number, contact = make_number(), make_callable()
    url = f"/messages/contact/{contact.pk}/"
    assert "No consent on record." in page.get(url).content.decode()
    answer = page.post(url, {"body": "Hello!", "number": number.pk}, follow=True)
    assert "Not sent: No consent on record." in answer.content.decode()


def test_an_empty_text_is_refused_by_the_form(page):
    contact = make_textable()
    assert page.post(f"/messages/contact/{contact.pk}/", {"body": " "}).status_code == 400
    assert not Message.objects.exists()


def test_the_back_office_shows_messages_and_changes_none(client, admin):
    client.force_login(admin, backend="apps.accounts.backends.RoleBackend")
    message = make_message("delivered")
    assert client.get("/admin/messaging/message/").status_code == 200
    html = client.get(f"/admin/messaging/message/{message.pk}/change/").content.decode()
    assert message.token not in html
