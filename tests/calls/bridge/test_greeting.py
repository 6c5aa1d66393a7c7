"""The greeting says that an AI speaks and that the call is recorded: it is heard to its end, whatever comes between."""

import pytest

from apps.calls.media.frames import SpeechStarted, SpeechStopped, TurnDone
from apps.calls.voice_ai.base import PastTurn, VoiceAIError
from tests.calls.bridge.fakes import PHRASES, Conversation

LOST = VoiceAIError("closed_1006", retryable=True)
GREETING = "“Hello, an AI speaking.”"


@pytest.fixture
async def talk():
    conversation = Conversation().start()
    await conversation.settle()
    yield conversation
    if conversation.is_running:
        await conversation.hang_up()


def last_prompt(talk) -> str:
    return talk.ai.all("speak")[-1][1]


async def test_a_greeting_that_breaks_off_with_the_provider_is_said_anew(talk):
    await talk.speaks("a1", "Hello, an", 400, done=False)
    await talk.lose()
    await talk.wait(1.1)
    assert len(talk.ai.all("speak")) == 2
    assert GREETING in last_prompt(talk)


async def test_whoever_takes_over_in_the_middle_of_the_greeting_greets():
    talk = Conversation(providers=("first", "second"), phrases=PHRASES).start()
    await talk.settle()
    await talk.speaks("a1", "Hello, an", 400, done=False)
    await talk.lose(error=VoiceAIError("http_401", retryable=False))
    await talk.settle()
    [(_, prompt)] = talk.ais["second"].all("speak")
    assert GREETING in prompt
    await talk.hang_up()


async def test_a_greeting_that_was_made_and_still_plays_is_not_said_twice(talk):
    await talk.speaks("a1", "Hello, an AI speaking.", 4000)
    await talk.lose()
    await talk.wait(5.0)
    assert len(talk.ai.all("speak")) == 1


async def test_a_greeting_whose_response_fails_is_asked_for_again(talk):
    await talk.says(TurnDone("failed", has_speech=False, error_code="server_error"))
    assert len(talk.ai.all("speak")) == 2
    assert GREETING in last_prompt(talk)


async def test_who_speaks_into_the_greeting_is_told_the_rest_of_it(talk):
    await talk.speaks("a1", "Hello, an AI speaking.", 2000)
    await talk.wait(0.5)
    await talk.says(SpeechStarted("u1", 500))
    [(_, note)] = talk.ai.all("note")
    assert GREETING in note
    assert "that you are an AI" in note


async def test_whoever_comes_next_knows_what_is_left_of_a_greeting_that_was_spoken_into(talk):
    await talk.speaks("a1", "Hello, an AI speaking.", 2000)
    await talk.wait(0.5)
    await talk.says(SpeechStarted("u1", 500), SpeechStopped("u1", 900), TurnDone("cancelled", has_speech=True))
    await talk.speaks("a2", "Of course,", 500, done=False)
    await talk.lose()
    await talk.wait(1.1)
    assert len(talk.ai.all("note")) == 2
    assert "Do not greet again. Say first what they have not heard" in last_prompt(talk)


async def test_the_rest_of_the_greeting_is_owed_until_it_was_heard(talk):
    await talk.speaks("a1", "Hello, an AI speaking.", 2000)
    await talk.wait(0.5)
    await talk.says(SpeechStarted("u1", 500), SpeechStopped("u1", 900), TurnDone("cancelled", has_speech=True))
    await talk.speaks("a2", "An AI speaking. Who is there?", 2000)
    await talk.wait(1.0)
    await talk.says(SpeechStarted("u2", 2000), SpeechStopped("u2", 2400))
    assert len(talk.ai.all("note")) == 2
    await talk.speaks("a3", "I am an AI.", 1000)
    await talk.wait(1.5)
    await talk.speaks("a4", "As I said.", 1000)
    await talk.says(SpeechStarted("u3", 5000))
    assert len(talk.ai.all("note")) == 2


async def test_who_will_not_hear_the_greeting_is_not_told_for_ever(talk):
    for n in range(6):
        await talk.speaks(f"a{n}", "Hello, an AI speaking.", 2000)
        await talk.says(SpeechStarted(f"u{n}", 500), SpeechStopped(f"u{n}", 900))
    assert len(talk.ai.all("note")) == 3


async def test_an_answer_that_is_interrupted_later_brings_no_greeting(talk):
    await talk.speaks("a1", "Hello, an AI speaking.", 1000)
    await talk.wait(1.5)
    await talk.says(SpeechStarted("u1", 1600), SpeechStopped("u1", 1900))
    await talk.speaks("a2", "Of course I can.", 2000)
    await talk.says(SpeechStarted("u2", 2500), SpeechStopped("u2", 2900))
    assert talk.ai.all("note") == []
    await talk.lose()
    await talk.wait(1.1)
    assert "Do not greet again" in last_prompt(talk)


async def test_a_second_stream_of_a_conversation_goes_on_with_what_is_left_of_the_greeting():
    history = [PastTurn("ai", "Hello, an"), PastTurn("caller", "Who?")]
    talk = Conversation(history=history, offset_ms=2_000, owes_greeting=True).start()
    await talk.settle()
    assert len(talk.ai.all("note")) == 1
    assert "Do not greet again. Say first what they have not heard" in last_prompt(talk)
    await talk.hang_up()


async def test_a_second_stream_greets_where_the_first_one_broke_in_the_greeting():
    talk = Conversation(history=[PastTurn("ai", "Hello, an")], offset_ms=2_000, owes_greeting=True).start()
    await talk.settle()
    assert GREETING in last_prompt(talk)
    await talk.hang_up()
