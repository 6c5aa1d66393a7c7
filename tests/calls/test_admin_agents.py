"""Virtual agents, transfer targets and HTTP tools in the back office."""

import json

import pytest
from django.urls import reverse
from django.utils import translation

from apps.calls.models import HttpTool, TransferTarget, VirtualAgent
from apps.calls.services import http_tools
from tests.factories.calls import make_http_tool, make_transfer_target, make_virtual_agent
from tests.http_server import Server, say

pytestmark = pytest.mark.django_db
ADD = "/admin/calls/virtualagent/add/"


@pytest.fixture
def office(client, admin):
    client.force_login(admin, backend="apps.accounts.backends.RoleBackend")
    return client


def agent_form(*, fallbacks: tuple[dict[str, str], ...] = (), **other):
    rows = {f"fallbacks-{n}-{name}": value for n, row in enumerate(fallbacks) for name, value in row.items()}
    return {
        "name": "Ada",
        "is_active": "on",
        "speaks_as": "Ada",
        "company": "Acme",
        "language": "en",
        "voice_en": "marin",
        "fallbacks-TOTAL_FORMS": str(len(fallbacks)),
        "fallbacks-INITIAL_FORMS": "0",
        "greeting_en": "Hello",
        "greeting_cs": "Dobrý den",
        "instructions_en": "Be brief.",
        "on_voicemail": "leave_message",
        "on_screener": "answer",
        "on_ivr": "talk",
        "on_silence": "talk",
        "recorded_by": "bridge",
        "tools": ["end_call", "opt_out"],
        "provider": "openai",
        "model": "gpt-realtime-2.1",
        **rows,
        **other,
    }


def deepgram(**other) -> dict[str, str]:
    given = {"provider": "deepgram", "model": "nova-3", "llm": "openai:gpt-6-luna", "voice_en": "aura-2-thalia-en"}
    return {**given, "speech": "gemini:gemini-3.8-flash-lite-tts", **other}


def errors_of(response) -> dict[str, str]:
    form = response.context["adminform"].form
    return {field: " ".join(messages) for field, messages in form.errors.items()}


def test_a_virtual_agent_has_its_texts_by_language(office):
    response = office.post(ADD, agent_form())
    assert response.status_code == 302, errors_of(response)
    agent = VirtualAgent.objects.get()
    for language, greeting in (("en", "Hello"), ("cs", "Dobrý den"), ("es", "Hello")):  # Spanish is missing
        with translation.override(language):
            assert agent.greeting == greeting
    assert agent.tools == ["end_call", "opt_out"]
    page = office.get(reverse("admin:calls_virtualagent_change", args=[agent.pk])).content.decode()
    assert page.count("language-tab language-tab-") == 3
    assert "[en]" not in page, "the tab says the language"


def test_a_virtual_agent_without_english_is_refused(office):
    assert "greeting_en" in errors_of(office.post(ADD, agent_form(greeting_en="")))


def test_the_form_says_what_each_tool_does_and_needs(office):
    make_transfer_target("billing", name="Billing desk", description="Questions about invoices")
    make_http_tool("order_status", description="Looks up an order")
    page = office.get(ADD).content.decode()
    for words in (
        "Hand the call over to a queue or a person",
        "Needs: At least one transfer target",
        "Billing desk · queue",
        "Questions about invoices",
        "Looks up an order",
        "Deepgram",
    ):
        assert words in page
    data = page.partition('id="voice-ai-facts" type="application/json">')[2].partition("<")[0]
    assert json.loads(data)["providers"]["deepgram"]["isPipeline"] is True


def test_targets_tools_and_beginnings_are_kept(office):
    target, tool = make_transfer_target("billing"), make_http_tool("order_status")
    form = agent_form(
        tools=["hand_over", "transfer_to_number"],
        transfer_targets=[target.pk],
        transfer_prefixes="+420 222, +4202333",
        last_resort_target=target.pk,
        http_tools=[tool.pk],
    )
    response = office.post(ADD, form)
    assert response.status_code == 302, errors_of(response)
    agent = VirtualAgent.objects.get()
    assert list(agent.transfer_targets.all()) == [target]
    assert agent.transfer_prefixes == ["+420222", "+4202333"]
    assert agent.last_resort_target == target
    assert list(agent.http_tools.all()) == [tool]
    page = office.get(reverse("admin:calls_virtualagent_change", args=[agent.pk])).content.decode()
    assert 'value="+420222, +4202333"' in page


