"""Calls with their transcripts by API, and what they are made with."""

from decimal import Decimal

import pytest
from django.utils import timezone

from apps.calls.models import Call, CallEvent, CostItem, Disposition, Leg, Turn, VirtualAgent
from apps.calls.states import LegState
from tests.accounts.api.clients import api_as
from tests.factories.calls import make_call, make_callable, make_number, make_virtual_agent

pytestmark = pytest.mark.django_db
CALLS, NUMBERS, AGENTS, DISPOSITIONS = (
    "/api/v1/calls/",
    "/api/v1/numbers/",
    "/api/v1/virtual-agents/",
    "/api/v1/dispositions/",
)


def make_disposition(code: str, **fields) -> Disposition:
    return Disposition.objects.create(code=code, name_en=code.title(), **fields)


def make_ended_call(**fields) -> Call:
    now = timezone.now()
    call = make_call(outcome="answered", end_reason="ai_ended", answered_at=now, ended_at=now, **fields)
    leg = Leg.objects.create(
        call=call,
        carrier="twilio",
        carrier_call_id=f"CA{call.pk}",
        from_number=call.number.e164,
        to_number=call.remote_phone,
        state=LegState.ENDED,
        outcome="answered",
        ended_at=now,
    )
    CallEvent.objects.create(call=call, leg=leg, kind="created", data={"to": call.remote_phone})
    for n, speaker in enumerate(("ai", "caller")):
        Turn.objects.create(
            call=call,
            speaker=speaker,
            text=f"Line {n}",
            item_id=f"item{n}",
            started_ms=n * 1000,
            ended_ms=n * 1000 + 900,
            at=now,
        )
    CostItem.objects.create(call=call, part="carrier", service="twilio", quantity=60, amount="0.014")
    CostItem.objects.create(call=call, part="audio_in", service="openai", quantity=100, amount="0.001")
    return call


def test_a_call_with_everything_below_it(alice):
    call = make_ended_call(brief={"campaign_id": 7, "campaign_name": "Autumn"})
    api = api_as(alice)
    found = api.get(f"{CALLS}{call.pk}/").json()
    assert (found["outcome"], found["campaign_id"], found["campaign_name"]) == ("answered", 7, "Autumn")
    assert Decimal(found["cost"]) == Decimal("0.015")
    assert [leg["carrier_call_id"] for leg in found["legs"]] == [f"CA{call.pk}"]
    transcript = api.get(f"{CALLS}{call.pk}/transcript/").json()
    assert [(turn["speaker"], turn["text"]) for turn in transcript] == [("ai", "Line 0"), ("caller", "Line 1")]
    assert [event["kind"] for event in api.get(f"{CALLS}{call.pk}/events/").json()] == ["created"]
    assert [item["part"] for item in api.get(f"{CALLS}{call.pk}/costs/").json()] == ["audio_in", "carrier"]


def test_numbers_are_masked_everywhere_for_those_who_may_not_see_them(admin, alice):
    call = make_ended_call(contact=make_callable("+12125550199"))
    for url in (CALLS, f"{CALLS}{call.pk}/", f"{CALLS}{call.pk}/events/"):
        assert "+12125550199" in api_as(admin).get(url).content.decode(), url
        assert "5550199" not in api_as(alice).get(url).content.decode(), url


def test_calls_are_found_and_filtered(alice):
    make_disposition("sold")
    over = make_ended_call(disposition=Disposition.objects.get(), language="cs", brief={"campaign_id": 7})
    live = make_call()
    api = api_as(alice)

    def ids(query):
        return [row["id"] for row in api.get(f"{CALLS}?{query}").json()["results"]]

    assert ids("") == [live.pk, over.pk], "newest first"
    assert ids("is_live=true") == [live.pk]
    assert ids("outcome=answered") == [over.pk]
    assert ids("disposition=sold") == [over.pk]
    assert ids("language=cs") == [over.pk]
    assert ids("campaign=7") == [over.pk]
    assert ids(f"search={live.contact.last_name}") == [live.pk]
    assert ids("ordering=created_at") == [over.pk, live.pk]
    assert api.get(f"{CALLS}?outcome=nonsense").status_code == 400


