"""Recorded voicemail messages in a virtual agent's form: uploaded, listened to, replaced, deleted."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.calls.models import VirtualAgent, VoicemailRecording
from tests.calls.test_admin_agents import ADD, agent_form, errors_of
from tests.factories.sounds import spoken_wav, wav_file

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    backend = {**settings.STORAGES["recordings"], "OPTIONS": {"location": str(tmp_path / "sound")}}
    settings.STORAGES = {**settings.STORAGES, "recordings": backend}


@pytest.fixture
def office(client, admin):
    client.force_login(admin, backend="apps.accounts.backends.RoleBackend")
    return client


def wav(seconds: float = 1.0, name: str = "hello.wav") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, spoken_wav(seconds), content_type="audio/wav")


def change(agent: VirtualAgent) -> str:
    return reverse("admin:calls_virtualagent_change", args=[agent.pk])


def test_a_message_is_uploaded_heard_replaced_and_deleted(office, admin):
    response = office.post(ADD, agent_form(voicemail_recording_cs=wav()))
    assert response.status_code == 302, errors_of(response)
    agent = VirtualAgent.objects.get()
    first = VoicemailRecording.objects.get()
    assert (first.virtual_agent, first.language, first.duration_ms, first.uploaded_by) == (agent, "cs", 1000, admin)

    page = office.get(change(agent)).content.decode()
    assert page.count("<audio") == 1
    url = page.partition('<audio controls preload="none" src="')[2].partition('"')[0]
    assert office.get(url).content[:4] == b"RIFF"
    piece = office.get(url, headers={"Range": "bytes=0-99"})
    assert (piece.status_code, len(piece.content)) == (206, 100)
    assert office.get(url, headers={"Range": "bytes=99999-"}).status_code == 416
    assert "hello.wav" in page
    assert 'name="voicemail_recording_cs-clear"' in page

    assert office.post(change(agent), agent_form()).status_code == 302
    assert VoicemailRecording.objects.get().sha256 == first.sha256, "what is not touched stays"
    assert office.post(change(agent), agent_form(voicemail_recording_cs=wav(2.0))).status_code == 302
    assert VoicemailRecording.objects.get().duration_ms == 2000
    history = office.get(reverse("admin:calls_virtualagent_history", args=[agent.pk])).content.decode()
    assert "Recorded message" in history
    assert office.post(change(agent), agent_form(**{"voicemail_recording_cs-clear": "on"})).status_code == 302
    assert not VoicemailRecording.objects.exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"ID3" + bytes(500), "no WAV file"),
        (spoken_wav(61, rate_hz=4000), "longer than 60 seconds"),
        (wav_file(b""), "no sound"),
        (wav_file(bytes(16_000)), "Nothing can be heard"),
        (b"", "empty"),
    ],
    ids=["mp3", "long", "no sound", "silence", "nothing"],
)
def test_what_cannot_be_played_is_refused_in_its_language(office, data, says):
    file = SimpleUploadedFile("x.wav", data, content_type="audio/wav")
    errors = errors_of(office.post(ADD, agent_form(voicemail_recording_es=file)))
    assert says in errors["voicemail_recording_es"]
    assert not VirtualAgent.objects.exists()


def test_a_file_and_its_deletion_contradict_each_other(office):
    office.post(ADD, agent_form(voicemail_recording_en=wav()))
    agent = VirtualAgent.objects.get()
    form = agent_form(voicemail_recording_en=wav(2.0), **{"voicemail_recording_en-clear": "on"})
    response = office.post(change(agent), form)
    assert "voicemail_recording_en" in errors_of(response)
    assert response.content.decode().count("<audio") == 1, "what there is can still be heard"
    assert VoicemailRecording.objects.get().duration_ms == 1000
