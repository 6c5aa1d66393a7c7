import asyncio

import pytest
from prometheus_client import REGISTRY

from apps.calls.bridge.metrics import loss_label
from apps.calls.bridge.sink import Cause
from apps.calls.media.frames import (
    AiTranscript,
    Audio,
    CallerTranscript,
    Expiring,
    Failed,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
)
from apps.calls.voice_ai.base import PastTurn, VoiceAIError
from apps.core import breaker
from tests.calls.bridge.fakes import FRAME, Conversation

LOST = VoiceAIError("closed_1006", retryable=True)
REFUSED = VoiceAIError("http_401", retryable=False)
OPEN = VoiceAIError("circuit_open", retryable=True)


@pytest.fixture(autouse=True)
def _breakers():
    for service in (services := ("fake", "first", "second", "third")):
        breaker.close(service)
    yield
    for service in services:
        breaker.close(service)


@pytest.fixture
async def talk():
    conversation = Conversation().start()
    await conversation.settle()
    yield conversation
    if conversation.is_running:
        await conversation.hang_up()


@pytest.fixture
async def pair():
    """A conversation with somebody to take over."""
    conversation = Conversation(providers=("first", "second")).start()
    await conversation.settle()
    yield conversation
    if conversation.is_running:
        await conversation.hang_up()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"callcentre_{name}_total", labels) or 0.0


# ── Opened again ────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_waits_double_from_one_second_to_sixteen_and_then_it_is_enough(talk):
    talk.ai.open_errors = [LOST] * 9
    began = talk.clock.now
    await talk.lose()
    tried_at = []
    for _ in range(400):
        before = len(talk.ai.open_errors)
        await talk.wait(0.1)
        if len(talk.ai.open_errors) < before:
            tried_at.append(round(talk.clock.now - began))
    assert tried_at == [1, 3, 7, 15, 31]
    assert (await talk.end()).cause is Cause.AI_FAILED


@pytest.mark.parametrize(("jitter", "at"), [(0.0, 0.8), (1.0, 1.2)])
async def test_the_waits_are_spread_so_that_not_all_calls_knock_at_once(jitter, at):
    talk = Conversation(jitter=jitter).start()
    await talk.settle()
    await talk.lose()
    await talk.wait(at - 0.05)
    assert len(talk.ai.opened) == 1
    await talk.wait(0.1)
    assert len(talk.ai.opened) == 2
    await talk.hang_up()


async def test_being_back_is_told_and_counted(talk):
    before = counted("reconnects", voice_ai="fake", result="back")
    talk.ai.open_errors = [LOST]
    await talk.lose()
    await talk.wait(3.1)
    assert talk.told("reconnected") == [{"voice_ai": "fake", "after_ms": 3000, "n_tries": 2}]
    assert [data["voice_ai"] for data in talk.told("ai_failed")] == ["fake", "fake"]
    assert counted("reconnects", voice_ai="fake", result="back") == before + 1


async def test_a_provider_that_ends_the_conversation_by_itself_is_opened_again(talk):
    await talk.says(None)
    await talk.wait(1.1)
    assert len(talk.ai.opened) == 2


async def test_tries_count_anew_after_a_connection_that_lasted(talk):
    for _ in range(4):
        await talk.lose()
        await talk.wait(1.1)
        await talk.wait(11.0)
    assert len(talk.ai.opened) == 5


async def test_a_connection_that_never_lasts_is_given_up(talk):
    for delay_s in (1, 2, 4, 8, 16):
        await talk.lose()
        await talk.wait(delay_s + 0.1)
    await talk.lose()
    await talk.wait(0.2)
    assert (await talk.end()).cause is Cause.AI_FAILED


async def test_a_loss_in_a_call_counts_for_the_breaker(talk):
    for _ in range(5):
        breaker.count_failure("fake")
    assert breaker.state_of("fake") == "open"
    breaker.close("fake")
    for _ in range(4):
        breaker.count_failure("fake")
    await talk.lose()
    assert breaker.state_of("fake") == "open"


async def test_a_refusal_with_a_reason_does_not_count_for_the_breaker(talk):
    for _ in range(4):
        breaker.count_failure("fake")
    await talk.says(Failed("insufficient_quota", "Pay first.", is_fatal=True))
    assert breaker.state_of("fake") == "closed"


