import asyncio

import pytest

from apps.calls.bridge.sink import Cause
from apps.calls.media.frames import (
    AiTranscript,
    Audio,
    CallerTranscript,
    Clear,
    Dtmf,
    Failed,
    HangUp,
    Mark,
    MarkReached,
    MediaProtocolError,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
    Usage,
)
from apps.calls.voice_ai.base import PastTurn, VoiceAIError
from tests.calls.bridge.fakes import FRAME, Conversation

LOST = VoiceAIError("closed_1006", retryable=True)


@pytest.fixture
async def talk():
    conversation = Conversation().start()
    await conversation.settle()
    yield conversation
    if conversation.is_running:
        await conversation.hang_up()


async def test_the_greeting_is_asked_for_as_soon_as_the_ai_is_there(talk):
    [(_, prompt)] = talk.ai.all("speak")
    assert "“Hello, an AI speaking.”" in prompt


async def test_the_callers_audio_reaches_the_ai_untouched(talk):
    await talk.hears(FRAME, FRAME)
    assert talk.ai.heard == [FRAME, FRAME]
    assert talk.ai.heard[0].text is FRAME.text


async def test_the_ais_audio_reaches_the_line_untouched_with_a_mark_behind_half_a_second(talk):
    audio = Audio.of(b"\x11" * 4000, item_id="a1")
    await talk.says(audio)
    assert talk.line.sent == [audio, Mark("0-500")]


async def test_hanging_up_ends_the_session_and_closes_both_ends_once(talk):
    end = await talk.hang_up()
    assert end.cause is Cause.CALLER_HUNG_UP
    assert talk.sink.ends == [end]
    assert len(talk.ai.all("close")) == 1
    assert talk.hung_up
    assert isinstance(talk.line.sent[-1], HangUp)


async def test_a_socket_that_closes_without_a_word_is_lost_media(talk):
    await talk.hears(None)
    assert (await talk.end()).cause is Cause.MEDIA_LOST


async def test_a_carrier_that_breaks_its_protocol_ends_its_call(talk):
    await talk.hears(MediaProtocolError("malformed"))
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.CARRIER_FAILED, "malformed")
    assert talk.hung_up


async def test_a_flooding_line_is_dropped_without_a_farewell(talk):
    await talk.hears(*[FRAME] * 2000)
    end = await talk.end()
    assert end.detail == "flood_audio"
    assert talk.line.of(HangUp)[0].is_abrupt


async def test_pressed_keys_are_told(talk):
    await talk.hears(Dtmf("5"))
    assert ("dtmf", {"digit": "5"}) in talk.sink.events


# ── Interruptions ───────────────────────────────────────────────────────────────────────────────────────────
async def test_an_interruption_silences_the_line_first_and_cuts_to_what_was_heard(talk):
    await talk.speaks("a1", "One two three four five six", 3000, done=False)
    await talk.wait(1.0)
    before = len(talk.line.sent)
    await talk.says(SpeechStarted("u1", 1000))
    assert talk.line.sent[before:] == [Clear()]
    assert talk.ai.all("cut") == [("cut", "a1", 1000)]
    turn = talk.sink.last("a1")
    assert (turn.text, turn.was_interrupted, turn.ended_ms - turn.started_ms) == ("One two", True, 1000)


async def test_audio_that_comes_late_for_an_interrupted_utterance_is_not_played(talk):
    await talk.speaks("a1", "One two three", 3000, done=False)
    await talk.says(SpeechStarted("u1", 100))
    before = len(talk.line.sent)
    await talk.says(Audio.of(b"\x11" * 800, item_id="a1"), AiTranscript("a1", "never said"))
    assert talk.line.sent[before:] == []
    await talk.says(Audio.of(b"\x22" * 800, item_id="a2"))
    assert len(talk.line.sent) == before + 1


async def test_words_of_which_no_sound_came_were_not_said(talk):
    await talk.says(AiTranscript("a1", "Hello, this is"), SpeechStarted("u1", 100))
    assert talk.ai.all("cut") == [("cut", "a1", 0)]
    assert talk.sink.last("a1").text == ""
    await talk.says(AiTranscript("a1", "Hello, this is Ada.", is_final=True))
    assert talk.sink.last("a1").text == ""


async def test_a_caller_who_speaks_into_silence_interrupts_nobody(talk):
    await talk.speaks("a1", "Hello.", 500)
    await talk.wait(2.0)
    await talk.says(SpeechStarted("u1", 100))
    assert talk.n_clears == 0
    assert not talk.sink.last("a1").was_interrupted


