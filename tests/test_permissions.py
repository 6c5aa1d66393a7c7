"""Who gets through which door: every address of the project, each method of it, every role and the anonymous visitor.

An address that is not in the table fails the test, so nobody opens a door without saying to whom.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.admin.models import LogEntry
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLPattern, URLResolver
from django.utils import timezone

from apps.accounts.models import Role, TokenFamily, User
from apps.calls.models import Call, CallReview, CostItem, Disposition, Leg, Price, Turn
from apps.calls.states import LegState
from apps.campaigns.models import Campaign
from apps.contacts.models import Channel, ContactImport
from tests.factories.accounts import PASSWORD, make_user
from tests.factories.calls import make_ended_call, make_http_tool, make_transfer_target
from tests.factories.campaigns import make_attempt, make_campaign, make_person
from tests.factories.contacts import make_consent, make_contact, make_dnc, make_list
from tests.factories.messaging import make_message
from tests.factories.recordings import make_recording

ANONYMOUS = "anonymous"
VISITORS = (ANONYMOUS, Role.AGENT, Role.SUPERVISOR, Role.ADMIN)
ALL = frozenset(VISITORS)
SIGNED_IN = ALL - {ANONYMOUS}
SUPERVISORS = frozenset({Role.SUPERVISOR, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})
NOBODY: frozenset[str] = frozenset()

World = dict[str, Any]


@dataclass(frozen=True)
class Door:
    """method and name of an address; may: who gets through; then the answer is one of ok.

    args: names of the world's things that stand in the address. body: sent as it is, worlds' things by "{name}".
    """

    method: str
    name: str
    may: frozenset[str]
    args: tuple[str, ...] = ()
    body: dict[str, Any] = field(default_factory=dict)
    ok: tuple[int, ...] = (200, 201, 202, 204, 302)
    query: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.name}{' ' + '/'.join(self.args) if self.args else ''}"


def crud(name: str, thing: str, *, add: frozenset[str], body: dict[str, Any]) -> list[Door]:
    """Supervisors look, admins change and delete."""
    view, edit = SUPERVISORS, ADMINS
    return [
        Door("GET", f"v1:{name}-list", view),
        Door("POST", f"v1:{name}-list", add, body=body),
        Door("GET", f"v1:{name}-detail", view, (thing,)),
        Door("PUT", f"v1:{name}-detail", edit, (thing,), body=body),
        Door("PATCH", f"v1:{name}-detail", edit, (thing,)),
        Door("DELETE", f"v1:{name}-detail", edit, (thing,), ok=(204, 409)),
    ]


AGENT_BODY = {"name": "New", "speaks_as": "Ada", "company": "Acme", "greeting_en": "Hi", "instructions_en": "Be brief."}
CAMPAIGN_BODY = {"name": "New", "contact_list": "{list}", "virtual_agent": "{agent}", "numbers": ["{number}"]}
CONSENT_BODY = {"phone": "+12025550177", "channel": "sms", "source": "form", "given_at": "2026-01-01T00:00:00Z"}

DOORS = [
    # What stands before any role
    Door("GET", "healthz", ALL),
    Door("GET", "readyz", ALL, ok=(200, 503)),
    Door("GET", "metrics", ADMINS),  # from another machine; see test_health for the token
    Door("POST", "set_language", ALL, body={"language": "es"}),
    Door("GET", "styleguide", ALL),
    Door("GET", "home", ALL),  # leads on
    Door("GET", "accounts:login", ALL),
    Door("POST", "accounts:logout", ALL),
    Door("POST", "accounts:theme", ALL, body={"theme": "dark"}),
    Door("GET", "accounts:password_change", SIGNED_IN),
    Door("GET", "accounts:password_change_done", SIGNED_IN),
    # Carriers: only a signature opens these
    *(
        Door("POST", name, NOBODY, args, body={"CallSid": "CA1"})
        for name, args in (
            ("hooks:twilio-answer", ("token",)),
            ("hooks:twilio-status", ("token",)),
            ("hooks:twilio-amd", ("token",)),
            ("hooks:twilio-stream", ("token",)),
            ("hooks:twilio-after-stream", ("token", "=0")),
            ("hooks:twilio-transferred", ("token",)),
            ("hooks:twilio-recording", ("token",)),
            ("hooks:twilio-inbound", ()),
            ("hooks:twilio-inbound-status", ()),
            ("hooks:telnyx-leg", ("token",)),
            ("hooks:telnyx-events", ()),
        )
    ),
    *(
        Door("POST", f"text-hooks:{name}", NOBODY, args, body={"MessageSid": "SM1"})
        for name, args in (
            ("twilio-inbound", ()),
            ("twilio-status", ("token",)),
            ("telnyx-inbound", ()),
            ("telnyx-status", ("token",)),
        )
    ),
    # Pages
    Door("GET", "cockpit:home", SIGNED_IN),
    Door("GET", "cockpit:live", SUPERVISORS),
    Door("GET", "cockpit:search", SUPERVISORS),
    Door("GET", "cockpit:services", SUPERVISORS),
    Door("POST", "cockpit:services-reset", ADMINS, body={"service": "twilio"}, ok=(302, 404)),
    Door("GET", "cockpit:panel", SUPERVISORS, ("call",)),
    Door("GET", "cockpit:command", SUPERVISORS, ("=campaign", "draft", "=start")),
    Door("POST", "cockpit:command", SUPERVISORS, ("=call", "call", "=end")),
    Door("GET", "contacts:list", SUPERVISORS),
    Door("GET", "contacts:lists", SUPERVISORS),
    Door("GET", "contacts:detail", SUPERVISORS, ("contact",)),
    Door("POST", "contacts:opt-out", SUPERVISORS, ("contact",)),
    Door("GET", "contacts:imports", SUPERVISORS),
    Door("GET", "contacts:import-new", SUPERVISORS),
    Door("GET", "contacts:import", SUPERVISORS, ("import",)),
    Door("POST", "contacts:import-cancel", SUPERVISORS, ("import",)),
    Door("GET", "contacts:import-report", SUPERVISORS, ("import",)),
    Door("GET", "contacts:dnc", SUPERVISORS),
    Door("GET", "campaigns:list", SUPERVISORS),
    Door("GET", "campaigns:new", ADMINS),
    Door("GET", "campaigns:detail", SUPERVISORS, ("campaign",)),
    Door("GET", "campaigns:people", SUPERVISORS, ("campaign",)),
    Door("GET", "campaigns:setup", SUPERVISORS, ("campaign",)),
    Door("GET", "campaigns:history", SUPERVISORS, ("campaign",)),
    Door("GET", "campaigns:edit", ADMINS, ("campaign",)),
    Door("GET", "campaigns:act", SUPERVISORS, ("draft", "=start")),
    Door("POST", "campaigns:act", SUPERVISORS, ("draft", "=start")),
    Door("GET", "calls:list", SUPERVISORS),
    Door("GET", "calls:detail", SUPERVISORS, ("call",)),
    Door("POST", "calls:correct-verdict", SUPERVISORS, ("reviewed_call",), body={"verdict": "human"}),
    Door("GET", "calls:recording", SUPERVISORS, ("recording",)),
    Door("POST", "calls:control-recording", SUPERVISORS, ("call", "=pause")),
    Door("POST", "calls:review-again", SUPERVISORS, ("call",)),
    Door("POST", "calls:correct-disposition", SUPERVISORS, ("call",), body={"disposition": "sold", "note": ""}),
    Door("POST", "calls:end", SUPERVISORS, ("call",)),
    Door("GET", "messaging:list", SUPERVISORS),
    Door("GET", "messaging:send", SUPERVISORS, ("contact",)),
    Door("POST", "messaging:send", SUPERVISORS, ("contact",), body={"body": "Hi", "number": "{number}"}),
    # API
    Door("GET", "api-schema", ALL),
    Door("GET", "api-docs", ALL),
    Door("GET", "jwks", ALL),
    Door("POST", "v1:token", ALL, body={"username": "admin", "password": PASSWORD}),
    Door("POST", "v1:token-refresh", ALL, body={"refresh": "x"}, ok=(401,)),  # a token is what it takes, not a role
    Door("POST", "v1:token-revoke", ALL, body={"token": "x"}),
    Door("GET", "v1:me", SIGNED_IN),
    *crud("contact-list", "list", add=SUPERVISORS, body={"name": "New"}),
    *crud(
        "contact",
        "contact",
        add=SUPERVISORS,
        body={"contact_list": "{list}", "phone": "+12025550166"},
    ),
    Door("GET", "v1:contact-verdict", SUPERVISORS, ("contact",)),
    Door("GET", "v1:contact-import-list", SUPERVISORS),
    Door("POST", "v1:contact-import-list", SUPERVISORS, body={"new_list": "New", "file": "{file}"}),
    Door("GET", "v1:contact-import-detail", SUPERVISORS, ("import",)),
    Door("POST", "v1:contact-import-cancel", SUPERVISORS, ("import",)),
    Door("GET", "v1:contact-import-report", SUPERVISORS, ("import",)),
    Door("GET", "v1:dnc-list", SUPERVISORS),
    Door("POST", "v1:dnc-list", SUPERVISORS, body={"phone": "+12025550166", "channels": ["voice"]}),
    Door("GET", "v1:dnc-detail", SUPERVISORS, ("dnc",)),
    Door("DELETE", "v1:dnc-detail", ADMINS, ("dnc",)),
    Door("GET", "v1:consent-list", SUPERVISORS),
    Door("POST", "v1:consent-list", ADMINS, body=CONSENT_BODY),
    Door("GET", "v1:consent-detail", SUPERVISORS, ("consent",)),
    Door("POST", "v1:consent-withdraw", ADMINS, ("consent",)),
    *crud("campaign", "draft", add=ADMINS, body=CAMPAIGN_BODY),
    *(
        Door("POST", f"v1:campaign-{move}", SUPERVISORS, ("draft",), ok=(200, 409))
        for move in ("start", "pause", "resume", "stop")
    ),
    *(Door("GET", f"v1:campaign-{part}", SUPERVISORS, ("campaign",)) for part in ("counters", "history", "reasons")),
    Door("GET", "v1:campaign-people-list", SUPERVISORS, ("campaign",)),
    *crud(
        "number",
        "number",
        add=ADMINS,
        body={"e164": "+12025550188", "carrier": "twilio"},
    ),
    *crud("virtual-agent", "agent", add=ADMINS, body=AGENT_BODY),
    Door("GET", "v1:virtual-agent-voicemail-recording", SUPERVISORS, ("agent", "=en"), ok=(404,)),  # it has none
    Door("PUT", "v1:virtual-agent-voicemail-recording", ADMINS, ("agent", "=en"), ok=(415,)),  # a file is no JSON
    Door("DELETE", "v1:virtual-agent-voicemail-recording", ADMINS, ("agent", "=en"), ok=(404,)),
    *crud(
        "transfer-target",
        "target",
        add=ADMINS,
        body={"code": "new", "name_en": "New", "kind": "queue", "e164": "+12025550188"},
    ),
    *crud("disposition", "disposition", add=ADMINS, body={"code": "new", "name_en": "New"}),
    Door("GET", "v1:call-list", SUPERVISORS),
    Door("GET", "v1:call-detail", SUPERVISORS, ("call",)),
    *(Door("GET", f"v1:call-{part}", SUPERVISORS, ("call",)) for part in ("costs", "events", "transcript")),
    Door("GET", "v1:call-review", SUPERVISORS, ("reviewed_call",)),
    Door("GET", "v1:recording-list", SUPERVISORS),
    Door("GET", "v1:recording-detail", SUPERVISORS, ("recording",)),
    Door("GET", "v1:recording-sound", SUPERVISORS, ("recording",)),
    Door("POST", "v1:call-disposition", SUPERVISORS, ("call",), body={"disposition": "sold"}),
    Door("POST", "v1:call-end", SUPERVISORS, ("call",)),
    Door("GET", "v1:message-list", SUPERVISORS),
    Door("GET", "v1:message-detail", SUPERVISORS, ("message",)),
    Door("POST", "v1:message-list", SUPERVISORS, body={"contact": "{contact}", "body": "Hi"}, ok=(202, 409)),
    # Back office
    Door("GET", "admin:index", ADMINS),
    Door("GET", "admin:group", ADMINS, ("=calling",)),
    Door("GET", "admin:app_list", ADMINS, ("=calls",)),
    Door("GET", "admin:login", frozenset({ANONYMOUS, Role.ADMIN})),  # leads to the one sign-in page
    Door("POST", "admin:logout", ALL),
    Door("GET", "admin:password_change", ADMINS),
    Door("GET", "admin:password_change_done", ADMINS),
    Door("GET", "admin:jsi18n", ADMINS),
    Door(
        "GET",
        "admin:autocomplete",
        ADMINS,
        query="term=a&app_label=campaigns&model_name=campaign&field_name=virtual_agent",
    ),
    Door("GET", "admin:auth_user_password_change", ADMINS, ("bob",)),
    Door("GET", "admin:campaigns_campaign_move", ADMINS, ("=start",), query="ids={draft}"),
    Door("POST", "admin:campaigns_campaign_move", ADMINS, ("=start",), query="ids={draft}"),
    Door("GET", "admin:calls_httptool_try", ADMINS, ("http_tool",)),
    Door("POST", "admin:calls_httptool_try", ADMINS, ("http_tool",), body={"arguments": "[]"}),
    Door("GET", "admin:contacts_contactimport_report", ADMINS, ("import",)),
    Door("POST", "admin:contacts_contactimport_cancel", ADMINS, ("import",)),
    *(
        Door("GET", f"admin:{model}_{page}", ADMINS)
        for model, pages in (
            ("contacts_contact", ("export",)),
            ("contacts_dncentry", ("import", "export")),
            ("calls_disposition", ("import", "export")),
            ("calls_price", ("import", "export")),
        )
        for page in pages
    ),
    *(
        Door("POST", f"admin:{model}_process_import", ADMINS)
        for model in ("contacts_dncentry", "calls_disposition", "calls_price")
    ),
]
# The back office's lists: what an admin may do there beside looking. Nobody else may even look.
OFFICE: dict[str, tuple[str, str]] = {
    "accounts_user": ("bob", "add change delete"),
    "accounts_tokenfamily": ("log_in", ""),
    "admin_logentry": ("log_entry", ""),
    "axes_accessattempt": ("failed_log_in", "change delete"),
    "axes_accesslog": ("access", ""),
    "calls_call": ("call", ""),
    "calls_costitem": ("cost", ""),
    "calls_disposition": ("disposition", "add change delete"),
    "calls_httptool": ("http_tool", "add change delete"),
    "calls_number": ("number", "add change delete"),
    "calls_recording": ("recording", ""),
    "calls_price": ("price", "add change delete"),
    "calls_transfertarget": ("target", "add change delete"),
    "calls_virtualagent": ("agent", "add change delete"),
    "campaigns_campaign": ("draft", "add change delete"),
    "campaigns_campaigncontact": ("person", ""),
    "campaigns_dialattempt": ("attempt", ""),
    "contacts_consent": ("consent", "add change"),
    "contacts_contact": ("contact", "add change delete"),
    "contacts_contactimport": ("import", "add"),
    "contacts_contactlist": ("empty_list", "add change delete"),
    "contacts_dncentry": ("dnc", "add change delete"),
    "messaging_message": ("message", ""),
}
for _model, (_thing, _rights) in OFFICE.items():
    DOORS += [
        Door("GET", f"admin:{_model}_changelist", ADMINS),
        Door("GET", f"admin:{_model}_add", ADMINS if "add" in _rights else NOBODY),
        Door("GET", f"admin:{_model}_change", ADMINS, (_thing,)),
        Door("GET", f"admin:{_model}_history", ADMINS, (_thing,)),
        Door("GET", f"admin:{_model}_delete", ADMINS if "delete" in _rights else NOBODY, (_thing,)),
    ]
# Django's own link that leads on to a page of an object; its two nameless ones only lead on as well.
NOT_OURS = {"admin:view_on_site"}


def addresses() -> Iterator[tuple[str, URLPattern]]:
    def walk(patterns: Any, namespaces: tuple[str, ...], path: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in patterns:
            here = path + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
                yield from walk(pattern.url_patterns, inner, here)
            else:
                yield ":".join((*namespaces, pattern.name)) if pattern.name else f"unnamed {here}", pattern

    yield from walk(get_resolver().url_patterns, (), "")


def test_every_address_is_in_the_table():
    known = {door.name for door in DOORS} | NOT_OURS
    found = {name for name, _pattern in addresses() if not name.startswith("unnamed admin/")}
    assert found - known == set(), "say in DOORS who may go through"
    assert known - found == set(), "no longer there"


def test_every_method_of_the_api_is_in_the_table():
    known = {(door.name, door.method) for door in DOORS}
    missing = []
    for name, pattern in addresses():
        view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
        if not name.startswith("v1:") or view is None:
            continue
        actions = getattr(pattern.callback, "actions", None)
        methods = set(actions) if actions else {method for method in view.http_method_names if hasattr(view, method)}
        missing += [
            (name, method.upper()) for method in methods - {"head", "options"} if (name, method.upper()) not in known
        ]
    assert missing == []


@pytest.fixture
def world(db, settings, tmp_path) -> World:
    """One of everything, as primary keys."""
    settings.MEDIA_ROOT = tmp_path
    files = {"BACKEND": "apps.calls.recording_files.RecordingFiles", "OPTIONS": {"location": str(tmp_path / "sound")}}
    settings.STORAGES = {**settings.STORAGES, "recordings": files}
    people = {role: make_user(str(role), role=role) for role in SIGNED_IN}
    bob = make_user("bob")
    campaign = make_campaign(n_contacts=1, state="running")
    draft = make_campaign(n_contacts=1)
    contact = campaign.contact_list.contacts.get()
    person = make_person(campaign, contact)
    attempt = make_attempt(person)
    call: Call = attempt.call
    Leg.objects.filter(call=call).update(state=LegState.ANSWERED)
    disposition = Disposition.objects.create(code="sold", name_en="Sold")
    now = timezone.now()
    Turn.objects.create(call=call, speaker="ai", text="Hello", item_id="1", started_ms=0, ended_ms=1, at=now)
    job = ContactImport.objects.create(contact_list=campaign.contact_list, file_name="people.csv", state="waiting")
    job.report.save("report.csv", ContentFile(b"Row\n"))
    things = {
        "bob": bob,
        "log_in": TokenFamily.objects.create(user=bob, refresh_jti="x", expires_at=now),
        "log_entry": LogEntry.objects.create(user=bob, action_flag=1, object_repr="x"),
        "failed_log_in": AccessAttempt.objects.create(
            username="bob", failures_since_start=1, get_data="", post_data=""
        ),
        "access": AccessLog.objects.create(username="bob"),
        "call": call,
        "cost": CostItem.objects.create(call=call, part="carrier", service="twilio"),
        "disposition": disposition,
        "number": campaign.numbers.get(),
        "price": Price.objects.create(
            service="twilio", part="carrier", unit="minute", amount="0.01", valid_from=now.date()
        ),
        "agent": campaign.virtual_agent,
        "campaign": campaign,
        "draft": draft,
        "person": person,
        "attempt": attempt,
        "consent": make_consent(contact.phone, channel=Channel.EMAIL),
        "contact": make_contact(draft.contact_list),
        "import": job,
        "list": campaign.contact_list,
        "empty_list": make_list(),
        "dnc": make_dnc("+12025550155"),
        "message": make_message(),
        "target": make_transfer_target(),
        "http_tool": make_http_tool(),
    }
    things["reviewed_call"] = make_ended_call()
    CallReview.objects.create(call=things["reviewed_call"])
    things["recording"] = make_recording(things["reviewed_call"])
    keys = {name: thing.pk for name, thing in things.items()}
    assert isinstance(draft, Campaign)
    return {**keys, "token": call.legs.get().token, "people": people}


def ask(door: Door, world: World, who: str) -> Any:
    client = Client(REMOTE_ADDR="203.0.113.7", headers={"host": "127.0.0.1"})
    client.raise_request_exception = True
    if who != ANONYMOUS:
        person: User = world["people"][who]
        client.force_login(person, backend="apps.accounts.backends.RoleBackend")
    args = [arg.removeprefix("=") if arg.startswith("=") else world[arg] for arg in door.args]
    url = reverse(door.name, args=args) + (f"?{door.query.format(**world)}" if door.query else "")
    body = {name: filled(value, world) for name, value in door.body.items()}
    if door.method == "GET":
        return client.get(url)
    has_file = any(isinstance(value, SimpleUploadedFile) for value in body.values())
    if door.name.startswith("v1:") and not has_file:
        return client.generic(door.method, url, json.dumps(body), content_type="application/json")
    if door.name.startswith(("hooks:", "text-hooks:")):
        return client.post(url, urlencode(body), content_type="application/x-www-form-urlencoded")
    return client.post(url, body)


def filled(value: Any, world: World) -> Any:
    if value == "{file}":
        return SimpleUploadedFile("people.csv", b"phone\n+12025550166\n", content_type="text/csv")
    if isinstance(value, str) and value.startswith("{"):
        return world[value.strip("{}")]
    return [filled(item, world) for item in value] if isinstance(value, list) else value


def is_refusal(response: Any, who: str, *, is_page: bool) -> bool:
    if who == ANONYMOUS and is_page and response.status_code == 302:
        return response["Location"].startswith("/accounts/login/")
    return response.status_code == (401 if who == ANONYMOUS and not is_page else 403)


AREAS = {
    "admin": lambda name: name.startswith("admin:"),
    "api": lambda name: name.startswith("v1:"),
    "carriers": lambda name: name.startswith(("hooks:", "text-hooks:")),
    "pages": lambda name: not name.startswith(("admin:", "v1:", "hooks:", "text-hooks:")),
}


@pytest.mark.timeout(400)  # every address, for every visitor
@pytest.mark.parametrize("area", AREAS)
def test_only_those_get_through_who_may(world, area):
    doors = [door for door in DOORS if AREAS[area](door.name)]
    wrong = [f"{door}: {complaint}" for door in doors for complaint in complaints(door, world)]
    assert wrong == []


def complaints(door: Door, world: World) -> Iterator[str]:
    """Who was let through and should not have been, or the other way round. Nothing stays done."""
    is_page = not door.name.startswith("v1:")
    for who in VISITORS:
        with transaction.atomic():
            response = ask(door, world, who)
            for close in response._resource_closers:  # its own close() would also close the connection
                close()
            transaction.set_rollback(True)
        if who in door.may:
            is_right = response.status_code in door.ok
            if door.may != ALL and response.status_code == 302:
                is_right &= not response["Location"].startswith("/accounts/login/") or door.name == "admin:login"
        else:
            is_right = is_refusal(response, who, is_page=is_page)
        if not is_right:
            yield f"{who} {response.status_code} {response.headers.get('Location', '')}"
