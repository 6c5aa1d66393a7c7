import json

import pytest

from apps.calls.media.frames import (
    CallerTranscript,
    Failed,
    SpeechStarted,
    SpeechStopped,
    ToolCall,
    TurnDone,
    Usage,
)
from apps.calls.voice_ai import openai_events as wire
from apps.calls.voice_ai.base import PastTurn, ToolSpec, VoiceBrief

BRIEF = VoiceBrief(
    model="gpt-realtime-2.1",
    voice="marin",
    instructions="Be kind.",
    language="cs",
    languages=["cs", "en"],
    tools=[ToolSpec("end_call", "Hang up.", {"type": "object", "properties": {}})],
    idle_prompt_ms=10_000,
)


def frame_of(event: dict):
    return wire.TRANSLATORS[event["type"]](event)


def test_the_session_speaks_mu_law_both_ways_and_expects_the_languages():
    update = wire.session_update(BRIEF, transcription_model="gpt-transcribe")
    audio = update["session"]["audio"]
    assert audio["input"]["format"] == audio["output"]["format"] == {"type": "audio/pcmu"}
    assert audio["input"]["transcription"] == {"model": "gpt-transcribe", "languages": ["cs", "en"]}
    assert audio["input"]["turn_detection"]["idle_timeout_ms"] == 10_000
    assert update["session"]["tools"][0]["name"] == "end_call"
    json.dumps(update)


def test_a_model_without_a_list_of_languages_gets_the_one():
    update = wire.session_update(BRIEF, transcription_model="gpt-realtime-whisper")
    assert update["session"]["audio"]["input"]["transcription"] == {"model": "gpt-realtime-whisper", "language": "cs"}


def test_what_was_said_before_is_given_as_text():
    assert wire.past_turn(PastTurn("ai", "Hi"))["item"]["content"] == [{"type": "output_text", "text": "Hi"}]
    assert wire.past_turn(PastTurn("caller", "Hm"))["item"]["role"] == "user"


def test_speech_times_leave_out_what_the_provider_puts_around():
    assert frame_of({"type": "input_audio_buffer.speech_started", "item_id": "u", "audio_start_ms": 1000}) == (
        SpeechStarted("u", 1300)
    )
    assert frame_of({"type": "input_audio_buffer.speech_stopped", "item_id": "u", "audio_end_ms": 2500}) == (
        SpeechStopped("u", 2000)
    )


def test_transcripts_bear_language_and_usage():
    event = {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "u",
        "transcript": " Dobrý den. ",
        "languages": [{"code": "cs"}],
        "usage": {"type": "duration", "seconds": 2.5},
    }
    assert frame_of(event) == CallerTranscript(
        "u", "Dobrý den.", is_final=True, language="cs", usage=Usage(transcription_s=2.5)
    )
    event |= {"languages": [], "usage": {"type": "tokens", "total_tokens": 22}}
    assert frame_of(event).usage == Usage(transcription=22)


def test_an_utterance_that_was_not_recognised_is_lost_not_empty():
    event = {"type": "conversation.item.input_audio_transcription.failed", "item_id": "u", "error": {"code": "x"}}
    assert frame_of(event).is_lost


def test_each_token_is_counted_once():
    usage = {
        "input_token_details": {
            "text_tokens": 119,
            "audio_tokens": 13,
            "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4},
        },
        "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
    }
    assert wire.response_usage(usage) == Usage(audio_in=9, text_in=59, cached_in=64, audio_out=91, text_out=30)
    assert wire.response_usage({}) == Usage()


@pytest.mark.parametrize(
    ("output", "has_speech"),
    [
        ([], False),
        ([{"type": "function_call", "name": "end_call"}], False),
        ([{"type": "message", "content": [{"type": "output_audio"}]}], True),
        ([{"type": "message", "content": []}], False),
    ],
)
def test_a_response_tells_whether_something_was_said(output, has_speech):
    done = {"type": "response.done", "response": {"status": "completed", "output": output, "usage": None}}
    assert frame_of(done) == TurnDone("completed", has_speech=has_speech)


def test_a_failed_response_tells_why():
    details = {"type": "failed", "error": {"type": "server_error", "code": "rate_limit_exceeded"}}
    done = {"type": "response.done", "response": {"status": "failed", "status_details": details, "output": []}}
    assert frame_of(done).error_code == "rate_limit_exceeded"


def test_a_tool_call_keeps_the_models_words():
    event = {
        "type": "response.function_call_arguments.done",
        "call_id": "c",
        "name": "opt_out",
        "arguments": "{not json",
    }
    assert frame_of(event) == ToolCall("c", "opt_out", "{not json")


@pytest.mark.parametrize(
    ("error", "frame"),
    [
        ({"code": "response_cancel_not_active", "message": ""}, None),
        ({"code": None, "message": "Audio content of 3700ms is already shorter than 3760ms"}, None),
        ({"code": "invalid_event", "message": "No."}, Failed("invalid_event", "No.")),
        ({"code": "insufficient_quota", "message": "Pay."}, Failed("insufficient_quota", "Pay.", is_fatal=True)),
        ({"type": "server_error", "code": None, "message": None}, Failed("server_error", "")),
    ],
)
def test_errors_are_weighed(error, frame):
    assert frame_of({"type": "error", "error": error}) == frame
