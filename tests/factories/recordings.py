"""Recordings, with their sound in the storage."""

from django.core.files.base import ContentFile

from apps.calls.models import Call, Recording
from apps.calls.models.recording import RecordingSource, RecordingState
from apps.calls.services import recordings
from tests.factories.calls import make_call

SOUND = bytes(range(256)) * 1000


def make_recording(call: Call | None = None, **fields) -> Recording:
    call = call or make_call()
    name = recordings.files().save(f"{call.pk}-x.wav", ContentFile(SOUND))
    return Recording.objects.create(
        **{
            "call": call,
            "source": RecordingSource.BRIDGE,
            "state": RecordingState.READY,
            "name": name,
            "size": len(SOUND),
            "sha256": "a" * 64,
            "duration_ms": 16_000,
            "peaks": [[0, 200, 10], [90, 0, 0]],
            **fields,
        }
    )