async def test_an_utterance_told_whole_is_told_again_when_only_half_of_it_was_heard(talk):
    await talk.speaks("a1", "One two three four five six", 3000)
    assert talk.sink.last("a1").text == "One two three four five six"
    await talk.wait(1.5)
    await talk.says(SpeechStarted("u1", 100))
    assert talk.sink.last("a1").was_interrupted
    assert talk.sink.last("a1").text == "One two three"


async def test_a_hang_up_in_mid_sentence_cuts_the_transcript_too(talk):
    await talk.speaks("a1", "One two three four five six", 3000)
    await talk.wait(1.5)
    await talk.hang_up()
    assert talk.sink.last("a1").text == "One two three"


async def test_a_provider_that_floods_the_carrier_is_held_back():
    talk = Conversation(max_lead_ms=1000.0).start()
    await talk.settle()
    await talk.says(*[Audio.of(b"\x11" * 800, item_id="a1") for _ in range(100)])
    assert sum(audio.ms for audio in talk.line.of(Audio)) <= 1200
    await talk.hang_up()


# ── Transcripts ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_both_sides_are_told_on_the_clock_of_the_call(talk):
    await talk.wait(2.0)
    await talk.speaks("a1", "Good morning.", 1000)
    await talk.wait(3.0)
    await talk.says(
        SpeechStarted("u1", 4000),
        SpeechStopped("u1", 4800),
        CallerTranscript("u1", "Who is there?", is_final=True, language="en", usage=Usage(transcription=7)),
    )
    ai, caller = talk.sink.last("a1"), talk.sink.last("u1")
    assert (ai.speaker, ai.started_ms, ai.ended_ms) == ("ai", 2000, 3000)
    assert (caller.speaker, caller.started_ms, caller.ended_ms, caller.text) == ("caller", 4000, 4800, "Who is there?")
    assert talk.sink.usages == [Usage(transcription=7)]


async def test_the_last_words_are_waited_for_when_the_caller_hangs_up(talk):
    await talk.says(SpeechStarted("u1", 0))
    ending = asyncio.create_task(talk.hang_up())
    await talk.settle()
    assert talk.ai.all("end_of_audio") == [("end_of_audio",)]
    await talk.says(CallerTranscript("u1", "Take me off your list", is_final=True))
    await ending
    assert talk.sink.last("u1").text == "Take me off your list"


async def test_words_that_never_come_do_not_hold_up_the_end(talk):
    await talk.says(SpeechStarted("u1", 0), SpeechStopped("u1", 500))
    assert (await talk.hang_up()).cause is Cause.CALLER_HUNG_UP


async def test_words_on_their_way_are_shown_at_a_sane_rate(talk):
    for i in range(50):
        await talk.says(AiTranscript("a1", f"word{i} "))
        talk.clock.now += 0.1
    assert 4 <= len(talk.sink.partials) <= 10
    assert talk.sink.partials[-1].text.startswith("word0 word1")


async def test_an_utterance_that_could_not_be_recognised_leaves_no_empty_turn(talk):
    await talk.says(SpeechStarted("u1", 0), CallerTranscript("u1", "", is_final=True, is_lost=True))
    assert talk.sink.turns == []


# ── Tools and the end ───────────────────────────────────────────────────────────────────────────────────────
async def test_tools_run_one_after_another_and_are_answered(talk):
    talk.sink.tool_gate = asyncio.Event()
    await talk.says(ToolCall("t1", "opt_out", "{}"), ToolCall("t2", "set_disposition", "{}"))
    assert talk.ai.all("answer") == []
    talk.sink.tool_gate.set()
    await talk.settle()
    assert [call.id for call in talk.sink.tools] == ["t1", "t2"]
    assert talk.ai.all("answer") == [
        ("answer", "t1", "Done: opt_out", True),
        ("answer", "t2", "Done: set_disposition", True),
    ]


async def test_the_audio_goes_on_while_a_tool_is_slow(talk):
    talk.sink.tool_gate = asyncio.Event()
    await talk.says(ToolCall("t1", "opt_out", "{}"))
    await talk.hears(FRAME)
    await talk.says(Audio.of(b"\x11" * 160, item_id="a1"))
    assert talk.ai.heard == [FRAME]
    assert len(talk.line.of(Audio)) == 1
    talk.sink.tool_gate.set()


async def test_a_tool_that_hangs_is_answered_for():
    talk = Conversation(tool_s=0.02).start()
    talk.sink.tool_gate = asyncio.Event()
    await talk.settle()
    await talk.says(ToolCall("t1", "opt_out", "{}"))
    await asyncio.sleep(0.05)  # the tool's time limit is the loop's own
    assert talk.ai.all("answer")[0][2].startswith("Failed: this took too long")
    await talk.hang_up()


