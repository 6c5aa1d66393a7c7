"""A recorded message through the media process as it runs: from the upload to the machine's ear and our recording."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from apps.calls.models import Call, CallEvent, Leg, Recording, Turn, VoicemailRecording
from apps.calls.services import recordings, voicemail_recordings
from apps.calls.services.media_commands import send_to_session
from tests.calls.media.test_mixing import heard
from tests.calls.media_server import Carrier, EchoProvider, eventually
from tests.factories.calls import make_call, make_callable, make_leg, make_virtual_agent
from tests.factories.sounds import spoken_wav

pytestmark = pytest.mark.django_db(transaction=True)
SILENCE = base64.b64encode(b"\xff" * 160).decode()
_names = iter(f"Machine{n}" for n in range(1000))


def make_stream(seconds: float = 1.5) -> tuple[Leg, VoicemailRecording]:
    agent = make_virtual_agent(voicemail_message_en="Ada called.")
    prepared = voicemail_recordings.prepare(SimpleUploadedFile("ada.wav", spoken_wav(seconds)))
    recording, _is_new = voicemail_recordings.keep(agent.pk, "en", prepared, by=None)
    call = make_call(contact=make_callable(first_name=next(_names)), virtual_agent=agent)
    expires_at = timezone.now() + timedelta(seconds=60)
    leg = make_leg("answered", call=call, media_token_expires_at=expires_at, carrier_call_id=f"CA{call.pk:032x}")
    return leg, recording


def prompts(provider: EchoProvider, leg: Leg) -> list[str]:
    asked = provider.of(leg.call.contact.first_name, "response.create")
    return [event.get("response", {}).get("instructions", "") for event in asked]


def ready(provider: EchoProvider, leg: Leg) -> None:
    eventually(lambda: prompts(provider, leg))


def beep(leg: Leg) -> None:
    """What the carrier's detection says, as the webhook hands it on."""
    send_to_session(leg.call_id, "machine_verdict", verdict="machine", answered_by="machine_end_beep")


@contextmanager
def silence_from(carrier: Carrier) -> Iterator[None]:
    """A machine that records sends silence all the while, in real time."""
    over = threading.Event()

    def send() -> None:
        with suppress(ConnectionClosed):
            while not over.wait(0.02):
                carrier.speak(payload=SILENCE)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def listen(carrier: Carrier) -> bytes:
    """All that is played until the socket closes."""
    sound = bytearray()
    with suppress(ConnectionClosed):
        for text in carrier.socket:
            message = json.loads(text)
            if message["event"] == "media":
                sound += base64.b64decode(message["media"]["payload"])
    return bytes(sound)


def test_what_was_uploaded_is_what_the_machine_records(media, provider, folder):
    leg, recording = make_stream()
    sound = voicemail_recordings.read(recording.name, recording.sha256)
    with media.call(leg) as carrier:
        ready(provider, leg)
        with silence_from(carrier):
            beep(leg)
            assert listen(carrier).endswith(sound)
        assert carrier.socket.close_code == 1000
    call = Call.objects.get(pk=leg.call_id)
    assert call.end_reason == "ai_ended"
    (left,) = CallEvent.objects.filter(call=call, kind="message_left")
    assert left.data == {"after": "carrier", "how": "recorded", "ms": 1500}
    turn = Turn.objects.get(call=call, speaker="system")
    assert (turn.text, turn.was_interrupted) == ("Ada called.", False)
    assert not [prompt for prompt in prompts(provider, leg) if "machine is recording" in prompt]
    ours = eventually(lambda: Recording.objects.ready().filter(call=call).first(), within_s=20)
    path = folder / "fetched.wav"
    with recordings.files().open(ours.name) as file:
        path.write_bytes(file.read())
    _caller, ai = heard(path)
    assert ai, "the message is in the right channel"
    assert 1000 < sum(to - begin for begin, to in ai) < 1700


def test_a_message_whose_file_is_gone_is_spoken(media, provider):
    leg, recording = make_stream(1.0)
    recordings.files().delete(recording.name)
    with media.call(leg) as carrier:
        ready(provider, leg)
        beep(leg)
        done = {"type": "response.done", "response": {"id": "r", "status": "cancelled", "output": []}}
        provider.send(leg.call.contact.first_name, done)  # the greeting's: until then it takes no other request
        eventually(lambda: [prompt for prompt in prompts(provider, leg) if "“Ada called.”" in prompt])
        carrier.stop()
        carrier.wait_closed()
    media.wait_idle()
    assert CallEvent.objects.get(call_id=leg.call_id, kind="message_left").data == {"after": "carrier"}
    assert "recorded_message_missing" in media.log.read_text()


def test_a_machine_that_hangs_up_leaves_word_of_what_it_heard(media, provider):
    leg, _recording = make_stream(20.0)
    with media.call(leg) as carrier:
        ready(provider, leg)
        beep(leg)
        carrier.hear()
        carrier.stop()
        carrier.wait_closed()
    media.wait_idle()
    assert not CallEvent.objects.filter(call_id=leg.call_id, kind="message_left").exists()
    assert "recorded_message_cut_short" in media.log.read_text()
