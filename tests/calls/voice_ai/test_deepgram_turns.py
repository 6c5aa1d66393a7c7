"""What the SDK's own response types print, read as turns of the caller."""

import pytest
from deepgram.listen.v1.types.listen_v1error import ListenV1Error
from deepgram.listen.v1.types.listen_v1metadata import ListenV1Metadata
from deepgram.listen.v1.types.listen_v1results import ListenV1Results
from deepgram.listen.v1.types.listen_v1speech_started import ListenV1SpeechStarted
from deepgram.listen.v1.types.listen_v1utterance_end import ListenV1UtteranceEnd
from deepgram.listen.v2.types.listen_v2connected import ListenV2Connected
from deepgram.listen.v2.types.listen_v2fatal_error import ListenV2FatalError
from deepgram.listen.v2.types.listen_v2turn_info import ListenV2TurnInfo

from apps.calls.voice_ai.base import VoiceAIError
from apps.calls.voice_ai.deepgram.parts import Began, Ended, Heard
from apps.calls.voice_ai.deepgram.turns import FluxTurns, NovaTurns


def results(text, *, start=0.0, duration=1.0, language="en", languages=None, **flags):
    words = [
        {"word": word, "start": start + 0.1 * n, "end": start + 0.1 * (n + 1), "confidence": 0.9}
        | ({"language": language} if language else {})
        for n, word in enumerate(text.split())
    ]
    best = {"transcript": text, "confidence": 0.9, "words": words} | ({"languages": languages} if languages else {})
    printed = ListenV1Results.model_validate(
        {
            "channel_index": [0, 1],
            "start": start,
            "duration": duration,
            "is_final": False,
            "speech_final": False,
            "from_finalize": False,
            "channel": {"alternatives": [best]},
            "metadata": {
                "request_id": "r",
                "model_info": {"name": "nova-3", "version": "1", "arch": "nova-3"},
                "model_uuid": "u",
            },
        }
        | flags
    )
    return printed.model_dump(mode="json")


FINAL = {"is_final": True}
LAST = {"is_final": True, "speech_final": True}


def nova(*messages):
    turns = NovaTurns()
    return [event for message in messages for event in turns.read(message)]


def test_a_turn_is_all_final_results_up_to_the_end_of_speech():
    events = nova(
        results("I would", start=0.5),
        results("I would like to", start=0.5, **FINAL),
        results("be called", start=2.0),
        results("be called back.", start=2.0, **LAST),
    )
    assert events == [
        Began(500),
        Heard("I would", 0),
        Heard("I would like to", 15),
        Heard("I would like to be called", 15),
        Heard("I would like to be called back.", 31),
        Ended("I would like to be called back.", "en", 2300),
    ]


def test_where_noise_hides_the_end_of_speech_the_end_of_the_utterance_tells():
    end = ListenV1UtteranceEnd(channel=[0, 1], last_word_end=0.2).model_dump(mode="json")
    events = nova(results("Yes please", **FINAL), end, end)
    assert events[-1] == Ended("Yes please", "en", 200)
    assert sum(isinstance(event, Ended) for event in events) == 1


def test_silence_and_noise_begin_no_turn():
    started = ListenV1SpeechStarted(channel=[0], timestamp=1.0).model_dump(mode="json")
    metadata = ListenV1Metadata(
        transaction_key="deprecated", request_id="r", sha256="s", created="c", duration=1.0, channels=1
    ).model_dump(mode="json")
    end = ListenV1UtteranceEnd(channel=[0, 1], last_word_end=0.2).model_dump(mode="json")
    assert nova(started, results(""), results("", **LAST), end, metadata, {"type": "Novelty"}) == []


def test_words_that_came_to_nothing_end_as_nothing():
    assert nova(results("Uh"), results("", **LAST))[-1] == Ended("", "", 1000)


def test_a_turn_that_is_asked_for_ends_when_it_has_come():
    events = nova(results("Good", start=0.0), results("Goodbye.", start=0.0, is_final=True, from_finalize=True))
    assert events[-1] == Ended("Goodbye.", "en", 100)


def test_the_language_is_that_of_most_words():
    events = nova(
        results("Sí, hello", language="en", **FINAL), results("quiero una cita mañana", language="es-419", **LAST)
    )
    assert events[-1].language == "es"


@pytest.mark.parametrize(("languages", "found"), [(["cs", "en"], "cs"), (None, "")])
def test_where_words_do_not_tell_the_result_does(languages, found):
    assert nova(results("Dobrý den", language="", languages=languages, **LAST))[-1].language == found


def test_one_turn_leaves_nothing_to_the_next():
    events = nova(results("Ano.", language="cs", **LAST), results("Yes.", start=3.0, language="en", **LAST))
    assert [event for event in events if isinstance(event, Ended)] == [
        Ended("Ano.", "cs", 100),
        Ended("Yes.", "en", 3100),
    ]


def test_an_error_of_the_provider_is_a_loss():
    error = ListenV1Error(variant="SchemaError", description="What?").model_dump(mode="json")
    with pytest.raises(VoiceAIError) as lost:
        nova(error)
    assert (lost.value.code, lost.value.retryable) == ("listen_schemaerror", True)


# ── Flux ────────────────────────────────────────────────────────────────────────────────────────────────────
def info(event, text, *, turn=0, end=1.0, **more):
    return ListenV2TurnInfo.model_validate(
        {
            "request_id": "r",
            "sequence_id": 1,
            "event": event,
            "turn_index": turn,
            "audio_window_start": 0.4,
            "audio_window_end": end,
            "transcript": text,
            "words": [{"word": word, "confidence": 0.9} for word in text.split()],
            "end_of_turn_confidence": 0.3,
        }
        | more
    ).model_dump(mode="json")


def flux(*messages):
    turns = FluxTurns()
    return [event for message in messages for event in turns.read(message)]


def test_flux_tells_its_turns():
    events = flux(
        ListenV2Connected(request_id="r", sequence_id=0).model_dump(mode="json"),
        info("Update", ""),
        info("StartOfTurn", "Hola"),
        info("Update", "Hola, quiero"),
        info("EndOfTurn", "Hola, quiero una cita.", end=2.5, trigger="model", languages=["es", "en"]),
    )
    assert events == [
        Began(400),
        Heard("Hola", 0),
        Heard("Hola, quiero", 0),
        Ended("Hola, quiero una cita.", "es", 2500),
    ]


def test_a_turn_of_flux_without_words_is_none():
    assert flux(info("StartOfTurn", ""), info("EndOfTurn", "")) == []


def test_a_turn_that_flux_takes_back_goes_on():
    events = flux(
        info("StartOfTurn", "Yes"),
        info("EagerEndOfTurn", "Yes"),
        info("TurnResumed", "Yes"),
        info("EndOfTurn", "Yes, but no."),
    )
    assert [type(event) for event in events] == [Began, Heard, Heard, Heard, Ended]


def test_an_error_of_flux_is_a_loss():
    error = ListenV2FatalError(sequence_id=4, code="INTERNAL_SERVER_ERROR", description="Sorry.")
    with pytest.raises(VoiceAIError) as lost:
        flux(error.model_dump(mode="json"))
    assert lost.value.code == "listen_internal_server_error"
