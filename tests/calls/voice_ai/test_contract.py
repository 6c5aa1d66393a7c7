"""What the session counts on, whichever provider is at the other end: against the sandbox's servers for each."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from apps.calls.media.frames import (
    PCMU_8K,
    AiTranscript,
    Audio,
    CallerTranscript,
    Ready,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
    Usage,
    Used,
)
from apps.calls.voice_ai.base import PastTurn, VoiceAI, VoiceAIError, VoiceBrief
from tests.calls.voice_ai.providers import Candidate, Host
from tests.sandbox.voice_ai.client import clip, line, silence

GREETING = "Hello, this is Ada."
GREET = f"Greet the person now, in English. Say exactly this and nothing else: “{GREETING}”"
TALK = "Say exactly this: “" + "This is a long sentence that nobody will want to hear to its end, " * 3 + "will they?”"
RESUME = "The connection was disturbed. Apologise and go on where it stopped. Do not greet again."
FRAME = Audio.of(b"\xff" * 160)


class Conversation:
    """What has come from the AI so far, collected while the test goes on."""

    def __init__(self, ai: VoiceAI) -> None:
        self.ai = ai
        self.frames: list[Any] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for frame in self.ai.events():
            self.frames.append(frame)

    def of(self, kind: type) -> list[Any]:
        return [frame for frame in self.frames if type(frame) is kind]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.005)

    async def until_done(self, n: int = 1) -> None:
        await self.until(lambda: len(self.of(TurnDone)) >= n)

    async def hear(self, sound: bytes) -> None:
        for at in range(0, len(sound), 160):
            await self.ai.send_audio(Audio.of(sound[at : at + 160]))
            await asyncio.sleep(0)

    async def say(self, intent: str) -> None:
        await self.hear(clip(intent) + silence(700))

    def spoken(self) -> list[str]:
        """The AI's utterances, each as it was told last."""
        return list({frame.item_id: frame.text for frame in self.of(AiTranscript) if frame.is_final}.values())

    def heard(self) -> list[str]:
        return [frame.text for frame in self.of(CallerTranscript) if frame.is_final]

    def used(self) -> Usage:
        parts = [frame.usage for frame in self.frames if isinstance(frame, TurnDone | Used | CallerTranscript)]
        known = [usage for usage in parts if usage is not None]
        return Usage(
            audio_in=sum(usage.audio_in for usage in known),
            text_in=sum(usage.text_in for usage in known),
            audio_out=sum(usage.audio_out for usage in known),
            transcription=sum(usage.transcription for usage in known),
            transcription_s=sum(usage.transcription_s for usage in known),
            speech_chars=sum(usage.speech_chars for usage in known),
        )


@pytest.fixture
async def ai(provider_under_test: Candidate, host: Host) -> AsyncIterator[VoiceAI]:
    ai = provider_under_test.make(host)
    yield ai
    await ai.close()


@pytest.fixture
def brief(provider_under_test: Candidate) -> VoiceBrief:
    return provider_under_test.brief


@asynccontextmanager
async def conversing(ai: VoiceAI, brief: VoiceBrief, *history: PastTurn) -> AsyncIterator[Conversation]:
    await ai.open(brief, history)
    conversation = Conversation(ai)
    try:
        yield conversation
    finally:
        conversation.task.cancel()
        await asyncio.gather(conversation.task, return_exceptions=True)


# ── Speaking and listening ──────────────────────────────────────────────────────────────────────────────────
async def test_it_greets_as_it_is_told_in_the_sound_of_the_line(ai, brief):
    async with conversing(ai, brief) as talk:
        await talk.until(lambda: talk.frames)
        assert isinstance(talk.frames[0], Ready)
        await asyncio.sleep(0.05)
        assert not talk.of(Audio)  # nobody has asked it to speak
        await ai.speak(GREET)
        await talk.until_done()
    sounds = talk.of(Audio)
    assert {sound.format for sound in sounds} == {PCMU_8K}
    assert len({sound.item_id for sound in sounds}) == 1
    assert all(sound.n_bytes == len(sound.data) for sound in sounds)
    assert 900 < sum(sound.ms for sound in sounds) < 3000
    assert talk.spoken() == [GREETING]
    assert {frame.item_id for frame in talk.of(AiTranscript)} == {sounds[0].item_id}
    [done] = talk.of(TurnDone)
    assert (done.status, done.has_speech) == ("completed", True)


