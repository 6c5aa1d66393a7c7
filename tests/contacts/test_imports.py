"""Whole imports: from the bytes of a file to rows, report and state. They write in a thread of their own."""

import csv
import io
import threading
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.utils import timezone

from apps.contacts import imports
from apps.contacts.imports import jobs, loading
from apps.contacts.models import Consent, Contact, ContactImport, ImportState
from tests.factories.accounts import make_user
from tests.factories.contacts import make_contact, make_dnc, make_list

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _files_of_their_own(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def _import(content: str | bytes, *, encoding: str = "utf-8", contact_list=None, by=None) -> ContactImport:
    data = content.encode(encoding) if isinstance(content, str) else content
    job = imports.start_import(
        file=ContentFile(data, name="people.csv"), contact_list=contact_list or make_list(), by=by
    )
    imports.run_import(job.pk)
    job.refresh_from_db()
    return job


def _report(job: ContactImport) -> list[list[str]]:
    with job.report.open("rb") as file:
        return list(csv.reader(io.StringIO(file.read().decode("utf-8-sig"))))


def test_good_rows_are_kept_and_each_rows_fate_is_told():
    job = _import(
        "phone,first name,last name,e-mail,language,time zone,city\n"
        "+12125550101,Ada,Lovelace,ada@example.com,en,Europe/London,London\n"
        "call me,Bob,,,,,\n"
        "+12125550101,Ada,Again,,,,\n"
        "+1 (303) 555-0102,Zoë,Němcová,,cs,,\n"
    )
    assert (job.state, job.n_rows, job.n_added, job.n_rejected) == (ImportState.DONE, 4, 2, 2)
    assert job.reasons == {"not_a_number": 1, "duplicate_in_file": 1}
    ada, zoe = Contact.objects.order_by("pk")
    assert (ada.phone, ada.name, ada.email, ada.language) == ("+12125550101", "Ada Lovelace", "ada@example.com", "en")
    assert (ada.country, ada.time_zone, ada.zone_source) == ("US", "Europe/London", "given")
    assert ada.fields == {"city": "London"}
    assert (zoe.phone, zoe.last_name, zoe.language) == ("+13035550102", "Němcová", "cs")
    assert (zoe.time_zone, zoe.zone_source) == ("America/Denver", "number")
    assert _report(job) == [
        ["Row", "Phone", "Result", "Reason"],
        ["2", "+12125550101", "added", ""],
        ["3", "call me", "left out", "The phone number cannot be read."],
        ["4", "'+12125550101", "left out", "The number stands in this file before."],
        ["5", "+13035550102", "added", ""],
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1250"])
def test_czech_names_survive_every_encoding(encoding):
    _import("telefon;jméno;příjmení\n+420601123456;Jiří;Šťastný Dvořáček\n", encoding=encoding)
    assert Contact.objects.get().name == "Jiří Šťastný Dvořáček"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1"])
def test_spanish_names_survive_every_encoding(encoding):
    _import("teléfono;nombre;apellidos\n+34612345678;Íñigo;Muñoz Peña\n", encoding=encoding)
    assert Contact.objects.get().name == "Íñigo Muñoz Peña"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_usual_delimiter_and_line_end(delimiter):
    for line_end, phone in (("\n", "+12125550101"), ("\r\n", "+12125550102"), ("\r", "+12125550103")):
        rows = [["Phone number", "Surname"], [phone, "O'Neil"]]
        _import(line_end.join(delimiter.join(row) for row in rows))
    assert set(Contact.objects.values_list("last_name", flat=True)) == {"O'Neil"}
    assert Contact.objects.count() == 3


def test_a_spreadsheets_sep_line_and_leading_blank_lines_are_passed_over():
    assert _import("sep=;\nphone;name\n+12125550101;Ada Lovelace\n").n_added == 1
    assert _import("\n;\nphone;name\n+12125550101;Ada Lovelace\n;\n\n").n_rows == 1


@pytest.mark.parametrize(
    ("content", "code", "detail"),
    [
        (b"", "empty_file", ""),
        (b" \n\n", "empty_file", ""),
        (b"phone,name\n", "no_rows", ""),
        (b"phone,name\n\n,\n", "no_rows", ""),
        (b"name,city\nAda,London\n", "no_phone_column", "name, city"),
        (b"+12125550101,Ada\n", "no_phone_column", "+12125550101, Ada"),
        (b"phone,telefon\n1,2\n", "column_twice", "telefon"),
        (b"PK\x03\x04\x14\x00\x06\x00rest of a workbook", "not_csv", ""),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not_csv", ""),
        (b"phone" * 100_000, "not_csv", ""),
    ],
)
def test_a_file_that_cannot_be_taken_says_why_and_writes_nothing(content, code, detail):
    job = _import(content)
    assert (job.state, job.error_code, job.error_detail) == (ImportState.FAILED, code, detail)
    assert imports.error_words(job)
    assert "%(" not in imports.error_words(job)
    assert job.finished_at is not None
    assert not job.report
    assert not Contact.objects.exists()


def test_a_file_beyond_the_limit_is_refused(settings):
    settings.IMPORT_MAX_BYTES = 20
    assert _import("phone,name\n+12125550101,Ada\n").error_code == "too_large"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Ada", "no_phone"),
        ("12,Ada", "impossible"),
        ("+1 212 555,Ada", "impossible"),
        ("ring ring,Ada", "not_a_number"),
        ("+881612345678,Ada", "no_country"),
        ('"=HYPERLINK(""http://evil"")",Ada', "formula"),
        ("+12125550101,=1+1", "formula"),
        ("+12125550101,@SUM(A1)", "formula"),
        ("+12125550101,-cmd|' /C calc'!A0", "formula"),
        ("+12125550101,+A1", "formula"),
        ("+12125550101,\uff1d1+1", "formula"),
        (f"+12125550101,{'x' * 81}", "too_long"),
        (f"{'1' * 200},Ada", "too_long"),
        ("+12125550101,Ada,,,,,,surplus", "extra_cells"),
        ("+12125550101,Ada,klingon", "bad_language"),
        ("+12125550101,Ada,,Mars/Olympus", "bad_zone"),
        ("+12125550101,Ada,,,ada at example", "bad_email"),
        ("+12125550101,Ada,,,,perhaps", "bad_consent"),
        ("+12125550101,Ada,,,,yes,yesterday", "bad_consent"),
        ("+12125550101,Ada,,,,yes,2199-01-01", "bad_consent"),
        ('+12125550101,"Ada', "bad_quotes"),
        ('+12125550101,"Ada"x', "bad_quotes"),
        ("+12125550101,A\x00da", "bad_characters"),
    ],
)
def test_a_bad_row_is_left_out_with_its_reason_and_the_next_one_is_kept(row, reason):
    job = _import(f"phone,name,language,time zone,email,consent,consent date\n{row}\n+13035550102,Good One,,,,,\n")
    assert (job.state, job.n_rows, job.n_added, job.reasons) == (ImportState.DONE, 2, 1, {reason: 1})
    assert Contact.objects.get().phone == "+13035550102"
    line = _report(job)[1]
    assert (line[0], line[2]) == ("2", "left out")
    assert line[3] == str(imports.row_words(reason))


