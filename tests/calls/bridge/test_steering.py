"""What others do to a running session: look on, record, command; and what tools may have it do."""

import asyncio

import pytest

from apps.calls.bridge.commands import Command
from apps.calls.bridge.sink import Cause, SessionEnd, ToolResult
from apps.calls.bridge.watching import NoWatcher
from apps.calls.media import tones
from apps.calls.media.frames import (
    AiTranscript,
    Audio,
    CallerTranscript,
    Clear,
    Dtmf,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
    Usage,
    Used,
)
from apps.calls.voice_ai.base import PastTurn
from tests.calls.bridge.fakes import FRAME, Conversation


class TapeRecorder:
    def __init__(self) -> None:
        self.did: list[tuple] = []
        self.is_paused = False

    def caller(self, audio, at_ms):
        self.did.append(("caller", at_ms))

    def ai(self, audio, plays_at_ms):
        self.did.append(("ai", plays_at_ms))

    def cut(self, at_ms):
        self.did.append(("cut", at_ms))

    def pause(self, reason, at_ms):
        self.did.append(("pause", reason, at_ms))

    def resume(self, at_ms):
        self.did.append(("resume", at_ms))

    def stop(self, reason):
        self.did.append(("stop", reason))

    async def close(self):
        self.did.append(("close",))


class Onlooker(NoWatcher):
    def __init__(self, *, greets: bool = True) -> None:
        self.greets = greets
        self.saw: list[tuple] = []
        self.acts = None

    def began(self, acts):
        self.acts = acts

    def may_greet(self):
        return self.greets

    def caller_began(self, at_ms):
        self.saw.append(("began", at_ms))

    def caller_stopped(self, at_ms):
        self.saw.append(("stopped", at_ms))

    def caller_said(self, turn, *, is_final):
        self.saw.append(("caller", turn.text, is_final))

    def ai_said(self, turn):
        self.saw.append(("ai", turn.text))

    def tool_called(self, call):
        self.saw.append(("tool", call.name))
        return call.name == "leave_voicemail"

    def commanded(self, command):
        self.saw.append((command.kind,))
        return command.kind == "machine_verdict"


@pytest.fixture
async def talk():
    conversation = Conversation().start()
    await conversation.settle()
    yield conversation
    if conversation.is_running:
        await conversation.hang_up()


# ── Recording ───────────────────────────────────────────────────────────────────────────────────────────────
async def test_both_sides_are_recorded_when_they_sound_and_a_cut_is_told():
    tape = TapeRecorder()
    talk = Conversation(recorder=tape).start()
    await talk.settle()
    await talk.wait(1.0)
    await talk.hears(FRAME)
    await talk.says(Audio.of(b"\x11" * 8000, item_id="a1"), Audio.of(b"\x11" * 8000, item_id="a1"))
    await talk.wait(0.5)
    await talk.says(SpeechStarted("u1", 0))
    assert tape.did == [("caller", 1000), ("ai", 1000), ("ai", 2000), ("cut", 1500)]
    await talk.hang_up()
    assert tape.did[-1] == ("close",)


async def test_a_recording_is_paused_resumed_and_stopped_by_command():
    tape = TapeRecorder()
    talk = Conversation(recorder=tape).start()
    await talk.wait(2.0)
    talk.session.command(Command("pause_recording", {"reason": "card"}))
    talk.session.command(Command("resume_recording"))
    talk.session.command(Command("stop_recording", {"reason": "refused"}))
    assert tape.did == [("pause", "card", 2000), ("resume", 2000), ("stop", "refused")]
    await talk.hang_up()


# ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_note_is_told_to_the_ai_without_having_it_speak(talk):
    talk.session.command(Command("note", {"text": "Offer a discount."}))
    await talk.settle()
    assert talk.ai.all("note") == [("note", "Offer a discount.")]
    assert len(talk.ai.all("speak")) == 1


async def test_the_language_can_be_changed_to_one_the_virtual_agent_speaks(talk):
    talk.session.command(Command("change_language", {"language": "es"}))
    talk.session.command(Command("change_language", {"language": "xx"}))
    await talk.settle()
    assert talk.ai.all("change") == [("change", "es")]
    assert talk.session.language == "es"


