"""Recordings that the carriers make, over the wire: our worker and web server, the carrier process, and its file in our
storage in the end."""

import time

import pytest

from apps.calls.models import Recording
from apps.calls.models.recording import Wish
from apps.calls.services import ending, recording_commands, recording_erasure, recordings
from apps.calls.states import LegState
from tests.calls.lines import call_number, wait_for, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

TALKS = "+12125556100"  # an interested person who holds the line for a while


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    backend = {**settings.STORAGES["recordings"], "OPTIONS": {"location": str(tmp_path / "sound")}}
    settings.STORAGES = {**settings.STORAGES, "recordings": backend}


@pytest.fixture
def leg(product, name, media):
    media.talks_on = True
    leg = wait_for(call_number(name, TALKS), LegState.ANSWERED)
    recording_commands.want(leg.call_id, Wish.RECORD)
    wait_until(lambda: told(leg, "recording_started"), story=leg)
    yield leg
    ending.request_end(leg.call_id, reason="staff_ended")
    wait_for(leg, LegState.ENDED)


def told(leg, kind: str) -> list[dict]:
    return [event.data for event in leg.call.events.filter(kind=kind).order_by("pk")]


def test_it_is_paused_for_card_data_and_handed_over_after_the_call(leg):
    recording_commands.want(leg.call_id, Wish.PAUSE, reason="card")
    wait_until(lambda: told(leg, "recording_paused"), story=leg)
    recording_commands.want(leg.call_id, Wish.RECORD)
    wait_until(lambda: told(leg, "recording_resumed"), story=leg)
    assert told(leg, "recording_paused") == [{"reason": "card", "source": "carrier"}]
    recording = Recording.objects.get(call_id=leg.call_id)
    assert (recording.source, recording.state) == ("carrier", "recording")
    time.sleep(0.2)  # something to hear, on the carrier's fast clock
    ending.request_end(leg.call_id, reason="staff_ended")
    wait_until(lambda: Recording.objects.get(pk=recording.pk).is_ready, story=leg)
    recording.refresh_from_db()
    assert (recording.size > 1000, recording.channels) == (True, 2)
    assert recording.reference.startswith(leg.carrier)
    assert recordings.files().exists(recording.name)
    assert told(leg, "recording_failed") == []


def test_who_refuses_is_recorded_no_more_and_nothing_of_it_is_kept(leg, name):
    recording_erasure.refuse_recording(leg.call_id)
    at_carrier = Recording.objects.get(call_id=leg.call_id, source="carrier")
    wait_until(lambda: Recording.objects.get(pk=at_carrier.pk).commanded == Wish.STOP, story=leg)
    wait_until(lambda: told(leg, "recording_saved"), story=leg)  # the carrier has a file, and says so
    ending.request_end(leg.call_id, reason="staff_ended")
    wait_for(leg, LegState.ENDED)
    time.sleep(0.5)  # a file that is fetched all the same would be there by then
    assert set(Recording.objects.filter(call_id=leg.call_id).values_list("state", flat=True)) == {"erased"}
    assert not Recording.objects.exclude(name="").exists()


def test_a_carrier_that_cannot_pause_stops_and_the_call_goes_on(leg, product):
    product.fault("rest_500", times=3)
    recording_commands.want(leg.call_id, Wish.PAUSE, reason="card")
    wait_until(lambda: told(leg, "recording_failed"), story=leg)
    (failed,) = told(leg, "recording_failed")
    assert (failed["act"], failed["source"]) == ("pause", "carrier")
    wait_until(lambda: Recording.objects.get(call_id=leg.call_id).commanded == Wish.STOP, story=leg)
    wait_until(lambda: told(leg, "recording_saved"), story=leg)
    leg.call.refresh_from_db()
    assert leg.call.end_reason in {"", "caller_hung_up"}, "we do not end it for that"
    assert Recording.objects.get(call_id=leg.call_id).state == "failed"
