"""What we send parses as the SDK's own request types, and what its response types print is what we accept."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from google.genai import types

from apps.calls.media.frames import (
    AiTranscript,
    Audio,
    CallerTranscript,
    Expiring,
    SpeechStarted,
    ToolCall,
    TurnDone,
    Usage,
    Used,
)
from apps.calls.voice_ai import gemini_events as wire
from apps.calls.voice_ai.base import PastTurn, ToolSpec, VoiceBrief
from apps.calls.voice_ai.gemini_dialogue import Dialogue

BRIEF = VoiceBrief(
    model="gemini-3.8-live",
    voice="Kore",
    instructions="Be kind.",
    language="cs",
    languages=["cs", "en"],
    tools=[ToolSpec("end_call", "Hang up.", {"type": "object", "properties": {"why": {"type": "string"}}})],
)


# ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────
def parsed(message: Any) -> types.LiveClientMessage:
    """By the SDK's type, which knows no field that the wire does not."""
    return types.LiveClientMessage.model_validate(json.loads(json.dumps(message)))


def test_the_setup_is_what_the_sdk_takes():
    config = types.LiveConnectConfig(**wire.live_config(BRIEF, handle="", has_history=False))
    assert config.response_modalities == [types.Modality.AUDIO]
    assert config.input_audio_transcription.language_codes == ["cs-CZ", "en-US"]
    assert config.speech_config.language_code is None  # the models choose it themselves, and refuse to be told
    assert config.thinking_config is None
    assert config.session_resumption == types.SessionResumptionConfig()
    assert config.context_window_compression.sliding_window.target_tokens == 8000
    [tool] = config.tools
    assert tool.function_declarations[0].behavior == types.Behavior.BLOCKING
    assert tool.function_declarations[0].parameters_json_schema == BRIEF.tools[0].parameters
    assert config.history_config is None


def test_the_setup_of_a_conversation_that_goes_on():
    config = types.LiveConnectConfig(**wire.live_config(BRIEF, handle="h1", has_history=False))
    assert config.session_resumption.handle == "h1"
    config = types.LiveConnectConfig(**wire.live_config(BRIEF, handle="", has_history=True))
    assert config.history_config.initial_history_in_client_content is True


def test_a_model_that_thinks_aloud_needs_other_settings():
    brief = replace(BRIEF, model="gemini-3.8-live-extended-thinking")
    config = types.LiveConnectConfig(**wire.live_config(brief, handle="", has_history=False))
    assert config.thinking_config.thinking_level == types.ThinkingLevel.LOW
    assert config.tools[0].function_declarations[0].behavior is None


def test_text_parses_as_the_sdks_own():
    message = parsed(wire.client_content([PastTurn("ai", "Hi."), PastTurn("caller", "Yes?")], turn_complete=True))
    assert [(turn.role, turn.parts[0].text) for turn in message.client_content.turns] == [
        ("model", "Hi."),
        ("user", "Yes?"),
    ]
    assert message.client_content.turn_complete is True


def test_answers_of_tools_parse_as_the_sdks_own():
    message = parsed(wire.tool_response([("f1", "opt_out", "ok"), ("f2", "end_call", "Say goodbye.")]))
    first, second = message.tool_response.function_responses
    assert (first.id, first.name, first.response) == ("f1", "opt_out", {"result": "ok"})
    assert second.id == "f2"


def test_a_changed_brief_parses_as_the_sdks_own():
    update = parsed(wire.context_update(BRIEF, with_tools=True)).context_update
    assert update.system_instruction.parts[0].text == "Be kind."
    [declared] = update.tools.tools[0].function_declarations
    assert (declared.name, declared.parameters_json_schema) == ("end_call", dict(BRIEF.tools[0].parameters))
    assert parsed(wire.context_update(BRIEF, with_tools=False)).context_update.tools is None
    none = replace(BRIEF, tools=())
    assert parsed(wire.context_update(none, with_tools=True)).context_update.tools.tools == []


@pytest.mark.parametrize(("message", "field"), [(wire.AUDIO_END, "audio_stream_end"), (wire.NUDGE, "text")])
def test_what_is_sent_beside_the_sound_parses_as_the_sdks_own(message, field):
    assert getattr(parsed(message).realtime_input, field)


# ── Responses ───────────────────────────────────────────────────────────────────────────────────────────────
class Frames(list):
    def __init__(self) -> None:
        super().__init__()
        self.dialogue = Dialogue(emit=self.append, arm=lambda: None, on_idle=lambda: None)

    def take(self, **message: Any) -> "Frames":
        """As the SDK's response types print it."""
        printed = types.LiveServerMessage(**message).model_dump_json(by_alias=True, exclude_none=True)
        self.dialogue.take(json.loads(printed))
        return self

    def content(self, **content: Any) -> "Frames":
        return self.take(server_content=types.LiveServerContent(**content))


def sound(pcm: bytes, mime: str = "audio/pcm;rate=24000") -> types.Content:
    return types.Content(role="model", parts=[types.Part(inline_data=types.Blob(data=pcm, mime_type=mime))])


