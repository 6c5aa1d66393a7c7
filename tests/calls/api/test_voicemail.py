"""Recorded voicemail messages by API."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.calls.models import VoicemailRecording
from tests.accounts.api.clients import api_as
from tests.factories.calls import make_virtual_agent
from tests.factories.sounds import spoken_wav

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    backend = {**settings.STORAGES["recordings"], "OPTIONS": {"location": str(tmp_path / "sound")}}
    settings.STORAGES = {**settings.STORAGES, "recordings": backend}


@pytest.fixture
def agent():
    return make_virtual_agent()


def address(agent, language: str = "en") -> str:
    return f"/api/v1/virtual-agents/{agent.pk}/voicemail-recordings/{language}/"


def put(api, url: str, data: bytes, name: str = "hello.wav"):
    return api.put(url, {"file": SimpleUploadedFile(name, data, content_type="audio/wav")}, format="multipart")


def test_a_message_is_uploaded_listed_heard_replaced_and_deleted(admin, agent):
    api = api_as(admin)
    made = put(api, address(agent), spoken_wav(1.0))
    assert made.status_code == 201, made.content
    assert (made.json()["duration_ms"], made.json()["file_name"]) == (1000, "hello.wav")
    assert VoicemailRecording.objects.get().uploaded_by == admin
    assert put(api, address(agent), spoken_wav(2.0)).status_code == 200
    (listed,) = api.get(f"/api/v1/virtual-agents/{agent.pk}/").json()["voicemail_recordings"]
    assert (listed["language"], listed["duration_ms"]) == ("en", 2000)
    sound = api.get(listed["url"])
    assert (sound["Content-Type"], sound.content[:4]) == ("audio/wav", b"RIFF")
    assert api.delete(address(agent)).status_code == 204
    assert api.delete(address(agent)).status_code == 404
    assert api.get(address(agent)).status_code == 404


@pytest.mark.parametrize(
    ("data", "reason"), [(b"hello", "not_wav"), (spoken_wav(61, rate_hz=4000), "too_long")], ids=["text", "long"]
)
def test_what_cannot_be_played_is_refused_with_a_code(admin, agent, data, reason):
    refused = put(api_as(admin), address(agent), data)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "bad_recording"
    assert refused.json()["error"]["detail"] == {"reason": reason}
    assert not VoicemailRecording.objects.exists()


def test_languages_and_agents_that_do_not_exist_take_nothing(admin, agent):
    api = api_as(admin)
    assert put(api, address(agent, "xx"), spoken_wav(1.0)).status_code == 404
    assert put(api, "/api/v1/virtual-agents/999999/voicemail-recordings/en/", spoken_wav(1.0)).status_code == 404
    assert api.put(address(agent), {}, format="multipart").status_code == 400


def test_a_file_that_has_gone_from_the_storage_is_not_found(admin, agent):
    from apps.calls.services.recordings import files

    api = api_as(admin)
    put(api, address(agent), spoken_wav(1.0))
    files().delete(VoicemailRecording.objects.get().name)
    assert api.get(address(agent)).status_code == 404


def test_supervisors_listen_and_change_nothing(admin, alice, agent):
    put(api_as(admin), address(agent), spoken_wav(1.0))
    api = api_as(alice)
    assert api.get(address(agent)).status_code == 200
    assert put(api, address(agent), spoken_wav(2.0)).status_code == 403
    assert api.delete(address(agent)).status_code == 403
