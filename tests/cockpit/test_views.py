"""Start page, live page, search, navigation and error pages."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.test import RequestFactory
from django.urls import reverse

from apps.calls.states import LegState
from apps.campaigns.states import CampaignState
from apps.cockpit.context_processors import navigation
from tests.factories.calls import make_callable, make_leg
from tests.factories.campaigns import make_campaign

pytestmark = pytest.mark.django_db


def places(user) -> list[str]:
    request = RequestFactory().get("/live/")
    request.user = user
    return [str(place["label"]) for group in navigation(request)["navigation"] for place in group]


def test_navigation_offers_what_the_role_may_open(admin, alice, bob):
    assert places(admin) == ["Live", "Campaigns", "Contacts", "Calls", "Messages", "Services", "API", "Back office"]
    assert places(alice) == ["Live", "Campaigns", "Contacts", "Calls", "Messages", "Services", "API"]
    assert places(bob) == ["API"]


def test_everything_in_the_navigation_opens(client, admin):
    client.force_login(admin)
    request = RequestFactory().get("/")
    request.user = admin
    for group in navigation(request)["navigation"]:
        for place in group:
            assert client.get(place["url"]).status_code == 200, place["url"]


def test_home_leads_each_role_to_its_page(client, alice, bob):
    assert client.get("/live/home/").url.startswith(reverse("accounts:login"))
    client.force_login(alice)
    assert client.get("/live/home/").url == reverse("cockpit:live")
    client.force_login(bob)
    page = client.get("/", follow=True)
    assert page.status_code == 200
    assert page.templates[0].name == "cockpit/agent_home.html"


def test_live_page_is_for_those_who_may_watch(client, alice, bob):
    client.force_login(bob)
    assert client.get(reverse("cockpit:live")).status_code == 403
    client.force_login(alice)
    assert client.get(reverse("cockpit:live")).status_code == 200


def test_live_page_has_a_query_budget(client, alice, django_assert_max_num_queries):
    client.force_login(alice)
    client.get(reverse("cockpit:live"))
    for _ in range(4):
        make_leg(LegState.ANSWERED)
        make_campaign(state=CampaignState.RUNNING)
    with django_assert_max_num_queries(11):  # session and user, and the snapshot's nine
        client.get(reverse("cockpit:live"))


def test_a_call_in_the_address_opens_at_the_side(client, alice):
    leg = make_leg(LegState.ANSWERED)
    client.force_login(alice)
    page = client.get(reverse("cockpit:live"), {"call": leg.call_id}).content.decode()
    assert f'data-call="{leg.call_id}"' in page
    assert "End" in page
    fragment = client.get(reverse("cockpit:panel", args=[leg.call_id])).content.decode()
    assert "<html" not in fragment
    assert leg.call.remote_phone not in fragment, "a supervisor sees masked numbers"
    assert client.get(reverse("cockpit:panel", args=[leg.call_id + 1])).status_code == 404


@pytest.mark.parametrize("call", ["", "x", "-1", "9" * 40, "0"])
def test_an_address_with_no_such_call_still_shows_the_board(client, alice, call):
    client.force_login(alice)
    page = client.get(reverse("cockpit:live"), {"call": call})
    assert page.status_code == 200
    assert page.context["panel"] is None


def test_tour_is_offered_until_it_was_skipped(client, alice):
    client.force_login(alice)
    assert 'id="tour"' in client.get(reverse("cockpit:live")).content.decode()
    assert 'id="tour"' not in client.get(reverse("cockpit:live"), {"wall": 1}).content.decode()
    client.cookies["tour"] = "done"
    assert 'id="tour"' not in client.get(reverse("cockpit:live")).content.decode()


def test_search_finds_people_numbers_calls_and_campaigns(client, alice):
    contact = make_callable(first_name="Ofelia", last_name="Quintana")
    leg = make_leg(LegState.ANSWERED, call=None)
    call = leg.call
    campaign = make_campaign("Autumn renewal")
    client.force_login(alice)

    def found(query):
        return client.get(reverse("cockpit:search"), {"q": query}).context["found"]

    assert found("quint ofelia").contacts == [contact]
    assert found(contact.phone).contacts == [contact]
    assert found(f"#{call.pk}").calls == [call]
    assert call in found(call.contact.last_name).calls
    assert found("autumn").campaigns == [campaign]
    assert not found("nobody at all")
    assert not found("")


def test_a_few_digits_do_not_reveal_a_masked_number(client, alice):
    contact = make_callable()
    client.force_login(alice)
    assert client.get(reverse("cockpit:search"), {"q": contact.phone[-3:]}).context["found"].contacts == []


def test_search_is_for_those_who_may_see_calls(client, bob):
    client.force_login(bob)
    assert client.get(reverse("cockpit:search"), {"q": "x"}).status_code == 403


def test_search_has_a_query_budget(client, alice, django_assert_max_num_queries):
    for _ in range(5):
        make_leg(LegState.ANSWERED, call=None)
    client.force_login(alice)
    with django_assert_max_num_queries(7):
        client.get(reverse("cockpit:search"), {"q": "last"})


def test_errors_have_words_and_a_way_on(client, alice, settings):
    client.force_login(alice)
    page = client.get("/nowhere/")
    assert page.status_code == 404
    assert "There is nothing here" in page.content.decode()
    assert 'href="/"' in page.content.decode()


@pytest.mark.parametrize(
    ("error", "status"), [(PermissionDenied(), 403), (SuspiciousOperation(), 400), (RuntimeError("boom"), 500)]
)
def test_every_error_page_is_drawn(client, alice, monkeypatch, error, status):
    def fail(user):
        raise error

    monkeypatch.setattr("apps.cockpit.views.take_snapshot", fail)
    client.raise_request_exception = False
    client.force_login(alice)
    page = client.get(reverse("cockpit:live"))
    assert page.status_code == status
    assert "<h1>" in page.content.decode()


def test_styleguide_shows_every_part(client):
    page = client.get(reverse("styleguide"))
    assert page.status_code == 200
    names = {template.name for template in page.templates}
    parts = (
        *("alert", "card", "data_table", "dialog", "empty", "field", "filter_chips", "funnel", "loading", "menu"),
        *("page_header", "pagination", "stat", "status", "tabs", "timeline", "timer", "transcript"),
    )
    assert {f"includes/{part}.html" for part in parts} <= names
