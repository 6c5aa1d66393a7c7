"""Calls, and what they are made with, in the back office."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from apps.calls.models import CallEvent, Disposition, Price, Turn
from tests.factories.calls import make_call

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client, admin):
    client.force_login(admin, backend="apps.accounts.backends.RoleBackend")
    return client


def test_a_call_is_read_with_its_legs_turns_and_events(office):
    call = make_call()
    Turn.objects.create(
        call=call, speaker="ai", text="Good morning", item_id="1", started_ms=0, ended_ms=9, at=timezone.now()
    )
    CallEvent.objects.create(call=call, kind="created")
    page = office.get(reverse("admin:calls_call_change", args=[call.pk])).content.decode()
    assert "Good morning" in page
    assert reverse("calls:detail", args=[call.pk]) in page
    assert 'name="_save"' not in page


@pytest.mark.parametrize("n", [1, 6])
def test_the_list_of_calls_costs_the_same_however_long(office, django_assert_max_num_queries, n):
    for _call in range(n):
        make_call()
    with django_assert_max_num_queries(10):
        office.get(reverse("admin:calls_call_changelist"))


def test_the_code_of_a_disposition_stays(office):
    disposition = Disposition.objects.create(code="sold", name_en="Sold")
    body = {"code": "other", "name_en": "Sold!", "position": 1}
    office.post(reverse("admin:calls_disposition_change", args=[disposition.pk]), body)
    disposition.refresh_from_db()
    assert (disposition.code, disposition.name) == ("sold", "Sold!")


def import_csv(office, model: str, text: str):
    """Through both steps of the import: the preview, then its confirmation."""
    file = SimpleUploadedFile("rows.csv", text.encode(), content_type="text/csv")
    preview = office.post(reverse(f"admin:{model}_import"), {"import_file": file, "format": "0", "resource": "0"})
    form = preview.context.get("confirm_form")
    assert form is not None, preview.context["result"].row_errors()
    return office.post(reverse(f"admin:{model}_process_import"), form.initial)


def test_prices_come_in_from_a_sheet_and_again_without_doubling(office):
    text = "service,model,part,unit,amount,valid_from\nopenai,m,audio_in,million_tokens,32.0,2026-01-01\n"
    assert import_csv(office, "calls_price", text).status_code == 302
    assert import_csv(office, "calls_price", text.replace("32.0", "33.5")).status_code == 302
    assert [str(price.amount) for price in Price.objects.all()] == ["33.500000"]


def test_dispositions_come_in_with_all_their_languages(office):
    header = "code,name_en,name_es,name_cs,is_success,is_active,position"
    import_csv(office, "calls_disposition", f"{header}\nsold,Sold,Vendido,Prodáno,1,1,1\n")
    (names,) = Disposition.objects.values_list("name_en", "name_es", "name_cs", "is_success")
    assert names == ("Sold", "Vendido", "Prodáno", True)
