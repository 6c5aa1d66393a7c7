"""The dialogue brain as tables: a conversation so far, and what it must lead to."""

from datetime import UTC, datetime

import pytest

from apps.sandbox.personas import INTENTS, all_lines
from apps.sandbox.voice_ai.brain import decide
from apps.sandbox.voice_ai.phrases import LANGUAGES, PHRASES
from apps.sandbox.voice_ai.scene import Call, Say, Scene, Turn
from apps.sandbox.voice_ai.toolbox import is_refusal

from .client import HANDOVER, INSTRUCTIONS, TOOLS

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def function(name, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "name": name, "parameters": parameters}


TEXT = function("send_sms", text={"type": "string"})
TRANSFER = function("transfer_to_number", number={"type": "string", "description": "+12025550144: the office."})
PAUSE, RESUME = function("pause_recording"), function("resume_recording")
PRESS = {
    "type": "function",
    "name": "press_digits",
    "parameters": {"type": "object", "properties": {"digits": {"type": "string"}}, "required": ["digits"]},
}


def heard(intent, language="en", text="words"):
    return Turn("caller", text, (intent,), language)


def unclear():
    return Turn("caller", "[unclear]")


def said(key, language="en", was_cut=False):
    return Turn("ai", PHRASES.get(key, {}).get(language, key), was_cut=was_cut)


def called(name, **arguments):
    return Turn("call", name=name, call_id=name, arguments=arguments)


def result(name, text='{"ok": true}'):
    return Turn("result", text, call_id=name)


def think(*history, tools=TOOLS, instructions=INSTRUCTIONS, **options):
    return decide(Scene(instructions, tools, history, NOW, **options))


def words(reply):
    return " ".join(part.text for part in reply if isinstance(part, Say))


def tools_of(reply):
    return [part.name for part in reply if isinstance(part, Call)]


def is_phrase(reply, key, language="en"):
    return PHRASES[key][language] in words(reply)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("intent", "key", "tools"),
    [
        ("interested", "shall_we", []),
        ("not_interested", "decline", ["set_disposition", "end_call"]),
        ("opt_out", "", ["opt_out"]),
        ("callback_tomorrow_1500", "", ["schedule_callback", "set_disposition"]),
        ("wants_human", "", ["schedule_callback", "set_disposition"]),
        ("wrong_person", "wrong_person", ["set_disposition", "end_call"]),
        ("busy_now", "", ["set_disposition"]),
        ("send_information", "information", []),
        ("question_price", "price", []),
        ("are_you_robot", "robot", []),
        ("interruption", "go_ahead", []),
        ("who_is_calling", "purpose_unknown", []),
        ("screener_connecting", "thank_you", []),
        ("ivr_connecting", "thank_you", []),
        ("ivr_invalid", "thank_you", []),
        ("still_there", "still_here", []),
        ("confirm", "shall_we", []),
        ("goodbye", "goodbye", ["set_disposition", "end_call"]),
        ("voicemail_greeting", "voicemail", ["set_disposition", "end_call"]),
        ("ivr_menu", "", ["set_disposition", "end_call"]),
        ("greeting", "tell_you_more", []),
        ("ask_repeat", "", []),
        ("screener", "purpose_unknown", []),
        ("wants_sms", "text_later", []),
        ("wants_transfer", "", ["schedule_callback", "set_disposition"]),
        ("card_number", "card_noted", []),
        ("other_language", "your_language", []),
    ],
)
def test_first_answer_to_everything_a_persona_can_want(intent, key, tools, language):
    reply = think(said("opening"), heard(intent, language), instructions="Company: Northwind")
    assert tools_of(reply) == tools
    if key:
        assert is_phrase(reply, key, language)
        assert all(part.language == language for part in reply if isinstance(part, Say))


def test_every_intent_of_the_personas_is_answered():
    assert {line.intent for line in all_lines()} <= set(INTENTS)
    for intent in INTENTS:
        assert think(said("opening"), heard(intent)), intent


def test_every_phrase_exists_in_every_language():
    for key, texts in PHRASES.items():
        assert set(texts) == set(LANGUAGES), key
        assert len(set(texts.values())) == len(LANGUAGES), key


