"""Recordings as rows and files: whatever happens in between, a call ends up with one, or with none and the reason."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.calls import tasks
from apps.calls.bridge.spooling import SUFFIX
from apps.calls.media.audio import encode_pcmu
from apps.calls.media.spool import SpoolHead
from apps.calls.models import Call, CallEvent, Recording, RecordingPart
from apps.calls.models.recording import ErasedWhy, PartState, RecordingSource, RecordingState
from apps.calls.services import recording_erasure, recordings
from tests.calls.media.test_mixing import Spool, frames, heard, near, tone
from tests.factories.calls import make_call, make_leg

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    options = {"location": str(tmp_path / "recordings")}
    settings.STORAGES = {
        **settings.STORAGES,
        "recordings": {"BACKEND": "apps.calls.recording_files.RecordingFiles", "OPTIONS": options},
    }
    settings.RECORDING_SPOOL_DIR = tmp_path / "spool"
    settings.RECORDING_SPOOL_DIR.mkdir()
    return tmp_path / "recordings"


@pytest.fixture
def call() -> Call:
    return make_leg("answered").call


def spool_of(call: Call, folder, *, stream="a" * 32, offset_ms=0, at_ms=500, ms=2000) -> Spool:
    leg = call.legs.first()
    head = SpoolHead(call.pk, leg.pk, stream, offset_ms, timezone.now().isoformat())
    spool = Spool(folder / f"{call.pk}-{stream}{SUFFIX}", head)
    line = bytearray(b"\xff" * ms * 8)
    sound = encode_pcmu(tone(300))
    line[at_ms * 8 : at_ms * 8 + len(sound)] = sound
    for i, frame in enumerate(frames(bytes(line))):
        spool.caller(offset_ms + i * 20, frame)
    return spool


def sound_of(recording: Recording, tmp_path):
    path = tmp_path / "fetched.wav"
    with recordings.files().open(recording.name) as file:
        path.write_bytes(file.read())
    return heard(path)


def kinds(call: Call) -> list[str]:
    return list(CallEvent.objects.filter(call=call).order_by("pk").values_list("kind", flat=True))


def test_a_stream_becomes_the_call_s_recording(call, settings, tmp_path, storage):
    spool = spool_of(call, settings.RECORDING_SPOOL_DIR)
    head = SpoolHead(call.pk, call.legs.first().pk, "a" * 32, 0, timezone.now().isoformat())
    recordings.stream_begun(head)
    recordings.stream_begun(head)  # said twice
    assert Recording.objects.get(call=call).state == RecordingState.RECORDING
    assert recordings.finish_spools(settings.RECORDING_SPOOL_DIR) == 0  # no file yet
    path = spool.write()
    assert recordings.finish_spool(path)
    recording = Recording.objects.get(call=call)
    assert (recording.state, recording.duration_ms, recording.size) == ("ready", 2000, 58 + 32_000)
    assert recording.parts.get().state == PartState.MERGED
    assert near(sound_of(recording, tmp_path)[0], [(500, 800)])
    assert len(recording.peaks) == 2
    assert max(recording.peaks[0]) > 80
    assert len(recording.sha256) == 64
    assert not list(settings.RECORDING_SPOOL_DIR.iterdir())


def test_what_a_crash_left_is_finished_by_the_periodic_task(call, settings, tmp_path):
    spool_of(call, settings.RECORDING_SPOOL_DIR).write()
    tasks.finish_recordings()
    assert Recording.objects.get(call=call).is_ready
    tasks.finish_recordings()
    assert Recording.objects.count() == 1


def test_a_spool_that_is_being_written_is_left_alone(call, settings):
    import fcntl

    path = spool_of(call, settings.RECORDING_SPOOL_DIR).write()
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        tasks.finish_recordings()
        assert not Recording.objects.exists()
    tasks.finish_recordings()
    assert Recording.objects.get().is_ready


def test_a_crash_between_storage_and_database_leaves_one_file(call, settings, storage, monkeypatch):
    path = spool_of(call, settings.RECORDING_SPOOL_DIR).write()
    monkeypatch.setattr(recordings, "_fill", lambda *_: (_ for _ in ()).throw(IntegrityError))
    with pytest.raises(IntegrityError), transaction.atomic():
        recordings.finish_spool(path)
    monkeypatch.undo()
    assert path.exists()
    assert recordings.finish_spool(path)
    assert [found.is_file() for found in storage.rglob("*.wav")] == [True]


def test_two_streams_make_one_recording_whichever_comes_first(call, settings, tmp_path, queue, storage):
    late = spool_of(call, settings.RECORDING_SPOOL_DIR, stream="b" * 32, offset_ms=6000).write()
    early = spool_of(call, settings.RECORDING_SPOOL_DIR).write()
    for path in (late, early):
        assert recordings.finish_spool(path)
    tasks.finish_recordings()
    recording = Recording.objects.get(call=call)
    assert recording.duration_ms == 8000
    assert near(sound_of(recording, tmp_path)[0], [(500, 800), (6500, 6800)])
    assert set(recording.parts.values_list("state", flat=True)) == {PartState.MERGED}
    assert recording.is_ready


def test_a_later_stream_is_merged_by_a_task(
    call, settings, tmp_path, queue, storage, django_capture_on_commit_callbacks
):
    recordings.finish_spool(spool_of(call, settings.RECORDING_SPOOL_DIR).write())
    first = Recording.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        recordings.finish_spool(spool_of(call, settings.RECORDING_SPOOL_DIR, stream="b" * 32, offset_ms=6000).write())
    assert [(sent.name, sent.args) for sent in queue] == [("calls.merge_recording", (first.pk,))]
    with django_capture_on_commit_callbacks(execute=True):
        tasks.merge_recording(first.pk)
    merged = Recording.objects.get()
    assert merged.duration_ms == 8000
    assert [str(path.relative_to(storage)) for path in storage.rglob("*.wav")] == [merged.name]
    with django_capture_on_commit_callbacks(execute=True):
        tasks.merge_recording(first.pk)
    assert Recording.objects.get().name == merged.name


def test_pauses_of_every_stream_are_kept_on_the_call_s_clock(call, settings, django_capture_on_commit_callbacks):
    from apps.calls.media.spool import Kind

    first = spool_of(call, settings.RECORDING_SPOOL_DIR)
    first.tell(Kind.PAUSE, 1000, "card")
    first.tell(Kind.RESUME, 1400)
    second = spool_of(call, settings.RECORDING_SPOOL_DIR, stream="b" * 32, offset_ms=6000)
    second.tell(Kind.PAUSE, 7000, "staff")
    second.tell(Kind.RESUME, 7200)
    for spool in (first, second):
        recordings.finish_spool(spool.write())
    tasks.finish_recordings()
    assert Recording.objects.get().paused == [[1000, 1400, "card"], [7000, 7200, "staff"]]


def test_a_stream_in_which_nothing_was_heard_leaves_nothing(call, settings):
    spool = spool_of(call, settings.RECORDING_SPOOL_DIR, ms=2000)
    spool.entries = spool.entries[:1]
    recordings.stream_begun(SpoolHead(call.pk, call.legs.first().pk, "a" * 32, 0, timezone.now().isoformat()))
    assert recordings.finish_spool(spool.write())
    assert not Recording.objects.exists()
    assert not RecordingPart.objects.exists()


def test_a_spool_that_cannot_be_finished_does_not_keep_others_waiting(settings, monkeypatch):
    calls = [make_leg("answered").call for _ in range(6)]
    for n, call in enumerate(calls):
        spool_of(call, settings.RECORDING_SPOOL_DIR, stream=str(n) * 32).write()
    real = recordings.mix

    def poisoned(spool, target):
        if spool.name.startswith(f"{calls[2].pk}-"):
            raise ValueError("something nobody thought of")
        return real(spool, target)

    monkeypatch.setattr(recordings, "mix", poisoned)
    tasks.finish_recordings()
    assert Recording.objects.ready().count() == 5
    assert len(list(settings.RECORDING_SPOOL_DIR.iterdir())) == 1
    monkeypatch.undo()


def test_while_the_storage_is_away_spools_wait(settings, monkeypatch):
    tries = []

    def away(*_):
        tries.append(1)
        raise OSError("no route to host")

    calls = [make_leg("answered").call for _ in range(8)]
    for n, call in enumerate(calls):
        spool_of(call, settings.RECORDING_SPOOL_DIR, stream=str(n) * 32).write()
    monkeypatch.setattr(recordings, "_save", away)
    tasks.finish_recordings()
    assert len(tries) == 5
    monkeypatch.undo()
    tasks.finish_recordings()
    assert Recording.objects.ready().count() == 8


def test_a_damaged_spool_is_put_aside(settings):
    path = settings.RECORDING_SPOOL_DIR / f"1-x{SUFFIX}"
    path.write_bytes(b"nonsense")
    tasks.finish_recordings()
    assert [found.name for found in settings.RECORDING_SPOOL_DIR.iterdir()] == ["1-x.damaged"]


def test_a_spool_of_a_call_that_is_gone_goes_too(call, settings, storage):
    path = spool_of(call, settings.RECORDING_SPOOL_DIR).write()
    call.legs.all().delete()
    call.delete()
    assert recordings.finish_spool(path)
    assert not path.exists()
    assert not list(storage.rglob("*.wav"))


def test_who_refuses_is_erased_and_never_recorded_again(call, settings, storage, django_capture_on_commit_callbacks):
    recordings.finish_spool(spool_of(call, settings.RECORDING_SPOOL_DIR).write())
    with django_capture_on_commit_callbacks(execute=True):
        recording_erasure.refuse_recording(call.pk)
        recording_erasure.refuse_recording(call.pk)
    recording = Recording.objects.get()
    assert (recording.state, recording.erased_why, recording.name) == ("erased", "refused", "")
    assert recording.deleted_at is not None
    assert recording.peaks == []
    assert list(storage.rglob("*.wav")) == []
    assert recordings.is_refused(call.pk)
    recordings.finish_spool(spool_of(call, settings.RECORDING_SPOOL_DIR, stream="c" * 32).write())  # was under way
    assert list(storage.rglob("*.wav")) == []
    assert Recording.objects.get().state == RecordingState.ERASED
    assert kinds(call) == ["recording_erased"]


def test_a_refusal_before_the_first_word_is_kept_too(call):
    recording_erasure.refuse_recording(call.pk)
    assert recordings.is_refused(call.pk)


def test_recordings_are_erased_when_they_are_old_enough(settings, storage, django_capture_on_commit_callbacks):
    now = timezone.now()
    calls = [make_leg("answered").call for _ in range(3)]
    for n, call in enumerate(calls):
        recordings.finish_spool(spool_of(call, settings.RECORDING_SPOOL_DIR, stream=str(n) * 32).write())
        Recording.objects.filter(call=call).update(started_at=now - timedelta(days=(10, 29, 31)[n]))
    settings.RECORDING_KEEP_DAYS = 0
    tasks.erase_old_recordings()
    assert Recording.objects.ready().count() == 3
    settings.RECORDING_KEEP_DAYS = 30
    with django_capture_on_commit_callbacks(execute=True):
        tasks.erase_old_recordings()
    assert [recording.call for recording in Recording.objects.filter(state="erased")] == [calls[2]]
    assert Recording.objects.get(call=calls[2]).erased_why == ErasedWhy.RETENTION
    assert len(list(storage.rglob("*.wav"))) == 2
    assert kinds(calls[2]) == ["recording_erased"]


def test_a_recording_that_never_came_is_said_to_be_lost_and_kept_if_it_comes_after_all(call, settings):
    head = SpoolHead(call.pk, call.legs.first().pk, "a" * 32, 0, timezone.now().isoformat())
    recordings.stream_begun(head)
    now = timezone.now()
    assert recordings.give_up_lost(now=now) == 0
    Call.objects.filter(pk=call.pk).update(ended_at=now, outcome="completed")
    assert recordings.give_up_lost(now=now + timedelta(minutes=59)) == 0
    assert recordings.give_up_lost(now=now + timedelta(minutes=61)) == 1
    assert Recording.objects.get().state == RecordingState.FAILED
    assert kinds(call) == ["recording_failed"]
    recordings.finish_spool(spool_of(call, settings.RECORDING_SPOOL_DIR).write())
    assert Recording.objects.get().is_ready


def test_a_carrier_s_recording_is_kept_once(call, tmp_path):
    started_at = timezone.now()
    kept = [
        recordings.keep_carrier_recording(
            call.pk, reference="RE1", started_at=started_at, duration_ms=1000, chunks=[b"ab", b"c"]
        )
        for _ in range(2)
    ]
    assert kept[1] is None
    recording = Recording.objects.get(source=RecordingSource.CARRIER)
    assert (recording, recording.size) == (kept[0], 3)
    with recordings.files().open(recording.name) as file:
        assert file.read() == b"abc"
    recording_erasure.refuse_recording(call.pk)
    assert (
        recordings.keep_carrier_recording(call.pk, reference="RE2", started_at=started_at, duration_ms=1, chunks=[b"x"])
        is None
    )


def test_listening_is_noted_once_for_each_person_and_quarter_of_an_hour(call, settings, alice, carol):
    recordings.finish_spool(spool_of(call, settings.RECORDING_SPOOL_DIR).write())
    recording, now = Recording.objects.get(), timezone.now()
    for who, at in ((alice, now), (alice, now), (carol, now), (alice, now + timedelta(minutes=16))):
        recordings.note_listening(recording, by=who, is_download=False, now=at)
    recordings.note_listening(recording, by=alice, is_download=True, now=now)
    events = CallEvent.objects.filter(call=call, kind="recording_played").order_by("pk")
    assert [event.data["by_id"] for event in events] == [alice.pk, carol.pk, alice.pk]
    assert CallEvent.objects.filter(call=call, kind="recording_downloaded").count() == 1


def test_a_call_has_one_recording_of_ours():
    call = make_call()
    Recording.objects.create(call=call, source=RecordingSource.BRIDGE)
    with pytest.raises(IntegrityError):
        Recording.objects.create(call=call, source=RecordingSource.BRIDGE)
