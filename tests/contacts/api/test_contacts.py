"""Lists, people, consents and the do-not-call list by API."""

import pytest

from apps.contacts.models import Consent, Contact, ContactList, DncEntry
from tests.accounts.api.clients import api_as
from tests.factories.campaigns import make_campaign
from tests.factories.contacts import make_consent, make_contact, make_dnc, make_list

pytestmark = pytest.mark.django_db
LISTS, CONTACTS, DNC, CONSENTS = "/api/v1/contact-lists/", "/api/v1/contacts/", "/api/v1/dnc/", "/api/v1/consents/"


def code(response) -> str:
    return response.json()["error"]["code"]


def test_a_list_from_birth_to_death(admin):
    api = api_as(admin)
    made = api.post(LISTS, {"name": "Spring"}).json()
    make_contact(ContactList.objects.get(pk=made["id"]))
    url = f"{LISTS}{made['id']}/"
    assert api.get(url).json()["n_contacts"] == 1
    assert api.patch(url, {"name": "Summer"}).json()["name"] == "Summer"
    assert api.delete(url).status_code == 204
    assert not ContactList.objects.exists()


def test_a_list_that_a_campaign_uses_stays(admin):
    campaign = make_campaign()
    response = api_as(admin).delete(f"{LISTS}{campaign.contact_list_id}/")
    assert (response.status_code, code(response)) == (409, "in_use")


def test_two_lists_of_one_name_are_refused_with_the_field_named(admin):
    make_list("Spring")
    response = api_as(admin).post(LISTS, {"name": "Spring"})
    assert response.status_code == 400
    assert list(response.json()["error"]["detail"]) == ["name"]


def test_a_person_s_country_and_zone_follow_from_the_number(admin):
    contact_list = make_list()
    made = api_as(admin).post(CONTACTS, {"contact_list": contact_list.pk, "phone": "+420 601 234 567"})
    assert made.status_code == 201
    assert {key: made.json()[key] for key in ("phone", "country", "time_zone", "zone_source")} == {
        "phone": "+420601234567",
        "country": "CZ",
        "time_zone": "Europe/Prague",
        "zone_source": "number",
    }


def test_a_zone_that_is_given_is_kept(admin):
    body = {"contact_list": make_list().pk, "phone": "+420601234567", "time_zone": "Atlantic/Azores"}
    made = api_as(admin).post(CONTACTS, body).json()
    assert (made["time_zone"], made["zone_source"]) == ("Atlantic/Azores", "given")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "hello"),
        ("phone", "+1 202"),
        ("phone", ""),
        ("time_zone", "Mars/Olympus"),
        ("language", "xx"),
        ("email", "nobody"),
        ("custom_fields", ["a"]),
        ("custom_fields", {"a": {"b": 1}}),
        ("contact_list", 0),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_field(admin, field, value):
    body = {"contact_list": make_list().pk, "phone": "+12025550123", field: value}
    response = api_as(admin).post(CONTACTS, body)
    assert response.status_code == 400
    assert list(response.json()["error"]["detail"]) == [field]


def test_the_same_number_twice_in_a_list_is_refused(admin):
    contact = make_contact()
    response = api_as(admin).post(CONTACTS, {"contact_list": contact.contact_list_id, "phone": contact.phone})
    assert response.status_code == 400
    assert Contact.objects.count() == 1


def test_numbers_and_addresses_are_masked_for_those_who_may_not_see_them(admin, alice):
    contact = make_contact(phone="+12025550123", email="jo@example.com", fields={"second": "+12025550199"})
    seen = api_as(admin).get(f"{CONTACTS}{contact.pk}/").json()
    assert (seen["phone"], seen["email"], seen["custom_fields"]["second"]) == (
        "+12025550123",
        "jo@example.com",
        "+12025550199",
    )
    masked = api_as(alice).get(f"{CONTACTS}{contact.pk}/").content.decode()
    assert "5550" not in masked
    assert "jo@example.com" not in masked