def test_sound_is_taken_in_either_base64():
    loud = bytes(range(256)) * 15  # 80 ms; has both of the characters that differ
    [audio] = Frames().content(model_turn=sound(loud))
    assert (type(audio), audio.ms) == (Audio, 80)
    standard = Frames()
    data = base64.b64encode(loud).decode()
    part = {"inlineData": {"mimeType": "audio/pcm", "data": data}}
    standard.dialogue.take({"serverContent": {"modelTurn": {"parts": [part]}}})
    assert standard[0].data == audio.data


@pytest.mark.parametrize(("mime", "rate"), [("audio/pcm;rate=16000", 16000), ("audio/pcm", 24000)])
def test_the_rate_is_what_the_type_says(mime, rate):
    [audio] = Frames().content(model_turn=sound(bytes(rate * 2 // 10), mime))
    assert audio.ms == 100


def test_several_things_in_one_message_are_all_taken():
    frames = Frames().take(
        server_content=types.LiveServerContent(
            model_turn=types.Content(parts=[*sound(bytes(960)).parts, *sound(bytes(960)).parts]),
            output_transcription=types.Transcription(text="Good day."),
            generation_complete=True,
            turn_complete=True,
        ),
        usage_metadata=types.UsageMetadata(prompt_token_count=10, response_token_count=5),
    )
    kinds = [type(frame) for frame in frames]
    assert kinds == [Audio, Audio, AiTranscript, Audio, AiTranscript, TurnDone]
    assert frames[-1] == TurnDone("completed", has_speech=True, usage=Usage(text_in=10, text_out=5))


def test_thoughts_are_not_spoken():
    assert Frames().content(model_turn=types.Content(parts=[types.Part(text="Hm.", thought=True)])) == []


def test_transcripts_bear_the_language_without_the_country():
    frames = Frames().content(input_transcription=types.Transcription(text="Dobrý den", language_code="cs-CZ"))
    assert (type(frames[0]), frames[1].text, frames[1].language) == (SpeechStarted, "Dobrý den", "cs")
    frames.content(input_transcription=types.Transcription(text=".", finished=True))
    assert frames[-1] == CallerTranscript(frames[0].item_id, "Dobrý den.", is_final=True, language="cs")


def test_tool_calls_bear_their_arguments_as_json():
    call = types.FunctionCall(id="f1", name="opt_out", args={"channels": ["voice"], "note": "Ať nevolá."})
    frames = Frames().take(tool_call=types.LiveServerToolCall(function_calls=[call]))
    assert frames[0].id == "f1"
    assert json.loads(frames[0].arguments) == call.args
    assert frames == [ToolCall("f1", "opt_out", frames[0].arguments), TurnDone("completed", has_speech=False)]


@pytest.mark.parametrize(("time_left", "seconds"), [("50s", 50), ("9.5s", 9.5), ("soon", 0)])
def test_going_away_is_told_in_seconds(time_left, seconds):
    assert Frames().take(go_away=types.LiveServerGoAway(time_left=time_left)) == [Expiring(seconds)]


def test_what_it_costs_is_counted_once():
    metadata = types.UsageMetadata(
        prompt_token_count=200,
        cached_content_token_count=64,
        response_token_count=100,
        thoughts_token_count=7,
        tool_use_prompt_token_count=3,
        prompt_tokens_details=[
            types.ModalityTokenCount(modality=types.MediaModality.AUDIO, token_count=120),
            types.ModalityTokenCount(modality=types.MediaModality.TEXT, token_count=80),
        ],
        cache_tokens_details=[types.ModalityTokenCount(modality=types.MediaModality.AUDIO, token_count=44)],
        response_tokens_details=[types.ModalityTokenCount(modality=types.MediaModality.AUDIO, token_count=90)],
    )
    frames = Frames().content(turn_complete=True).take(usage_metadata=metadata).content(turn_complete=True)
    assert frames[-1].usage == Usage(audio_in=76, text_in=63, cached_in=64, audio_out=90, text_out=17)


def test_usage_after_the_response_is_told_by_itself():
    frames = Frames().content(model_turn=sound(bytes(960))).content(generation_complete=True)
    assert frames[-1] == TurnDone("completed", has_speech=True)
    frames.take(
        server_content=types.LiveServerContent(turn_complete=True),
        usage_metadata=types.UsageMetadata(prompt_token_count=4),
    )
    assert frames[-1] == Used(Usage(text_in=4))


def test_a_turn_that_fails_says_why():
    frames = Frames().content(turn_complete=True, turn_complete_reason=types.TurnCompleteReason.RESPONSE_REJECTED)
    assert frames == [TurnDone("failed", has_speech=False, error_code="response_rejected")]


def test_a_turn_goes_on_while_the_model_says_so():
    frames = Frames().content(model_turn=sound(bytes(960)))
    frames.content(turn_complete=True, interaction_status=types.InteractionStatus.IN_PROGRESS)
    assert TurnDone not in [type(frame) for frame in frames]
    frames.content(turn_complete=True, interaction_status=types.InteractionStatus.IDLE)
    assert type(frames[-1]) is TurnDone


def test_voice_activity_is_known_by_both_of_its_names():
    frames = Frames().take(voice_activity=types.VoiceActivity(voice_activity_type="ACTIVITY_START"))
    assert type(frames[0]) is SpeechStarted
    frames.dialogue.take({"voiceActivity": {"type": "ACTIVITY_END", "audioOffset": "1.2s"}})
    assert frames[1].item_id == frames[0].item_id