# ── Nothing is lost ─────────────────────────────────────────────────────────────────────────────────────────
async def test_what_was_heard_of_a_broken_sentence_is_kept_and_told_to_the_next(talk):
    await talk.speaks("a0", "Hello.", 500)
    await talk.wait(1.0)
    await talk.speaks("a1", "One two three four", 2000, done=False)
    await talk.says(AiTranscript("a1", " five six"))  # its sound never came
    await talk.lose()
    turn = talk.sink.last("a1")
    assert (turn.text, turn.was_interrupted) == ("One two three four", True)
    await talk.wait(1.1)
    assert talk.ai.opened[-1] == [PastTurn("ai", "Hello."), PastTurn("ai", "One two three four")]
    assert "go on with the conversation" in talk.ai.all("speak")[-1][1]


async def test_a_broken_sentence_that_still_plays_can_be_interrupted_without_a_word_to_the_new_connection(talk):
    await talk.speaks("a1", "One two three four", 4000, done=False)
    await talk.lose()
    await talk.wait(1.1)
    await talk.says(SpeechStarted("u1", 0))
    assert talk.n_clears == 1
    assert talk.ai.all("cut") == []
    assert talk.sink.last("a1").text == "One"


async def test_what_a_connection_had_no_time_to_notice_is_heard_by_the_next(talk):
    frames = [Audio.of(bytes([i]) * 160) for i in range(150)]
    await talk.wait(3.0)
    await talk.lose()
    await talk.hears(*frames[:100])
    await talk.wait(1.3)  # it is back, and has been given all that was kept; nobody has heard of it yet
    assert len(talk.ai.heard) > 20
    n_before = len(talk.ai.heard)
    await talk.lose()
    await talk.hears(*frames[100:])
    await talk.wait(4.0)
    assert talk.ai.heard[n_before : n_before + 150] == frames


async def test_sound_of_the_gap_is_given_to_the_provider_when_it_is_back(talk):
    await talk.wait(2.5)
    await talk.hears(FRAME)
    await talk.lose()
    frames = [Audio.of(bytes([i]) * 160) for i in range(40)]
    for frame in frames:
        await talk.hears(frame)
        await talk.wait(0.02)
    assert talk.ai.heard == [FRAME]
    await talk.wait(1.0)
    assert talk.ai.heard == [FRAME, *frames]
    await talk.hears(FRAME)
    assert talk.ai.heard[-1] == FRAME
    assert talk.ai.all("forget") == []


async def test_the_gap_is_caught_up_with_in_order_and_not_all_at_once(talk):
    await talk.lose()
    frames = [Audio.of(bytes([i]) * 160) for i in range(50)]
    await talk.hears(*frames)
    await talk.wait(1.001)
    assert 0 < len(talk.ai.heard) <= 20
    late = Audio.of(b"\x99" * 160)
    await talk.hears(late)
    await talk.wait(0.5)
    assert talk.ai.heard == [*frames, late]


async def test_of_a_long_gap_the_latest_seconds_are_kept_and_the_rest_is_counted():
    talk = Conversation(gap_ms=1000.0, reconnect_delays_s=(30.0,), burst_s=100.0).start()
    await talk.settle()
    before = counted("media_frames_dropped", source="caller")
    await talk.lose()
    frames = [Audio.of(bytes([i]) * 160) for i in range(80)]
    await talk.hears(*frames)
    await talk.wait(31.0)
    assert talk.ai.heard == frames[30:]
    await talk.hang_up()
    assert counted("media_frames_dropped", source="caller") == before + 30


async def test_an_utterance_cut_by_the_loss_is_heard_again_from_its_beginning(talk):
    frames = [Audio.of(bytes([i]) * 160) for i in range(100)]
    for frame in frames:
        await talk.hears(frame)
        await talk.wait(0.02)
    await talk.says(SpeechStarted("u1", 1000), CallerTranscript("u1", "I would"))
    await talk.lose()
    assert talk.ai.all("forget") == [("forget",)]  # or the end of it would be heard twice
    heard_before = len(talk.ai.heard)
    for _ in range(100):
        await talk.hears(FRAME)
        await talk.wait(0.02)
    again = talk.ai.heard[heard_before:]
    assert again[: 70 + 50] == [*frames[30:], *[FRAME] * 50]  # from 400 ms before it began, and then the gap
    assert [turn for turn in talk.sink.turns if turn.text == "I would"] == []  # the next one will tell all of it
    await talk.says(SpeechStarted("u2", 400), CallerTranscript("u2", "I would like that.", is_final=True))
    assert talk.sink.last("u2").started_ms == pytest.approx(1000, abs=40)


