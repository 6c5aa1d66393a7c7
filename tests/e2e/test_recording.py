"""Listening to a call in a real browser, and pausing the recording of one that is running."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.calls.models import Call, CallEvent, Recording
from tests.e2e.conftest import overflow, shots
from tests.stack import wait_for

LONG_MS = 8000


def listened_to(**fields) -> Recording | None:
    """A recording that is long enough to move about in, of a call that is over and in which both sides spoke."""
    ready = Recording.objects.ready().filter(duration_ms__gt=LONG_MS, call__ended_at__isnull=False, **fields)
    both = ready.filter(call__turns__speaker="caller").filter(call__turns__speaker="ai")
    return both.distinct().order_by("-pk").first()


@pytest.fixture
def recording(campaign) -> Recording:
    wait_for(listened_to, "a call was recorded", timeout_s=120)
    found = listened_to()
    assert found is not None
    return found


def now(page: Page) -> float:
    return float(page.evaluate("document.querySelector('[data-sound]').currentTime"))


def test_a_supervisor_listens_while_the_transcript_follows(recording, browse, accessible):
    page = browse("supervisor", f"/calls/{recording.call_id}/")
    wave, play = page.get_by_role("slider"), page.locator("[data-toggle]")
    expect(wave).to_have_attribute("aria-valuenow", "0")
    accessible(page)
    play.click()
    expect(page.locator("[data-player]")).to_have_attribute("data-state", "playing")
    expect(play).to_have_accessible_name("Pause")
    wait_for(lambda: now(page) > 0.7, "the sound is heard")
    expect(page.locator(".turn[aria-current=true]")).to_have_count(1)
    play.click()
    expect(page.locator("[data-player]")).to_have_attribute("data-state", "paused")
    stopped = now(page)
    # By keyboard, by the wave, by the transcript; and the address bears where one is.
    wave.focus()
    page.keyboard.press("ArrowRight")
    assert now(page) == pytest.approx(min(stopped + 5, recording.duration_s), abs=0.2)
    page.keyboard.press("Home")
    assert now(page) == pytest.approx(0, abs=0.05)
    box = wave.bounding_box()
    assert box is not None
    wave.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    assert now(page) == pytest.approx(recording.duration_s / 2, rel=0.02)
    assert re.search(rf"#t={int(recording.duration_s / 2)}$", page.url)
    turn = page.locator(".turn").nth(1)
    begins_s = int(turn.get_attribute("data-started") or 0) / 1000
    turn.locator(".turn-jump").click()
    expect(turn).to_have_attribute("aria-current", "true")
    wait_for(lambda: begins_s <= now(page) < begins_s + 3, "it plays from there")
    page.get_by_label("Speed").select_option("1.5")
    assert page.evaluate("document.querySelector('[data-sound]').playbackRate") == 1.5
    assert page.locator("canvas").evaluate(_IS_DRAWN), "there is a wave"
    wait_for(
        lambda: CallEvent.objects.filter(call=recording.call, kind="recording_played").count() == 1,
        "who listened stands in the call's story, once",
    )
    page.screenshot(path=shots() / "recording.png")


_IS_DRAWN = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) colours.add(data.slice(i, i + 3).join());
  return colours.size >= 3;
}"""


def test_an_address_with_a_time_opens_there(recording, browse):
    page = browse("supervisor", f"/calls/{recording.call_id}/#t=4")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "4")
    page.locator("[data-toggle]").click()
    wait_for(lambda: 4 <= now(page) < 8, "it plays from there")


def test_on_a_phone_in_the_dark_in_spanish_everything_is_in_reach(recording, browse, accessible):
    page = browse("supervisor", f"/calls/{recording.call_id}/", language="es", width=360, height=740, dark=True)
    expect(page.get_by_role("slider")).to_be_visible()
    assert overflow(page) <= 0
    accessible(page)
    for control in page.locator(".player button:visible, .player select, .player a:visible, .player label").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    page.screenshot(path=shots() / "recording-phone-es.png")


def test_without_a_script_it_is_the_browser_s_own_player(recording, browse, browser, stack):
    state = browse("supervisor", "/calls/").context.storage_state()
    context = browser.new_context(base_url=stack.origin, storage_state=state, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/calls/{recording.call_id}/")
    expect(page.locator("audio[controls]")).to_be_visible()
    expect(page.locator("[data-wave]")).to_be_hidden()
    context.close()


def test_a_pause_by_a_supervisor_is_silence_in_the_recording(campaign, browse):
    page = browse("supervisor", "/calls/")

    def pause_one() -> Call | None:
        """One that has just begun, so that it is still running when it is paused."""
        since = timezone.now() - timedelta(seconds=4)
        call = Call.objects.live().filter(answered_at__gt=since, recordings__state="recording").last()
        if call is None:
            return None
        page.goto(f"/calls/{call.pk}/")
        button = page.get_by_role("button", name="Pause the recording")
        if not button.is_visible():
            return None
        button.click()
        page.wait_for_load_state()
        happened = CallEvent.objects.filter(call=call, kind="recording_paused")
        try:
            wait_for(happened.exists, "it pauses", timeout_s=3)
        except AssertionError:
            return None
        return call

    paused: list[Call] = []

    def found() -> bool:
        if (call := pause_one()) is not None:
            paused.append(call)
        return bool(paused)

    wait_for(found, "a running call's recording was paused", timeout_s=90)
    call = paused[0]
    page.reload()
    if Call.objects.live().filter(pk=call.pk).exists():
        expect(page.get_by_role("button", name="Record again").or_(page.locator("[data-player]"))).to_be_visible()
    wait_for(lambda: Recording.objects.ready().filter(call=call).exists(), "the call is over and stored", timeout_s=90)
    recording = Recording.objects.get(call=call)
    assert [why for _, _, why in recording.paused] == ["staff"]
    page.goto(f"/calls/{call.pk}/")
    expect(page.get_by_text("Not recorded from")).to_be_visible()
    asked = CallEvent.objects.get(call=call, kind="recording_asked")
    assert asked.data["act"] == "pause"
