"""Recording through the media process as it runs: from the carrier's frames to a file, over pauses and death."""

import base64
import signal
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.calls import tasks
from apps.calls.media.audio import encode_pcmu
from apps.calls.models import CallEvent, Leg, Recording, Turn
from apps.calls.services import recordings
from apps.calls.services.media_commands import send_to_session
from tests.calls.media.test_mixing import frames, heard, near, tone
from tests.calls.media_server import Carrier, EchoProvider, eventually, media_server
from tests.factories.calls import make_call, make_callable, make_leg, make_virtual_agent

pytestmark = pytest.mark.django_db(transaction=True)
SILENCE = b"\xff" * 160
_names = iter(f"Heard{n}" for n in range(1000))


def make_stream(**agent) -> Leg:
    call = make_call(contact=make_callable(first_name=next(_names)), virtual_agent=make_virtual_agent(**agent))
    expires_at = timezone.now() + timedelta(seconds=60)
    return make_leg("answered", call=call, media_token_expires_at=expires_at, carrier_call_id=f"CA{call.pk:032x}")


def name_of(leg: Leg) -> str:
    return leg.call.contact.first_name


def converse(carrier: Carrier, ms: int, sounds: dict[int, bytes]) -> None:
    """In real time, as a carrier does: a frame every 20 ms."""
    line = bytearray(SILENCE * (ms // 20))
    for at_ms, pcm in sounds.items():
        sound = encode_pcmu(pcm)
        line[at_ms * 8 : at_ms * 8 + len(sound)] = sound
    began = time.monotonic()
    for i, frame in enumerate(frames(bytes(line))):
        time.sleep(max(0.0, began + i * 0.02 - time.monotonic()))
        carrier.speak(payload=base64.b64encode(frame).decode())


def ready(provider: EchoProvider, leg: Leg) -> None:
    eventually(lambda: provider.of(name_of(leg), "response.create"))


def recording_of(leg: Leg) -> Recording:
    return eventually(lambda: Recording.objects.ready().filter(call_id=leg.call_id).first())


def sound_of(recording: Recording, folder):
    path = folder / "fetched.wav"
    with recordings.files().open(recording.name) as file:
        path.write_bytes(file.read())
    return heard(path)


def use_tool(provider: EchoProvider, leg: Leg, name: str) -> None:
    call = {"type": "response.function_call_arguments.done", "call_id": name, "name": name, "arguments": "{}"}
    provider.send(name_of(leg), call)
    eventually(
        lambda: [
            event
            for event in provider.of(name_of(leg), "conversation.item.create")
            if event["item"].get("call_id") == name
        ]
    )


def say(provider: EchoProvider, leg: Leg, text: str, item: str) -> None:
    provider.send(
        name_of(leg),
        {"type": "input_audio_buffer.speech_started", "item_id": item, "audio_start_ms": 0},
        {"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": 60_000},
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": item,
            "transcript": text,
            "usage": {"type": "tokens", "input_token_details": {"audio_tokens": 7, "text_tokens": 0}},
        },
    )


def test_a_call_is_heard_afterwards_as_it_was(media, provider, folder):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        converse(carrier, 2000, {600: tone(300), 1400: tone(200)})
        carrier.stop()
        carrier.wait_closed()
    recording = recording_of(leg)
    caller, ai = sound_of(recording, folder)
    first = caller[0][0]
    assert near(caller, [(first, first + 300), (first + 800, first + 1000)])
    # It says back what it hears, when it gets round to it.
    assert near(ai, [(first, first + 300), (first + 800, first + 1000)], within_ms=200)
    assert abs(recording.duration_ms - 2000) < 1500
    kinds = list(CallEvent.objects.filter(call=leg.call).order_by("pk").values_list("kind", flat=True))
    assert kinds[:2] == ["session_started", "recording_started"]


def test_nothing_is_recorded_where_it_is_switched_off(media, provider):
    legs = [make_stream(is_recorded=False), make_stream()]
    legs[1].call.brief["is_recorded"] = False
    legs[1].call.save()
    for leg in legs:
        with media.call(leg) as carrier:
            ready(provider, leg)
            tools = provider.of(name_of(leg), "session.update")[0]["session"]["tools"]
            assert not {"pause_recording", "stop_recording"} & {tool["name"] for tool in tools}
            converse(carrier, 200, {})
            carrier.stop()
            carrier.wait_closed()
    media.wait_idle()
    assert not Recording.objects.exists()


def test_the_ai_pauses_for_card_data_and_nothing_of_them_is_kept(media, provider, folder):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        converse(carrier, 400, {100: tone(200)})
        use_tool(provider, leg, "pause_recording")
        eventually(lambda: CallEvent.objects.filter(call=leg.call, kind="recording_paused").exists())
        converse(carrier, 800, {200: tone(400)})
        say(provider, leg, "It is 4111 1111, then 1111 and 22.", "u1")
        converse(carrier, 200, {})
        use_tool(provider, leg, "resume_recording")
        eventually(lambda: CallEvent.objects.filter(call=leg.call, kind="recording_resumed").exists())
        say(provider, leg, "My other card is 5555 5555 5555 4444.", "u2")
        converse(carrier, 600, {200: tone(200)})
        carrier.stop()
        carrier.wait_closed()
    recording = recording_of(leg)
    caller, _ai = sound_of(recording, folder)
    assert [round((b - a) / 100) for a, b in caller] == [2, 2]
    (begin, end, why), *others = recording.paused
    assert why == "card"
    assert not others
    assert caller[0][1] <= begin < end <= caller[1][0]
    assert end - begin > 900
    texts = [turn.text for turn in Turn.objects.filter(call=leg.call, speaker="caller").order_by("pk")]
    assert texts[0] == "It is [card data]."
    assert texts[1] == "My other card is [card data]."


def test_staff_may_pause_too(media, provider):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        send_to_session(leg.call_id, "pause_recording", reason="staff")
        eventually(lambda: CallEvent.objects.filter(call=leg.call, kind="recording_paused").exists())
        converse(carrier, 300, {})
        send_to_session(leg.call_id, "resume_recording")
        eventually(lambda: CallEvent.objects.filter(call=leg.call, kind="recording_resumed").exists())
        converse(carrier, 300, {})
        carrier.stop()
        carrier.wait_closed()
    assert [why for _, _, why in recording_of(leg).paused] == ["staff"]


def test_who_does_not_want_to_be_recorded_is_not(media, provider, folder):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        converse(carrier, 800, {100: tone(200)})
        eventually(lambda: list(folder.glob(f"recording-spool/{leg.call_id}-*.spool")))
        use_tool(provider, leg, "stop_recording")
        eventually(lambda: not list(folder.glob(f"recording-spool/{leg.call_id}-*.spool")))
        converse(carrier, 400, {100: tone(200)})
        carrier.stop()
        carrier.wait_closed()
    media.wait_idle()
    recording = Recording.objects.get(call=leg.call)
    assert (recording.state, recording.erased_why) == ("erased", "refused")
    assert not list(folder.glob(f"uploads/recordings/**/{leg.call_id}-*"))
    # A later stream of the same call is not recorded either, and the AI is not offered what is of no use.
    Leg.objects.filter(pk=leg.pk).update(media_token_expires_at=timezone.now() + timedelta(seconds=60))
    with media.call(leg) as carrier:
        eventually(lambda: len(provider.of(name_of(leg), "session.update")) == 2)
        converse(carrier, 200, {})
        carrier.stop()
        carrier.wait_closed()
    media.wait_idle()
    assert not list(folder.glob(f"recording-spool/{leg.call_id}-*.spool"))


def test_a_call_whose_audio_broke_is_one_recording(media, provider, folder):
    leg = make_stream()
    with media.call(leg) as carrier:
        ready(provider, leg)
        converse(carrier, 600, {200: tone(200)})
    media.wait_idle()
    recording_of(leg)
    Leg.objects.filter(pk=leg.pk).update(media_token_expires_at=timezone.now() + timedelta(seconds=60))
    with media.call(leg) as carrier:
        eventually(lambda: len(provider.of(name_of(leg), "session.update")) == 2)
        converse(carrier, 600, {200: tone(200)})
        carrier.stop()
        carrier.wait_closed()
    eventually(lambda: Recording.objects.get(call=leg.call).parts.filter(state="stored").exists())
    tasks.finish_recordings()
    recording = Recording.objects.get(call=leg.call)
    caller, _ai = sound_of(recording, folder)
    leg.refresh_from_db()
    assert [round((b - a) / 100) for a, b in caller] == [2, 2]
    assert caller[1][0] - caller[0][0] > 600
    assert set(recording.parts.values_list("state", flat=True)) == {"merged"}


def test_what_a_killed_process_had_recorded_is_finished_by_the_next(
    django_db_setup, django_db_blocker, provider, folder, tmp_path
):
    leg = make_stream()
    with media_server(provider, tmp_path / "media.log", VAR_DIR=str(folder)) as server, server.call(leg) as carrier:
        ready(provider, leg)
        converse(carrier, 3000, {500: tone(300)})
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    spool = next(folder.glob(f"recording-spool/{leg.call_id}-*.spool"))
    assert spool.stat().st_size > 2000 * 8
    with media_server(provider, tmp_path / "next.log", VAR_DIR=str(folder)):
        recording = recording_of(leg)
    assert 1900 < recording.duration_ms < 5000
    caller, _ai = sound_of(recording, folder)
    assert [round((b - a) / 100) for a, b in caller] == [3]
    assert not spool.exists()