@pytest.mark.parametrize("value", ["-5", "+420 601 123 456", "-1,5"])
def test_a_number_with_a_sign_is_no_formula(value):
    job = _import(f'phone;score\n+12125550101;"{value}"\n')
    assert job.n_added == 1
    assert Contact.objects.get().fields == {"score": value}


def test_nothing_in_a_report_is_a_formula_to_a_spreadsheet():
    job = _import("phone\n=cmd()\n@x\n-y\n+z\n\t=1\n")
    for _, phone, *_rest in _report(job)[1:]:
        assert phone[:1] not in {"=", "+", "-", "@", "\t"}


def test_an_unclosed_quotation_mark_costs_its_own_row_only():
    rows = [f"+1212555{n:04d},Person {n}" for n in range(100, 180)]
    rows[3] = '+12125550103,"Person 103'
    job = _import("phone,name\n" + "\n".join(rows) + "\n")
    assert (job.n_added, job.reasons) == (79, {"bad_quotes": 1})


def test_a_cell_may_run_over_lines():
    job = _import('phone,note\n+12125550101,"first\nsecond"\n+12125550102,x\n')
    assert job.n_added == 2
    assert Contact.objects.get(phone="+12125550101").fields == {"note": "first\nsecond"}
    assert [row[0] for row in _report(job)[1:]] == ["2", "3"]


