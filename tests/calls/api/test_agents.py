"""Virtual agents and their transfer targets by API: the same rules as in the back office."""

import pytest

from apps.calls.models import TransferTarget, VirtualAgent
from tests.accounts.api.clients import api_as
from tests.factories.calls import make_http_tool, make_transfer_target, make_virtual_agent

pytestmark = pytest.mark.django_db
AGENTS, TARGETS = "/api/v1/virtual-agents/", "/api/v1/transfer-targets/"
ADA = {"name": "Ada", "speaks_as": "Ada", "company": "Acme", "greeting_en": "Hi", "instructions_en": "Be brief."}
PIPELINE = {"provider": "deepgram", "llm": "openai:gpt-6-luna", "speech": "gemini:gemini-3.8-flash-lite-tts"}


@pytest.fixture
def api(admin):
    return api_as(admin)


def detail(answer) -> dict:
    assert answer.status_code == 400, answer.json()
    return answer.json()["error"]["detail"]


def test_an_agent_comes_with_all_it_may_do(api):
    make_transfer_target("billing")
    make_http_tool("order_status")
    body = {
        **ADA,
        "tools": ["hand_over", "end_call"],
        "transfer_targets": ["billing"],
        "last_resort_target": "billing",
        "transfer_prefixes": ["+420222"],
        "http_tools": ["order_status"],
        "fallbacks": [{"provider": "gemini", "voice_en": "Kore"}, PIPELINE],
    }
    made = api.post(AGENTS, body)
    assert made.status_code == 201, made.json()
    assert {name: made.json()[name] for name in ("transfer_targets", "http_tools")} == {
        "transfer_targets": ["billing"],
        "http_tools": ["order_status"],
    }
    agent = VirtualAgent.objects.get()
    assert [row.provider for row in agent.fallbacks.all()] == ["gemini", "deepgram"]
    changed = api.patch(f"{AGENTS}{agent.pk}/", {"fallbacks": [PIPELINE]})
    assert [row["provider"] for row in changed.json()["fallbacks"]] == ["deepgram"]
    assert api.patch(f"{AGENTS}{agent.pk}/", {"company": "Other"}).json()["fallbacks"] != []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"provider": "deepgram"}, "llm"),
        ({"model": "nova-3"}, "model"),
        ({"voice_es": "Kore"}, "voice_es"),
        ({**PIPELINE, "speech": "", "language": "cs"}, "speech"),
        ({"tools": ["hand_over"]}, "transfer_targets"),
        ({"transfer_prefixes": ["+1"]}, "transfer_prefixes"),
        ({"transfer_targets": ["nobody"]}, "transfer_targets"),
        ({"http_tools": ["resting"]}, "http_tools"),
        ({"fallbacks": [{"provider": "deepgram"}]}, "fallbacks"),
        ({"review_llm": "acme:x"}, "review_llm"),
        ({"extracted_fields": {"a": {"type": "numbr"}}}, "extracted_fields"),
        ({"on_voicemail": "explode"}, "on_voicemail"),
    ],
)
def test_what_the_provider_lacks_is_refused_by_field(api, body, field):
    make_http_tool("resting", is_active=False)
    assert field in detail(api.post(AGENTS, {**ADA, **body}))
    assert not VirtualAgent.objects.exists()


def test_a_change_is_judged_with_what_stays(api):
    agent = make_virtual_agent(greeting_en="Hi", instructions_en="x", greeting_cs="Dobrý den", **PIPELINE)
    assert "speech" in detail(api.patch(f"{AGENTS}{agent.pk}/", {"speech": ""}))
    assert "llm" in detail(api.patch(f"{AGENTS}{agent.pk}/", {"provider": "openai"}))
    assert api.patch(f"{AGENTS}{agent.pk}/", {"provider": "openai", "llm": "", "speech": ""}).status_code == 200


def test_a_transfer_target_is_made_and_changed(api):
    body = {"code": "billing", "name_en": "Billing", "kind": "queue", "e164": "+12025550123", "open_days": [0, 4]}
    made = api.post(TARGETS, {**body, "opens_at": "09:00", "closes_at": "17:00"})
    assert made.status_code == 201, made.json()
    url = f"{TARGETS}{TransferTarget.objects.get().pk}/"
    assert "closes_at" in detail(api.patch(url, {"closes_at": "08:00"}))
    assert "closes_at" in detail(api.patch(url, {"opens_at": None}))
    assert "e164" in detail(api.patch(url, {"e164": "555"}))
    assert "open_days" in detail(api.patch(url, {"open_days": [9]}))


def test_supervisors_look_and_change_nothing(alice):
    target = make_transfer_target()
    api = api_as(alice)
    assert api.get(f"{TARGETS}{target.pk}/").json()["code"] == target.code
    assert api.patch(f"{TARGETS}{target.pk}/", {"kind": "person"}).status_code == 403
