"""Recorded voicemail messages: kept once by content, given up with care."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from apps.calls import tasks
from apps.calls.bridge.phrase_book import BadPhrase
from apps.calls.models import VoicemailRecording
from apps.calls.plans import load_plan
from apps.calls.services import voicemail_recordings
from apps.calls.services.recordings import files
from apps.calls.services.voicemail_recordings import BadRecording
from tests.factories.calls import make_call, make_leg, make_virtual_agent
from tests.factories.sounds import spoken_wav

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    backend = {**settings.STORAGES["recordings"], "OPTIONS": {"location": str(tmp_path / "sound")}}
    settings.STORAGES = {**settings.STORAGES, "recordings": backend}
    return files()


def upload(data: bytes | None = None, name: str = "Hello.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, spoken_wav() if data is None else data, content_type="audio/wav")


def kept(agent=None, language: str = "en", data: bytes | None = None) -> VoicemailRecording:
    prepared = voicemail_recordings.prepare(upload(data))
    return voicemail_recordings.keep((agent or make_virtual_agent()).pk, language, prepared, by=None)[0]


def stored() -> list[str]:
    return files().listdir("voicemail-messages")[1]


def test_a_message_is_kept_in_the_lines_own_form():
    recording = kept()
    assert (recording.duration_ms, recording.file_name) == (2000, "Hello.wav")
    sound = voicemail_recordings.read(recording.name, recording.sha256)
    assert len(sound) == 16_000
    with files().open(recording.name) as file:
        assert file.read(4) == b"RIFF"


def test_equal_messages_are_one_file_and_another_takes_its_place():
    agent = make_virtual_agent()
    first, other = kept(agent), kept(make_virtual_agent())
    assert (first.name, len(stored())) == (other.name, 1)
    second = kept(agent, data=spoken_wav(1.0))
    assert (second.pk, second.duration_ms) == (first.pk, 1000)
    assert len(stored()) == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"hello", "not_wav"), (spoken_wav(61, rate_hz=4000), "too_long"), (b"RIFF\0\0\0\0WAVE", "damaged")],
)
def test_what_cannot_be_played_is_refused(data, reason):
    with pytest.raises(BadRecording) as refused:
        voicemail_recordings.prepare(upload(data))
    assert refused.value.detail == {"reason": reason}


def test_what_is_too_large_is_not_even_read(monkeypatch):
    monkeypatch.setattr(voicemail_recordings, "MAX_BYTES", 10)
    file = upload()
    file.file.close()
    with pytest.raises(BadRecording) as refused:
        voicemail_recordings.prepare(file)
    assert refused.value.detail == {"reason": "too_large"}


def test_a_name_that_would_climb_out_is_only_a_name():
    prepared = voicemail_recordings.prepare(upload(name="x" * 300 + ".wav"))
    assert len(prepared.file_name) == 120
    file = ContentFile(spoken_wav(), name="..\\..\\etc/../secret.wav")
    assert voicemail_recordings.prepare(file).file_name == "secret.wav"


def test_a_file_that_is_not_what_was_uploaded_is_not_played():
    recording = kept()
    with files().open(recording.name, "rb") as file:
        data = bytearray(file.read())
    data[-1] ^= 0x55
    files().delete(recording.name)
    files().save(recording.name, ContentFile(bytes(data)))
    with pytest.raises(BadPhrase):
        voicemail_recordings.read(recording.name, recording.sha256)
    files().delete(recording.name)
    with pytest.raises(FileNotFoundError):
        voicemail_recordings.read(recording.name, recording.sha256)


def test_files_that_are_nobodys_go_after_a_day(settings):
    agent = make_virtual_agent()
    gone, used = kept(agent, "en", spoken_wav(1.0)), kept(agent, "cs", spoken_wav(1.5))
    assert voicemail_recordings.remove(agent.pk, "en")
    assert not voicemail_recordings.remove(agent.pk, "en")
    tasks.erase_old_recordings()
    assert files().exists(gone.name), "a call that runs may still want it"
    later = timezone.now() + timedelta(hours=25)
    assert voicemail_recordings.sweep(now=later) == 1
    assert not files().exists(gone.name)
    assert files().exists(used.name)
    make_virtual_agent()
    agent.delete()
    assert voicemail_recordings.sweep(now=later) == 1
    assert voicemail_recordings.sweep(now=later) == 0


def test_there_may_be_no_folder_at_all():
    assert voicemail_recordings.sweep(now=timezone.now()) == 0


def test_a_plan_knows_what_is_played_in_each_language():
    agent = make_virtual_agent(voicemail_message_en="Hello {first_name}.", voicemail_message_cs="")
    english, czech = kept(agent, "en"), kept(agent, "cs", spoken_wav(1.0))
    call = make_call(virtual_agent=agent)
    call.contact.first_name = "Ana"
    call.contact.save()
    leg = make_leg("answered", call=call, media_token_expires_at=timezone.now() + timedelta(seconds=60))
    recorded = load_plan(leg.media_token, "twilio").answering.recorded
    assert set(recorded) == {"en", "cs"}
    assert (recorded["en"].text, recorded["en"].is_wording) == ("Hello Ana.", True)
    assert (recorded["en"].sha256, recorded["en"].name) == (english.sha256, english.name)
    assert (recorded["cs"].duration_ms, recorded["cs"].is_wording) == (czech.duration_ms, False)
    assert recorded["cs"].text.startswith("[")


def test_who_leaves_no_messages_looks_for_none():
    agent = make_virtual_agent(on_voicemail="hang_up", tools=["end_call"])
    kept(agent)
    leg = make_leg(
        "answered", call=make_call(virtual_agent=agent), media_token_expires_at=timezone.now() + timedelta(seconds=60)
    )
    assert load_plan(leg.media_token, "twilio").answering.recorded == {}