def test_a_stray_byte_costs_its_own_row_only():
    good = "".join(f"+1212555{n:04d},Příjmení\n" for n in range(100, 120)).encode()
    job = _import(b"phone,name\n" + good + b"+12125550199,Bro\xffken\n")
    assert (job.n_added, job.reasons) == (20, {"bad_characters": 1})


def test_signs_that_mean_something_to_the_database_come_through():
    value = "back\\slash \\N tab\there 'quote'"
    job = _import(f'phone,name,note\n+12125550101,Ada,"{value}"\n')
    assert job.n_added == 1
    assert Contact.objects.get().fields == {"note": value}


def test_numbers_already_in_the_list_are_told_apart_and_other_lists_do_not_matter():
    contact_list = make_list()
    make_contact(contact_list, phone="+12125550101")
    make_contact(phone="+12125550102")
    job = _import("phone\n+12125550101\n+12125550102\n", contact_list=contact_list)
    assert (job.n_added, job.reasons) == (1, {"duplicate_in_list": 1})


def test_a_number_on_the_do_not_call_list_is_added_and_said_to_be_there():
    make_dnc("+12125550101")
    job = _import("phone\n+12125550101\n")
    assert (job.n_added, job.n_rejected, job.reasons) == (1, 0, {"dnc": 1})
    assert _report(job)[1][2:] == ["added", "Added, but on the do-not-call list: will not be called."]


def test_consent_columns_become_consents_and_repeat_none():
    _import(
        "phone,souhlas,datum souhlasu,zdroj souhlasu\n"
        "+420601123456,písemný,2026-03-01,Web form\n"
        "+420601123457,ano,,\n"
        "+420601123458,ne,,\n"
        "+420601123459,,,\n"
    )
    written, spoken = Consent.objects.order_by("phone")
    assert (written.phone, written.is_written, written.source) == ("+420601123456", True, "Web form")
    assert written.given_at.date().isoformat() == "2026-03-01"
    assert (spoken.phone, spoken.is_written, spoken.source) == ("+420601123457", False, "people.csv")
    _import("phone,consent\n+420601123456,written\n")
    assert Consent.objects.count() == 2


def test_national_numbers_are_read_by_the_country_column():
    _import("phone,country\n601 123 456,cz\n(212) 555-0101,\n612345678,ES\n")
    assert set(Contact.objects.values_list("phone", "country")) == {
        ("+420601123456", "CZ"),
        ("+12125550101", "US"),
        ("+34612345678", "ES"),
    }


def test_an_area_with_several_zones_is_marked_as_a_guess():
    _import("phone\n+34612345678\n")
    assert Contact.objects.get().zone_source == "country"


def test_the_report_is_in_the_language_of_whoever_uploaded(settings):
    job = _import("phone\nx\n+12125550101\n", by=make_user(language="cs"))
    from django.utils import translation

    with translation.override("cs"):
        assert _report(job)[1][3] == str(imports.row_words("not_a_number"))


# ── Stopping, dying, coming back ────────────────────────────────────────────────────────────────────────────
def _many(n: int) -> str:
    return "phone,name\n" + "".join(f"+1212{5_000_000 + i:07d},P {i}\n" for i in range(n))


def _waiting_job(content: str, contact_list=None) -> ContactImport:
    return imports.start_import(
        file=ContentFile(content.encode(), name="people.csv"), contact_list=contact_list or make_list(), by=None
    )


def test_a_cancelled_import_keeps_nothing(monkeypatch):
    monkeypatch.setattr(jobs, "BATCH_ROWS", 10)
    monkeypatch.setattr(jobs, "_HEARTBEAT_S", 0)
    job = _waiting_job(_many(200))
    real_put = loading.Loader.put
    puts = []

    def put_and_cancel(self, batch):
        puts.append(batch)
        if len(puts) == 5:
            assert imports.cancel_import(job.pk)
        real_put(self, batch)

    monkeypatch.setattr(loading.Loader, "put", put_and_cancel)
    imports.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == ImportState.CANCELLED
    assert len(puts) < 20
    assert not Contact.objects.exists()
    assert not imports.cancel_import(job.pk)