async def test_the_ai_can_be_told_to_leave_the_line(talk):
    talk.session.command(Command("leave"))
    assert (await talk.end()).cause is Cause.LEFT
    assert talk.hung_up


async def test_an_unknown_command_does_no_harm(talk):
    talk.session.command(Command("dance"))
    await talk.settle()
    assert talk.is_running


# ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_keys_pressed_one_after_another_are_told_together(talk):
    for digit in "123":
        await talk.hears(Dtmf(digit))
        await talk.wait(0.6)
    assert talk.ai.all("note") == []
    await talk.wait(2.0)
    assert talk.ai.all("note") == [("note", "The caller pressed 123.")]
    await talk.hears(Dtmf("#"))
    await talk.wait(1.5)
    assert talk.ai.all("note")[-1] == ("note", "The caller pressed #.")


async def test_keys_pressed_while_the_recording_is_paused_are_nobodys_business():
    tape = TapeRecorder()
    tape.is_paused = True
    talk = Conversation(recorder=tape).start()
    await talk.settle()
    await talk.hears(Dtmf("4"), Dtmf("2"))
    await talk.wait(1.5)
    assert talk.ai.all("note") == [("note", "The caller pressed 2 keys, which are kept secret.")]
    await talk.hang_up()


# ── Tools ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_tool_may_press_keys(talk):
    talk.sink.result = ToolResult("Done: the keys were pressed.", digits="12")
    await talk.says(ToolCall("t1", "send_dtmf", "{}"))
    assert talk.line.of(Audio) == [tones.keys("12")]
    assert talk.ai.all("answer")[0][2] == "Done: the keys were pressed."
    assert talk.sink.turns == []


async def test_a_transfer_waits_for_the_ais_next_sentence(talk):
    talk.sink.result = ToolResult("Done: tell them.", transfer_to="+12125550123")
    await talk.says(ToolCall("t1", "transfer_to_number", "{}"), TurnDone("completed", has_speech=False))
    await talk.wait(1.0)
    assert talk.is_running
    await talk.speaks("a1", "I connect you now.", 1000)
    await talk.wait(0.8)
    assert talk.is_running
    await talk.wait(0.5)
    assert await talk.end() == SessionEnd(Cause.TRANSFERRED, "+12125550123")
    assert not talk.sink.last("a1").was_interrupted


async def test_a_caller_who_comes_back_from_a_transfer_is_told_that_it_did_not_work():
    talk = Conversation(history=[PastTurn("ai", "I connect you.")], opening_prompt="Say that nobody took it.").start()
    await talk.settle()
    assert talk.ai.all("speak") == [("speak", "Say that nobody took it.")]
    await talk.hang_up()


async def test_a_tool_may_end_the_call_once_the_goodbye_is_heard(talk):
    talk.sink.result = ToolResult("Done: say goodbye.", ends_call=True)
    await talk.says(ToolCall("t1", "some_tool", "{}"), TurnDone("completed", has_speech=False))
    await talk.speaks("a1", "Goodbye.", 500)
    await talk.wait(0.7)
    assert (await talk.end()).cause is Cause.AI_ENDED


@pytest.mark.parametrize(
    "result",
    [ToolResult("Done: say so.", transfer_to="+12125550123"), ToolResult("Done: say goodbye.", ends_call=True)],
)
async def test_a_tool_that_is_done_before_the_response_that_called_it_leaves_time_for_the_sentence(talk, result):
    talk.sink.result = result
    await talk.says(ToolCall("t1", "some_tool", "{}"))
    assert len(talk.ai.all("answer")) == 1
    await talk.says(TurnDone("completed", has_speech=False))
    await talk.wait(1.0)
    assert talk.is_running
    await talk.speaks("a1", "I connect you.", 500)
    await talk.wait(0.3)
    assert talk.is_running
    await talk.wait(0.4)
    assert (await talk.end()).cause in {Cause.TRANSFERRED, Cause.AI_ENDED}


