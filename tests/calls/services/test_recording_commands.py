"""What the carrier's recording shall do, in whatever order wishes, workers and failures come."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from apps.calls import adapters, tasks
from apps.calls.carriers.base import CarrierError, Fault
from apps.calls.models import Recording
from apps.calls.models.recording import Wish
from apps.calls.services import recording_commands, recording_erasure, recordings, transfers
from apps.core import breaker
from tests.factories.calls import make_leg
from tests.factories.sounds import tone, wav_file

pytestmark = pytest.mark.django_db


class FlakyLine:
    """Commands as they reach the carrier; those in ``fails`` come to nothing so many times."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.fails: dict[str, int] = {}
        self.meanwhile = None

    def command(self, name: str):
        def act(*_args, **_named):
            self.heard.append(name)
            if self.meanwhile is not None:
                meanwhile, self.meanwhile = self.meanwhile, None
                meanwhile()
            if self.fails.get(name, 0):
                self.fails[name] -= 1
                raise CarrierError("503", fault=Fault.OUTAGE, retryable=True)
            return "RE1" if name == "start" else None

        return act


@pytest.fixture
def line(monkeypatch, settings) -> FlakyLine:
    settings.TWILIO_API_BASE = "http://127.0.0.1:9"
    adapters.carrier_for.cache_clear()
    client = adapters.carrier_for("twilio")
    breaker.close("twilio")
    line = FlakyLine()
    for name in ("start", "pause", "resume", "stop"):
        monkeypatch.setattr(client, f"{name}_recording", line.command(name))
    yield line
    breaker.close("twilio")
    client.close()
    adapters.carrier_for.cache_clear()


@pytest.fixture
def leg():
    return make_leg("answered")


@pytest.fixture
def worker(queue, django_capture_on_commit_callbacks):
    """Do something, and then all that it puts into the queue."""

    def run(do, *args, **named) -> list[tuple]:
        done: list[tuple] = []
        with django_capture_on_commit_callbacks(execute=True):
            do(*args, **named)
        while queue:
            sent = queue.pop(0)
            if sent.name != "calls.command_recording":
                continue
            done.append(sent.args)
            with django_capture_on_commit_callbacks(execute=True):
                tasks.command_recording(*sent.args)
        return done

    return run


def recording_of(leg) -> Recording:
    return Recording.objects.get(call=leg.call, source="carrier")


def told(leg, kind: str) -> list[dict]:
    return [event.data for event in leg.call.events.filter(kind=kind).order_by("pk")]


def test_it_is_begun_once_paused_and_begun_again(line, leg, worker):
    for wish in (Wish.RECORD, Wish.RECORD, Wish.PAUSE, Wish.PAUSE, Wish.RECORD):
        worker(recording_commands.want, leg.call_id, wish, reason="card" if wish == Wish.PAUSE else "")
    assert line.heard == ["start", "pause", "resume"]
    recording = recording_of(leg)
    assert (recording.state, recording.wanted, recording.commanded) == ("recording", "record", "record")
    assert recording.reference == "twilio:RE1"
    assert told(leg, "recording_started") == [{"source": "carrier"}]
    assert told(leg, "recording_paused") == [{"source": "carrier", "reason": "card"}]


def test_only_the_last_of_several_wishes_counts(line, leg, worker):
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    recording_commands.want(leg.call_id, Wish.PAUSE, reason="card")
    recording_commands.want(leg.call_id, Wish.RECORD)
    worker(recording_commands.carry_out_waiting, now=timezone.now())
    assert line.heard == ["start"]


def test_a_wish_that_comes_while_the_carrier_is_told_is_carried_out_by_the_same_worker(line, leg, worker):
    def pause() -> None:
        recording_commands.want(leg.call_id, Wish.PAUSE, reason="card")
        recording_commands.carry_out(recording_of(leg).pk, 1)  # another worker: it leaves it to the first
        assert line.heard == ["start"]

    line.meanwhile = pause
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    assert line.heard == ["start", "pause"]


def test_a_pause_before_the_beginning_begins_and_pauses(line, leg, worker):
    recording_commands.want(leg.call_id, Wish.RECORD)
    worker(recording_commands.want, leg.call_id, Wish.PAUSE, reason="card")
    assert line.heard == ["start", "pause"]


def test_what_a_dead_worker_left_is_taken_up_after_a_while(line, leg, worker):
    recording_commands.want(leg.call_id, Wish.RECORD)
    Recording.objects.update(busy_until=timezone.now() + timedelta(seconds=30))
    assert worker(recording_commands.carry_out_waiting, now=timezone.now()) == []
    worker(recording_commands.carry_out_waiting, now=timezone.now() + timedelta(seconds=31))
    assert line.heard == []  # the claim holds for others, too
    Recording.objects.update(busy_until=timezone.now() - timedelta(seconds=1))
    worker(tasks.finish_recordings)
    assert line.heard == ["start"]


