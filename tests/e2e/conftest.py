"""A real Chromium on a real running product.

``stack``: the whole product as processes, once per worker (tests/stack.py), with the demo's people and campaign seeded
but not started; inside a test the ORM speaks to its database. ``browse(role, …)`` opens a page signed in as admin,
supervisor, agent or nobody. Every page is watched: a message in its console, a script error, a refusal of the content
security policy or an answer of 500 fails the test that opened it. ``accessible(page)`` asks axe-core (WCAG 2.1 AA).

Chromium: CHROMIUM_PATH, else the one on PATH, else Playwright's own.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from apps.accounts.models import User
from apps.calls.models import Call, EndReason, Leg, Speaker
from apps.calls.services.ending import request_end
from apps.calls.states import LegState
from apps.campaigns import services
from apps.campaigns.models import Campaign, CampaignContact
from apps.campaigns.states import STOP_FROM, CampaignState, ContactState
from apps.cockpit.demo import seeding
from config.run.layout import ROOT, Layout
from tests.e2e.profiles import Kind, Profiles, cookies_of
from tests.stack import Stack, show_logs_of_failure, wait_for

# Playwright's synchronous interface runs a loop in this thread, which Django takes for a view that forgot to be async.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

SPEED = 2.0
PATIENCE_MS = 30_000
ENOUGH_PEOPLE = 40  # to be called for the length of a test
AT_ONCE = 5  # calls of a campaign: each is work for six processes
# Callees who talk for a while, by the last two digits of their numbers; see apps/sandbox/README.md.
TALKERS = [f"{language + persona:02d}" for language in (0, 30, 60) for persona in (0, 7, 15, 17, 20, 28)]
PEOPLE = {"admin": "admin", "supervisor": "alice", "agent": "bob"}
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# In headless tests the GPU is missing, and Chromium says so.
_NOT_OURS = re.compile(r"GPU|WebGL|Autofill", re.IGNORECASE)

# What holds is not counted and described: that would be most of the work, and most of the answer.
_FIND = """async (rules) => {
    const options = {preload: false, runOnly: rules, resultTypes: ["violations"]};
    return (await axe.run(document, options)).violations;
}"""

_FAILED = pytest.StashKey[bool]()

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    report = (yield).get_result()
    if report.failed:
        item.stash[_FAILED] = True
        show_logs_of_failure(item, report)
        pages = getattr(item, "funcargs", {}).get("_pages", [])
        for page in (page for page in pages if not page.is_closed()):
            path = shots() / f"failed-{re.sub(r'[^a-zA-Z0-9]+', '-', item.name)}.png"
            page.screenshot(path=path)
            report.sections.append(("page", f"{page.url}\n{path}"))


def shots() -> Path:
    """Where pictures of this run go."""
    path = Layout.from_environment().child("e2e").var / "screenshots"
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="package")
def _running_stack() -> Iterator[Stack]:
    with Stack("e2e", speed=SPEED, durable=False).running() as stack:
        stack.manage("seed_demo")
        yield stack


@pytest.fixture
def stack(_running_stack: Stack, django_db_blocker: object) -> Iterator[Stack]:
    """The running product; this test's ORM, cache and Celery speak to it."""
    with django_db_blocker.unblock(), _running_stack.connected():  # type: ignore[attr-defined]
        yield _running_stack


@pytest.fixture
def quiet(stack: Stack) -> None:
    """Whatever ran before on this stack: no campaign dials any more, and nobody is on the line."""
    for campaign in Campaign.objects.filter(state__in=STOP_FROM):
        services.stop(campaign_id=campaign.pk, by=None)
    hang_up_everywhere()


def hang_up_everywhere() -> None:
    """Returns when nobody is on the line; nobody may be dialling any more."""

    def is_quiet() -> bool:
        live = list(Call.objects.live())
        for call in live:
            request_end(call.pk, reason=EndReason.STAFF_ENDED, by=None)
        return not live

    wait_for(is_quiet, "the last call ends", timeout_s=90)


@pytest.fixture
def waiting_campaign(quiet: None) -> Campaign:
    """A demo campaign that nobody has started yet, on a stack where nothing else happens."""
    return _next_round()


@pytest.fixture
def campaign(stack: Stack) -> Campaign:
    """A demo campaign, running, with enough people left to call."""
    campaign = _latest_round()
    waiting = CampaignContact.objects.filter(campaign=campaign, state=ContactState.PENDING)
    if campaign.state != CampaignState.DRAFT and waiting.count() < ENOUGH_PEOPLE:
        campaign = _next_round()
    if campaign.state != CampaignState.RUNNING:
        with transaction.atomic():
            seeding.start(campaign)
            _mix(campaign)
    return campaign


def somebody_talking() -> Leg:
    """Of a call that will last: who has just begun to talk, and has much to say."""
    legs = Leg.objects.filter(state=LegState.ANSWERED, call__turns__speaker=Speaker.AI)
    talking = legs.filter(to_number__regex=f"({'|'.join(TALKERS)})$").select_related("call").order_by("-answered_at")
    leg: Leg = wait_for(talking.first, "somebody talks", timeout_s=90)  # type: ignore[assignment]  # waits until it is one
    return leg