@pytest.mark.parametrize(
    ("history", "key", "tools"),
    [
        ([heard("interested"), said("shall_we"), heard("confirm")], "", ["set_disposition"]),
        (
            [
                *(heard("interested"), said("shall_we"), heard("confirm")),
                *(called("set_disposition", code="interested"), result("set_disposition")),
            ],
            "thanks_agreed",
            ["end_call"],
        ),
        # A question that was cut off is asked again; one that was heard to its end counts a second yes as a yes.
        ([heard("interested"), said("shall_we", was_cut=True), heard("interested")], "shall_we", []),
        ([heard("interested"), said("shall_we"), heard("interested")], "", ["set_disposition"]),
        ([heard("interested"), said("shall_we"), heard("opt_out")], "", ["opt_out"]),
        ([heard("opt_out"), called("opt_out"), result("opt_out")], "removed", ["set_disposition", "end_call"]),
        (
            [heard("opt_out"), called("opt_out"), result("opt_out", "Failed: no such number.")],
            "removal_failed",
            ["set_disposition", "end_call"],
        ),
        (
            [
                heard("callback_tomorrow_1500"),
                *(called("schedule_callback"), called("set_disposition", code="callback")),
                *(result("schedule_callback"), result("set_disposition")),
            ],
            "callback_set",
            [],
        ),
        (
            [
                heard("callback_tomorrow_1500"),
                *(called("schedule_callback"), called("set_disposition", code="callback")),
                *(result("schedule_callback", "Failed: too late."), result("set_disposition")),
            ],
            "callback_failed",
            [],
        ),
        (
            [heard("busy_now"), called("set_disposition", code="callback"), result("set_disposition")],
            "offer_callback",
            [],
        ),
        # Nothing is due while the contact has the word.
        ([heard("interested"), said("shall_we"), called("note_it"), result("note_it")], "", []),
        ([heard("not_interested"), said("decline"), called("end_call"), result("end_call")], "", ["set_disposition"]),
        ([Turn("silence")], "are_you_there", []),
        ([Turn("silence"), said("are_you_there"), Turn("silence")], "are_you_there_again", []),
        ([Turn("silence")] * 3, "nobody_there", ["set_disposition", "end_call"]),
        ([Turn("silence"), heard("greeting"), Turn("silence")], "are_you_there", []),
        ([unclear()], "say_again", []),
        ([unclear(), said("say_again"), unclear()], "say_again_slowly", []),
        ([unclear(), unclear(), unclear()], "can_not_understand", ["set_disposition", "end_call"]),
        ([unclear(), heard("greeting"), unclear()], "say_again", []),
        ([Turn("caller", "", tone_ms=3000)], "", ["set_disposition", "end_call"]),
        ([Turn("caller", "", tone_ms=300)], "", []),
        ([heard("voicemail_greeting"), Turn("caller", "", tone_ms=500)], "voicemail", ["set_disposition", "end_call"]),
        (
            [
                *(heard("not_interested"), said("decline"), called("set_disposition", code="not_interested")),
                *(called("end_call"), result("end_call"), heard("goodbye")),
            ],
            "goodbye",
            ["end_call"],
        ),
        ([heard("screener"), heard("screener_connecting"), heard("greeting")], "have_a_minute", []),
        ([heard("ivr_menu"), heard("ivr_connecting"), heard("greeting"), heard("interested")], "shall_we", []),
    ],
)
def test_conversation_goes_on_where_it_stands(history, key, tools):
    reply = think(said("opening"), *history)
    assert tools_of(reply) == tools
    assert is_phrase(reply, key) if key else not words(reply)


def test_menu_is_answered_by_key_where_that_is_offered():
    reply = think(heard("ivr_menu"), tools=[*TOOLS, PRESS])
    assert reply == (Call("press_digits", {"digits": "1"}),)


def test_handover_speaks_first_and_then_calls():
    reply = think(heard("wants_human", "es"), tools=[*TOOLS, HANDOVER])
    assert reply == (Say(PHRASES["connecting"]["es"], "es"), Call("hand_over", {}))


def test_a_text_is_sent_before_it_is_promised():
    asked = (said("opening"), heard("wants_sms", "cs"))
    text = "Northwind: jak jsme se domluvili po telefonu, pošleme vám všechny podrobnosti. Děkujeme za váš čas!"
    assert think(*asked, tools=[*TOOLS, TEXT]) == (Call("send_sms", {"text": text}),)
    sent = (*asked, called("send_sms", text=text), result("send_sms", "Done: the message is being sent."))
    assert is_phrase(think(*sent, tools=[*TOOLS, TEXT]), "text_sent", "cs")
    agreed = (*sent, said("text_sent", "cs"), heard("confirm", "cs"))
    assert tools_of(think(*agreed, tools=[*TOOLS, TEXT])) == ["set_disposition"]
    refused = (*asked, called("send_sms", text=text), result("send_sms", "Failed: no_consent."))
    reply = think(*refused, tools=[*TOOLS, TEXT])
    assert is_phrase(reply, "text_later", "cs")
    assert tools_of(reply) == []


def test_who_wants_the_office_is_connected_with_it_by_whatever_tool_there_is():
    asked = (said("opening"), heard("wants_transfer"))
    office = Call("transfer_to_number", {"number": "+12025550144"})
    reply = think(*asked, tools=[*TOOLS, HANDOVER, TRANSFER])
    assert reply == (Say(PHRASES["connecting_office"]["en"], "en"), office)
    assert think(*asked, tools=[*TOOLS, HANDOVER])[1] == Call("hand_over", {})
    assert think(heard("wants_human"), tools=[*TOOLS, TRANSFER])[1] == office
    under_way = (*asked, said("connecting_office"), called("transfer_to_number"), result("transfer_to_number"))
    assert think(*under_way, tools=[*TOOLS, TRANSFER]) == ()
    closed = (*under_way[:-1], result("transfer_to_number", "Failed: nobody is there now."))
    assert tools_of(think(*closed, tools=[*TOOLS, TRANSFER, HANDOVER])) == ["hand_over"]
    assert tools_of(think(*closed, tools=[*TOOLS, TRANSFER])) == ["schedule_callback", "set_disposition"]