def test_a_cancel_in_the_last_moment_wins_over_the_commit(monkeypatch):
    job = _waiting_job(_many(20))
    real_commit = loading.Loader.commit

    def cancel_and_commit(self, seal):
        assert imports.cancel_import(job.pk)
        real_commit(self, seal)

    monkeypatch.setattr(loading.Loader, "commit", cancel_and_commit)
    imports.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == ImportState.CANCELLED
    assert not Contact.objects.exists()


def test_an_import_that_is_waiting_can_be_cancelled():
    job = _waiting_job(_many(3))
    assert imports.cancel_import(job.pk)
    imports.run_import(job.pk)
    assert not Contact.objects.exists()


def test_a_failure_half_way_leaves_nothing_and_says_so(monkeypatch):
    monkeypatch.setattr(jobs, "BATCH_ROWS", 10)
    real_write = loading.Loader._write
    writes = []

    def write(self, cursor, batch):
        writes.append(batch)
        if len(writes) == 3:
            raise RuntimeError("the disk is full")
        real_write(self, cursor, batch)

    monkeypatch.setattr(loading.Loader, "_write", write)
    job = _waiting_job(_many(100))
    with pytest.raises(RuntimeError, match="disk is full"):
        imports.run_import(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == (ImportState.FAILED, "failed")
    assert not Contact.objects.exists()


def test_an_import_runs_once_however_often_it_is_woken():
    job = _waiting_job(_many(3))
    imports.run_import(job.pk)
    imports.run_import(job.pk)
    assert Contact.objects.count() == 3


def test_an_import_whose_worker_died_is_found_and_done_again_from_the_start():
    job = _waiting_job(_many(30))
    ContactImport.objects.filter(pk=job.pk).update(
        state=ImportState.RUNNING, n_rows=17, heartbeat_at=timezone.now() - timedelta(minutes=5)
    )
    assert imports.resume_stale_imports() == 1
    imports.run_import(job.pk)
    job.refresh_from_db()
    assert (job.state, job.n_added, job.n_rows) == (ImportState.DONE, 30, 30)
    assert Contact.objects.count() == 30
    assert imports.resume_stale_imports() == 0


def test_an_import_that_shows_life_is_left_to_its_worker():
    job = _waiting_job(_many(3))
    ContactImport.objects.filter(pk=job.pk).update(state=ImportState.RUNNING, heartbeat_at=timezone.now())
    assert imports.resume_stale_imports() == 0
    imports.run_import(job.pk)
    assert not Contact.objects.exists()


def test_a_worker_that_was_given_up_cannot_finish_what_another_has_taken_over(monkeypatch):
    job = _waiting_job(_many(20))
    real_commit = loading.Loader.commit

    def taken_over(self, seal):
        ContactImport.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() + timedelta(seconds=1))
        real_commit(self, seal)

    monkeypatch.setattr(loading.Loader, "commit", taken_over)
    imports.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == ImportState.RUNNING
    assert not Contact.objects.exists()


def test_imports_into_one_list_take_turns():
    contact_list = make_list()
    job = _waiting_job(_many(5), contact_list)
    locked, done = threading.Event(), threading.Event()

    def hold_the_list() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [loading._LIST_LOCKS, contact_list.pk])
            locked.set()
            done.wait(timeout=20)
        connection.close()

    holder = threading.Thread(target=hold_the_list)
    holder.start()
    assert locked.wait(timeout=20)
    imports.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == ImportState.WAITING
    done.set()
    holder.join()
    imports.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == ImportState.DONE


def test_progress_is_shown_while_rows_are_read(monkeypatch):
    monkeypatch.setattr(jobs, "BATCH_ROWS", 10)
    monkeypatch.setattr(jobs, "_HEARTBEAT_S", 0)
    job = _waiting_job(_many(100))
    seen = []
    real_put = loading.Loader.put

    def put(self, batch):
        seen.append(ContactImport.objects.get(pk=job.pk).n_rows)
        real_put(self, batch)

    monkeypatch.setattr(loading.Loader, "put", put)
    imports.run_import(job.pk)
    assert seen == list(range(0, 100, 10))


def test_counts_by_reason_come_with_words_most_first():
    job = _import("phone\nx\ny\n12\n+12125550101\n")
    assert [(str(words), n) for words, n in imports.reason_counts(job)] == [
        ("The phone number cannot be read.", 2),
        ("There is no such phone number.", 1),
    ]