def _mix(campaign: Campaign) -> None:
    """The list is in order of language: let the first of each be called first, and every fifth be one who talks."""
    waiting = CampaignContact.objects.filter(campaign=campaign, state=ContactState.PENDING).select_related("contact")
    seen, places = Counter[tuple[str, bool]](), dict[CampaignContact, tuple[int, int]]()
    for person in waiting.order_by("pk"):
        language, is_talker = person.contact.language, person.contact.phone[-2:] in TALKERS
        place = seen[language, is_talker]
        seen[language, is_talker] += 1
        places[person] = (place * 4 if is_talker else place, person.pk)
    people, now = sorted(places, key=places.__getitem__), timezone.now()
    for place, person in enumerate(people):
        person.next_attempt_at = now - timedelta(seconds=len(people) - place)
    CampaignContact.objects.bulk_update(people, ["next_attempt_at"])


def _next_round() -> Campaign:
    Campaign.objects.exclude(state=CampaignState.DRAFT).update(state=CampaignState.COMPLETED)
    return _latest_round()


def _latest_round() -> Campaign:
    campaign = seeding.seed(logins={}, now=timezone.now()).campaign
    Campaign.objects.filter(pk=campaign.pk).update(max_concurrent=AT_ONCE)
    return campaign


def card_of(page: Page, campaign: Campaign) -> Locator:
    """The campaign on the live page; there may be others."""
    return page.locator(".campaign").filter(has=page.get_by_role("link", name=campaign.name, exact=True))


@pytest.fixture(scope="session")
def _playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(_playwright: Playwright) -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's own sandbox does not work for root
    browser = _playwright.chromium.launch(executable_path=path, args=arguments)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def _profiles(_running_stack: Stack, _playwright: Playwright, browser: Browser) -> Iterator[Profiles]:
    logins, origin = _running_stack.logins(), _running_stack.origin
    sessions = {role: cookies_of(_playwright, origin, name, logins[name]["password"]) for role, name in PEOPLE.items()}
    profiles = Profiles(browser, origin, sessions | {"nobody": []})
    yield profiles
    profiles.drop()


def sign_in(page: Page, username: str, password: str) -> None:
    page.locator("#login [name=username]").fill(username)
    page.locator("#login [name=password]").fill(password)
    page.locator("#login button.btn-primary").click()
    page.wait_for_url(re.compile(r"^(?!.*/accounts/login/)"))


@pytest.fixture
def _pages() -> list[Page]:
    return []


@pytest.fixture
def browse(
    request: pytest.FixtureRequest, stack: Stack, _profiles: Profiles, _pages: list[Page]
) -> Iterator[Callable[..., Page]]:
    """browse(role="supervisor", path="/", language="en", width=1366, height=850, dark=False, tour=False, watched=True).

    watched False: the test provokes errors on purpose.
    """
    ours: list[BrowserContext] = []
    shared: dict[Kind, BrowserContext] = {}
    complaints: list[str] = []

    def open_page(
        role: str = "supervisor",
        path: str = "/",
        *,
        language: str = "en",
        width: int = 1366,
        height: int = 850,
        dark: bool = False,
        tour: bool = False,
        watched: bool = True,
    ) -> Page:
        kind = Kind(role, language, is_phone=width < 600)
        if role == "nobody" or tour:
            context = _profiles.new(kind)
            ours.append(context)
        else:
            context = shared[kind] = shared.get(kind) or _profiles.kept(kind)
        if role != "nobody":  # whoever is signed in reads in their own language, whatever the browser asks for
            User.objects.filter(username=PEOPLE[role]).update(language=language)
        context.set_default_timeout(PATIENCE_MS)
        cookies = {"django_language": language, "theme": "auto"} | ({} if tour else {"tour": "done"})
        context.add_cookies([{"name": name, "value": value, "url": stack.origin} for name, value in cookies.items()])
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if dark else "light")
        _pages.append(page)
        if watched:
            _watch(page, complaints)
        page.goto(path)
        return page

    yield open_page
    for page in _pages:
        page.close()
    for context in ours:
        context.close()
    if request.node.stash.get(_FAILED, False):
        _profiles.drop()
    assert complaints == []


def _watch(page: Page, complaints: list[str]) -> None:
    def heard(kind: str, text: str) -> None:
        if not _NOT_OURS.search(text):
            complaints.append(f"{kind}: {text}")

    page.on("console", lambda message: heard("console", message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: heard("script", str(error)))
    page.on(
        "response", lambda answer: heard("answer", f"{answer.status} {answer.url}") if answer.status >= 500 else None
    )


@pytest.fixture(scope="session")
def accessible() -> Callable[..., None]:
    """Ask axe-core whether the page, as it stands, keeps WCAG 2.1 AA and, unless strict is False, best practices."""
    source = AXE.read_text(encoding="utf-8")

    def check(page: Page, *, strict: bool = True) -> None:
        page.evaluate(source)
        rules = [*WCAG, "best-practice"] if strict else WCAG
        found = page.evaluate(_FIND, rules)
        broken = [
            f"{rule['id']}: {rule['help']}\n    {node['html'][:200]}\n    {node['failureSummary']}"
            for rule in found
            for node in rule["nodes"][:3]
        ]
        assert not broken, "\n".join([page.url, *broken])

    return check


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window: a phone would scroll sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
