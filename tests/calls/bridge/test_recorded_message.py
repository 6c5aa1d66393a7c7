"""The recorded message after the beep: given to the line as our own sound, heard to its end, then the call is over."""

from dataclasses import replace

import pytest

from apps.calls.bridge.answering import AnsweringPlan, RecordedMessage
from apps.calls.bridge.call_watcher import CallWatcher
from apps.calls.bridge.commands import Command
from apps.calls.bridge.phrase_book import split
from apps.calls.bridge.sink import Cause
from apps.calls.media.frames import AiTranscript, Audio, Mark, MarkReached, SpeechStarted, SpeechStopped, ToolCall
from apps.calls.voice_ai.base import VoiceAIError
from apps.core import breaker
from tests.calls.bridge.fakes import PHRASES, Conversation, make_plan
from tests.calls.bridge.test_steering import TapeRecorder

TEXT = "Ada of Acme called about your order. We will try again tomorrow morning."
MS = 8000
PIECES = split(b"\x33" * (MS * 8))
MESSAGE = RecordedMessage("a" * 64, "voicemail-messages/a.wav", MS, TEXT, is_wording=True)
BEEP = Command("machine_verdict", {"verdict": "machine", "answered_by": "machine_end_beep"})


@pytest.fixture(autouse=True)
def _breakers():
    breaker.close("fake")


async def machine(*, message: RecordedMessage = MESSAGE, sound=PIECES, said="", **options) -> Conversation:
    """A call that an answering machine takes, up to its beep."""
    plan = replace(make_plan(), answering=AnsweringPlan(recorded={"en": message}, message={"en": said}))
    asked = []

    async def sound_of(wanted):
        asked.append(wanted)
        return sound

    watcher = CallWatcher(plan, sound_of)
    talk = Conversation(watcher=watcher, phrases=PHRASES, burst_s=1000.0, **options).start()
    await talk.settle()
    await talk.speaks("a1", "Hello, an AI speaking.", 400)
    await talk.wait(1)
    talk.session.command(BEEP)
    await talk.settle()
    assert asked == [message]
    return talk


def played(talk: Conversation) -> list[Audio]:
    """What of the message was given to the line, in order."""
    ours = {id(piece) for piece in PIECES}
    return [audio for audio in talk.line.of(Audio) if id(audio) in ours]


async def heard_up_to(talk: Conversation, seconds: float) -> None:
    """Let the carrier play, and return the marks it comes by, each once."""
    returned: set[str] = talk.__dict__.setdefault("returned", set())
    for _ in range(round(seconds / 0.02)):
        await talk.wait(0.02)
        playback = talk.session._talk.playback
        for name in [mark.name for mark in talk.line.of(Mark) if mark.name not in returned]:
            generation, _, position = name.partition("-")
            if int(generation) < playback._generation:
                returned.add(name)
            elif float(position) <= playback.played(talk.clock()):
                returned.add(name)
                await talk.hears(MarkReached(name))


async def test_it_is_heard_to_its_end_and_then_the_call_is_over():
    tape = TapeRecorder()
    talk = await machine(recorder=tape)
    assert sum(audio.ms for audio in played(talk)) <= 3400, "not all at once: a cut must be near"
    assert talk.told("message_left") == []
    await heard_up_to(talk, 9)
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.AI_ENDED, "voicemail")
    assert played(talk) == PIECES
    assert talk.told("message_left") == [{"after": "carrier", "how": "recorded", "ms": MS}]
    turn = talk.spoken_by_us[-1]
    assert (turn.text, turn.was_interrupted, turn.ended_ms - turn.started_ms) == (TEXT, False, MS)
    sounds = [at for kind, *at in tape.did if kind == "ai"]
    assert len(sounds) == len(PIECES) + 1, "and recorded like all that we say"
    assert not [prompt for _, prompt in talk.ai.all("speak") if "machine is recording" in prompt]


async def test_the_last_word_of_the_carrier_is_waited_for_but_not_for_ever():
    talk = await machine()
    await talk.wait(MS / 1000 + 1)
    assert talk.is_running, "the clock alone does not say that it was heard"
    await talk.wait(3)
    assert (await talk.end()).detail == "voicemail"
    assert talk.told("message_left")


async def test_the_ai_keeps_silent_meanwhile_and_is_owed_nothing():
    talk = await machine()
    await talk.says(SpeechStopped("u0", 900))  # of the greeting, told late
    n_before = len(talk.line.of(Audio))
    await talk.speaks("a9", "Hello? Is anybody there?", 800, done=False)
    await talk.says(AiTranscript("a9", "Hello? Is anybody there?", is_final=True))
    await talk.says(ToolCall("t1", "end_call", "{}"))
    assert len(talk.line.of(Audio)) == n_before
    assert "Hello? Is anybody there?" not in [turn.text for turn in talk.sink.turns]
    assert talk.ai.all("answer")[0][2].startswith("Not yet")
    await heard_up_to(talk, 9)
    await talk.end()
    assert [prompt for _, prompt in talk.ai.all("speak") if "disturbed" in prompt] == []
    assert talk.told("ai_failed") == []


