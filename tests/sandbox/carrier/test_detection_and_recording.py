"""Answering machine detection and recordings."""

from __future__ import annotations

import audioop
import io
import wave

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from apps.sandbox.carrier.twilio.amd import amd_verdict
from apps.sandbox.personas import persona_for
from tests.sandbox.carrier.product import SID, TOKEN

SILENT, VOICEMAIL, INTERESTED = "+15550100108", "+15550100109", "+15550100100"


@pytest.mark.parametrize(
    ("number", "mode", "verdict"),
    [
        (INTERESTED, "Enable", "human"),
        (INTERESTED, "DetectMessageEnd", "human"),
        (VOICEMAIL, "Enable", "machine_start"),
        (VOICEMAIL, "DetectMessageEnd", "machine_end_beep"),
        ("+15550100118", "DetectMessageEnd", "machine_end_silence"),
        ("+15550100119", "Enable", "fax"),
        (SILENT, "DetectMessageEnd", "unknown"),
        ("+15550100111", "Enable", "unknown"),
    ],
)
def test_verdicts_by_persona(number, mode, verdict):
    result = amd_verdict(persona_for(number), mode, timeout_s=30, silence_s=5)
    assert result.answered_by == verdict
    assert 0.5 < result.after_s < 20


def test_the_timeout_leaves_it_unknown():
    assert amd_verdict(persona_for(VOICEMAIL), "DetectMessageEnd", timeout_s=3, silence_s=5).answered_by == "unknown"


async def test_the_asynchronous_verdict_comes_beside_the_document(carrier, product):
    product.documents["/voice/t0"] = "<Response><Pause length='15'/></Response>"
    call = await carrier.place(
        VOICEMAIL,
        url=f"{product.origin}/voice/t0",
        status_callback=f"{product.origin}/status",
        machine_detection="DetectMessageEnd",
        async_amd="true",
        async_amd_status_callback=f"{product.origin}/amd",
    )
    (verdict,) = await product.wait_for("/amd")
    assert (verdict["CallSid"], verdict["AnsweredBy"]) == (call.sid, "machine_end_beep")
    assert int(verdict["MachineDetectionDuration"]) > 3000
    assert "AnsweredBy" not in product.of("/voice/t0")[0]
    await carrier.ended(call.sid)
    (final,) = await product.wait_for("/status")
    assert final["AnsweredBy"] == "machine_end_beep"
    assert (await carrier.call(carrier.sdk.calls(call.sid).fetch)).answered_by == "machine_end_beep"


async def test_synchronous_detection_delays_the_document(carrier, product):
    product.documents["/voice/t0"] = "<Response><Hangup/></Response>"
    call = await carrier.place(INTERESTED, url=f"{product.origin}/voice/t0", machine_detection="Enable")
    history = await carrier.ended(call.sid)
    (asked,) = product.of("/voice/t0")
    assert asked["AnsweredBy"] == "human"
    at = {e["event"]: e["at"] for e in history["history"]}
    assert at["twiml"] >= at["amd"]


async def test_voicemail_records_until_silence(carrier, product):
    document = "<Response><Pause length='9'/><Say>This is a message for you.</Say><Pause length='30'/></Response>"
    product.documents["/voice/t0"] = document
    call = await carrier.place(VOICEMAIL, url=f"{product.origin}/voice/t0")
    history = await carrier.ended(call.sid)
    assert next(e["by"] for e in history["history"] if e["event"] == "hung_up") == "callee"
    assert [e["event"] for e in history["history"]].count("callee_heard") == 1
    assert 10 < history["duration_s"] < 35


def channels(wav: bytes) -> tuple[bytes, bytes, float]:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        pcm = file.readframes(file.getnframes())
    return audioop.tomono(pcm, 2, 1, 0), audioop.tomono(pcm, 2, 0, 1), len(pcm) / 4 / 8000


