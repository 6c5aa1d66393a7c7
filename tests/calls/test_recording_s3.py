"""Recordings in S3: the real client against a server that speaks the wire."""

import asyncio

import pytest
from django.test import AsyncClient
from django.urls import reverse
from django.utils import timezone

from apps.calls.models import Recording
from apps.calls.models.recording import ErasedWhy
from apps.calls.recording_files import open_piece
from apps.calls.services import recording_erasure, recordings
from tests.calls.s3_server import S3Server, s3_server
from tests.calls.services.test_recordings import spool_of
from tests.factories.calls import make_leg

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bucket(settings, tmp_path):
    with s3_server() as server:
        options = {
            "bucket_name": "calls",
            "location": "recordings",
            "region_name": "eu-central-1",
            "endpoint_url": server.origin,
            "access_key": "test",
            "secret_key": "test",
            "addressing_style": "path",
            "object_parameters": {"ServerSideEncryption": "AES256"},
        }
        backend = {"BACKEND": "apps.calls.recording_s3.RecordingS3", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, "recordings": backend}
        settings.RECORDING_SPOOL_DIR = tmp_path
        yield server


def kept(tmp_path) -> Recording:
    assert recordings.finish_spool(spool_of(make_leg("answered").call, tmp_path).write())
    return Recording.objects.get()


def test_a_call_is_kept_encrypted_and_private(bucket: S3Server, tmp_path):
    recording = kept(tmp_path)
    key = f"/calls/recordings/{recording.name}"
    assert list(bucket.objects) == [key]
    assert len(bucket.objects[key]) == recording.size
    put = next(headers for method, path, headers in bucket.requests if method == "PUT")
    assert put["x-amz-server-side-encryption"] == "AES256"
    assert "x-amz-acl" not in put
    assert "AWS4-HMAC-SHA256" in put["authorization"]


def test_a_player_s_piece_is_fetched_as_a_piece(bucket: S3Server, tmp_path, alice):
    recording = kept(tmp_path)

    async def ask():
        client = AsyncClient()
        await client.aforce_login(alice)
        response = await client.get(reverse("calls:recording", args=[recording.pk]), headers={"range": "bytes=100-299"})
        return response.status_code, b"".join([chunk async for chunk in response.streaming_content])

    bucket.requests.clear()
    status, body = asyncio.run(ask())
    whole = bucket.objects[f"/calls/recordings/{recording.name}"]
    assert (status, body) == (206, whole[100:300])
    assert [(method, headers.get("range")) for method, _, headers in bucket.requests] == [("GET", "bytes=100-299")]


def test_what_is_erased_is_gone_from_the_bucket(bucket: S3Server, tmp_path):
    recording = kept(tmp_path)
    recording_erasure.erase_recording(recording.pk, why=ErasedWhy.REQUEST)
    assert bucket.objects == {}
    with pytest.raises(FileNotFoundError):
        open_piece(recordings.files(), recording.name, 0, 10)


def test_streams_are_joined_there_too(bucket: S3Server, tmp_path):
    call = make_leg("answered").call
    recordings.finish_spool(spool_of(call, tmp_path).write())
    recordings.finish_spool(spool_of(call, tmp_path, stream="b" * 32, offset_ms=6000).write())
    recordings.merge_waiting()
    recording = Recording.objects.get()
    assert recording.duration_ms == 8000
    assert list(bucket.objects) == [f"/calls/recordings/{recording.name}"]
    assert recording.started_at <= timezone.now()