@pytest.mark.parametrize(
    ("other", "field", "says"),
    [
        ({"model": "gpt-9"}, "model", "gpt-realtime-2.1"),
        ({"voice_cs": "aura-2-thalia-en"}, "voice_cs", "no such voice for Čeština"),
        ({"llm": "openai:gpt-6-luna"}, "llm", "thinks and speaks by itself"),
        (deepgram(llm=""), "llm", "Say who thinks"),
        (deepgram(llm="acme:x"), "llm", "openai:…"),
        (deepgram(speech=""), "speech", "Čeština"),
        (deepgram(voice_cs="aura-2-thalia-en"), "voice_cs", "Kore"),
        (deepgram(voice_es="aura-2-thalia-en"), "voice_es", "aura-2-celeste-es"),
        ({"tools": ["hand_over"]}, "transfer_targets", "queue or a person"),
        ({"tools": ["transfer_to_number"]}, "transfer_targets", "allowed beginning"),
        ({"transfer_prefixes": "+1"}, "transfer_prefixes", "three digits"),
        ({"transfer_prefixes": "900"}, "transfer_prefixes", "begins with +"),
        ({"review_llm": "gpt-6"}, "review_llm", "openai:…"),
        ({"extracted_fields": '{"budget": {"type": "numbr"}}'}, "extracted_fields", "JSON schema"),
        ({"extracted_fields": "[1]"}, "extracted_fields", "JSON schema"),
        ({"tools": ["format_disk"]}, "tools", "format_disk"),
    ],
)
def test_what_the_voice_ai_lacks_is_refused_with_the_reason(office, other, field, says):
    errors = errors_of(office.post(ADD, agent_form(**other)))
    assert says in errors[field]
    assert not VirtualAgent.objects.exists()


def test_a_pipeline_with_all_its_parts_is_taken(office):
    response = office.post(ADD, agent_form(**deepgram(voice_cs="Kore")))
    assert response.status_code == 302, errors_of(response)


def test_who_takes_over_is_held_to_the_same(office):
    row = {"position": "1", "provider": "deepgram", "model": "", "llm": "", "speech": ""}
    response = office.post(ADD, agent_form(fallbacks=(row,)))
    errors = response.context["inline_admin_formsets"][0].formset.errors
    assert "Say who thinks" in str(errors[0]["llm"])
    assert "Čeština" in str(errors[0]["speech"])
    good = {"position": "1", **deepgram()}
    assert office.post(ADD, agent_form(fallbacks=(good,))).status_code == 302
    assert VirtualAgent.objects.get().fallbacks.get().llm == "openai:gpt-6-luna"


def test_the_list_shows_the_order_in_which_voice_ais_are_tried(office, django_assert_max_num_queries):
    for _n in range(3):
        make_virtual_agent().fallbacks.create(provider="gemini")
    with django_assert_max_num_queries(9):
        page = office.get("/admin/calls/virtualagent/").content.decode()
    assert "OpenAI Realtime → Gemini Live" in page


def target_form(**other):
    return {
        "code": "billing",
        "kind": "queue",
        "e164": "+12025550123",
        "is_active": "on",
        "name_en": "Billing",
        "open_days": ["0", "1"],
        "opens_at": "09:00",
        "closes_at": "17:00",
        "time_zone": "Europe/Prague",
        **other,
    }


def test_a_transfer_target_is_made_with_its_hours(office):
    assert office.post("/admin/calls/transfertarget/add/", target_form()).status_code == 302
    target = TransferTarget.objects.get()
    assert target.open_days == [0, 1]
    [(hours, zone)] = target.hours
    assert zone == "Europe/Prague"
    assert [len(spans) for spans in hours.weekdays] == [1, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"closes_at": ""}, "closes_at"),
        ({"closes_at": "08:00"}, "closes_at"),
        ({"e164": "12345"}, "e164"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"name_en": ""}, "name_en"),
    ],
)
def test_a_transfer_target_that_cannot_be_rung_is_refused(office, other, field):
    assert field in errors_of(office.post("/admin/calls/transfertarget/add/", target_form(**other)))