async def test_of_an_utterance_too_long_to_be_heard_again_the_words_known_are_kept():
    talk = Conversation(burst_s=100.0).start()
    await talk.settle()
    await talk.says(SpeechStarted("u1", 0), CallerTranscript("u1", "Once upon a time"))
    for _ in range(500):
        await talk.hears(FRAME)
        await talk.wait(0.02)
    await talk.lose()
    assert talk.sink.last("u1").text == "Once upon a time"
    await talk.hang_up()


async def test_the_caller_is_not_greeted_again(talk):
    await talk.speaks("a1", "Hello, an AI speaking.", 1000)
    await talk.wait(1.5)
    await talk.says(SpeechStarted("u1", 0), SpeechStopped("u1", 300))
    await talk.lose()
    await talk.wait(1.1)
    prompts = [prompt for _, prompt in talk.ai.all("speak")]
    assert len([prompt for prompt in prompts if prompt.startswith("Greet")]) == 1
    assert "Do not greet again" in prompts[-1]


async def test_the_result_of_a_tool_asked_for_before_the_loss_is_told_as_a_note(talk):
    await talk.speaks("a1", "Hello.", 500)
    talk.sink.tool_gate = asyncio.Event()
    await talk.says(ToolCall("t1", "set_disposition", "{}"))
    await talk.lose()
    talk.sink.tool_gate.set()
    await talk.settle()
    assert talk.ai.all("answer") == []
    await talk.wait(1.1)
    assert talk.ai.all("note") == [("note", "set_disposition: Done: set_disposition")]
    assert "go on with the conversation" in talk.ai.all("speak")[-1][1]


async def test_a_caller_who_hangs_up_while_no_ai_is_there_ends_the_call(talk):
    talk.ai.open_errors = [LOST] * 9
    await talk.lose()
    assert (await talk.hang_up()).cause is Cause.CALLER_HUNG_UP


async def test_a_goodbye_that_has_been_said_needs_no_ai_any_more(talk):
    talk.ai.open_errors = [LOST] * 9
    await talk.says(Audio.of(b"\x11" * 16_000, item_id="a1"), ToolCall("t1", "end_call", "{}"))
    await talk.says(TurnDone("completed", has_speech=True))
    await talk.lose()
    await talk.wait(2.5)
    assert (await talk.end()).cause is Cause.AI_ENDED


# ── Before the provider closes ──────────────────────────────────────────────────────────────────────────────
async def test_a_session_that_will_be_closed_is_opened_anew_in_a_quiet_moment(talk):
    lost, planned = (
        counted("voice_ai_lost", voice_ai="fake", code="closed"),
        counted("reconnects", voice_ai="fake", result="planned"),
    )
    await talk.speaks("a1", "How can I help you today?", 2000)
    await talk.says(Expiring(60.0))
    await talk.wait(1.5)
    assert len(talk.ai.opened) == 1  # it is still being heard
    await talk.wait(1.0)
    assert talk.ai.opened[1:] == [[PastTurn("ai", "How can I help you today?")]]
    assert talk.told("ai_failed") == []
    assert len(talk.ai.all("speak")) == 1
    assert counted("voice_ai_lost", voice_ai="fake", code="closed") == lost
    assert counted("reconnects", voice_ai="fake", result="planned") == planned + 1
    await talk.hears(FRAME)
    assert talk.ai.heard[-1] == FRAME


async def test_without_a_quiet_moment_it_is_opened_anew_just_before_the_end(talk):
    await talk.says(SpeechStarted("u1", 0), Expiring(20.0))
    await talk.wait(14.0)
    assert len(talk.ai.opened) == 1
    await talk.wait(2.0)
    assert len(talk.ai.opened) == 2


# ── The next provider ───────────────────────────────────────────────────────────────────────────────────────
async def test_when_the_tries_run_out_the_next_provider_goes_on_with_what_was_said(pair):
    before = counted("failovers", from_voice_ai="first", to_voice_ai="second")
    await pair.speaks("a1", "How can I help?", 1000)
    await pair.wait(1.5)
    await pair.says(
        SpeechStarted("u1", 1600), SpeechStopped("u1", 2000), CallerTranscript("u1", "I moved.", is_final=True)
    )
    pair.ai.open_errors = [LOST] * 9
    await pair.lose()
    await pair.wait(7.1)
    second = pair.ais["second"]
    assert second.opened == [[PastTurn("ai", "How can I help?"), PastTurn("caller", "I moved.")]]
    [(_, prompt)] = second.all("speak")
    assert "Do not greet again" in prompt
    assert pair.told("failed_over") == [{"from": "first", "to": "second", "error": "closed_1006"}]
    assert pair.sink.providers == ["first", "second"]
    assert counted("failovers", from_voice_ai="first", to_voice_ai="second") == before + 1
    assert pair.ai.all("close") == [("close",)]
    await pair.hears(FRAME)
    assert second.heard[-1] == FRAME
    assert pair.is_running


