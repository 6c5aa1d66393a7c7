"""What only a pipeline can suffer: each of its parts lost by itself, two languages, two vendors."""

import asyncio
from contextlib import contextmanager
from dataclasses import replace

import pytest

from apps.calls.media.frames import Audio, CallerTranscript, SpeechStarted, ToolCall, TurnDone, Used
from apps.calls.voice_ai.base import PastTurn, VoiceAIError
from apps.calls.voice_ai.deepgram.listening import FluxListener, NovaListener
from apps.core.breaker import CircuitOpen
from tests.calls.voice_ai.providers import PROVIDERS, deepgram
from tests.calls.voice_ai.test_contract import GREET, GREETING, TALK, conversing
from tests.sandbox.voice_ai.client import clip, line, silence

[BRIEF] = [candidate.brief for candidate in PROVIDERS if candidate.name == "deepgram"]
CZECH = replace(
    BRIEF,
    language="cs",
    languages=["cs", "en", "es"],
    voice="",
    speech="gemini:gemini-3.8-flash-lite-tts",
    instructions=BRIEF.instructions.replace("Language: en", "Language: cs").replace(GREETING, "Dobrý den, tady Ada."),
)
GEMINI_LLM = "gemini:gemini-3.8-flash"


@pytest.fixture
async def ai(host):
    ai = deepgram(host)
    yield ai
    await ai.close()


def services_of(talk):
    return {(frame.usage.service, frame.usage.model) for frame in talk.of(Used)}


# ── Languages, models, vendors ──────────────────────────────────────────────────────────────────────────────
async def test_czech_is_heard_by_deepgram_and_spoken_by_the_second_voice(ai):
    async with conversing(ai, CZECH) as talk:
        await ai.speak("Greet the person.")
        await talk.until_done()
        assert talk.spoken() == ["Dobrý den, tady Ada."]
        await talk.hear(clip("interested", "cs") + silence(700))
        await talk.until_done(2)
    assert talk.heard() == [line("interested", "cs").text]
    assert next(frame for frame in talk.of(CallerTranscript) if frame.is_final).language == "cs"
    sounds = talk.of(Audio)
    assert all(sound.n_bytes % 160 == 0 for sound in sounds)
    assert sum(sound.ms for sound in sounds if sound.item_id == sounds[0].item_id) > 900
    assert ("gemini", "gemini-3.8-flash-lite-tts") in services_of(talk)
    n_letters = sum(len(text) for text in talk.spoken())
    assert n_letters - 3 <= sum(frame.usage.speech_chars for frame in talk.of(Used)) <= n_letters


async def test_the_voice_changes_with_the_language_within_the_call(ai):
    async with conversing(ai, BRIEF) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await ai.change(CZECH)
        await ai.speak("Greet the person.")
        await talk.until_done(2)
        await ai.change(BRIEF)
        await ai.speak("Greet the person.")
        await talk.until_done(3)
    assert talk.spoken() == [GREETING, "Dobrý den, tady Ada.", GREETING]
    services = [frame.usage.service for frame in talk.of(Used) if frame.usage.speech_chars]
    assert services == ["deepgram", "gemini", "deepgram"]


async def test_an_answer_that_nobody_has_heard_yet_is_begun_again_in_the_other_language(ai, host):
    await host.order("slow", provider="deepgram/speak", delay_ms=60_000)
    async with conversing(ai, BRIEF) as talk:
        await ai.speak("Greet the person.")
        await asyncio.sleep(0.1)
        await ai.change(CZECH)
        await talk.until_done(2)
    assert [done.status for done in talk.of(TurnDone)] == ["cancelled", "completed"]
    assert talk.spoken() == ["Dobrý den, tady Ada."]
    assert len({sound.item_id for sound in talk.of(Audio)}) == 1