def tool_form(*, headers: tuple[dict[str, str], ...] = (), n_kept: int = 0, **other):
    rows = {f"headers-{n}-{name}": value for n, row in enumerate(headers) for name, value in row.items()}
    return {
        "name": "order_status",
        "description": "Looks up an order.",
        "is_active": "on",
        "method": "GET",
        "url": "https://api.example.com/orders",
        "parameters": '{"type": "object", "properties": {}}',
        "timeout_s": "5",
        "max_bytes": "20000",
        "headers-TOTAL_FORMS": str(len(headers)),
        "headers-INITIAL_FORMS": str(n_kept),
        **rows,
        **other,
    }


def test_a_secret_is_sealed_and_never_shown_again(office):
    header = {"name": "Authorization", "new_value": "Bearer s3cr3t", "is_secret": "on"}
    response = office.post("/admin/calls/httptool/add/", tool_form(headers=(header,)))
    assert response.status_code == 302, errors_of(response)
    tool = HttpTool.objects.get()
    kept = tool.headers.get()
    assert kept.reveal() == "Bearer s3cr3t"
    assert "s3cr3t" not in kept.sealed + kept.value
    url = reverse("admin:calls_httptool_change", args=[tool.pk])
    page = office.get(url).content.decode()
    assert "s3cr3t" not in page
    assert kept.sealed not in page
    row = {"id": str(kept.pk), "tool": str(tool.pk), "name": "X-Api-Key", "new_value": "", "is_secret": "on"}
    assert office.post(url, tool_form(headers=(row,), n_kept=1)).status_code == 302
    kept.refresh_from_db()
    assert (kept.name, kept.reveal()) == ("X-Api-Key", "Bearer s3cr3t")
    assert "s3cr3t" not in office.get(reverse("admin:calls_httptool_history", args=[tool.pk])).content.decode()
    # Made public it needs a new value: the old one is not revealed by a tick.
    del row["is_secret"]
    response = office.post(url, tool_form(headers=(row,), n_kept=1))
    assert response.status_code == 200
    kept.refresh_from_db()
    assert kept.is_secret


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"name": "opt_out"}, "name"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "https://x.example/{id}"}, "url"),
        ({"parameters": '{"type": "string"}'}, "parameters"),
        ({"parameters": "{"}, "parameters"),
        ({"success_text": "{a b}"}, "success_text"),
        ({"timeout_s": "99"}, "timeout_s"),
    ],
)
def test_a_tool_that_cannot_be_used_is_refused(office, other, field):
    assert field in errors_of(office.post("/admin/calls/httptool/add/", tool_form(**other)))


def test_a_tool_is_tried_with_sample_arguments(office, settings):
    settings.HTTP_TOOL_ALLOWED_HOSTS = ["127.0.0.1"]
    http_tools._configured.clear()
    server = Server()
    server.answer = lambda handler: say(handler, b'{"status": "<b>sent</b>"}')
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tool = make_http_tool(url=f"{server.origin}/o/{{n}}", parameters=schema, success_text="It is {status}.")
    url = reverse("admin:calls_httptool_try", args=[tool.pk])
    assert "&quot;n&quot;: 1" in office.get(url).content.decode()
    page = office.post(url, {"arguments": '{"n": 7}'}).content.decode()
    assert "It is &lt;b&gt;sent&lt;/b&gt;." in page
    assert f"{server.origin}/o/7" in page
    assert "not of type" in office.post(url, {"arguments": '{"n": "x"}'}).content.decode()
    assert office.post(url, {"arguments": "[1]"}).status_code == 200
    assert len(server.requests) == 1
    server.close()


def test_supervisors_do_not_try_tools(client, alice):
    client.force_login(alice, backend="apps.accounts.backends.RoleBackend")
    tool = make_http_tool()
    assert client.post(reverse("admin:calls_httptool_try", args=[tool.pk]), {"arguments": "{}"}).status_code == 403


def test_who_records_is_chosen_with_the_rest(office):
    assert office.post(ADD, agent_form(is_recorded="on", recorded_by="carrier")).status_code == 302
    assert VirtualAgent.objects.get().recorded_by == "carrier"
    assert "recorded_by" in errors_of(office.post(ADD, agent_form(name="Eve", recorded_by="nobody")))