@pytest.mark.parametrize(
    ("after_s", "tries", "tried_s"),
    [(7.0, 5, 7), (7.9, 5, 7), (3.0, 5, 3), (0.0, 5, 0), (31.0, 5, 31), (100.0, 5, 31), (31.0, 2, 3)],
)
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
async def test_a_caller_waits_no_longer_than_need_be_while_somebody_else_is_there(after_s, tries, tried_s, jitter):
    talk = Conversation(
        providers=("first", "second"), jitter=jitter, failover_after_s=after_s, tries_before_failover=tries
    ).start()
    await talk.settle()
    talk.ai.open_errors = [LOST] * 9
    began = talk.clock.now
    await talk.lose()
    while not talk.ais["second"].opened:
        await talk.wait(0.1)
    assert talk.clock.now - began == pytest.approx(tried_s * (0.8 + 0.4 * jitter), abs=0.25)
    await talk.hang_up()


async def test_with_nobody_who_could_take_over_the_lost_one_is_tried_to_the_end(pair):
    breaker.open("second", for_s=600.0)
    pair.ai.open_errors = [LOST] * 9
    await pair.lose()
    await pair.wait(30.0)
    assert pair.sink.providers == ["first"]
    assert len(pair.ai.open_errors) == 5
    breaker.close("second")
    await pair.wait(1.2)
    assert pair.sink.providers == ["first", "second"]


async def test_who_has_no_credentials_cannot_take_over():
    talk = Conversation(providers=("first", "second")).start()
    await talk.settle()
    talk.ais["second"] = None
    talk.ai.open_errors = [LOST] * 9
    await talk.lose()
    await talk.wait(30.0)
    assert talk.sink.providers == ["first"]
    await talk.hang_up()


async def test_it_is_enough_that_one_of_several_could_take_over():
    talk = Conversation(providers=("first", "second", "third")).start()
    await talk.settle()
    breaker.open("second", for_s=600.0)
    talk.ais["second"].open_errors = [OPEN]
    talk.ai.open_errors = [LOST] * 9
    await talk.lose()
    await talk.wait(7.1)
    assert talk.sink.providers == ["first", "second", "third"]
    assert len(talk.ais["third"].opened) == 1
    await talk.hang_up()


async def test_time_that_the_tries_themselves_take_counts(pair):
    async def hang(*_given):
        await pair.clock.sleep(8.0)
        raise LOST

    pair.ai.open = hang
    await pair.lose()
    await pair.wait(1.0 + 8.0 + 0.1)
    assert pair.sink.providers == ["first", "second"]


@pytest.mark.parametrize("error", [OPEN, REFUSED])
async def test_an_open_breaker_and_a_final_error_do_not_wait(pair, error):
    await pair.speaks("a1", "Hello.", 500)
    pair.ai.open_errors = [error]
    await pair.lose()
    await pair.wait(1.05)
    assert len(pair.ais["second"].opened) == 1


async def test_a_provider_that_is_there_and_never_says_a_word_is_replaced_in_the_end(pair):
    pair.ai.outgoing.put_nowait(AiTranscript("a1", "Hello.", is_final=True))
    await pair.wait(16.5 + 1 + 16)
    assert pair.ais["second"].opened == []
    await pair.wait(2)
    assert pair.told("failed_over") == [{"from": "first", "to": "second", "error": "silent"}]
    assert len(pair.ai.opened) == 2


async def test_a_provider_that_takes_no_sound_any_more_is_done_without_and_hears_it_again(talk):
    await talk.speaks("a1", "Hello.", 500)
    for _ in range(4):
        talk.ai.n_dropped += 45
        await talk.hears(*[FRAME] * 50)
        await talk.wait(1.0)
    assert talk.told("ai_failed") == []
    for _ in range(2):
        talk.ai.n_dropped += 45
        await talk.hears(*[FRAME] * 50)
        await talk.wait(1.0)
    await talk.wait(2.0)
    assert [data["error"] for data in talk.told("ai_failed")] == ["deaf"]
    assert len(talk.ai.opened) == 2
    assert len(talk.ai.heard) >= 6 * 50 + 200  # what it had not taken comes once more