async def test_a_language_without_a_voice_is_refused_for_good(ai):
    with pytest.raises(VoiceAIError) as error:
        await ai.open(replace(CZECH, speech=""))
    assert (error.value.code, error.value.retryable) == ("speak_no_voice", False)


async def test_a_language_without_a_voice_ends_a_conversation_that_changes_to_it(ai):
    async with conversing(ai, BRIEF) as talk:
        await ai.change(replace(CZECH, speech=""))
        with pytest.raises(VoiceAIError) as error:
            await talk.until_done()
    assert error.value.code == "speak_no_voice"


@pytest.mark.parametrize("llm", ["mistral:large", "gemini:", "openai:no-such-model"])
async def test_an_unknown_language_model_is_refused_for_good(ai, llm):
    with pytest.raises(VoiceAIError) as error:  # noqa: PT012 - a service at once, a model when it is asked
        async with conversing(ai, replace(BRIEF, llm=llm)) as talk:
            await ai.speak(GREET)
            await talk.until_done()
    assert error.value.code.startswith("think_")
    assert not error.value.retryable


async def test_gemini_thinks_where_it_is_told_to(ai):
    async with conversing(ai, replace(BRIEF, llm=GEMINI_LLM)) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await talk.say("opt_out")
        await talk.until(lambda: talk.of(ToolCall))
        await talk.until_done(2)
        await ai.answer_tool(talk.of(ToolCall)[0].id, '{"ok": true}')
        await talk.until(lambda: len(talk.of(ToolCall)) == 3)
        await talk.until_done(3)
    assert talk.spoken()[0] == GREETING
    assert "removed your number" in talk.spoken()[1]
    assert [call.name for call in talk.of(ToolCall)] == ["opt_out", "set_disposition", "end_call"]
    usage = talk.of(TurnDone)[0].usage
    assert (usage.service, usage.model) == ("gemini", "gemini-3.8-flash")
    assert usage.text_in > 20
    assert usage.text_out > 3


async def test_flux_listens_where_it_is_told_to(ai):
    async with conversing(ai, replace(BRIEF, model="flux-general-multi")) as talk:
        assert isinstance(ai._listener, FluxListener)
        await ai.speak(TALK)
        await talk.until(lambda: len(talk.of(Audio)) > 3)
        await talk.say("interested")
        await talk.until(talk.heard)
        await talk.until_done(2)
    assert talk.heard() == [line("interested").text]
    assert [done.status for done in talk.of(TurnDone)] == ["cancelled", "completed"]
    assert ("deepgram", "flux-general-multi") in services_of(talk)


async def test_flux_that_does_not_know_the_language_leaves_it_to_nova(ai):
    async with conversing(ai, replace(CZECH, model="flux-general-multi")):
        assert isinstance(ai._listener, NovaListener)
        assert ai._listener.model == "nova-3"


async def test_flux_ends_the_turn_of_a_line_that_falls_silent(ai):
    async with conversing(ai, replace(BRIEF, model="flux-general-multi")) as talk:
        await talk.hear(clip("interested"))
        await talk.until(lambda: talk.of(SpeechStarted))
        await talk.until(talk.heard)
    assert talk.heard() == [line("interested").text]


# ── What was heard ──────────────────────────────────────────────────────────────────────────────────────────
async def test_the_language_model_is_told_what_was_heard_and_no_more(ai, host):
    async with conversing(ai, BRIEF) as talk:
        await ai.speak("Say exactly this: “Good morning to you. We sell tariffs for electricity and gas.”")
        await talk.until_done()
        item = talk.of(Audio)[0].item_id
        total = sum(sound.ms for sound in talk.of(Audio))
        await ai.cut(item, int(total * 0.6))
        await talk.say("interested")
        await talk.until_done(2)
    told = (await host.session())["turns"][0]["text"]
    assert told.startswith("Good morning to you. We sell")
    assert not told.endswith("gas.")


