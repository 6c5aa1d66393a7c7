"""The recording is paused by the session that asks, not by way of Redis: it may be away, and card data come next."""

import pytest
from redis.exceptions import ConnectionError as RedisAway

from apps.calls.models import Recording
from apps.calls.services import media_commands


@pytest.fixture(autouse=True)
def _redis_away(monkeypatch):
    def no_connection(alias):
        raise RedisAway("no route")

    monkeypatch.setattr(media_commands, "get_redis_connection", no_connection)


@pytest.mark.parametrize(("name", "what"), [("pause_recording", "pause"), ("resume_recording", "resume")])
def test_card_data_are_asked_for_once_the_session_has_stopped_recording(ask, name, what):
    assert ask(name, {}, offered={name}).recording == what


@pytest.mark.django_db(transaction=True)
def test_who_does_not_want_to_be_recorded_is_not(ask, leg):
    assert ask("stop_recording", {}, offered={"stop_recording"}).recording == "stop"
    assert Recording.objects.get(call=leg.call).state == "erased"