@pytest.mark.parametrize("n", [1, 8])
def test_a_page_of_calls_costs_the_same_however_many(alice, django_assert_num_queries, n):
    for _call in range(n):
        make_ended_call()
    api = api_as(alice)
    api.get(CALLS)
    with django_assert_num_queries(4):  # who asks, how many, the page, its legs
        assert len(api.get(CALLS).json()["results"]) == n


def test_nobody_writes_a_call_by_hand(admin):
    call = make_call()
    api = api_as(admin)
    for method in (api.put, api.patch, api.delete):
        assert method(f"{CALLS}{call.pk}/").status_code in {403, 405}
    assert api.post(CALLS, {}).status_code in {403, 405}


def test_a_correction_is_kept_with_who_made_it(alice):
    make_disposition("sold")
    make_disposition("gone", is_active=False)
    call = make_ended_call()
    api = api_as(alice)
    corrected = api.post(f"{CALLS}{call.pk}/disposition/", {"disposition": "sold", "note": "He called back."})
    assert (corrected.json()["disposition"], corrected.json()["disposition_note"]) == ("sold", "He called back.")
    assert CallEvent.objects.filter(call=call, kind="disposition_corrected").exists()
    unknown = api.post(f"{CALLS}{call.pk}/disposition/", {"disposition": "gone"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "unknown_disposition")


def test_a_running_call_is_ended_once(alice):
    call = make_call()
    Leg.objects.create(
        call=call, carrier="twilio", from_number=call.number.e164, to_number=call.remote_phone, state=LegState.ANSWERED
    )
    api = api_as(alice)
    first = api.post(f"{CALLS}{call.pk}/end/")
    assert (first.status_code, first.json()) == (202, {"is_ending": True})
    assert api.post(f"{CALLS}{call.pk}/end/").json() == {"is_ending": False}
    call.refresh_from_db()
    assert call.end_reason == "staff_ended"


def test_a_virtual_agent_speaks_three_languages(admin):
    api = api_as(admin)
    body = {
        "name": "Ada",
        "speaks_as": "Ada",
        "company": "Acme",
        "greeting_en": "Hello",
        "greeting_cs": "Dobrý den",
        "instructions_en": "Be brief.",
        "tools": ["opt_out", "end_call"],
    }
    made = api.post(AGENTS, body)
    assert made.status_code == 201, made.json()
    assert (made.json()["greeting_cs"], made.json()["tools"]) == ("Dobrý den", ["end_call", "opt_out"])
    assert VirtualAgent.objects.filter(greeting_en="Hello", greeting_cs="Dobrý den").exists()
    for wrong in ({"greeting_en": ""}, {"tools": ["rm_rf"]}, {"provider": "nobody"}):
        refused = api.post(AGENTS, {**body, "name": "Bea", **wrong})
        assert list(refused.json()["error"]["detail"]) == list(wrong)


def test_a_disposition_s_name_comes_in_the_language_asked_for(alice):
    make_disposition("sold", name_es="Vendido")
    api = api_as(alice)
    assert api.get(DISPOSITIONS).json()["results"][0]["name"] == "Sold"
    spanish = api.get(DISPOSITIONS, headers={"accept-language": "es"})
    assert spanish.json()["results"][0]["name"] == "Vendido"


def test_what_was_used_stays(admin):
    call = make_ended_call(disposition=make_disposition("sold"))
    api = api_as(admin)
    for url in (
        f"{NUMBERS}{call.number_id}/",
        f"{AGENTS}{call.virtual_agent_id}/",
        f"{DISPOSITIONS}{call.disposition_id}/",
    ):
        assert api.delete(url).status_code == 409, url


@pytest.mark.parametrize("e164", ["12025550123", "+1", "hello", ""])
def test_our_own_numbers_are_written_in_full(admin, e164):
    refused = api_as(admin).post(NUMBERS, {"e164": e164, "carrier": "twilio"})
    assert refused.status_code == 400


@pytest.mark.parametrize(("make", "n"), [(make_number, 3), (make_virtual_agent, 7), (lambda: make_disposition("x"), 3)])
def test_the_small_lists_cost_few_queries(alice, django_assert_num_queries, make, n):
    made = make()
    url = {"Number": NUMBERS, "VirtualAgent": AGENTS, "Disposition": DISPOSITIONS}[type(made).__name__]
    api = api_as(alice)
    api.get(url)
    with django_assert_num_queries(n):
        assert api.get(url).json()["count"] == 1