async def test_what_a_tool_asks_of_the_recorder_is_done_before_the_model_hears_of_it():
    recorder = TapeRecorder()
    talk = Conversation(recorder=recorder).start()
    await talk.wait(1.0)
    for what in ("pause", "resume", "stop"):
        talk.sink.result = ToolResult("Done.", recording=what)
        await talk.says(ToolCall(what, f"{what}_recording", "{}"))
    assert recorder.did == [("pause", "card", 1000), ("resume", 1000), ("stop", "refused")]
    await talk.hang_up()


# ── A watcher ───────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_watcher_sees_both_sides():
    onlooker = Onlooker()
    talk = Conversation(watcher=onlooker).start()
    await talk.wait(0.5)
    await talk.says(AiTranscript("a1", "Hello?", is_final=True), SpeechStarted("u1", 0), SpeechStopped("u1", 300))
    await talk.says(CallerTranscript("u1", "Ye"), CallerTranscript("u1", "Yes.", is_final=True))
    assert onlooker.saw == [
        ("ai", "Hello?"),
        ("began", 500),
        ("stopped", 500),
        ("caller", "Ye", False),
        ("caller", "Yes.", True),
    ]
    await talk.hang_up()


async def test_a_watcher_may_hold_the_greeting_back_and_have_something_said_instead():
    onlooker = Onlooker(greets=False)
    talk = Conversation(watcher=onlooker).start()
    await talk.wait(2.0)
    assert talk.ai.all("speak") == []
    onlooker.acts.start(onlooker.acts.greet())
    await talk.settle()
    assert talk.ai.all("speak")[0][1].startswith("Greet the person")
    await talk.hang_up()


async def test_a_watcher_may_play_be_silent_and_end():
    onlooker = Onlooker()
    talk = Conversation(watcher=onlooker).start()
    await talk.settle()
    playing = asyncio.create_task(onlooker.acts.play([Audio.of(b"\x33" * 8000)], "Please leave a message."))
    await talk.settle()
    assert talk.spoken_by_us[0].text == "Please leave a message."
    await talk.wait(0.5)
    await onlooker.acts.hush()
    assert talk.line.of(Clear) == [Clear()]
    assert talk.spoken_by_us[-1].was_interrupted
    await talk.wait(0.2)
    assert await playing is False
    onlooker.acts.end_when_heard(SessionEnd(Cause.AI_ENDED, "voicemail"))
    await talk.speaks("a1", "Bye.", 200)
    await talk.wait(1)
    assert (await talk.end()).detail == "voicemail"


async def test_a_watcher_may_listen_to_the_caller():
    onlooker, heard = Onlooker(), []
    talk = Conversation(watcher=onlooker).start()
    await talk.settle()
    onlooker.acts.listen_in(heard.append)
    await talk.hears(FRAME)
    onlooker.acts.listen_in(None)
    await talk.hears(FRAME)
    assert heard == [FRAME]
    await talk.hang_up()


async def test_a_watcher_may_take_tools_and_commands_upon_itself():
    onlooker = Onlooker()
    talk = Conversation(watcher=onlooker).start()
    await talk.settle()
    talk.session.command(Command("machine_verdict", {"verdict": "voicemail"}))
    call = ToolCall("t1", "leave_voicemail", "{}")
    await talk.says(call, ToolCall("t2", "opt_out", "{}"))
    assert onlooker.saw == [("machine_verdict",), ("tool", "leave_voicemail"), ("tool", "opt_out")]
    assert [tool.name for tool in talk.sink.tools] == ["opt_out"]
    await onlooker.acts.answer_tool(call, "Done.")
    assert talk.ai.all("answer")[-1] == ("answer", "t1", "Done.", True)
    await talk.hang_up()


async def test_use_that_belongs_to_no_response_is_counted(talk):
    await talk.says(Used(Usage(speech_chars=12, service="gemini", model="m")))
    assert talk.sink.usages == [Usage(speech_chars=12, service="gemini", model="m")]
