"""The live page, watched while the demo campaign dials the sandbox."""

import contextlib
import re

import pytest
from django_redis import get_redis_connection
from playwright.sync_api import Page, expect

from apps.calls.models import Call, Carrier, EndReason, Leg, Number
from apps.calls.services.story import announce
from apps.calls.states import LegState
from apps.campaigns.models import Campaign
from apps.core import breaker
from apps.core.realtime import publish
from tests.e2e.conftest import card_of, hang_up_everywhere, overflow, somebody_talking
from tests.stack import StackError, wait_for

TALKING = ".tile[data-state=answered]"
BOTH_SPOKE = f"{TALKING}:has(.line[data-speaker=ai]):has(.line[data-speaker=caller])"


def figures(page: Page) -> dict[str, str]:
    return dict(
        page.locator("[data-figure]").evaluate_all("all => all.map((el) => [el.dataset.figure, el.textContent])")
    )


def counts(page: Page) -> dict[str, str]:
    """Each campaign's figures by its name."""
    texts = """all => all.map((el) => [el.querySelector("[data-name]").textContent,
        [...el.querySelectorAll("[data-n]")].map((n) => `${n.dataset.n} ${n.textContent}`).join(", ")])"""
    return dict(page.locator(".campaign").evaluate_all(texts))


def test_a_supervisor_starts_a_campaign_and_watches_a_call(waiting_campaign, browse, accessible):
    page = browse("supervisor", "/live/")
    expect(page.get_by_text("No calls right now")).to_be_visible()
    accessible(page)
    card = card_of(page, waiting_campaign)
    card.get_by_role("link", name="Start").click()
    question = page.locator("#live-question")
    expect(question.get_by_role("heading")).to_have_text(re.compile(r"Call \d+ people starting now\?"))
    accessible(page)
    question.get_by_role("button", name=re.compile(r"Call \d+ people")).click()
    expect(card.locator("[data-badge=campaign-running]")).to_be_visible()

    page.locator(BOTH_SPOKE).first.wait_for()
    accessible(page)
    page.locator(f"{BOTH_SPOKE} .tile-link").first.click()
    panel = page.locator("#panel")
    panel.locator("[data-call]").wait_for()
    name = Call.objects.get(pk=int(page.url.split("call=")[1])).contact.name
    expect(panel.get_by_role("heading", name=name)).to_be_visible()
    expect(panel.locator(".turn[data-speaker=ai]").first).to_be_visible()
    expect(panel.locator(".turn[data-speaker=caller]").first).to_be_visible()
    accessible(page)

    said = panel.locator(".turn").count()
    page.reload()
    expect(panel.get_by_role("heading", name=name)).to_be_visible()
    assert panel.locator(".turn").count() >= said, "the address brings back the same conversation"
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert "call=" not in page.url


def test_figures_grown_from_deltas_equal_a_fresh_page(stack, browse, campaign):
    """Old state + deltas = fresh snapshot. What ticks is left out; what counts is compared."""
    watching = browse("supervisor", "/live/")
    watching.locator(TALKING).first.wait_for()
    tried = Call.objects.exclude(outcome="").count()
    wait_for(lambda: Call.objects.exclude(outcome="").count() > tried + 5, "more calls end", timeout_s=60)
    card_of(watching, campaign).get_by_role("link", name="Pause").click()
    watching.locator("#live-question").get_by_role("button", name="Pause").click()
    hang_up_everywhere()
    expect(watching.get_by_text("No calls right now")).to_be_visible()
    fresh = browse("supervisor", "/live/")
    fresh.locator("#connection[data-state=live]").wait_for()
    with contextlib.suppress(StackError):  # the last deltas may still be on their way
        wait_for(
            lambda: figures(watching) == figures(fresh) and counts(watching) == counts(fresh), "equal", timeout_s=10
        )
    assert figures(watching) == figures(fresh)
    assert counts(watching) == counts(fresh)
    assert figures(fresh)["now"] == "0"
    assert campaign.name in counts(fresh)
    card_of(watching, campaign).get_by_role("link", name="Resume").click()
    watching.locator("#live-question").get_by_role("button", name=re.compile("Go on with")).click()
    expect(card_of(watching, campaign).locator("[data-badge=campaign-running]")).to_be_visible()


def test_a_lost_line_veils_the_board_and_heals_without_a_reload(stack, browse, campaign, accessible):
    page = browse("supervisor", "/live/", watched=False)  # refused connections are in the console, rightly
    page.locator("#connection[data-state=live]").wait_for()
    page.evaluate("window.isTheSamePage = true")
    stack.kill("web")
    try:
        expect(page.locator("#stale")).to_be_visible()
        expect(page.locator("#stale-age")).not_to_have_text("0:00")
        expect(page.locator("#connection")).to_have_attribute("data-state", "behind")
        accessible(page)
        page.locator("[data-ask]:visible").first.click()
        expect(page.locator("#toasts .alert[data-tone=bad]")).to_be_visible()
    finally:
        stack.start("web")
        stack.wait_until_ready()
    expect(page.locator("#stale")).to_be_hidden(timeout=30_000)
    assert page.evaluate("window.isTheSamePage")
    page.locator(".tile").first.wait_for()


def test_a_missing_delta_is_noticed_and_made_good(stack, browse):
    """A number is taken and never sent, as by a process that died in between: the next delta shows the gap."""
    page = browse("supervisor", "/live/")
    page.locator("#connection[data-state=live]").wait_for()
    page.evaluate(
        """() => { const send = WebSocket.prototype.send; window.asked = 0;
                   WebSocket.prototype.send = function (text) { window.asked += 1; return send.call(this, text); }; }"""
    )
    get_redis_connection("default").incr("cc:realtime:seq:live")
    publish("live", "nothing", {})
    wait_for(lambda: page.evaluate("window.asked > 0"), "the page asks for a snapshot")