async def test_an_interruption_aborts_what_the_language_model_still_writes(ai, host):
    await host.order("stall", provider="openai/chat")
    async with conversing(ai, BRIEF) as talk:
        await ai.speak(TALK)
        await asyncio.sleep(0.1)  # it has begun to write, and will not go on
        await talk.say("interested")
        await talk.until_done(2)
    assert [done.status for done in talk.of(TurnDone)] == ["cancelled", "completed"]
    assert "glad to hear that" in talk.spoken()[0]


async def test_words_nobody_can_make_out_are_asked_for_again(ai, host):
    await host.order("transcription_failed", provider="deepgram/listen")
    async with conversing(ai, BRIEF) as talk:
        await talk.say("interested")
        await talk.until_done()
    final = next(frame for frame in talk.of(CallerTranscript) if frame.is_final)
    assert (final.text, final.is_lost) == ("", True)
    assert "say that again" in talk.spoken()[0]


# ── Parts that are lost ─────────────────────────────────────────────────────────────────────────────────────
async def test_ears_that_are_lost_say_so(ai, host):
    await host.order("disconnect", provider="deepgram/listen", code=1011, reason="NET-0001")
    async with conversing(ai, BRIEF) as talk:
        with pytest.raises(VoiceAIError) as error:  # noqa: PT012
            await talk.say("interested")
            await talk.until_done()
    assert (error.value.code, error.value.retryable) == ("listen_closed_1011", True)
    assert talk.of(SpeechStarted)
    assert not talk.heard()  # the turn is not over: the session has the next one hear it again
    pieces = "".join(frame.text for frame in talk.of(CallerTranscript))
    assert pieces
    assert line("interested").text.startswith(pieces)


async def test_a_voice_that_is_lost_in_mid_sentence_says_so(ai, host):
    await host.order("disconnect", provider="deepgram/speak", code=None)
    async with conversing(ai, BRIEF) as talk:
        await ai.speak(GREET)
        with pytest.raises(VoiceAIError) as error:
            await talk.until_done()
    assert (error.value.code, error.value.retryable) == ("speak_closed_1006", True)


async def test_a_voice_that_is_lost_while_it_has_nothing_to_say_is_fetched_back(ai, host):
    async with conversing(ai, BRIEF) as talk:
        await ai.speak(GREET)
        await talk.until_done()
        await host.order("disconnect", provider="deepgram/speak", now=True, live=True)
        await asyncio.sleep(0.1)
        await ai.speak(GREET)
        await talk.until_done(2)
    assert talk.spoken() == [GREETING, GREETING]


async def test_what_the_caller_says_while_a_part_is_lost_is_kept_for_the_next_connection(ai, host):
    await host.order("disconnect", provider="deepgram/speak")
    async with conversing(ai, BRIEF) as talk:
        await ai.speak(GREET)
        with pytest.raises(VoiceAIError):
            await talk.until_done()
        sound = clip("interested")[: 160 * 50]  # the ears are still there, but nobody will read what they hear
        await talk.hear(sound)
    assert ai.n_dropped == 0
    async with conversing(ai, BRIEF, PastTurn("ai", GREETING)) as again:
        await again.hear(clip("interested")[160 * 50 :] + silence(700))
        await again.until(again.heard)
        await again.until_done()
    assert again.heard() == [line("interested").text]


@pytest.mark.parametrize(
    ("order", "code", "retryable"),
    [
        ({"kind": "refuse", "status": 429}, "think_http_429", True),
        ({"kind": "refuse", "status": 500}, "think_http_500", True),
        ({"kind": "refuse", "status": 401}, "think_http_401", False),
        ({"kind": "disconnect"}, "think_unreachable", True),
        ({"kind": "garbage"}, "think_malformed", True),
        ({"kind": "response_failed"}, "think_server_error", True),
    ],
)
async def test_a_language_model_that_is_lost_says_so(ai, host, order, code, retryable):
    await host.order(**order, provider="openai/chat")
    async with conversing(ai, BRIEF) as talk:
        await ai.speak(TALK)
        with pytest.raises(VoiceAIError) as error:
            await talk.until_done()
    assert (error.value.code, error.value.retryable) == (code, retryable)


