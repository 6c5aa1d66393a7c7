import pytest

from apps.calls.voice_ai.base import PastTurn, ToolSpec
from apps.calls.voice_ai.deepgram.dialogue import AiSaid, CallerSaid, Dialogue, Noted, Stretch, ToolUse
from apps.calls.voice_ai.deepgram.google import contents_of
from apps.calls.voice_ai.deepgram.parts import Task
from apps.calls.voice_ai.deepgram.thinking import STILL_RUNNING, chat_messages, chat_tools, reasoning_effort


def answer(*sentences, item_id="a1"):
    return AiSaid(item_id, [Stretch(text, ms, is_complete=True) for text, ms in sentences])


@pytest.mark.parametrize(
    ("heard_ms", "text"),
    [
        (0, ""),
        (400, "Hello"),
        (1000, "Hello there, Ann."),
        (1500, "Hello there, Ann. Do you"),
        (1999, "Hello there, Ann. Do you have a"),
        (2000, "Hello there, Ann. Do you have a minute?"),
        (9999, "Hello there, Ann. Do you have a minute?"),
    ],
)
def test_what_was_heard_is_counted_by_the_sound_of_each_sentence(heard_ms, text):
    said = answer(("Hello there, Ann.", 1000), ("Do you have a minute?", 1000))
    said.cut(heard_ms)
    assert said.text == text


def test_a_later_cut_never_gives_words_back():
    said = answer(("Hello there, Ann.", 1000), ("Do you have a minute?", 1000))
    said.cut(1000)
    said.cut(1900)
    assert said.text == "Hello there, Ann."


def test_a_sentence_that_was_still_being_made_is_not_taken_for_short():
    said = AiSaid("a1", [Stretch("I have removed your number from our list.", 200)])
    said.cut(200)
    assert said.text == "I"


def task(*items, told="", tools=()):
    dialogue = Dialogue()
    for item in items:
        dialogue.add(item)
    return Task("Be kind.", dialogue, tools, told)


def test_history_of_an_earlier_connection_comes_first():
    dialogue = Dialogue([PastTurn("ai", "Hello."), PastTurn("caller", "Yes?")])
    messages = chat_messages(Task("Be kind.", dialogue, ()))
    assert [(one["role"], one["content"]) for one in messages] == [
        ("developer", "Be kind."),
        ("assistant", "Hello."),
        ("user", "Yes?"),
    ]


def test_a_tool_call_is_followed_by_its_result_even_if_the_caller_spoke_first():
    said = answer(("One moment.", 500))
    said.tools = [ToolUse("c1", "opt_out", "{}"), ToolUse("c2", "end_call", "{}", "done")]
    messages = chat_messages(task(CallerSaid("Stop calling."), said, CallerSaid("Hello?")))
    assert [one["role"] for one in messages] == ["developer", "user", "assistant", "tool", "tool", "user"]
    assert messages[2]["content"] == "One moment."
    assert [one["id"] for one in messages[2]["tool_calls"]] == ["c1", "c2"]
    assert [one["content"] for one in messages[3:5]] == [STILL_RUNNING, "done"]


def test_an_answer_nobody_heard_was_never_given():
    said = answer(("Hello there.", 500))
    said.cut(0)
    assert [one["role"] for one in chat_messages(task(said, told="Greet."))] == ["developer", "developer"]
    said.tools = [ToolUse("c1", "opt_out", "{}", "ok")]
    assert chat_messages(task(said))[1]["content"] is None


def test_notes_and_the_request_of_the_moment_are_the_developers():
    messages = chat_messages(task(Noted("The caller pressed 1."), told="Say goodbye."))
    assert messages[1:] == [
        {"role": "developer", "content": "The caller pressed 1."},
        {"role": "developer", "content": "Say goodbye."},
    ]


def test_tools_are_nested_as_the_wire_wants_them():
    spec = ToolSpec("end_call", "Hang up.", {"type": "object", "properties": {}})
    [tool] = chat_tools(task(tools=[spec]))
    assert tool["function"] == {
        "name": "end_call",
        "description": "Hang up.",
        "parameters": {"type": "object", "properties": {}},
    }


@pytest.mark.parametrize(
    ("model", "effort"),
    [("gpt-6-luna", "none"), ("gpt-5.6-mini", "none"), ("gpt-5-mini", "minimal"), ("gpt-4.1", None), ("llama-5", None)],
)
def test_models_are_asked_to_think_as_little_as_they_can(model, effort):
    assert reasoning_effort(model) == effort


def test_gemini_is_told_in_turns_of_two():
    said = answer(("One moment.", 500))
    said.tools = [ToolUse("c1", "opt_out", '{"note": "now"}', "ok", b"sig")]
    contents = contents_of(task(CallerSaid("Stop calling."), Noted("They pressed 9."), said, told="Say goodbye."))
    assert [content.role for content in contents] == ["user", "model", "user"]
    assert [part.text for part in contents[0].parts] == ["Stop calling.", "[They pressed 9.]"]
    call = contents[1].parts[1]
    assert (call.function_call.args, call.thought_signature) == ({"note": "now"}, b"sig")
    assert contents[2].parts[0].function_response.response == {"output": "ok"}
    assert contents[2].parts[1].text == "[Say goodbye.]"


def test_gemini_is_never_asked_about_nothing():
    assert contents_of(task())[0].role == "user"