def test_nothing_is_recorded_from_a_card_number_to_the_answer():
    tools = [*TOOLS, PAUSE, RESUME]
    heard_card = (said("opening"), heard("interested"), said("shall_we"), heard("card_number"))
    assert think(*heard_card, tools=tools) == (Call("pause_recording", {}),)
    paused = (*heard_card, called("pause_recording"), result("pause_recording", "Done: nothing is recorded now."))
    assert is_phrase(think(*paused, tools=tools), "card_noted")
    agreed = (*paused, said("card_noted"), heard("confirm"))
    reply = think(*agreed, tools=tools)
    assert tools_of(reply) == ["resume_recording", "set_disposition"]
    assert reply[1].arguments["code"] == "interested"
    noted = (*agreed, called("resume_recording"), called("set_disposition", code="interested"))
    done = (*noted, result("resume_recording"), result("set_disposition"))
    reply = think(*done, tools=tools)
    assert is_phrase(reply, "thanks_agreed")
    assert tools_of(reply) == ["end_call"]


def test_it_goes_on_in_the_language_that_was_asked_for():
    change = function("change_language", language={"type": "string", "enum": ["en", "es", "cs"]})
    asked = (said("opening"), heard("other_language", "es"))
    reply = think(*asked)
    assert words(reply).startswith(PHRASES["your_language"]["es"])
    assert words(reply).endswith(PHRASES["tell_you_more"]["es"])
    assert think(*asked, tools=[*TOOLS, change])[1:] == (Call("change_language", {"language": "es"}),)
    later = think(said("opening"), heard("interested"), said("shall_we"), heard("other_language", "cs"))
    assert words(later) == f"{PHRASES['your_language']['cs']} {PHRASES['shall_we']['cs']}"


def test_without_tools_it_still_takes_its_leave():
    assert words(think(heard("not_interested"), tools=[])) == PHRASES["decline"]["en"]
    assert tools_of(think(heard("not_interested"), tool_choice="none")) == []


def test_forced_tool_is_called_whatever_was_said():
    reply = think(heard("greeting"), tool_choice={"type": "function", "name": "set_disposition"})
    assert tools_of(reply) == ["set_disposition"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "Greet the person now, in Spanish. Say exactly this: “Hola Ana, soy Ada. ¿Tiene un minuto?”",
            "Hola Ana, soy Ada. ¿Tiene un minuto?",
        ),
        ("Greet the caller.", "Good morning, Ada here from Northwind."),
        ("Nobody has said anything. In English, say goodbye politely.", PHRASES["nobody_there"]["en"]),
        ("The time is over. Say goodbye in one sentence.", PHRASES["time_is_up"]["en"]),
    ],
)
def test_it_says_what_a_response_is_told_to_say(told, expected):
    instructions = f"{INSTRUCTIONS}Greeting: Good morning, Ada here from Northwind."
    reply = think(told=told, instructions=instructions)
    assert words(reply) == expected
    assert reply[0].language == ("es" if "Hola" in expected else "en")


def test_after_a_break_it_apologises_and_goes_on():
    told = "The connection was disturbed. Apologise and go on where it stopped. Do not greet again."
    reply = think(said("opening"), heard("interested", "cs"), told=told)
    assert words(reply).startswith(PHRASES["sorry_for_that"]["cs"])
    assert words(reply).endswith(PHRASES["shall_we"]["cs"])
    reply = think(said("opening"), heard("interested"), said(words(reply)), heard("opt_out"), told=told)
    assert tools_of(reply) == ["opt_out"]


def test_hint_of_a_supervisor_is_followed():
    assert (
        words(think(heard("interested"), Turn("note", 'Say: "We have a discount today."')))
        == "We have a discount today."
    )


def test_pressed_key_means_what_the_instructions_say():
    pressed = Turn("note", "The caller pressed 9.")
    assert tools_of(think(pressed, instructions="If they press 9 to be removed from the list, do so.")) == ["opt_out"]
    assert is_phrase(think(pressed), "go_ahead")


def test_campaign_question_and_voicemail_are_spoken_in_their_own_language_only():
    instructions = (
        f"{INSTRUCTIONS}Question: Shall I note the check for you?\nVoicemail: This is Ada, we will call again."
    )
    assert words(think(heard("interested"), instructions=instructions)) == "Shall I note the check for you?"
    assert words(think(heard("interested", "cs"), instructions=instructions)) == PHRASES["shall_we"]["cs"]
    assert words(think(heard("voicemail_greeting"), instructions=instructions)) == "This is Ada, we will call again."


@pytest.mark.parametrize(
    ("output", "refused"),
    [
        ('{"ok": true}', False),
        ('{"ok": false}', True),
        ('{"error": "outside hours"}', True),
        ('{"status": "failed"}', True),
        ("Done: noted.", False),
        ("Failed: too late.", True),
        ("", False),
    ],
)
def test_refusal_is_told_from_success(output, refused):
    assert is_refusal(output) is refused
