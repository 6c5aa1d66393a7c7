"""The frame around every page: signing in, navigation, language, colours, keyboard, errors."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import PEOPLE, overflow, sign_in

EVERY_SIZE = [(1366, 850), (360, 740), (1920, 1080)]


def test_signing_in_leads_each_role_to_its_page(stack, browse):
    landing = {"admin": "/live/", "supervisor": "/live/", "agent": "/live/home/"}
    for role, username in PEOPLE.items():
        page = browse("nobody", "/")
        assert "/accounts/login/" in page.url
        sign_in(page, username, stack.logins()[username]["password"])
        assert page.url.removeprefix(stack.origin) == landing[role]


def test_a_demo_login_is_one_click(stack, browse, accessible):
    page = browse("nobody", "/accounts/login/")
    accessible(page)
    page.get_by_role("button", name=re.compile("Supervisor")).click()
    page.wait_for_url("**/live/")


def test_a_wrong_password_is_said_in_words_and_locks_in_the_end(stack, browse, accessible):
    page = browse("nobody", "/accounts/login/", watched=False)
    for _ in range(6):
        if page.locator("#login").count() == 0:
            break
        page.locator("#login [name=username]").fill("mallory")
        page.locator("#login [name=password]").fill("guess")
        page.locator("#login button.btn-primary").click()
        page.wait_for_load_state()
        if page.locator("#login").count():
            expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("heading", name="Too many tries")).to_be_visible()
    accessible(page)


def test_signing_out_ends_on_the_sign_in_page(stack, browse):
    page = browse("nobody", "/accounts/login/")
    sign_in(page, "bob", stack.logins()["bob"]["password"])
    page.get_by_label(re.compile("Your menu")).click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), EVERY_SIZE)
def test_every_part_is_accessible_in_every_size_and_colour(browse, accessible, width, height, dark):
    page = browse("supervisor", "/styleguide/", width=width, height=height, dark=dark)
    accessible(page)
    assert overflow(page) <= 0


def test_dark_is_kept_and_drawn_by_the_server(stack, browse):
    page = browse("nobody", "/accounts/login/")
    page.get_by_label("Appearance").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.wait_for_function("document.cookie.includes('theme=dark')")
    html = page.request.get("/accounts/login/").text()
    assert 'data-bs-theme="dark"' in html, "otherwise the page would flash in the wrong colours"


def test_language_is_chosen_in_the_header(browse):
    page = browse("nobody", "/accounts/login/")
    page.get_by_label("Language").click()
    page.get_by_role("button", name="Čeština").click()
    expect(page.locator("html")).to_have_attribute("lang", "cs")


def test_slash_searches_and_question_mark_helps(browse, accessible):
    page = browse("supervisor", "/live/search/")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("solar")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=re.compile("solar", re.IGNORECASE)).first).to_be_visible()
    accessible(page)
    page.locator("body").click(position={"x": 700, "y": 700})
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    accessible(page)
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()


def test_keyboard_reaches_the_content_first(browse):
    page = browse("supervisor", "/styleguide/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_navigation_folds_and_stays_folded(browse):
    page = browse("supervisor", "/styleguide/")
    page.get_by_role("button", name="Icons only").click()
    expect(page.locator("html")).to_have_attribute("data-nav", "compact")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-nav", "compact")


def test_navigation_slides_in_on_a_phone(browse, accessible):
    page = browse("supervisor", "/styleguide/", width=360, height=740)
    expect(page.locator("#nav")).not_to_be_in_viewport()
    page.get_by_label("Open the navigation").click()
    expect(page.locator("#nav")).to_be_in_viewport()
    accessible(page)
    page.keyboard.press("Escape")
    expect(page.locator("#nav")).not_to_be_in_viewport()


def test_controls_are_large_enough_for_a_finger(browse):
    page = browse("supervisor", "/styleguide/", width=360, height=740)
    controls = "button, .btn, .chip, .tab, summary, select, input:not([type=hidden], [type=checkbox], [type=file])"
    small = page.locator(controls).evaluate_all(
        """all => all.filter((el) => el.checkVisibility() && el.getBoundingClientRect().height < 43.5)
               .map((el) => el.outerHTML.slice(0, 90))"""
    )
    assert small == []


def test_questions_and_toasts_close_by_key_and_button(browse):
    page = browse("supervisor", "/styleguide/")
    page.locator("[data-opens=sample-stop]").click()
    dialog = page.locator("#sample-stop")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.locator("[data-toast=bad]").click()
    toast = page.locator("#toasts .alert")
    expect(toast).to_be_visible()
    toast.get_by_role("button").click()
    expect(toast).to_have_count(0)


def test_pages_that_are_not_there_or_not_open_have_words_and_a_way_on(browse, accessible):
    for role, path in (("supervisor", "/nowhere/"), ("agent", "/live/")):
        page = browse(role, path, watched=False)
        accessible(page)
        expect(page.get_by_role("link", name="To the start page")).to_be_visible()


def test_sign_in_works_without_javascript(stack, browser):
    context = browser.new_context(base_url=stack.origin, java_script_enabled=False)
    page = context.new_page()
    page.goto("/accounts/login/")
    sign_in(page, "alice", stack.logins()["alice"]["password"])
    assert page.url.endswith("/live/")
    expect(page.get_by_text("needs JavaScript")).to_be_visible()
    context.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_back_office_wears_the_same_colours_under_the_same_policy(browse, accessible, dark):
    surface = "selector => getComputedStyle(document.querySelector(selector)).backgroundColor"
    page = browse("admin", "/live/search/", dark=dark)
    ours = page.evaluate(surface, "#nav")
    models = ("campaigns/campaign", "calls/call", "calls/virtualagent", "contacts/contact", "accounts/user")
    for path in ("", *(f"{model}/" for model in models), "campaigns/campaign/add/", "calls/virtualagent/add/"):
        page.goto(f"/admin/{path}")
        assert page.evaluate(surface, "#header") == ours
        accessible(page, strict=False)  # Django's own markup leaves some best practices out