async def test_it_hears_understands_and_answers(ai, brief):
    async with conversing(ai, brief) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await talk.say("interested")
        await talk.until_done(2)
        await talk.until(talk.heard)
    assert talk.heard() == [line("interested").text]
    final = next(frame for frame in talk.of(CallerTranscript) if frame.is_final)
    assert final.language == "en"
    [begun], [ended] = talk.of(SpeechStarted), talk.of(SpeechStopped)
    assert begun.item_id == ended.item_id == final.item_id
    said_ms = len(clip("interested")) / 8
    assert 0 <= begun.at_ms < 400
    assert abs(ended.at_ms - said_ms) < 500
    answer = next(
        n for n, frame in enumerate(talk.frames) if type(frame) is Audio and frame.item_id != first_item(talk)
    )
    assert talk.frames.index(ended) < answer
    assert "glad to hear that" in talk.spoken()[1]


def first_item(talk: Conversation) -> str:
    item: str = talk.of(Audio)[0].item_id
    return item


async def test_what_is_used_is_told(ai, brief):
    async with conversing(ai, brief) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await talk.say("interested")
        await talk.until_done(2)
        # Speech is billed by tokens, or where its parts are separate by seconds heard and characters spoken.
        await talk.until(lambda: talk.used().audio_in or talk.used().transcription_s > 1)
        await talk.until(lambda: talk.used().audio_out > 50 or talk.used().speech_chars > len(GREETING))
    assert talk.used().text_in > 50


async def test_nobody_speaking_is_asked_whether_they_are_there(ai, brief):
    async with conversing(ai, replace(brief, idle_prompt_ms=5000)) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await asyncio.sleep(0.2)  # for it to have been heard, by the provider's reckoning
        await talk.hear(silence(9000))
        await talk.until_done(2)
    assert talk.spoken()[1] == "Hello, are you there?"


# ── Interruption ────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_caller_may_interrupt(ai, brief, host):
    async with conversing(ai, brief) as talk:
        await ai.speak(TALK)
        await talk.until(lambda: len(talk.of(Audio)) > 3)
        await talk.say("interested")
        await talk.until(lambda: talk.of(SpeechStarted))
        interrupted = talk.frames.index(talk.of(SpeechStarted)[0])
        cut = first_item(talk)
        await ai.cut(cut, 300)
        await talk.until(lambda: talk.heard() and talk.of(Audio)[-1].item_id != cut)
        await talk.until(lambda: len(talk.of(TurnDone)) == 2)
    after = talk.frames[interrupted:]
    assert cut not in {frame.item_id for frame in after if type(frame) is Audio}
    assert talk.of(TurnDone)[0].status == "cancelled"
    assert talk.heard() == [line("interested").text]
    session = await host.session()
    assert len(session["turns"][0]["text"]) < len(TALK) / 2
    assert "glad to hear that" in session["turns"][2]["text"]


# ── Tools ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_it_calls_a_tool_and_goes_on_with_the_answer(ai, brief, host):
    async with conversing(ai, brief) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await talk.say("opt_out")
        await talk.until(lambda: talk.of(ToolCall))
        [call] = talk.of(ToolCall)
        assert (call.name, call.arguments) == ("opt_out", "{}")
        await talk.until_done(2)  # the response that asks for it is done without the answer
        n_sounds = len(talk.of(Audio))
        await ai.answer_tool(call.id, '{"ok": true}')
        await talk.until(lambda: len(talk.of(ToolCall)) == 3)
        await talk.until_done(3)
    assert len(talk.of(Audio)) > n_sounds
    assert "removed your number" in talk.spoken()[1]
    assert [call.name for call in talk.of(ToolCall)] == ["opt_out", "set_disposition", "end_call"]
    assert talk.of(TurnDone)[-1].has_speech
    session = await host.session()
    assert session["tool_calls"][0]["output"] == '{"ok": true}'


async def test_a_tool_that_fails_is_told(ai, brief):
    async with conversing(ai, brief) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await talk.say("opt_out")
        await talk.until(lambda: talk.of(ToolCall))
        await talk.until_done(2)
        await ai.answer_tool(talk.of(ToolCall)[0].id, "Failed: the list cannot be reached.")
        await talk.until(lambda: len(talk.spoken()) == 2)
    assert "removed your number" not in talk.spoken()[1]


# ── What it is told besides ─────────────────────────────────────────────────────────────────────────────────
async def test_a_note_makes_it_say_nothing(ai, brief):
    async with conversing(ai, brief) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await asyncio.sleep(0.15)
        n_sounds = len(talk.of(Audio))
        await ai.note("The person pressed 5.")
        await asyncio.sleep(0.15)
        assert len(talk.of(Audio)) == n_sounds
        await talk.say("interested")
        await talk.until_done(2)
    assert len(talk.of(Audio)) > n_sounds


async def test_a_note_is_known_when_it_speaks_next(ai, brief):
    told = replace(brief, instructions=f"{brief.instructions}\nPress 9 to be removed from the list.")
    async with conversing(ai, told) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await asyncio.sleep(0.15)
        await ai.note("The person pressed 9.")
        await ai.speak("")
        await talk.until(lambda: talk.of(ToolCall))
    assert talk.of(ToolCall)[0].name == "opt_out"


