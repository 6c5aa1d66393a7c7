"""People to call in the back office."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.contacts import imports
from apps.contacts.models import Consent, Contact, ContactImport, DncEntry, ImportState
from tests.factories.contacts import make_consent, make_contact, make_dnc, make_list

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client, admin):
    client.force_login(admin, backend="apps.accounts.backends.RoleBackend")
    return client


@pytest.fixture(autouse=True)
def _uploads(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def add_contact(office, **fields):
    body = {"contact_list": make_list().pk, "phone": "+420 601 234 567", "fields": "{}", **fields}
    return office.post(reverse("admin:contacts_contact_add"), body)


def test_a_number_is_read_as_people_write_it_and_tells_country_and_zone(office):
    assert add_contact(office).status_code == 302
    contact = Contact.objects.get()
    assert (contact.phone, contact.country, contact.time_zone, contact.zone_source) == (
        "+420601234567",
        "CZ",
        "Europe/Prague",
        "number",
    )


def test_a_zone_that_is_given_is_kept(office):
    add_contact(office, time_zone="Atlantic/Azores")
    contact = Contact.objects.get()
    assert (contact.time_zone, contact.zone_source) == ("Atlantic/Azores", "given")


def test_a_number_that_is_none_is_refused(office):
    response = add_contact(office, phone="hello")
    assert response.status_code == 200
    assert "phone" in response.context["adminform"].form.errors


def upload(office, content: bytes):
    file = SimpleUploadedFile("people.csv", content, content_type="text/csv")
    return office.post(reverse("admin:contacts_contactimport_add"), {"file": file, "new_list": "Spring"})


@pytest.mark.django_db(transaction=True)  # the rows are loaded by a connection of their own
def test_people_are_imported_and_each_row_s_fate_is_told(office):
    response = upload(office, b"phone\n+12025550123\nnonsense\n")
    job = ContactImport.objects.get()
    page = reverse("admin:contacts_contactimport_change", args=[job.pk])
    assert response["Location"] == page
    waiting = office.get(page)
    assert waiting["Refresh"] == "3", "it looks again by itself"
    assert "Cancel the import" in waiting.content.decode()
    imports.run_import(job.pk)
    done = office.get(page)
    assert "Refresh" not in done
    assert "The phone number cannot be read.: 1" in done.content.decode()
    report = office.get(reverse("admin:contacts_contactimport_report", args=[job.pk]))
    assert b"nonsense" in report.getvalue()
    report.close()
    assert Contact.objects.get().contact_list.name == "Spring"


def test_an_import_that_says_not_where_to_is_refused(office):
    response = office.post(reverse("admin:contacts_contactimport_add"), {})
    assert response.status_code == 400
    assert set(response.context["form"].errors) == {"file", "new_list"}


def test_an_import_is_cancelled(office):
    upload(office, b"phone\n+12025550123\n")
    job = ContactImport.objects.get()
    office.post(reverse("admin:contacts_contactimport_cancel", args=[job.pk]))
    job.refresh_from_db()
    assert job.state == ImportState.CANCELLED
    assert office.get(reverse("admin:contacts_contactimport_cancel", args=[job.pk])).status_code == 404


def test_a_new_do_not_call_entry_withdraws_consents(office, admin):
    make_consent("+12025550123")
    body = {"phone": "+1 202 555 0123", "channel": "voice", "note": "by letter"}
    assert office.post(reverse("admin:contacts_dncentry_add"), body).status_code == 302
    entry = DncEntry.objects.get()
    assert (entry.phone, entry.source, entry.created_by) == ("+12025550123", "manual", admin)
    assert Consent.objects.get().withdrawn_at is not None


def import_csv(office, model: str, text: str):
    """Through both steps of the import: the preview, then its confirmation."""
    file = SimpleUploadedFile("rows.csv", text.encode(), content_type="text/csv")
    preview = office.post(reverse(f"admin:{model}_import"), {"import_file": file, "format": "0", "resource": "0"})
    form = preview.context.get("confirm_form")
    if form is None:
        return preview
    return office.post(reverse(f"admin:{model}_process_import"), form.initial)


def test_a_do_not_call_list_from_elsewhere_is_read_and_counts(office):
    make_consent("+12025550123")
    make_dnc("+12025550144")
    text = "phone,channel,note\n(202) 555-0123,voice,x\n+12025550144,voice,old\n"
    assert import_csv(office, "contacts_dncentry", text).status_code == 302
    assert set(DncEntry.objects.values_list("phone", flat=True)) == {"+12025550123", "+12025550144"}
    assert DncEntry.objects.get(phone="+12025550123").source == "import"
    assert Consent.objects.get().withdrawn_at is not None


def test_a_do_not_call_list_with_a_bad_number_is_not_half_imported(office):
    import_csv(office, "contacts_dncentry", "phone,channel\n+12025550123,voice\nnonsense,voice\n")
    assert not DncEntry.objects.exists()


def test_contacts_are_exported_as_listed_and_no_cell_is_a_formula(office):
    contact = make_contact(first_name="=1+1", language="cs")
    make_contact(language="es")
    export = office.post(f"{reverse('admin:contacts_contact_export')}?language__exact=cs", {"format": "0"})
    if export.status_code != 200 or "text/csv" not in export["Content-Type"]:
        export = office.get(f"{reverse('admin:contacts_contact_export')}?language__exact=cs")
    text = export.content.decode()
    assert contact.phone in text
    assert len(text.splitlines()) == 2
    assert ",=1" not in text


def test_a_list_shows_how_many_are_in_it(office):
    contact = make_contact()
    page = office.get(reverse("admin:contacts_contactlist_changelist")).content.decode()
    assert f"contact_list__id__exact={contact.contact_list_id}" in page
    assert "Import contacts" in page


def test_what_was_agreed_does_not_change_afterwards(office):
    consent = make_consent("+12025550123")
    body = {"phone": "+12025550199", "withdrawn_at_0": "2026-11-01", "withdrawn_at_1": "10:00:00"}
    office.post(reverse("admin:contacts_consent_change", args=[consent.pk]), body)
    consent.refresh_from_db()
    assert consent.phone == "+12025550123"
    assert consent.withdrawn_at is not None