async def test_a_machine_that_goes_on_speaking_hears_it_from_the_beginning():
    talk = await machine()
    await heard_up_to(talk, 4)
    await talk.says(SpeechStarted("u1", 0))
    assert talk.n_clears
    cut = talk.spoken_by_us[-1]
    assert cut.was_interrupted
    assert TEXT.startswith(cut.text)
    assert abs(len(cut.text) - len(TEXT) / 2) < 12
    n_given = len(played(talk))
    await heard_up_to(talk, 3)
    assert len(played(talk)) == n_given, "not into its words"
    await talk.says(SpeechStopped("u1", 3000))
    await heard_up_to(talk, 9)
    assert (await talk.end()).detail == "voicemail"
    assert played(talk)[n_given:] == PIECES
    assert len(talk.told("message_left")) == 1


async def test_who_always_speaks_into_it_is_left_without_a_message():
    talk = await machine()
    for n in range(3):
        await heard_up_to(talk, 1)
        await talk.says(SpeechStarted(f"u{n}", 0))
        await talk.wait(0.5)
        await talk.says(SpeechStopped(f"u{n}", 500))
        await talk.wait(0.2)
    await talk.wait(1)
    assert (await talk.end()).detail == "voicemail"
    assert talk.told("message_left") == []


async def test_a_machine_that_never_stops_speaking_does_not_hold_the_call():
    talk = await machine()
    await heard_up_to(talk, 1)
    await talk.says(SpeechStarted("u1", 0))
    await talk.wait(45)
    assert (await talk.end()).detail == "voicemail"
    assert talk.told("message_left") == []


async def test_a_recording_that_is_not_there_is_spoken():
    talk = await machine(sound=None, said="Ada of Acme called.")
    assert played(talk) == []
    assert any("“Ada of Acme called.”" in prompt for _, prompt in talk.ai.all("speak"))
    assert talk.told("message_left") == [{"after": "carrier"}]
    await talk.speaks("a2", "Ada of Acme called.", 1500)
    await talk.wait(3)
    assert (await talk.end()).detail == "voicemail"


async def test_a_machine_that_hangs_up_has_heard_what_it_has_heard():
    talk = await machine()
    await heard_up_to(talk, 3)
    assert (await talk.hang_up()).cause is Cause.CALLER_HUNG_UP
    turn = talk.spoken_by_us[-1]
    assert turn.was_interrupted
    assert 0 < len(turn.text) < len(TEXT)
    assert talk.told("message_left") == []


async def test_a_message_without_words_is_named_in_the_transcript():
    talk = await machine(message=replace(MESSAGE, text="[recorded message]", is_wording=False))
    await heard_up_to(talk, 2)
    await talk.hang_up()
    turn = talk.spoken_by_us[-1]
    assert (turn.text, turn.was_interrupted) == ("[recorded message]", True)


async def test_no_voice_ai_is_needed_for_it():
    talk = await machine()
    talk.ai.open_errors = [VoiceAIError("http_401", retryable=False)] * 9
    await heard_up_to(talk, 2)
    await talk.lose(error=VoiceAIError("http_401", retryable=False))
    await heard_up_to(talk, 7)
    end = await talk.end()
    assert (end.cause, end.detail) == (Cause.AI_ENDED, "voicemail")
    assert [turn.text for turn in talk.spoken_by_us] == [TEXT], "nobody is asked to wait, nobody apologised to"
    assert played(talk) == PIECES
    assert talk.told("gave_up") == []


async def test_one_that_is_away_for_a_moment_does_not_ask_the_machine_to_wait():
    talk = await machine()
    talk.ai.open_errors = [VoiceAIError("closed_1006", retryable=True)] * 2
    await heard_up_to(talk, 1)
    await talk.lose()
    await heard_up_to(talk, 9)
    assert (await talk.end()).detail == "voicemail"
    assert [turn.text for turn in talk.spoken_by_us] == [TEXT]


async def test_a_person_after_all_is_talked_to():
    talk = await machine()
    await heard_up_to(talk, 1)
    talk.session.command(Command("machine_verdict", {"verdict": "human", "answered_by": "human"}))
    await talk.settle()
    assert talk.n_clears
    await talk.wait(1)
    n_before = len(talk.line.of(Audio))
    await talk.speaks("a5", "Hello, this is Ada.", 600)
    assert len(talk.line.of(Audio)) > n_before
    await talk.wait(40)
    assert talk.is_running, "the message's time limit went with the message"
    assert talk.told("message_left") == []
    await talk.hang_up()
