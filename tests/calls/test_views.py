"""The call pages: who sees what, how lists narrow, what CSV gives away, and what corrections leave behind."""

import csv
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.calls.events import EventKind
from apps.calls.models import Call, CallEvent, Speaker, Turn
from apps.calls.states import LegState, Outcome
from tests.factories.calls import make_call, make_callable, make_disposition, make_leg

pytestmark = pytest.mark.django_db


def _ended(outcome=Outcome.ANSWERED, **fields) -> Call:
    now = timezone.now()
    return make_call(outcome=outcome, answered_at=now, ended_at=now, **fields)


def _rows(response):
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def test_the_list_narrows_by_its_address(client, alice):
    busy = _ended(Outcome.BUSY, contact=make_callable(first_name="Berta", last_name="Busy"))
    _ended(contact=make_callable(first_name="Alan", last_name="Answered"))
    client.force_login(alice)
    page = client.get(reverse("calls:list"), {"outcome": "busy"}).content.decode()
    assert "Berta Busy" in page
    assert "Alan Answered" not in page
    by_digits = client.get(reverse("calls:list"), {"q": busy.remote_phone[-7:]}).content.decode()
    assert "Berta Busy" in by_digits
    assert "Alan Answered" not in by_digits


def test_the_list_costs_the_same_queries_for_any_number_of_rows(client, alice, django_assert_max_num_queries):
    client.force_login(alice)
    for _ in range(30):
        call = _ended(contact=make_callable(), disposition=None)
        make_leg(LegState.ENDED, call=call, ended_at=timezone.now())
    with django_assert_max_num_queries(9):
        assert client.get(reverse("calls:list")).status_code == 200


def test_csv_is_what_the_list_shows_and_masks_numbers(client, alice, admin):
    call = _ended(Outcome.BUSY, contact=make_callable(first_name="=cmd()"))
    _ended()
    client.force_login(alice)
    rows = _rows(client.get(reverse("calls:list"), {"outcome": "busy", "format": "csv"}))
    assert len(rows) == 2
    assert rows[1][1].startswith("'=cmd()")  # a spreadsheet must not run it
    assert call.remote_phone not in ",".join(rows[1])
    client.force_login(admin)
    assert call.remote_phone in ",".join(
        _rows(client.get(reverse("calls:list"), {"outcome": "busy", "format": "csv"}))[1]
    )


def test_the_page_tells_the_story_in_the_readers_language(client, alice):
    call = _ended(contact=make_callable(), language="cs")
    Turn.objects.create(
        call=call,
        speaker=Speaker.CALLER,
        text="Dobrý den <b>",
        item_id="i1",
        started_ms=0,
        ended_ms=900,
        at=timezone.now(),
    )
    CallEvent.objects.create(call=call, kind=EventKind.ENDED, data={"outcome": "answered", "end_reason": "ai_ended"})
    client.force_login(alice)
    page = client.get(reverse("calls:detail", args=[call.pk])).content.decode()
    assert "Dobrý den &lt;b&gt;" in page
    assert "the AI said goodbye" in page
    assert call.remote_phone not in page


def test_unknown_calls_are_not_found(client, alice):
    client.force_login(alice)
    assert client.get(reverse("calls:detail", args=[999_999])).status_code == 404
    assert client.post(reverse("calls:end", args=[999_999])).status_code == 404


def test_a_correction_changes_the_disposition_and_stands_in_the_story(client, alice, bob):
    call = _ended(disposition=make_disposition("interested"))
    make_disposition("wrong_person", name="Wrong person")
    url = reverse("calls:correct-disposition", args=[call.pk])
    client.force_login(bob)
    assert client.post(url, {"disposition": "wrong_person"}).status_code == 403
    client.force_login(alice)
    assert client.post(url, {"disposition": "no such"}).status_code == 400
    assert client.post(url, {"disposition": "wrong_person", "note": "heard it"}).status_code == 302
    call.refresh_from_db()
    assert (call.disposition.code, call.disposition_note) == ("wrong_person", "heard it")
    assert call.events.filter(kind=EventKind.DISPOSITION_CORRECTED, data__by_id=alice.pk).exists()
    page = client.get(reverse("calls:detail", args=[call.pk])).content.decode()
    assert "Wrong person · heard it · Alice North" in page


def test_where_nothing_was_found_out_the_corrections_propose_nothing(client, alice):
    make_disposition("interested")
    client.force_login(alice)
    page = client.get(reverse("calls:detail", args=[_ended().pk])).content.decode()
    assert page.count('<option value="" selected>') == 2


def test_ending_a_call_is_asked_for_once(client, alice):
    leg = make_leg(LegState.ANSWERED)
    client.force_login(alice)
    url = reverse("calls:end", args=[leg.call_id])
    for _ in range(2):
        assert client.post(url).status_code == 302
    assert CallEvent.objects.filter(call=leg.call, kind=EventKind.END_REQUESTED).count() == 1
    assert client.get(url).status_code == 405