async def test_it_goes_on_in_another_language(ai, brief):
    async with conversing(ai, brief) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await asyncio.sleep(0.15)
        spanish = brief.instructions.replace("Language: en", "Language: es").replace(GREETING, "Hola, soy Ada.")
        await ai.change(replace(brief, instructions=spanish, language="es"))
        await ai.speak("Greet the person.")
        await talk.until_done(2)
    assert talk.spoken()[1] == "Hola, soy Ada."


# ── The conversation before, and after a loss ───────────────────────────────────────────────────────────────
async def test_what_was_said_before_is_known(ai, brief):
    history = [PastTurn("ai", GREETING), PastTurn("caller", line("interested").text)]
    async with conversing(ai, brief, *history) as talk:
        await asyncio.sleep(0.1)
        assert not talk.of(Audio)
        await ai.speak(RESUME)
        await talk.until_done()
    [said] = talk.spoken()
    assert said.startswith("I am sorry")
    assert "glad to hear that" in said


async def test_a_loss_in_mid_sentence_comes_after_what_was_said(ai, brief, host):
    await host.order("disconnect", response=2)
    async with conversing(ai, brief) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        with pytest.raises(VoiceAIError) as error:  # noqa: PT012 - it strikes somewhere in here
            await talk.say("interested")
            await talk.until_done(2)
        assert error.value.retryable
        before = {frame.item_id for frame in talk.frames if hasattr(frame, "item_id")}
        await ai.send_audio(FRAME)  # says nothing
    history = [PastTurn("ai", GREETING), PastTurn("caller", line("interested").text)]
    async with conversing(ai, brief, *history) as again:
        await ai.speak(RESUME)
        await again.until_done()
        await again.say("goodbye")
        await again.until(again.heard)
    assert again.spoken()[0].startswith("I am sorry")
    assert "glad to hear that" in again.spoken()[0]
    after = {frame.item_id for frame in again.frames if hasattr(frame, "item_id")}
    assert not before & after


async def test_caller_audio_of_the_gap_is_kept_for_a_second(ai, brief, host):
    for _ in range(80):
        await ai.send_audio(FRAME)
    assert ai.n_dropped == 30
    async with conversing(ai, brief):
        await ai.send_audio(FRAME)
        await asyncio.sleep(0.1)
    session = await host.session()
    assert session["audio_in_bytes"] % 51 == 0
    assert session["audio_in_bytes"] >= 51 * 160


# ── Refusal and the end ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_of_a_moment_may_be_tried_again(ai, brief, host, status):
    await host.order("refuse", status=status)
    with pytest.raises(VoiceAIError) as error:
        await ai.open(brief)
    assert error.value.code.endswith(f"http_{status}")  # a pipeline names its part as well
    assert error.value.retryable
    await ai.open(brief)


async def test_a_wrong_key_stays_wrong(provider_under_test, host, brief):
    ai = provider_under_test.make(host, key="wrong")
    with pytest.raises(VoiceAIError) as error:
        await ai.open(brief)
    assert not error.value.retryable
    await ai.close()


async def test_an_unknown_model_is_refused_for_good(ai, brief):
    with pytest.raises(VoiceAIError) as error:
        await ai.open(replace(brief, model="no-such-model"))
    assert not error.value.retryable


async def test_nobody_there_may_be_there_later(provider_under_test, host, brief):
    ai = provider_under_test.make(replace(host, port=9, tls_port=9))
    with pytest.raises(VoiceAIError) as error:
        await ai.open(brief)
    assert error.value.code.endswith("unreachable")
    assert error.value.retryable


async def test_what_nobody_knows_yet_is_passed_over(ai, brief, host):
    await host.order("unknown_event")
    async with conversing(ai, brief) as talk:
        await host.order("garbage", live=True)
        await ai.speak(GREET)
        await talk.until_done()
    assert talk.spoken() == [GREETING]


async def test_the_last_words_are_recognised_after_the_line_is_gone(ai, brief):
    async with conversing(ai, brief) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await talk.hear(clip("opt_out"))
        await talk.until(lambda: talk.of(SpeechStarted))
        await ai.end_of_caller_audio()
        await talk.until(talk.heard)
    assert talk.heard() == [line("opt_out").text]


async def test_our_own_close_is_no_loss(ai, brief, host):
    async with conversing(ai, brief) as talk:
        await talk.until(lambda: talk.frames)
        await ai.close()
        await asyncio.wait_for(asyncio.shield(talk.task), 3)
        await ai.close()
    session = await host.session()
    assert not session["is_live"]
    assert session["close_code"] == 1000
