"""The page of outside services, and who may have one asked again."""

import pytest
from django.urls import reverse

from apps.calls.adapters import PART_BREAKERS
from apps.calls.models import Carrier, Provider
from apps.cockpit.services_view import service_name
from apps.cockpit.snapshot import take_snapshot
from apps.core import breaker
from apps.messaging.adapters import circuit_of

pytestmark = pytest.mark.django_db
URL = "/live/services/"


@pytest.fixture(autouse=True)
def _twilio_away():
    breaker.open("twilio")
    yield
    breaker.close("twilio")


def test_the_page_says_which_service_is_not_asked(client, alice):
    client.force_login(alice)
    page = client.get(URL).content.decode()
    assert "Twilio" in page
    assert "not asked" in page
    assert '<form method="post" action="/live/services/reset/">' not in page
    assert take_snapshot(alice)["services_away"] == ["twilio"]


def test_an_admin_has_it_asked_again_everywhere_and_the_log_says_who(client, admin, caplog):
    client.force_login(admin)
    with caplog.at_level("WARNING"):
        answer = client.post(reverse("cockpit:services-reset"), {"service": "twilio"}, follow=True)
    assert "Twilio is asked again." in answer.content.decode()
    assert "breaker_reset" in caplog.text
    assert f"{admin.pk}" in caplog.text
    assert {circuit.service: circuit.state for circuit in breaker.all_states()}["twilio"] == "closed"
    assert take_snapshot(admin)["services_away"] == []


def test_every_breaker_has_a_name_that_people_know():
    for code in (*Carrier.values, *Provider.values, *PART_BREAKERS, *(circuit_of(code) for code in Carrier.values)):
        assert service_name(code) != code
    assert service_name("http:orders.example.com") == "HTTP tools, orders.example.com"


def test_what_no_process_knows_cannot_be_reset(client, admin):
    client.force_login(admin)
    assert client.post(reverse("cockpit:services-reset"), {"service": "nobody"}).status_code == 404


def test_a_supervisor_looks_and_touches_nothing(client, alice):
    client.force_login(alice)
    assert client.post(reverse("cockpit:services-reset"), {"service": "twilio"}).status_code == 403
    assert breaker.state_of("twilio") == "open"