@pytest.mark.parametrize(
    ("order", "code", "retryable"),
    [
        ({"kind": "refuse", "status": 429}, "think_http_429", True),
        ({"kind": "refuse", "status": 403}, "think_http_403", False),
    ],
)
async def test_gemini_as_the_language_model_is_lost_alike(ai, host, order, code, retryable):
    await host.order(**order, provider="gemini/rest")
    async with conversing(ai, replace(BRIEF, llm=GEMINI_LLM)) as talk:
        await ai.speak(TALK)
        with pytest.raises(VoiceAIError) as error:
            await talk.until_done()
    assert (error.value.code, error.value.retryable) == (code, retryable)


async def test_a_second_voice_that_is_lost_says_so(ai, host):
    await host.order("refuse", status=503, provider="gemini/rest")
    async with conversing(ai, CZECH) as talk:
        await ai.speak("Greet the person.")
        with pytest.raises(VoiceAIError) as error:
            await talk.until_done()
    assert (error.value.code, error.value.retryable) == ("speak_http_503", True)


async def test_a_language_model_that_says_nothing_is_given_up(host):
    ai = deepgram(host)
    await host.order("stall", provider="openai/chat")
    async with conversing(ai, BRIEF) as talk:
        ai._answers.thinker._silence_s = 0.1
        await ai.speak(TALK)
        with pytest.raises(VoiceAIError) as error:
            await talk.until_done()
    assert (error.value.code, error.value.retryable) == ("think_silent", True)
    await ai.close()


async def test_the_reason_of_a_refused_handshake_is_told(ai, host):
    await host.order("refuse", status=402, provider="deepgram/speak")
    with pytest.raises(VoiceAIError) as error:
        await ai.open(BRIEF)
    assert (error.value.code, error.value.retryable) == ("speak_http_402", False)
    assert "credits" in str(error.value)


async def test_nothing_of_a_lost_conversation_stays_behind(ai, host):
    await host.order("disconnect", provider="deepgram/speak")
    async with conversing(ai, BRIEF) as talk:
        await ai.speak(TALK)
        with pytest.raises(VoiceAIError):
            await talk.until_done()
    before = asyncio.all_tasks()
    async with conversing(ai, BRIEF, PastTurn("ai", GREETING)) as again:
        await ai.speak(GREET)
        await again.until_done()
    await ai.close()
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before


# ── Breakers ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_each_service_has_a_breaker_of_its_own(host):
    asked = []

    @contextmanager
    def guard(service):
        asked.append(service)
        yield

    ai = deepgram(host, guard=guard)
    async with conversing(ai, CZECH) as talk:
        await ai.speak("Greet the person.")
        await talk.until_done()
        await ai.change(replace(CZECH, llm=GEMINI_LLM))
        await ai.speak("Greet the person.")
        await talk.until_done(2)
    await ai.close()
    assert set(asked) == {"deepgram", "openai_llm", "gemini_llm", "gemini_speech"}


@pytest.mark.parametrize(
    ("service", "code"),
    [("deepgram", "circuit_open"), ("openai_llm", "think_circuit_open"), ("gemini_speech", "speak_circuit_open")],
)
async def test_a_service_whose_breaker_is_open_is_not_asked(host, service, code):
    @contextmanager
    def guard(asked):
        if asked == service:
            raise CircuitOpen(asked)
        yield

    ai = deepgram(host, guard=guard)
    with pytest.raises(VoiceAIError) as error:  # noqa: PT012 - at once, or when the part is needed
        async with conversing(ai, CZECH) as talk:
            await ai.speak("Greet the person.")
            await talk.until_done()
    assert (error.value.code, error.value.retryable) == (code, True)
    await ai.close()
