"""Detection, recording, transfer, bridging and playback at Telnyx."""

from __future__ import annotations

import asyncio
import audioop
import io
import wave

import pytest
import requests
import telnyx

from apps.sandbox.speech import tone
from tests.sandbox.carrier.product import wait_until

SILENT = "+15550100108"
TALKER = "+15550100100"
VOICEMAIL = "+15550100109"
SENTENCE = "This sentence takes about two seconds to say."


@pytest.mark.parametrize(
    ("to", "mode", "expected"),
    [
        (TALKER, "detect", [("call.machine.detection.ended", "human")]),
        (VOICEMAIL, "detect", [("call.machine.detection.ended", "machine")]),
        (
            VOICEMAIL,
            "greeting_end",
            [("call.machine.detection.ended", "machine"), ("call.machine.greeting.ended", "beep_detected")],
        ),
        (
            "+15550100118",
            "greeting_end",
            [("call.machine.detection.ended", "machine"), ("call.machine.greeting.ended", "ended")],
        ),
        (SILENT, "detect", [("call.machine.detection.ended", "not_sure")]),
        (
            TALKER,
            "premium",
            [
                ("call.machine.premium.detection.started", None),
                ("call.machine.premium.detection.ended", "human_residence"),
            ],
        ),
        (
            VOICEMAIL,
            "premium",
            [
                ("call.machine.premium.detection.started", None),
                ("call.machine.premium.detection.ended", "machine"),
                ("call.machine.premium.greeting.ended", "beep_detected"),
            ],
        ),
        (
            "+15550100119",
            "premium",
            [
                ("call.machine.premium.detection.started", None),
                ("call.machine.premium.detection.ended", "fax_detected"),
            ],
        ),
        (
            SILENT,
            "premium",
            [("call.machine.premium.detection.started", None), ("call.machine.premium.detection.ended", "silence")],
        ),
        (
            "+15550100110",
            "premium_ios_call_screening_detection",
            [
                ("call.machine.premium.detection.started", None),
                ("call.machine.premium.call_screening.detected", "screening"),
            ],
        ),
    ],
)
async def test_detection_tells_who_answered(line, product, to, mode, expected):
    call = await line.dial(to, answering_machine_detection=mode)
    await product.wait_for(expected[-1][0])
    detected = await line.carrier.events(call.call_control_id, "amd")
    assert [(entry["event_type"], entry["result"] or None) for entry in detected] == expected
    for event_type, result in expected:
        (data,) = await product.wait_for(event_type)
        assert data["payload"].get("result") == result


def channels(wav: bytes) -> tuple[bytes, bytes, float]:
    """Left and right channel, and seconds."""
    with wave.open(io.BytesIO(wav)) as file:
        frames = file.readframes(file.getnframes())
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        return audioop.tomono(frames, 2, 1, 0), audioop.tomono(frames, 2, 0, 1), file.getnframes() / 8000


async def test_a_recording_is_paused_resumed_stopped_and_fetched(line, product, carrier):
    async def talk(session):
        while await session.until_utterance():
            await session.say(SENTENCE)

    product.talk = talk
    call = await line.dial(TALKER, **product.stream())
    await product.wait_for("call.answered")
    sid = call.call_control_id
    with pytest.raises(telnyx.UnprocessableEntityError):
        await line.act("stop_recording", sid)
    started = await line.act("start_recording", sid, format="wav", channels="dual")
    with pytest.raises(telnyx.UnprocessableEntityError):
        await line.act("start_recording", sid, format="wav", channels="dual")
    await carrier.events(sid, "recording_started")
    await asyncio.sleep(0.15)
    await line.act("pause_recording", sid)
    await line.act("resume_recording", sid)
    await asyncio.sleep(0.15)
    await line.act("stop_recording", sid)
    (saved,) = await product.wait_for("call.recording.saved")
    payload = saved["payload"]
    assert payload["channels"] == "dual"
    assert not {"call_control_id", "from", "to"} & set(payload)
    assert payload["call_leg_id"] == call.call_leg_id
    answer = await carrier.call(requests.get, payload["recording_urls"]["wav"], timeout=5)
    assert answer.status_code == 200
    left, right, seconds = channels(answer.content)
    assert seconds > 1
    assert audioop.rms(left, 2) > 100
    assert len(left) == len(right)
    spoiled = payload["recording_urls"]["wav"].replace("signature=", "signature=0")
    assert (await carrier.call(requests.get, spoiled, timeout=5)).status_code == 403
    recording_id = payload["recording_id"]
    assert recording_id
    fetched = await carrier.call(line.sdk.recordings.retrieve, recording_id)
    assert fetched.data.call_control_id == sid
    again = await carrier.call(requests.get, fetched.data.download_urls.wav, timeout=5)
    assert again.content == answer.content
    listed = await carrier.call(lambda: list(line.sdk.recordings.list()))
    assert [recording.id for recording in listed] == [recording_id]
    await carrier.call(line.sdk.recordings.delete, recording_id)
    with pytest.raises(telnyx.NotFoundError):
        await carrier.call(line.sdk.recordings.retrieve, recording_id)
    assert started.data.result == "ok"


async def test_recording_from_the_answer_ends_with_the_call(line, product):
    await line.dial(
        TALKER, record="record-from-answer", record_format="wav", record_channels="single", **product.stream()
    )
    (saved,) = await product.wait_for("call.recording.saved")
    assert saved["payload"]["channels"] == "single"
    await product.wait_for("call.hangup")


