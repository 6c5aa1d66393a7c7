import base64

import pytest

from .client import SILENCE, clip, line, silence

LONG = "This is a rather long sentence that nobody will hear to its very end, because somebody talks over it."


async def test_session_created_comes_first_and_says_when_it_expires(connect):
    caller = await connect()
    created = caller.events[0]
    assert created["type"] == "session.created"
    assert created["session"]["model"] == "gpt-realtime-2.1"
    assert created["session"]["expires_at"] > 1_700_000_000
    assert created["session"]["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}


async def test_update_merges_only_what_it_names(connect):
    caller = await connect()
    await caller.configure()
    await caller.wire.session.update(session={"type": "realtime", "tools": []})
    session = (await caller.until("session.updated"))["session"]
    assert session["tools"] == []
    assert session["instructions"].startswith("Company: Northwind")
    assert session["audio"]["output"]["format"] == {"type": "audio/pcmu"}
    assert session["audio"]["input"]["turn_detection"]["prefix_padding_ms"] == 300


async def test_one_event_type_is_unknown_and_the_sdk_lives_through_it(connect):
    caller = await connect()
    await caller.configure()
    await caller.until("session.capabilities.updated")


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"instructions": "x"}, "missing_required_parameter", "session.type"),
        ({"type": "realtime", "voice": "alloy"}, "unknown_parameter", "session.voice"),
        ({"type": "realtime", "model": "gpt-realtime"}, "cannot_update_model", "session.model"),
        (
            {"type": "realtime", "audio": {"input": {"format": {"type": "g711_ulaw"}}}},
            "invalid_value",
            "session.audio.input.format.type",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
            "decimal_above_max_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1", "languages": ["en"]}}}},
            "invalid_value",
            "session.audio.input.transcription.languages",
        ),
        ({"type": "realtime", "output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ({"type": "realtime", "instructions": 7}, "invalid_type", "session.instructions"),
    ],
)
async def test_bad_update_is_refused_whole_and_named(connect, session, code, param):
    caller = await connect()
    await caller.wire.send({"type": "session.update", "event_id": "cfg1", "session": {"tool_choice": "none"} | session})
    error = (await caller.until("error"))["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
    assert error["event_id"] == "cfg1"
    await caller.wire.session.update(session={"type": "realtime"})
    assert (await caller.until("session.updated"))["session"]["tool_choice"] == "auto"


@pytest.mark.parametrize("raw", ['{"type": "session.refresh"}', '{"audio": "x"}', "[1]", "{nonsense"])
async def test_unknown_or_broken_client_event_is_invalid_and_harmless(caller, raw):
    await caller.wire.send_raw(raw)
    assert (await caller.until("error"))["error"]["code"] == "invalid_event"
    await caller.wire.input_audio_buffer.clear()
    await caller.until("input_audio_buffer.cleared")


async def test_full_turn_in_the_documented_order(caller):
    await caller.say("interested")
    done = await caller.until("response.done")
    wanted = [
        *("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed"),
        *("conversation.item.added", "conversation.item.done", "response.created", "response.output_item.added"),
        *("conversation.item.added", "response.content_part.added", "response.output_audio_transcript.delta"),
        *("response.output_audio.delta", "response.output_audio.done", "response.output_audio_transcript.done"),
        *("response.content_part.done", "response.output_item.done", "conversation.item.done", "response.done"),
    ]
    types = iter(caller.types())
    assert [one for one in wanted if one in types] == wanted
    audio = b"".join(base64.b64decode(event["delta"]) for event in caller.all("response.output_audio.delta"))
    assert len(audio) % 160 == 0
    assert len(audio) > 8000
    text = "".join(event["delta"] for event in caller.all("response.output_audio_transcript.delta"))
    assert text == done["response"]["output"][0]["content"][0]["transcript"]
    assert done["response"]["status"] == "completed"
    started, stopped = (
        caller.all("input_audio_buffer.speech_started")[0],
        caller.all("input_audio_buffer.speech_stopped")[0],
    )
    assert started["audio_start_ms"] == 0
    # The clip, and the half second of silence that ends a turn.
    assert abs(stopped["audio_end_ms"] - len(clip("interested")) // 8 - 500) <= 100
    assert started["item_id"] == stopped["item_id"]


async def test_transcript_names_the_language_and_its_price(caller):
    await caller.say("interested", "cs")
    done = await caller.until("conversation.item.input_audio_transcription.completed")
    assert done["transcript"] == line("interested", "cs").text
    assert done["languages"] == [{"code": "cs"}]
    assert done["usage"]["input_tokens"] == done["usage"]["input_token_details"]["audio_tokens"] > 20


async def test_unknown_sound_is_unclear_and_has_no_language(caller):
    noise = bytes(range(0, 160)) * 60
    await caller.play(noise + silence(600))
    done = await caller.until("conversation.item.input_audio_transcription.completed")
    assert done["transcript"] == "[unclear]"
    assert done["languages"] == []


async def test_usage_grows_with_the_conversation_and_caches_a_part_of_it(caller):
    await caller.say("are_you_robot")
    first = (await caller.until("response.done"))["response"]["usage"]
    await caller.say("interested")
    second = (await caller.until("response.done"))["response"]["usage"]
    assert first["input_token_details"]["cached_tokens"] == 0
    details = second["input_token_details"]
    assert 0 < details["cached_tokens"] <= first["total_tokens"]
    assert details["cached_tokens"] % 64 == 0
    assert details["cached_tokens"] == sum(details["cached_tokens_details"].values())
    assert second["input_tokens"] > first["total_tokens"]
    for usage in (first, second):
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["input_tokens"] == sum(usage["input_token_details"][k] for k in ("text_tokens", "audio_tokens"))


async def test_speech_cancels_a_running_response(connect, port):
    caller = await connect()
    await caller.configure()
    await caller.wire.response.create(response={"instructions": f'Say: "{LONG}"'})
    delta = await caller.until("response.output_audio.delta")
    await caller.play(clip("interested")[:8000])
    done = await caller.until("response.done")
    assert done["response"]["status"] == "cancelled"
    assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["response"]["output"][0]["status"] == "incomplete"
    types = caller.types()
    assert types.index("input_audio_buffer.speech_started") < types.index("response.output_audio.done")
    assert caller.types().index("response.output_item.done") < types.index("response.done")
    sent = sum(len(base64.b64decode(e["delta"])) for e in caller.all("response.output_audio.delta")) // 8
    too_long = {"item_id": delta["item_id"], "content_index": 0, "audio_end_ms": sent + 60}
    await caller.wire.conversation.item.truncate(**too_long)
    error = (await caller.until("error"))["error"]
    assert error["message"] == f"Audio content of {sent}ms is already shorter than {sent + 60}ms"
    assert error["code"] is None
    await caller.wire.conversation.item.truncate(**too_long | {"audio_end_ms": 200})
    assert (await caller.until("conversation.item.truncated"))["audio_end_ms"] == 200
    await caller.wire.conversation.item.retrieve(item_id=delta["item_id"])
    kept = (await caller.until("conversation.item.retrieved"))["item"]["content"][0]
    assert len(base64.b64decode(kept["audio"])) == 1600
    assert "transcript" not in kept


async def test_without_interruption_the_response_goes_on_and_a_turn_gets_none(connect):
    caller = await connect()
    detection = {"type": "server_vad", "silence_duration_ms": 500, "interrupt_response": False}
    await caller.configure()
    await caller.wire.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}})
    await caller.wire.response.create()
    await caller.until("response.output_audio.delta")
    await caller.say("greeting")
    assert (await caller.until("error"))["error"]["code"] == "conversation_already_has_active_response"
    assert (await caller.until("response.done"))["response"]["status"] == "completed"


