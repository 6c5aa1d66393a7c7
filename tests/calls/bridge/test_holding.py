import itertools

import pytest

from apps.calls.bridge.sink import Cause
from apps.calls.media.frames import Audio, Dtmf, SpeechStarted
from apps.calls.voice_ai.base import VoiceAIError
from apps.core import breaker
from tests.calls.bridge.fakes import PHRASES, Conversation

LOST = VoiceAIError("closed_1006", retryable=True)
REFUSED = VoiceAIError("http_401", retryable=False)
VOICE = Audio.of(bytes(range(0, 160)))  # full scale, to and fro


@pytest.fixture(autouse=True)
def _breakers():
    breaker.close("fake")


async def begun(**options) -> Conversation:
    talk = Conversation(phrases=PHRASES, burst_s=1000.0, **options).start()
    await talk.settle()
    await talk.speaks("a1", "Hello.", 500)
    await talk.wait(1.0)
    return talk


def away(talk: Conversation) -> None:
    talk.ai.open_errors = [LOST] * 9


async def test_a_caller_is_asked_to_wait_within_a_second_of_the_loss():
    talk = await begun()
    away(talk)
    await talk.lose()
    assert talk.spoken_by_us == []
    await talk.wait(0.6)
    [turn] = talk.spoken_by_us
    assert (turn.text, turn.ended_ms - turn.started_ms) == ("One moment.", 1000)
    assert talk.line.of(Audio)[-1] is PHRASES.waits["en"][0].pieces[0]
    await talk.hang_up()


async def test_the_phrases_change_and_leave_pauses_while_it_lasts():
    talk = await begun()
    away(talk)
    await talk.lose()
    await talk.wait(20)
    assert [turn.text for turn in talk.spoken_by_us] == ["One moment.", "Still here.", "One moment.", "Still here."]
    starts = [turn.started_ms for turn in talk.spoken_by_us]
    assert all(5900 <= later - earlier <= 6400 for earlier, later in itertools.pairwise(starts))
    await talk.hang_up()


async def test_a_phrase_waits_for_what_the_carrier_still_plays():
    talk = await begun()
    away(talk)
    await talk.speaks("a2", "One two three four", 3000, done=False)
    await talk.lose()
    await talk.wait(2.5)
    assert talk.spoken_by_us == []
    await talk.wait(0.7)
    assert talk.spoken_by_us[0].started_ms >= talk.sink.last("a2").ended_ms
    await talk.hang_up()


async def test_a_provider_that_is_back_at_once_needs_no_phrase_and_no_apology():
    talk = await begun(reconnect_delays_s=(0.1,))
    await talk.lose()
    await talk.wait(3)
    assert talk.spoken_by_us == []
    assert len(talk.ai.all("speak")) == 1
    await talk.hang_up()


async def test_who_was_asked_to_wait_is_spoken_to_when_the_provider_is_back():
    talk = await begun()
    await talk.lose()
    await talk.wait(1.2)
    assert len(talk.spoken_by_us) == 1
    assert "go on with the conversation" in talk.ai.all("speak")[-1][1]
    await talk.speaks("a2", "Sorry about that.", 1000)
    await talk.wait(20)
    assert len(talk.spoken_by_us) == 1
    await talk.hang_up()


async def test_a_phrase_that_is_interrupted_is_cut_and_no_provider_is_told():
    talk = await begun()
    await talk.lose()
    await talk.wait(1.1)
    await talk.says(SpeechStarted("u1", 0))
    assert talk.n_clears == 1
    assert talk.ai.all("cut") == []
    cut = talk.spoken_by_us[-1]
    assert cut.was_interrupted
    assert cut.ended_ms - cut.started_ms < 1000
    await talk.hang_up()


async def test_phrases_are_no_part_of_what_the_next_provider_is_told():
    talk = await begun()
    await talk.lose()
    await talk.wait(1.2)
    assert [past.text for past in talk.ai.opened[-1]] == ["Hello."]
    await talk.hang_up()


async def test_a_caller_who_is_speaking_is_not_talked_over_at_once():
    talk = await begun()
    away(talk)
    await talk.hears(*[VOICE] * 10)
    await talk.lose()
    await talk.wait(1.5)
    assert talk.spoken_by_us == []
    await talk.wait(1.5)
    assert len(talk.spoken_by_us) == 1
    await talk.hang_up()


async def test_the_phrase_is_in_the_language_spoken_now():
    talk = await begun()
    away(talk)
    await talk.session.change_language("es")
    await talk.lose()
    await talk.wait(1)
    assert [(turn.text, turn.language) for turn in talk.spoken_by_us] == [("Un momento.", "es")]
    await talk.hang_up()


async def test_a_language_without_phrases_is_silent_and_goes_on():
    talk = Conversation(phrases=PHRASES.__class__()).start()
    await talk.settle()
    await talk.lose()
    await talk.wait(1.1)
    assert len(talk.ai.opened) == 2
    await talk.hang_up()


# ── Nobody is left ──────────────────────────────────────────────────────────────────────────────────────────
async def test_when_nobody_is_left_the_caller_hears_an_apology_and_is_called_back():
    talk = await begun()
    talk.ai.open_errors = [REFUSED]
    await talk.lose()
    await talk.wait(1.1)
    assert talk.sink.n_given_up == 1
    assert talk.spoken_by_us[-1].text == "Sorry, we call back."
    assert talk.is_running
    await talk.wait(3.5)
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.AI_FAILED, "http_401")
    assert talk.told("gave_up") == [{"is_transferred": False}]
    assert not talk.spoken_by_us[-1].was_interrupted
    assert talk.hung_up


async def test_when_nobody_is_left_a_person_takes_over_if_there_is_one():
    talk = await begun(last_resort_transfer_to="+12125550123")
    talk.ai.open_errors = [REFUSED]
    await talk.lose()
    await talk.wait(6)
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.TRANSFERRED, "+12125550123")
    assert talk.spoken_by_us[-1].text == "Sorry, here is a colleague."
    assert talk.sink.n_given_up == 0


async def test_a_caller_who_does_not_wait_for_the_apology_is_called_back_all_the_same():
    talk = await begun(last_resort_transfer_to="")
    talk.ai.open_errors = [REFUSED]
    await talk.lose()
    await talk.wait(1.1)
    await talk.hang_up()
    assert talk.sink.n_given_up == 1


async def test_keys_pressed_meanwhile_are_told_when_the_provider_is_back():
    talk = await begun()
    away(talk)
    await talk.lose()
    await talk.hears(Dtmf("4"), Dtmf("2"))
    await talk.wait(1.5)
    talk.ai.open_errors = []
    await talk.wait(3)
    assert talk.ai.all("note") == [("note", "The caller pressed 42.")]
    await talk.hang_up()