async def test_the_goodbye_is_heard_before_the_ai_hangs_up(talk):
    await talk.says(Audio.of(b"\x11" * 16_000, item_id="a1"), ToolCall("t1", "end_call", "{}"))
    await talk.says(AiTranscript("a1", "Goodbye.", is_final=True), TurnDone("completed", has_speech=True))
    await talk.wait(0.12)
    assert talk.is_running
    await talk.wait(2.1)
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.AI_ENDED, "end_call")
    assert not talk.sink.last("a1").was_interrupted
    assert talk.sink.ends == [end]


async def test_what_was_asked_for_before_is_done_before_the_ai_hangs_up(talk):
    talk.sink.tool_gate = asyncio.Event()
    await talk.says(ToolCall("t1", "opt_out", "{}"), ToolCall("t2", "end_call", "{}"))
    await talk.says(TurnDone("completed", has_speech=True))
    await talk.wait(3.0)
    assert talk.is_running
    talk.sink.tool_gate.set()
    await talk.settle()
    await talk.wait(0.1)
    assert (await talk.end()).cause is Cause.AI_ENDED
    assert [call.id for call in talk.sink.tools] == ["t1"]


async def test_an_ai_that_hangs_up_without_a_goodbye_is_asked_for_one(talk):
    await talk.says(SpeechStarted("u1", 0), SpeechStopped("u1", 500))
    await talk.says(CallerTranscript("u1", "No thanks.", is_final=True))
    await talk.says(ToolCall("t1", "end_call", "{}"), TurnDone("completed", has_speech=False))
    assert talk.is_running
    [(_, _, result, respond)] = talk.ai.all("answer")
    assert "goodbye" in result
    assert respond
    await talk.speaks("a1", "Goodbye then.", 500)
    await talk.wait(1.0)
    assert (await talk.end()).cause is Cause.AI_ENDED


async def test_a_caller_who_speaks_into_the_goodbye_is_listened_to(talk):
    await talk.says(Audio.of(b"\x11" * 16_000, item_id="a1"), ToolCall("t1", "end_call", "{}"))
    await talk.says(TurnDone("completed", has_speech=True))
    await talk.wait(0.5)
    await talk.says(SpeechStarted("u1", 500))
    await talk.wait(0.12)
    assert talk.is_running
    [(_, tool_id, result, respond)] = talk.ai.all("answer")
    assert (tool_id, respond) == ("t1", False)
    assert "not ended" in result
    await talk.says(ToolCall("t2", "end_call", "{}"), TurnDone("completed", has_speech=True))
    await talk.wait(0.1)
    assert (await talk.end()).cause is Cause.AI_ENDED


async def test_nobody_can_keep_the_ai_from_ever_ending(talk):
    for i in range(5):
        await talk.says(Audio.of(b"\x11" * 16_000, item_id=f"a{i}"), ToolCall(f"t{i}", "end_call", "{}"))
        await talk.says(TurnDone("completed", has_speech=True), SpeechStarted(f"u{i}", 500))
        await talk.wait(0.1)
        await talk.wait(0.06)
        if not talk.is_running:
            break
    assert (await talk.end()).cause is Cause.AI_ENDED


# ── Limits ──────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_call_that_takes_too_long_is_told_to_come_to_an_end_and_then_ended():
    talk = Conversation(max_call_s=100.0, wrap_up_s=20.0, silence_s=1e9).start()
    await talk.settle()
    await talk.wait(85.0)
    assert "time for this call is over" in talk.ai.all("speak")[-1][1]
    await talk.wait(16.0)
    end = await talk.end()
    assert end.cause is Cause.TIME_LIMIT


async def test_silence_ends_with_a_goodbye():
    talk = Conversation(silence_s=10.0).start()
    await talk.settle()
    await talk.wait(11.0)
    assert "Nobody has said anything" in talk.ai.all("speak")[-1][1]
    await talk.speaks("a1", "Goodbye.", 100)
    await talk.wait(0.2)
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.AI_ENDED, "silence")


async def test_a_carrier_that_falls_dumb_is_lost():
    talk = Conversation(media_idle_s=5.0).start()
    await talk.settle()
    await talk.wait(6.0)
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.MEDIA_LOST, "idle")


async def test_an_ai_that_does_not_answer_is_prompted_and_then_done_without():
    talk = Conversation(ai_answer_s=3.0).start()
    await talk.settle()
    await talk.speaks("a1", "Yes?", 100)
    await talk.wait(0.2)
    await talk.says(SpeechStarted("u1", 0), SpeechStopped("u1", 500))
    await talk.wait(3.5)
    assert ("ai_failed", {"error": "silent"}) in talk.sink.events
    assert "go on with the conversation" in talk.ai.all("speak")[-1][1]
    await talk.wait(4.8)
    assert [data["error"] for _, data in talk.sink.events if data.get("is_lost")] == ["silent"]
    assert len(talk.ai.opened) == 2
    await talk.hang_up()