async def test_second_response_and_needless_cancel_are_refused(caller):
    await caller.wire.response.cancel()
    assert (await caller.until("error"))["error"]["code"] == "response_cancel_not_active"
    await caller.wire.response.create()
    await caller.wire.response.create()
    assert (await caller.until("error"))["error"]["code"] == "conversation_already_has_active_response"
    await caller.wire.response.cancel()
    done = await caller.until("response.done")
    assert done["response"]["status_details"]["reason"] == "client_cancelled"


async def test_voice_is_locked_once_it_has_been_heard(caller):
    await caller.wire.response.create()
    await caller.until("response.done")
    await caller.wire.session.update(session={"type": "realtime", "audio": {"output": {"voice": "cedar"}}})
    error = (await caller.until("error"))["error"]
    assert (error["code"], error["param"]) == ("cannot_update_voice", "session.audio.output.voice")


async def test_manual_turns_wait_for_commit_and_create(caller):
    await caller.wire.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    await caller.until("session.updated")
    await caller.wire.input_audio_buffer.commit()
    assert (await caller.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"
    await caller.say("opt_out", "es")
    await caller.wire.input_audio_buffer.commit()
    done = await caller.until("conversation.item.input_audio_transcription.completed")
    assert done["transcript"] == line("opt_out", "es").text
    await caller.wire.response.create()
    await caller.until("response.done")
    assert "input_audio_buffer.speech_started" not in caller.types()
    assert caller.calls()[0][0] == "opt_out"


async def test_idle_timeout_counts_audio_from_the_end_of_playback(caller):
    await caller.wire.response.create(response={"instructions": 'Say: "Are we on?"'})
    await caller.until("response.done")
    played_ms = sum(len(base64.b64decode(e["delta"])) for e in caller.all("response.output_audio.delta")) // 8
    await caller.play(silence(5000 + played_ms - 100))
    await caller.play(SILENCE * 15)
    timeout = await caller.until("input_audio_buffer.timeout_triggered")
    assert timeout["audio_start_ms"] == played_ms
    assert 5000 <= timeout["audio_end_ms"] - timeout["audio_start_ms"] <= 5040
    await caller.until("response.done")
    assert caller.spoken()[-1] == "Hello, are you there?"


async def test_items_are_created_in_place_retrieved_and_deleted(caller):
    def message(name, text):
        return {"id": name, "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}

    await caller.wire.conversation.item.create(item=message("b", "second"))
    assert (await caller.until("conversation.item.done"))["previous_item_id"] is None
    await caller.wire.conversation.item.create(item=message("a", "first"), previous_item_id="root")
    assert (await caller.until("conversation.item.done"))["previous_item_id"] is None
    await caller.wire.conversation.item.create(item=message("c", "third"))
    assert (await caller.until("conversation.item.done"))["previous_item_id"] == "b"
    await caller.wire.conversation.item.create(item=message("c", "again"))
    assert (await caller.until("error"))["error"]["param"] == "item.id"
    await caller.wire.conversation.item.delete(item_id="b")
    assert (await caller.until("conversation.item.deleted"))["item_id"] == "b"
    await caller.wire.conversation.item.retrieve(item_id="b")
    assert (await caller.until("error"))["error"]["code"] == "item_retrieve_invalid_item_id"
    output = {"type": "function_call_output", "call_id": "call_of_nobody", "output": "{}"}
    await caller.wire.conversation.item.create(item=output)
    assert (await caller.until("error"))["error"]["param"] == "item.call_id"


async def test_out_of_band_response_joins_no_conversation(caller):
    await caller.say("interested")
    await caller.until("response.done")
    await caller.wire.response.create(
        response={"conversation": "none", "output_modalities": ["text"], "metadata": {"k": "summary"}}
    )
    done = (await caller.until("response.done"))["response"]
    assert done["conversation_id"] is None
    assert done["metadata"] == {"k": "summary"}
    assert line("interested").text in done["output"][0]["content"][0]["text"]
    assert "response.output_text.delta" in caller.types()


async def test_token_limit_leaves_a_response_incomplete(caller):
    await caller.wire.response.create(response={"max_output_tokens": 30})
    done = (await caller.until("response.done"))["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"]["reason"] == "max_output_tokens"
    assert done["usage"]["output_tokens"] <= 30


@pytest.mark.parametrize(("kind", "bytes_per_ms"), [("audio/pcma", 8), ("audio/pcm", 48)])
async def test_other_formats_go_out_converted(connect, kind, bytes_per_ms):
    caller = await connect()
    await caller.configure()
    reference = (await caller.wire.response.create(), await caller.until("response.done"))[1]
    item_id = reference["response"]["output"][0]["id"]
    mulaw = b"".join(base64.b64decode(e["delta"]) for e in caller.all("response.output_audio.delta"))
    await caller.wire.session.update(session={"type": "realtime", "audio": {"output": {"format": {"type": kind}}}})
    await caller.until("session.updated")
    await caller.wire.conversation.item.delete(item_id=item_id)
    caller.events.clear()
    await caller.wire.response.create()
    await caller.until("response.done")
    other = b"".join(base64.b64decode(e["delta"]) for e in caller.all("response.output_audio.delta"))
    assert len(other) / bytes_per_ms == len(mulaw) / 8
