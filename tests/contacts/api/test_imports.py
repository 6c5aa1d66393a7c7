"""Files of people by API: the upload, what became of it, and its report."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.contacts import imports
from apps.contacts.models import Contact, ContactImport, ContactList, ImportState
from tests.accounts.api.clients import api_as
from tests.factories.contacts import make_list

pytestmark = pytest.mark.django_db
IMPORTS = "/api/v1/contact-imports/"
CSV = b"phone,first_name\n+1 202 555 0123,Ada\nnonsense,Bea\n"


@pytest.fixture(autouse=True)
def _uploads(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def upload(api, content=CSV, name="people.csv", **fields):
    file = SimpleUploadedFile(name, content, content_type="text/csv")
    return api.post(IMPORTS, {"file": file, **fields}, format="multipart")


@pytest.mark.django_db(transaction=True)  # the rows are loaded by a connection of their own
def test_a_file_goes_in_by_upload_and_its_fate_comes_back(alice):
    api = api_as(alice)
    response = upload(api, new_list="Spring")
    assert response.status_code == 202
    job = response.json()
    assert (job["state"], job["file_name"], job["has_report"]) == ("waiting", "people.csv", False)
    imports.run_import(job["id"])
    url = f"{IMPORTS}{job['id']}/"
    done = api.get(url).json()
    assert (done["state"], done["n_added"], done["n_rejected"]) == ("done", 1, 1)
    assert done["reasons"] == {"not_a_number": 1}
    report = api.get(f"{url}report/")
    assert report["Content-Type"].startswith("text/csv")
    assert "attachment" in report["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(report.getvalue().decode("utf-8-sig"))))
    report.close()
    assert len(rows) == 3
    assert Contact.objects.get().contact_list.name == "Spring"


def test_a_file_goes_into_a_list_that_exists(alice):
    contact_list = make_list()
    assert upload(api_as(alice), contact_list=contact_list.pk).json()["contact_list"] == contact_list.pk


def test_an_upload_that_is_not_one_is_refused(alice):
    api = api_as(alice)
    no_list = upload(api)
    assert (no_list.status_code, list(no_list.json()["error"]["detail"])) == (400, ["new_list"])
    no_file = api.post(IMPORTS, {"new_list": "x"}, format="multipart")
    assert list(no_file.json()["error"]["detail"]) == ["file"]
    as_json = api.post(IMPORTS, {"new_list": "x"}, format="json")
    assert (as_json.status_code, as_json.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert not ContactList.objects.exists()


def test_a_file_that_is_too_large_is_refused(alice, settings):
    settings.IMPORT_MAX_BYTES = 10
    assert list(upload(api_as(alice), new_list="x").json()["error"]["detail"]) == ["file"]


def test_an_import_can_be_cancelled_until_it_is_over(alice):
    api = api_as(alice)
    job = upload(api, new_list="Spring").json()
    assert api.post(f"{IMPORTS}{job['id']}/cancel/").json()["state"] == ImportState.CANCELLED
    imports.run_import(job["id"])
    assert ContactImport.objects.get().state == ImportState.CANCELLED
    assert not Contact.objects.exists()
    assert api.get(f"{IMPORTS}{job['id']}/report/").status_code == 404


def test_a_broken_file_says_what_is_wrong_in_the_reader_s_words(alice):
    api = api_as(alice)
    job = upload(api, b"name\nAda\n", new_list="Spring").json()
    imports.run_import(job["id"])
    failed = api.get(f"{IMPORTS}{job['id']}/").json()
    assert (failed["state"], failed["error_code"]) == ("failed", "no_phone_column")
    assert failed["error_message"]