def test_people_are_found_filtered_ordered_and_paged(admin):
    spring, summer = make_list("Spring"), make_list("Summer")
    ada = make_contact(spring, first_name="Ada", last_name="Zed", language="cs")
    bea = make_contact(summer, first_name="Bea", last_name="Ade", language="es")
    make_dnc(bea.phone)
    api = api_as(admin)

    def ids(query):
        return [row["id"] for row in api.get(f"{CONTACTS}?{query}").json()["results"]]

    assert ids("search=ada") == [ada.pk]
    assert ids(f"contact_list={summer.pk}") == [bea.pk]
    assert ids("language=cs") == [ada.pk]
    assert ids("is_dnc=true") == [bea.pk]
    assert ids(f"q={bea.phone[-5:]}") == [bea.pk]
    assert ids("ordering=last_name") == [bea.pk, ada.pk]
    page = api.get(f"{CONTACTS}?page_size=1").json()
    assert (page["count"], len(page["results"])) == (2, 1)
    assert page["next"].endswith("page=2&page_size=1")
    assert api.get(f"{CONTACTS}?page=9").status_code == 404


@pytest.mark.parametrize("n", [1, 12])
def test_a_page_of_people_costs_the_same_however_many(admin, django_assert_num_queries, n):
    for _contact in range(n):
        make_contact()
    api = api_as(admin)
    api.get(CONTACTS)
    with django_assert_num_queries(3):  # who asks, how many, the page
        assert len(api.get(CONTACTS).json()["results"]) == n


@pytest.mark.parametrize("n", [1, 5])
def test_a_page_of_lists_costs_the_same_however_many(admin, django_assert_num_queries, n):
    for _list in range(n):
        make_contact(make_list())
    api = api_as(admin)
    api.get(LISTS)
    with django_assert_num_queries(3):
        api.get(LISTS)


def test_may_this_person_be_called_and_why_not(alice):
    contact = make_contact()
    make_dnc(contact.phone)
    verdict = api_as(alice).get(f"{CONTACTS}{contact.pk}/verdict/").json()
    assert (verdict["allowed"], verdict["reason"]) == (False, "dnc")
    assert verdict["words"]
    assert code(api_as(alice).get(f"{CONTACTS}{contact.pk}/verdict/?channel=fax")) == "invalid"


def test_an_opt_out_puts_the_number_on_the_list_and_withdraws_consents(alice):
    make_consent("+12025550123")
    body = {"phone": "+1 202 555 0123", "channels": ["voice", "sms"], "note": "by letter"}
    response = api_as(alice).post(DNC, body)
    assert response.status_code == 201
    assert {entry["channel"] for entry in response.json()} == {"voice", "sms"}
    assert {entry.phone for entry in DncEntry.objects.all()} == {"+12025550123"}
    assert DncEntry.objects.first().created_by == alice
    assert Consent.objects.get().withdrawn_at is not None
    assert len(api_as(alice).post(DNC, body).json()) == 2
    assert DncEntry.objects.count() == 2


@pytest.mark.parametrize("body", [{"phone": "x", "channels": ["voice"]}, {"phone": "+12025550123", "channels": []}])
def test_an_opt_out_that_says_nothing_is_refused(alice, body):
    assert api_as(alice).post(DNC, body).status_code == 400


def test_only_an_admin_takes_someone_off_the_list(admin, alice):
    entry = make_dnc("+12025550123")
    assert api_as(alice).delete(f"{DNC}{entry.pk}/").status_code == 403
    assert api_as(admin).delete(f"{DNC}{entry.pk}/").status_code == 204


def test_a_consent_is_recorded_and_withdrawn_never_deleted(admin):
    api = api_as(admin)
    body = {"phone": "+1 202 555 0123", "channel": "voice", "source": "form", "given_at": "2026-01-01T10:00:00Z"}
    made = api.post(CONSENTS, body).json()
    assert (made["phone"], made["withdrawn_at"]) == ("+12025550123", None)
    twice = api.post(CONSENTS, body)
    assert twice.status_code in {400, 409}
    url = f"{CONSENTS}{made['id']}/"
    first = api.post(f"{url}withdraw/").json()["withdrawn_at"]
    assert first is not None
    assert api.post(f"{url}withdraw/").json()["withdrawn_at"] == first
    assert api.delete(url).status_code == 405
    assert [row["id"] for row in api.get(f"{CONSENTS}?is_live=true").json()["results"]] == []
    assert api.post(CONSENTS, {**body, "given_at": "2999-01-01T00:00:00Z"}).status_code == 400