def test_a_supervisor_ends_a_call(stack, browse, campaign):
    page = browse("supervisor", "/live/")
    call_id = somebody_talking().call_id
    page.locator(f".tile-link[data-call='{call_id}']").click()
    page.locator("#panel [data-end]").wait_for()
    assert page.url.endswith(f"call={call_id}")
    page.locator("#panel [data-end]").click()
    page.locator("#live-question").get_by_role("button", name="End the call").click()
    expect(page.locator("#toasts")).to_contain_text(re.compile("being ended|was over"))
    call = wait_for(lambda: Call.objects.filter(pk=call_id, ended_at__isnull=False).first(), "the call ends")
    assert call.end_reason in {EndReason.STAFF_ENDED, EndReason.CALLER_HUNG_UP, EndReason.AI_ENDED}
    expect(page.locator("#panel [data-end]")).to_have_count(0)
    expect(page.locator("#panel [data-badge^=outcome]")).to_be_visible()


def test_who_is_signed_out_elsewhere_sees_no_more_calls(stack, browse, browser):
    page = browse("nobody", "/accounts/login/", watched=False)
    page.get_by_role("button", name=re.compile("Supervisor")).click()
    page.locator("#connection[data-state=live]").wait_for()
    other = page.context.new_page()
    other.goto("/live/search/")
    other.get_by_label(re.compile("Your menu")).click()
    other.get_by_role("button", name="Sign out").click()
    expect(page.locator("#refused")).to_be_visible(timeout=60_000)


def test_calls_that_wait_or_went_wrong_are_told_apart_without_colour(stack, browse, campaign):
    page = browse("supervisor", "/live/")
    page.locator(TALKING).first.wait_for()
    look = "all => all.map((el) => [el.querySelectorAll('svg').length, el.textContent.trim()])"
    badges = page.locator(".tile .status:visible").evaluate_all(look)
    assert badges
    assert all(n_icons == 1 and text for n_icons, text in badges), badges


def test_trouble_comes_first(stack, browse, campaign):
    page = browse("supervisor", "/live/")
    page.locator(TALKING).first.wait_for()

    leg = somebody_talking()
    Leg.objects.filter(pk=leg.pk).update(state=LegState.UNKNOWN)  # as when the carrier does not answer about it
    announce(leg.call)
    expect(page.locator(".tile").first.locator("[data-badge=leg-unknown]")).to_be_visible()
    Leg.objects.live().filter(pk=leg.pk).update(state=LegState.ANSWERED)


def test_a_carrier_that_does_not_answer_is_told_of_until_an_admin_has_it_asked_again(
    stack, browse, campaign, accessible
):
    campaign.numbers.set(Number.objects.all())  # of both carriers
    page = browse("supervisor", "/live/")
    card = card_of(page, campaign)
    expect(card.locator("[data-badge=campaign-running]")).to_be_visible()
    breaker.open(Carrier.TWILIO, for_s=600)
    try:
        theirs = Leg.objects.filter(carrier=Carrier.TELNYX)
        n_before = theirs.count()
        expect(page.locator("#services-away")).to_contain_text("Twilio")
        expect(card).to_contain_text("Twilio does not answer: going on with Telnyx numbers.")
        accessible(page)
        wait_for(lambda: theirs.count() > n_before, "the campaign dials by the other carrier", timeout_s=60)

        admin = browse("admin", "/live/services/")
        row = admin.locator("tr").filter(has=admin.get_by_role("button", name="Reset Twilio", exact=True))
        expect(row).to_contain_text("not asked")
        accessible(admin)
        row.get_by_role("button").click()
        expect(admin.get_by_text("Twilio is asked again.")).to_be_visible()
        expect(page.locator("#services-away")).not_to_contain_text("Twilio")
        expect(card.locator("[data-carriers]")).to_be_hidden()
    finally:
        breaker.close(Carrier.TWILIO)


def test_keyboard_walks_the_tiles(stack, browse, campaign):
    page = browse("supervisor", "/live/")
    page.locator(".tile").nth(1).wait_for()
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.dataset.call")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.call") != first
    page.keyboard.press("Enter")
    page.locator("#panel [data-call]").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "es", "cs"])
def test_it_fits_in_every_language(stack, browse, campaign, accessible, language):
    page = browse("supervisor", "/live/", language=language, width=360, height=740)
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.locator(".tile").first.wait_for()
    for width in (360, 800, 1366):
        page.set_viewport_size({"width": width, "height": 800})
        assert overflow(page) <= 0, f"{width} px"
        accessible(page)


def test_the_wall_shows_no_menus_and_nothing_cut_off(stack, browse, campaign, accessible):
    Campaign.objects.filter(pk=campaign.pk).update(max_concurrent=12)
    page = browse("supervisor", "/live/?wall=1", width=1920, height=1080)
    page.locator(".tile").nth(8).wait_for()
    expect(page.locator("#nav")).to_be_hidden()
    accessible(page)
    cut = page.locator(".tile:not([data-below])").evaluate_all(
        "all => all.filter((el) => el.getBoundingClientRect().bottom > innerHeight).length"
    )
    assert cut == 0


def test_the_tour_is_five_steps_and_stays_away(stack, browse, accessible):
    page = browse("supervisor", "/live/", tour=True)
    tour = page.locator("#tour")
    expect(tour).to_be_visible()
    accessible(page)
    for n in range(1, 6):
        expect(tour.locator("[data-tour-count]")).to_have_text(f"{n} of 5")
        tour.locator("[data-tour-next]").click()
    expect(tour).to_be_hidden()
    page.reload()
    page.locator("#connection[data-state=live]").wait_for()
    expect(tour).to_have_count(0)