async def test_a_blind_transfer_bridges_the_caller_with_a_second_person(line, product, carrier):
    product.talk = product.converse
    call = await line.dial("+15550100105", **product.stream())
    await product.wait_for("streaming.started")
    await line.act("transfer", call.call_control_id, to="+15550100200", timeout_secs=20)
    (target,) = await product.wait_for("call.initiated", to="+15550100200")
    leg = target["payload"]
    assert leg["call_session_id"] == call.call_session_id
    assert leg["call_control_id"] != call.call_control_id
    await product.wait_for("call.bridged", 2)
    assert {data["payload"]["call_control_id"] for data in product.of("call.bridged")} == {
        call.call_control_id,
        leg["call_control_id"],
    }
    history = await carrier.ended(leg["call_control_id"])
    assert history["bridged_with"] == [call.call_control_id]
    assert history["heard_s"] > 0.5
    await carrier.ended(call.call_control_id)
    await product.wait_for("call.hangup", 2)


async def test_a_transfer_nobody_answers_leaves_the_caller_on_the_line(line, product, carrier):
    call = await line.dial(SILENT, **product.stream())
    await product.wait_for("streaming.started")
    await line.act("transfer", call.call_control_id, to="+15550100112")
    (hangup,) = await product.wait_for("call.hangup")
    assert (hangup["payload"]["to"], hangup["payload"]["hangup_cause"]) == ("+15550100112", "user_busy")
    assert (await carrier.history(call.call_control_id))["status"] == "in-progress"
    assert product.of("call.bridged") == []


async def test_a_caller_has_patience_as_long_as_it_rings(line, product, carrier):
    call = await line.dial(TALKER)  # who would hang up after half a minute of silence
    await product.wait_for("call.answered")
    await line.act("transfer", call.call_control_id, to="+15550100113", timeout_secs=50)
    (hangup,) = await product.wait_for("call.hangup")
    assert (hangup["payload"]["to"], hangup["payload"]["hangup_cause"]) == ("+15550100113", "timeout")
    assert (await carrier.history(call.call_control_id))["status"] == "in-progress"
    assert (await carrier.ended(call.call_control_id))["status"] == "completed"


async def test_a_caller_who_hangs_up_during_a_transfer_stops_the_ringing(line, product, carrier):
    call = await line.dial(SILENT)
    await product.wait_for("call.answered")
    await line.act("transfer", call.call_control_id, to="+15550100123")
    (target,) = await product.wait_for("call.initiated", to="+15550100123")
    await carrier.control("POST", f"calls/{call.call_control_id}/hang-up")
    (hangup,) = await product.wait_for("call.hangup", to="+15550100123")
    assert hangup["payload"]["hangup_cause"] == "originator_cancel"
    assert hangup["payload"]["call_control_id"] == target["payload"]["call_control_id"]


async def test_bridging_two_calls_that_are_up(line, product, carrier):
    first, second = await line.dial(TALKER), await line.dial("+15550100205")
    await product.wait_for("call.answered", 2)
    await line.act("bridge", first.call_control_id, call_control_id_to_bridge_with=second.call_control_id)
    await product.wait_for("call.bridged", 2)
    await carrier.control("POST", f"calls/{first.call_control_id}/hang-up")
    await product.wait_for("call.hangup", 2)


async def test_speaking_and_playing(line, product, carrier):
    call = await line.dial(SILENT)
    await product.wait_for("call.answered")
    await line.act("speak", call.call_control_id, payload=SENTENCE, voice="female", language="en-US")
    (ended,) = await product.wait_for("call.speak.ended")
    assert ended["payload"]["status"] == "completed"
    product.files["beep"] = (tone(440.0, 30.0), "audio/basic")
    await line.act("start_playback", call.call_control_id, audio_url=f"{product.origin}/files/beep")
    (started,) = await product.wait_for("call.playback.started")
    assert started["payload"]["media_url"] == f"{product.origin}/files/beep"
    await line.act("stop_playback", call.call_control_id)
    (ended,) = await product.wait_for("call.playback.ended")
    assert ended["payload"]["status"] == "cancelled"
    await line.act("start_playback", call.call_control_id, audio_url=f"{product.origin}/nothing")
    (_, missing) = await product.wait_for("call.playback.ended", 2)
    assert missing["payload"]["status"] == "file_not_found"


async def test_keys_sent_by_command_open_a_menu(line, product):
    product.talk = product.converse
    call = await line.dial("+15550100111", **product.stream())
    await product.wait_for("call.answered")
    await line.act("send_dtmf", call.call_control_id, digits="1")
    history = await line.carrier.ended(call.call_control_id)
    said = [entry["intent"] for entry in history["history"] if entry["event"] == "callee_said"]
    assert "ivr_connecting" in said
    with pytest.raises(telnyx.UnprocessableEntityError):
        await line.act("send_dtmf", call.call_control_id, digits="1")


async def test_bad_digits_are_refused(line, product):
    call = await line.dial(SILENT)
    await product.wait_for("call.answered")
    with pytest.raises(telnyx.UnprocessableEntityError) as bad:
        await line.act("send_dtmf", call.call_control_id, digits="1x")
    assert bad.value.body["errors"][0]["source"] == {"pointer": "/digits"}
    await wait_until(lambda: product.of("call.answered"))