def test_one_that_cannot_be_begun_is_told_and_the_call_goes_on(line, leg, worker):
    line.fails = {"start": 1}
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    assert line.heard == ["start"], "begun twice there might be two of them"
    (failed,) = told(leg, "recording_failed")
    assert (failed["act"], failed["source"]) == ("record", "carrier")
    assert recording_of(leg).state == "failed"
    leg.call.refresh_from_db()
    assert (leg.call.is_live, leg.call.end_reason) == (True, "")
    worker(recording_commands.want, leg.call_id, Wish.RECORD)  # the next stream of the call
    assert line.heard == ["start"]


def test_a_pause_is_tried_again(line, leg, worker):
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    line.fails = {"pause": 2}
    worker(recording_commands.want, leg.call_id, Wish.PAUSE, reason="card")
    assert line.heard == ["start", "pause", "pause", "pause"]
    assert told(leg, "recording_failed") == []
    assert recording_of(leg).commanded == "pause"


def test_what_could_not_be_paused_is_stopped_and_not_kept(line, leg, worker):
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    line.fails = {"pause": 3}
    worker(recording_commands.want, leg.call_id, Wish.PAUSE, reason="card")
    assert line.heard == ["start", "pause", "pause", "pause", "stop"]
    assert told(leg, "recording_failed")[0]["act"] == "pause"
    assert keep(leg) is None
    assert recording_of(leg).state == "failed"


def test_who_refuses_is_recorded_no_more_and_what_comes_later_is_not_kept(line, leg, worker):
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    worker(recording_erasure.refuse_recording, leg.call_id)
    assert line.heard == ["start", "stop"]
    assert keep(leg) is None
    assert set(Recording.objects.filter(call=leg.call).values_list("source", "state", "erased_why")) == {
        ("bridge", "erased", "refused"),
        ("carrier", "erased", "refused"),
    }
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    assert line.heard == ["start", "stop"]


def test_who_refuses_before_it_begins_is_not_recorded_at_all(line, leg, worker):
    recording_commands.want(leg.call_id, Wish.RECORD)
    worker(recording_erasure.refuse_recording, leg.call_id)
    assert line.heard == []
    other = make_leg("answered")
    worker(recording_erasure.refuse_recording, other.call_id)
    worker(recording_commands.want, other.call_id, Wish.RECORD)
    assert line.heard == []


def test_what_two_people_say_is_not_recorded(line, leg, worker):
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    worker(transfers.begin_transfer, leg.call_id, to="+12025550199")
    assert line.heard == ["start", "pause"]
    assert told(leg, "recording_paused")[0]["reason"] == "transfer"


def test_the_file_fills_the_row_that_was_begun(line, leg, worker, settings, tmp_path):
    backend = {**settings.STORAGES["recordings"], "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "recordings": backend}
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    assert keep(leg) is not None
    recording = recording_of(leg)
    assert (recording.state, recording.reference) == ("ready", "twilio:RE1")
    left, right = recording.peaks
    assert (len(left), max(right), 100 < max(left) < 140) == (800, 0, True), "with a wave for the player"
    assert keep(leg) is None, "brought twice it is kept once"


def test_one_that_never_comes_is_given_up(line, leg, worker):
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    now = timezone.now()
    type(leg.call).objects.filter(pk=leg.call_id).update(ended_at=now, outcome="answered")
    assert recordings.give_up_lost(now=now + timedelta(minutes=59)) == 0
    assert recordings.give_up_lost(now=now + timedelta(minutes=61)) == 1
    assert recording_of(leg).state == "failed"
    assert recordings.give_up_lost(now=now + timedelta(minutes=61)) == 0


def test_sound_that_comes_before_the_word_that_it_was_answered_is_recorded(line, worker):
    leg = make_leg("ringing")
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    assert line.heard == ["start"]


def test_a_leg_that_has_just_ended_is_no_failure(line, leg, worker):
    recording_commands.want(leg.call_id, Wish.RECORD)
    type(leg).objects.filter(pk=leg.pk).update(state="ended", outcome="answered", ended_at=timezone.now())
    worker(recording_commands.carry_out_waiting, now=timezone.now())
    assert (line.heard, told(leg, "recording_failed")) == ([], [])


def test_a_call_that_is_over_is_not_asked_about(line, leg, worker):
    now = timezone.now()
    type(leg.call).objects.filter(pk=leg.call_id).update(ended_at=now, outcome="answered")
    worker(recording_commands.want, leg.call_id, Wish.RECORD)
    assert (line.heard, Recording.objects.count()) == ([], 0)


def keep(leg) -> Recording | None:
    return recordings.keep_carrier_recording(
        leg.call_id, reference="twilio:RE1", started_at=timezone.now(), duration_ms=1000, chunks=[_two_sides()]
    )


def _two_sides() -> bytes:
    """A person who hums at half of what the line carries, and an AI that keeps silent."""
    sides = np.stack([tone(500, 1.0), np.zeros(8000)], axis=1)
    return wav_file((sides * 32767).astype("<i2").tobytes(), channels=2)