async def test_a_provider_that_loses_some_sound_is_slow_and_no_more(talk):
    await talk.speaks("a1", "Hello.", 500)
    for _ in range(10):
        talk.ai.n_dropped += 30
        await talk.hears(*[FRAME] * 50)
        await talk.wait(1.0)
    assert len(talk.ai.opened) == 1


async def test_a_wish_to_hang_up_goes_with_the_provider_that_had_it(talk):
    await talk.speaks("a1", "Hello.", 500)
    await talk.wait(1.0)
    await talk.says(ToolCall("t1", "end_call", "{}"))
    await talk.lose()
    await talk.wait(1.1)
    await talk.speaks("a2", "Where were we?", 500)
    await talk.wait(2.0)
    assert talk.is_running


async def test_who_was_speaking_when_the_provider_was_lost_is_not_taken_to_speak_for_ever(talk):
    await talk.speaks("a1", "Hello.", 500)
    await talk.wait(1.0)
    await talk.says(SpeechStarted("u1", 1000))
    await talk.lose()
    await talk.wait(1.1)
    await talk.speaks("a2", "Where were we?", 500)
    await talk.says(Expiring(300.0))
    await talk.wait(3.0)
    assert len(talk.ai.opened) == 3


async def test_a_first_provider_that_cannot_be_had_lets_the_second_one_greet():
    talk = Conversation(providers=("first", "second"))
    talk.ai.open_errors = [OPEN]
    talk.start()
    await talk.settle()
    assert talk.ais["second"].all("speak")[0][1].startswith("Greet the person")
    await talk.hang_up()


async def test_a_provider_that_is_not_set_up_is_passed_over():
    talk = Conversation(providers=("first", "second"))
    talk.ais["first"] = None
    talk.start()
    await talk.settle()
    assert len(talk.ais["second"].opened) == 1
    assert talk.told("failed_over")[0]["error"] == "voice_ai_not_configured"
    await talk.hang_up()


async def test_an_only_provider_with_an_open_breaker_is_asked_again_later():
    talk = Conversation()
    talk.ai.open_errors = [OPEN]
    talk.start()
    await talk.settle()
    await talk.wait(1.1)
    assert len(talk.ai.opened) == 1
    await talk.hang_up()


async def test_the_language_changed_in_the_call_is_kept_by_the_next_provider(pair):
    await pair.session.change_language("es")
    assert pair.ai.all("change") == [("change", "es")]
    pair.ai.open_errors = [REFUSED]
    await pair.lose()
    await pair.wait(1.1)
    second = pair.ais["second"]
    assert second.briefs[0].language == "es"
    second.outgoing.put_nowait(AiTranscript("b1", "Bueno.", is_final=True))
    await pair.settle()
    assert pair.sink.last("b1").language == "es"


async def test_a_language_asked_for_while_the_provider_is_being_opened_is_spoken(talk):
    may_open = asyncio.Event()
    open_it = talk.ai.open

    async def slow(brief, history=()):
        await may_open.wait()
        await open_it(brief, history)

    talk.ai.open = slow
    await talk.lose()
    await talk.wait(1.1)
    await talk.session.change_language("es")
    may_open.set()
    await talk.settle()
    assert talk.ai.all("change") == [("change", "es")]


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("closed_1006", "closed_1006"),
        ("listen_http_503", "listen_http_503"),
        ("speak_silent", "speak_silent"),
        ("circuit_open", "circuit_open"),
        ("listen_tuesday's own error 77", "other"),
        ("think_some_word_of_theirs", "other"),
        ("closed_99999", "other"),
        ("", "other"),
    ],
)
def test_what_a_provider_calls_its_errors_makes_no_time_series(code, label):
    assert loss_label(code) == label


async def test_all_providers_of_the_list_are_tried_in_order():
    talk = Conversation(providers=("first", "second", "third"))
    talk.ai.open_errors = [REFUSED]
    talk.ais["second"].open_errors = [REFUSED]
    talk.start()
    await talk.settle()
    assert len(talk.ais["third"].opened) == 1
    assert [(data["from"], data["to"]) for data in talk.told("failed_over")] == [
        ("first", "second"),
        ("second", "third"),
    ]
    await talk.hang_up()


async def test_running_conversations_are_counted_for_the_provider_that_holds_them(pair):
    def active(provider):
        return REGISTRY.get_sample_value("callcentre_sessions_active", {"voice_ai": provider}) or 0.0

    before = active("first"), active("second")
    pair.ai.open_errors = [REFUSED]
    await pair.lose()
    await pair.wait(1.1)
    assert (active("first"), active("second")) == (before[0] - 1, before[1] + 1)
    await pair.hang_up()
    assert active("second") == before[1]
