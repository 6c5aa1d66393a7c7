"""A day's work in the browser: each role, each language, from a file of people to the transcript of a call."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.calls.models import Call, Speaker, Turn
from apps.campaigns.models import Campaign
from apps.campaigns.states import CampaignState
from config.run.layout import ROOT
from tests.e2e.conftest import overflow, shots
from tests.stack import wait_for


def picture(page: Page, name: str) -> None:
    """A picture of this run; with DOCS_IMAGES=1 it replaces the one in docs/images."""
    folder = ROOT / "docs" / "images" if os.environ.get("DOCS_IMAGES") == "1" else shots()
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")


@pytest.fixture
def dialled(campaign: Campaign) -> Campaign:
    """The demo's campaign with at least one finished conversation in each language."""
    wait_for(
        lambda: all(conversation(language) for language in ("en", "es", "cs")), "people were talked to", timeout_s=120
    )
    return campaign


def conversation(language: str) -> Call | None:
    """A finished call in which both sides spoke, with what it meant."""
    calls = Call.objects.filter(language=language, ended_at__isnull=False, disposition__isnull=False)
    calls = calls.filter(turns__speaker=Speaker.CALLER).filter(turns__speaker=Speaker.AI)
    return calls.distinct().order_by("-pk").first()


def worth_a_picture() -> Call | None:
    """A success in English whose greeting nobody spoke into, and that can be listened to."""
    greeted = Turn.objects.filter(speaker=Speaker.AI, was_interrupted=False, text__startswith="Hello ")
    calls = Call.objects.filter(language="en", ended_at__isnull=False, disposition__is_success=True)
    return calls.filter(turns__in=greeted, recordings__state="ready").order_by("-pk").first()


@pytest.mark.parametrize(
    ("language", "heading", "outcome"),
    [("en", "Transcript", "Outcome"), ("es", "Transcripción", "Resultado"), ("cs", "Přepis", "Výsledek")],
)
def test_a_supervisor_reads_what_was_said(dialled, browse, accessible, language, heading, outcome):
    call = conversation(language)
    page = browse("supervisor", "/calls/", language=language)
    page.locator(f"a[href='/calls/{call.pk}/'], .filter-bar").first.wait_for()
    accessible(page)
    page.goto(f"/calls/{call.pk}/")
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page.get_by_text(outcome, exact=True).first).to_be_visible()
    for speaker in ("ai", "caller"):
        expect(page.locator(f".turn[data-speaker={speaker}]").first).to_be_visible()
    assert call.remote_phone not in page.content(), "supervisors see masked numbers"
    accessible(page)


def test_every_page_holds_on_a_phone_in_czech_and_in_the_dark(dialled, browse, accessible):
    """With the longest words nothing scrolls sideways at 360 px, and the dark colours keep their contrast."""
    call = conversation("cs")
    page = browse("admin", "/campaigns/", language="cs", width=360, height=740, dark=True)
    for path in (
        "/campaigns/",
        f"/campaigns/{dialled.pk}/",
        f"/campaigns/{dialled.pk}/people/",
        f"/campaigns/{dialled.pk}/setup/",
        f"/campaigns/{dialled.pk}/history/",
        f"/campaigns/{dialled.pk}/edit/",
        "/calls/",
        f"/calls/{call.pk}/",
        "/contacts/",
        f"/contacts/{call.contact_id}/",
        "/contacts/lists/",
        "/contacts/imports/",
        "/contacts/imports/new/",
        "/contacts/dnc/",
    ):
        page.goto(path)
        assert overflow(page) <= 0, path
        accessible(page)


def test_an_admin_brings_people_and_starts_calling_them(stack, browse, accessible, tmp_path):
    """A file in the wrong encoding with a bad row, a campaign from the form, and the first call to ring."""
    file = tmp_path / "lidé.csv"
    rows = ["telefon;jméno;příjmení;jazyk;souhlas", "+12025550160;Žofie;Černá;cs;písemný", "123;Omyl;;;"]
    file.write_bytes("\r\n".join(rows).encode("cp1250"))
    page = browse("admin", "/contacts/imports/new/")
    page.locator("[name=file]").set_input_files(file)
    page.locator("[name=new_list]").fill("Journey")
    page.get_by_role("button", name="Import", exact=True).click()
    page.wait_for_url(re.compile(r"/contacts/imports/\d+/"))
    expect(page.locator("#import .status")).to_have_text("done")
    accessible(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="The fate of each row, as CSV").click()
    assert "123" in Path(download.value.path()).read_text(encoding="utf-8-sig")
    page.get_by_role("link", name="Show the contacts").click()
    expect(page.get_by_role("link", name="Žofie Černá")).to_be_visible()

    page.goto("/campaigns/new/")
    accessible(page)
    page.locator("[name=name]").fill("Journey")
    page.locator("[name=contact_list]").select_option(label="Journey")
    page.locator("[name=virtual_agent]").select_option(index=1)
    page.locator("[name=numbers]").first.check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Journey")).to_be_visible()
    page.get_by_role("link", name="Start").click()
    accessible(page)
    page.get_by_role("button", name="Call 1 person starting now").click()
    campaign = Campaign.objects.get(name="Journey")
    wait_for(lambda: Campaign.objects.get(pk=campaign.pk).state != CampaignState.DRAFT, "it runs", timeout_s=10)
    page.goto(f"/campaigns/{campaign.pk}/history/")
    expect(page.locator("dd").filter(has_text="started · Adele Admin")).to_be_visible()


def test_an_agent_is_kept_to_what_is_theirs(stack, browse, accessible):
    page = browse("agent", "/", watched=False)  # a refused page is in the console, rightly
    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome")
    accessible(page)
    for path in ("/live/", "/campaigns/", "/calls/", "/contacts/", "/admin/"):
        answer = page.goto(path)
        assert answer.status == 403 or "login" in page.url, path
    accessible(page)


def test_pictures_for_the_documents(dialled, browse):
    page = browse("supervisor", "/live/", width=1366, height=850)
    page.locator(
        ".tile[data-state=answered]:has(.line[data-speaker=ai]):has(.line[data-speaker=caller])"
    ).first.wait_for()
    picture(page, "live")
    page.goto(f"/calls/{(worth_a_picture() or conversation('en')).pk}/")
    picture(page, "call")
    page.goto(f"/campaigns/{dialled.pk}/")
    picture(page, "campaign")
    page = browse("admin", "/admin/campaigns/campaign/")
    picture(page, "admin")
