"""Whole conversations over the wire: callees' clips in, the virtual agent's words and tools out."""

import pytest

from apps.sandbox.voice_ai.brief import language_of

from .client import HANDOVER, TOOLS

AT = "2026-11-23T15:00:00+01:00"
# What the callee says turn by turn; the tools that must be called in that order, with the arguments that matter.
DIALOGUES = {
    "interested": (["greeting", "interested", "confirm"], [("set_disposition", "interested"), ("end_call", None)]),
    "talks price": (
        ["interested", "question_price", "confirm"],
        [("set_disposition", "interested"), ("end_call", None)],
    ),
    "wants it in writing": (["send_information", "confirm"], [("set_disposition", "interested"), ("end_call", None)]),
    "not interested": (["greeting", "not_interested"], [("set_disposition", "not_interested"), ("end_call", None)]),
    "opt-out": (
        ["greeting", "opt_out"],
        [("opt_out", None), ("set_disposition", "do_not_call"), ("end_call", None)],
    ),
    "robot, then opt-out": (
        ["are_you_robot", "opt_out"],
        [("opt_out", None), ("set_disposition", "do_not_call"), ("end_call", None)],
    ),
    "callback": (
        ["greeting", "callback_tomorrow_1500", "confirm"],
        [("schedule_callback", AT), ("set_disposition", "callback"), ("end_call", None)],
    ),
    "human": (
        ["wants_human"],
        [("schedule_callback", "2026-11-23T10:00:00+01:00"), ("set_disposition", "callback"), ("end_call", None)],
    ),
    "wrong person": (["wrong_person"], [("set_disposition", "wrong_person"), ("end_call", None)]),
    "busy": (["busy_now", "goodbye"], [("set_disposition", "callback"), ("end_call", None)]),
    "busy, callback agreed": (
        ["busy_now", "confirm"],
        [("set_disposition", "callback"), ("schedule_callback", AT), ("end_call", None)],
    ),
    "voicemail": (["voicemail_greeting"], [("set_disposition", "voicemail"), ("end_call", None)]),
    "screener": (
        ["screener", "greeting", "not_interested"],
        [("set_disposition", "not_interested"), ("end_call", None)],
    ),
    "wants a text": (["wants_sms", "confirm"], [("set_disposition", "interested"), ("end_call", None)]),
    "reads a card": (
        ["greeting", "interested", "card_number", "confirm"],
        [("set_disposition", "interested"), ("end_call", None)],
    ),
    "another language": (
        ["other_language", "interested", "confirm"],
        [("set_disposition", "interested"), ("end_call", None)],
    ),
    "menu": (["ivr_menu"], [("set_disposition", "other"), ("end_call", None)]),
}


@pytest.mark.parametrize("language", ["en", "es", "cs"])
@pytest.mark.parametrize("name", DIALOGUES)
async def test_callee_is_answered_in_their_language_and_tools_are_called(caller, name, language):
    says, wanted = DIALOGUES[name]
    await caller.wire.response.create()
    await caller.until("response.done")
    for number, intent in enumerate(says):
        await caller.say(intent, language)
        names = await caller.answer_tools(await caller.until("response.done"))
        while names and "end_call" not in names:
            names = await caller.answer_tools(await caller.until("response.done"))
        assert ("end_call" in names) == (number == len(says) - 1)
    made = [(tool, arguments.get("code") or arguments.get("at")) for tool, arguments in caller.calls()]
    assert made == wanted
    if name != "menu":
        assert language_of(caller.spoken()[-1], "") == language
    assert not caller.all("error")


async def test_handover_tool_is_preferred_to_a_promise(caller):
    await caller.wire.session.update(session={"type": "realtime", "tools": [*TOOLS, HANDOVER]})
    await caller.say("wants_human", "cs")
    done = await caller.until("response.done")
    assert [item["type"] for item in done["response"]["output"]] == ["message", "function_call"]
    assert await caller.answer_tools(done, {"hand_over": '{"ok": true}'}) == ["hand_over"]
    assert (await caller.until("response.done"))["response"]["output"] == []


async def test_failed_handover_becomes_a_callback(caller):
    await caller.wire.session.update(session={"type": "realtime", "tools": [*TOOLS, HANDOVER]})
    await caller.say("wants_human")
    await caller.answer_tools(await caller.until("response.done"), {"hand_over": '{"error": "nobody is free"}'})
    assert await caller.answer_tools(await caller.until("response.done")) == ["schedule_callback", "set_disposition"]
    assert await caller.answer_tools(await caller.until("response.done")) == ["end_call"]
    assert "a colleague will call you back" in caller.spoken()[-1]


async def test_calls_come_one_by_one_where_parallel_calls_are_off(caller):
    await caller.wire.session.update(session={"type": "realtime", "parallel_tool_calls": False})
    await caller.say("not_interested")
    names = []
    while "end_call" not in names:
        made = await caller.answer_tools(await caller.until("response.done"))
        assert len(made) == 1
        names += made
    assert names == ["set_disposition", "end_call"]
    assert len(caller.spoken()) == 1


async def test_arguments_arrive_in_pieces_that_make_the_whole(caller):
    await caller.say("callback_tomorrow_1500")
    await caller.until("response.done")
    done = caller.all("response.function_call_arguments.done")[0]
    pieces = [
        e["delta"] for e in caller.all("response.function_call_arguments.delta") if e["item_id"] == done["item_id"]
    ]
    assert len(pieces) > 1
    assert "".join(pieces) == done["arguments"]
