"""The contact pages: search, the gate in words, do-not-call, imports."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.contacts import imports
from apps.contacts.models import Channel, Consent, Contact, ContactImport, DncEntry, ImportState
from tests.factories.contacts import make_contact, make_dnc, make_list

pytestmark = pytest.mark.django_db


def test_contacts_are_found_by_name_and_number_and_masked(client, alice, admin):
    ada = make_contact(first_name="Ada", last_name="Byron")
    make_contact(first_name="Grace", last_name="Hopper")
    client.force_login(alice)
    for words in ("byron ada", ada.phone[-7:]):
        page = client.get(reverse("contacts:list"), {"q": words}).content.decode()
        assert "Ada Byron" in page
        assert "Grace Hopper" not in page
    assert ada.phone not in page
    assert ada.masked_phone in page


def test_do_not_call_is_seen_in_the_list_and_filters_it(client, alice):
    listed = make_contact(first_name="Dana", last_name="Listed")
    make_dnc(listed.phone)
    make_contact(first_name="Petr", last_name="Free")
    client.force_login(alice)
    page = client.get(reverse("contacts:list"), {"is_dnc": "true"}).content.decode()
    assert "Dana Listed" in page
    assert "do not call" in page
    assert "Petr Free" not in page


def test_the_page_says_whether_and_why(client, alice):
    listed = make_contact()
    make_dnc(listed.phone)
    client.force_login(alice)
    assert "On the do-not-call list." in client.get(reverse("contacts:detail", args=[listed.pk])).content.decode()


def test_opting_out_by_hand_covers_every_channel_and_withdraws_consent(client, alice, bob):
    contact = make_contact(consent="written")
    url = reverse("contacts:opt-out", args=[contact.pk])
    client.force_login(bob)
    assert client.post(url).status_code == 403
    client.force_login(alice)
    assert client.post(url).status_code == 302
    assert set(DncEntry.objects.filter(phone=contact.phone).values_list("channel", flat=True)) == set(Channel.values)
    assert not Consent.objects.filter(phone=contact.phone, withdrawn_at__isnull=True).exists()


def test_a_number_is_put_on_the_do_not_call_list(client, alice):
    client.force_login(alice)
    bad = client.post(reverse("contacts:dnc"), {"phone": "123", "channels": ["voice"]})
    assert bad.status_code == 400
    assert not DncEntry.objects.exists()
    good = client.post(reverse("contacts:dnc"), {"phone": "+1 (202) 555-0123", "channels": ["voice"]}, follow=True)
    assert DncEntry.objects.get().phone == "+12025550123"
    assert "+12025550123" not in good.content.decode()


@pytest.mark.django_db(transaction=True)
def test_an_import_by_page_tells_every_rows_fate(client, alice, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    client.force_login(alice)
    file = SimpleUploadedFile("people.csv", b"phone;first name\n+12025550123;Ada\nnonsense;Bob\n")
    response = client.post(reverse("contacts:import-new"), {"file": file, "new_list": "Spring"})
    job = ContactImport.objects.get()
    assert response["Location"] == reverse("contacts:import", args=[job.pk])
    assert 'hx-trigger="every 1s"' in client.get(response["Location"]).content.decode()
    imports.run_import(job.pk)
    page = client.get(response["Location"], headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page
    assert 'hx-trigger="every 1s"' not in page
    assert Contact.objects.get(contact_list__name="Spring").first_name == "Ada"
    report = b"".join(client.get(reverse("contacts:import-report", args=[job.pk])).streaming_content).decode()
    assert "nonsense" in report


def test_an_import_can_be_cancelled_before_it_began(client, alice, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    client.force_login(alice)
    file = SimpleUploadedFile("people.csv", b"phone\n+12025550123\n")
    client.post(reverse("contacts:import-new"), {"file": file, "new_list": "Spring"})
    job = ContactImport.objects.get()
    assert client.post(reverse("contacts:import-cancel", args=[job.pk])).status_code == 302
    imports.run_import(job.pk)
    assert ContactImport.objects.get().state == ImportState.CANCELLED
    assert not Contact.objects.exists()


def test_an_import_needs_a_list_that_is_not_taken(client, alice):
    make_list("Spring")
    client.force_login(alice)
    for changes in ({}, {"new_list": "Spring"}):
        file = SimpleUploadedFile("people.csv", b"phone\n+12025550123\n")
        response = client.post(reverse("contacts:import-new"), {"file": file, **changes})
        assert response.status_code == 400
    assert not ContactImport.objects.exists()


@pytest.mark.parametrize("name", ["list", "lists", "imports", "dnc"])
def test_lists_cost_the_same_queries_for_any_number_of_rows(client, alice, django_assert_max_num_queries, name):
    for _ in range(25):
        make_dnc(make_contact().phone)
    client.force_login(alice)
    with django_assert_max_num_queries(9):
        assert client.get(reverse(f"contacts:{name}")).status_code == 200