async def test_a_greeting_that_does_not_come_is_asked_for_again():
    talk = Conversation(ai_answer_s=3.0).start()
    await talk.settle()
    await talk.wait(3.5)
    assert [prompt[:5] for _, prompt in talk.ai.all("speak")] == ["Greet", "Greet"]
    await talk.hang_up()


async def test_an_ai_that_is_busy_with_a_tool_is_given_time():
    talk = Conversation(ai_answer_s=3.0).start()
    await talk.settle()
    talk.sink.tool_gate = asyncio.Event()
    await talk.says(SpeechStarted("u1", 0), SpeechStopped("u1", 500), ToolCall("t1", "opt_out", "{}"))
    await talk.wait(5.0)
    assert talk.sink.events == []
    talk.sink.tool_gate.set()
    await talk.hang_up()


# ── A provider that fails ───────────────────────────────────────────────────────────────────────────────────
async def test_a_lost_provider_is_opened_again_with_what_was_said(talk):
    await talk.speaks("a1", "How can I help?", 1000)
    await talk.wait(1.5)
    await talk.says(
        SpeechStarted("u1", 1600), SpeechStopped("u1", 2000), CallerTranscript("u1", "I moved.", is_final=True)
    )
    await talk.says(LOST)
    await talk.wait(1.1)
    assert talk.ai.opened == [[], [PastTurn("ai", "How can I help?"), PastTurn("caller", "I moved.")]]
    assert "go on with the conversation" in talk.ai.all("speak")[-1][1]
    assert talk.is_running
    await talk.hears(FRAME)
    assert talk.ai.heard[-1] == FRAME


async def test_a_provider_lost_while_it_waited_for_the_caller_comes_back_silently(talk):
    await talk.speaks("a1", "How can I help?", 1000)
    await talk.wait(1.5)
    await talk.says(LOST)
    await talk.wait(1.1)
    assert len(talk.ai.opened) == 2
    assert len(talk.ai.all("speak")) == 1


async def test_a_greeting_that_nobody_heard_is_said_after_the_loss(talk):
    await talk.says(LOST)
    await talk.wait(1.1)
    assert [prompt for _, prompt in talk.ai.all("speak")][-1].startswith("Greet the person")


async def test_a_provider_that_stays_away_ends_the_call(talk):
    talk.ai.open_errors = [LOST] * 9
    await talk.says(LOST)
    await talk.wait(40)
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.AI_FAILED, "closed_1006")
    assert [data["error"] for kind, data in talk.sink.events if kind == "ai_failed"] == ["closed_1006"] * 6
    assert talk.hung_up


async def test_a_refusal_with_a_reason_is_not_tried_again():
    talk = Conversation()
    talk.ai.open_errors = [VoiceAIError("http_401", retryable=False)]
    talk.start()
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.AI_FAILED, "http_401")
    assert talk.ai.opened == []


async def test_a_fatal_error_event_ends_the_call(talk):
    await talk.says(Failed("insufficient_quota", "Pay first.", is_fatal=True))
    assert (await talk.end()).detail == "insufficient_quota"


async def test_harmless_errors_are_survived(talk):
    await talk.says(Failed("invalid_event", "What?"))
    assert talk.is_running


async def test_a_response_that_fails_is_asked_for_again_but_not_for_ever(talk):
    await talk.says(TurnDone("failed", has_speech=False, error_code="server_error"))
    assert len(talk.ai.all("speak")) == 2
    await talk.says(*[TurnDone("failed", has_speech=False, error_code="server_error")] * 2)
    assert (await talk.end()).detail == "server_error"


async def test_a_second_stream_of_a_call_goes_on_where_the_first_stopped():
    talk = Conversation(history=[PastTurn("ai", "Hello."), PastTurn("caller", "Yes?")], offset_ms=30_000).start()
    await talk.settle()
    assert talk.ai.opened == [[PastTurn("ai", "Hello."), PastTurn("caller", "Yes?")]]
    assert "Do not greet again" in talk.ai.all("speak")[0][1]
    await talk.speaks("a1", "Sorry about that.", 500)
    assert talk.sink.last("a1").started_ms == 30_000
    await talk.hang_up()


async def test_a_fault_of_ours_ends_this_call_and_says_so(talk):
    await talk.hears(RuntimeError("bug"))
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.AI_FAILED, "internal")
    assert talk.hung_up


async def test_marks_of_the_carrier_move_the_playback(talk):
    await talk.speaks("a1", "One two three four five six", 3000)
    await talk.wait(0.2)
    await talk.hears(MarkReached("0-3000"))
    await talk.says(SpeechStarted("u1", 300))
    assert talk.n_clears == 0