async def test_a_dual_recording_holds_one_party_on_each_channel(carrier, product):
    product.documents["/voice/t0"] = product.connect()
    product.talk = product.converse
    call = await carrier.place(
        INTERESTED,
        url=f"{product.origin}/voice/t0",
        record=True,
        recording_channels="dual",
        recording_status_callback=f"{product.origin}/recording",
        recording_status_callback_event=["in-progress", "completed"],
        trim="do-not-trim",
        status_callback=f"{product.origin}/status",
    )
    await carrier.ended(call.sid)
    started, done = await product.wait_for("/recording", 2)
    assert (started["RecordingStatus"], done["RecordingStatus"]) == ("in-progress", "completed")
    assert (done["RecordingSource"], done["RecordingChannels"], done["CallSid"]) == ("OutboundAPI", "2", call.sid)
    (final,) = await product.wait_for("/status")
    assert final["RecordingSid"] == done["RecordingSid"]

    url = done["RecordingUrl"] + ".wav"
    assert (await carrier.call(requests.get, url, timeout=5)).status_code == 401
    answer = await carrier.call(requests.get, url, auth=(SID, TOKEN), timeout=5)
    assert answer.status_code == 200
    left, right, seconds = channels(answer.content)
    assert abs(seconds - int(done["RecordingDuration"])) <= 1
    given_up_s = (await carrier.control("GET", "calls"))["n_frames_given_up"] * 0.02  # on a busy machine
    assert abs(seconds + given_up_s - int(final["CallDuration"])) <= 2
    assert audioop.rms(left, 2) > 500
    assert audioop.rms(right, 2) > 500
    first_second = 2 * 8000
    assert audioop.rms(left[:first_second], 2) > 300  # the callee speaks first
    assert audioop.rms(right[:first_second], 2) == 0

    (listed,) = await carrier.call(carrier.sdk.recordings.list, call_sid=call.sid)
    assert (listed.sid, listed.status, listed.duration) == (
        done["RecordingSid"],
        "completed",
        done["RecordingDuration"],
    )
    await carrier.call(carrier.sdk.recordings(listed.sid).delete)
    with pytest.raises(TwilioRestException) as gone:
        await carrier.call(carrier.sdk.recordings(listed.sid).fetch)
    assert gone.value.status == 404


async def test_recording_is_started_paused_and_stopped_by_rest(carrier, product):
    product.documents["/voice/t0"] = "<Response><Pause length='20'/></Response>"
    call = await carrier.place(INTERESTED, url=f"{product.origin}/voice/t0")
    await product.wait_for("/voice/t0")
    recordings = carrier.sdk.calls(call.sid).recordings
    recording = await carrier.call(
        recordings.create, recording_channels="dual", recording_status_callback=f"{product.origin}/recording"
    )
    assert recording.status == "in-progress"
    paused = await carrier.call(recordings("Twilio.CURRENT").update, status="paused", pause_behavior="skip")
    assert paused.status == "paused"
    await carrier.call(recordings(recording.sid).update, status="in-progress")
    stopped = await carrier.call(recordings(recording.sid).update, status="stopped")
    assert stopped.status == "completed"
    (done,) = await product.wait_for("/recording")
    assert done["RecordingSource"] == "StartCallRecordingAPI"


async def test_a_silent_trimmed_recording_is_absent(carrier, product):
    product.documents["/voice/t0"] = "<Response><Pause length='2'/></Response>"
    call = await carrier.place(
        SILENT,
        url=f"{product.origin}/voice/t0",
        record=True,
        recording_status_callback=f"{product.origin}/recording",
        recording_status_callback_event=["completed", "absent"],
    )
    await carrier.ended(call.sid)
    (absent,) = await product.wait_for("/recording")
    assert (absent["RecordingStatus"], absent["ErrorCode"]) == ("absent", "16102")


async def test_recording_an_ended_call_is_refused(carrier, product):
    call = await carrier.place("+15550100112", url=f"{product.origin}/v")
    await carrier.ended(call.sid)
    with pytest.raises(TwilioRestException) as late:
        await carrier.call(carrier.sdk.calls(call.sid).recordings.create)
    assert late.value.code == 21220
