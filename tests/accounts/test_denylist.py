"""A revoked token stays revoked, whatever Redis goes through."""

import os
import signal
from datetime import timedelta

import pytest
from django.utils import timezone
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from apps.accounts import denylist
from apps.accounts.models import RevokedToken
from config.run.layout import Layout
from config.run.services import Redis

pytestmark = pytest.mark.django_db


def soon():
    return timezone.now() + timedelta(minutes=10)


def test_revoked_until_it_would_have_expired():
    denylist.revoke(["a"], until=soon())
    assert denylist.is_revoked("a", "family")
    assert denylist.is_revoked("x", "a")
    assert not denylist.is_revoked("b", "family")
    assert 500 < get_redis_connection("default").ttl("cc:revoked:a") <= 601


def test_an_ordinary_check_asks_redis_once_and_the_database_never(django_assert_num_queries):
    denylist.is_revoked("a")
    with django_assert_num_queries(0):
        denylist.is_revoked("a", "b")


def test_revoking_twice_is_the_same_as_once():
    denylist.revoke(["a"], until=soon())
    denylist.revoke(["a"], until=soon())
    assert RevokedToken.objects.count() == 1


def test_an_emptied_redis_is_filled_again_before_anyone_is_let_in():
    denylist.revoke(["a"], until=soon())
    RevokedToken.objects.create(jti="gone", expires_at=timezone.now() - timedelta(seconds=1))
    get_redis_connection("default").flushdb()
    assert denylist.is_revoked("a")
    assert not denylist.is_revoked("gone")
    assert get_redis_connection("default").exists("cc:revoked:a")


def test_a_redis_that_lost_its_last_second_is_noticed_by_its_new_run():
    denylist.revoke(["early"], until=soon())
    denylist.is_revoked("early")
    denylist.revoke(["late"], until=soon())
    connection = get_redis_connection("default")
    connection.delete("cc:revoked:late")  # what the append-only file had not yet seen
    connection.set("cc:revoked-filled-for", "an earlier run")
    assert denylist.is_revoked("late")


@pytest.fixture
def own_redis(tmp_path, settings):
    """A server of this test's own, with its append-only file, that may be killed."""
    server = Redis(Layout(tmp_path))
    url = server.start()

    def use(url):
        settings.CACHES = {
            "default": {
                **settings.CACHES["default"],
                "LOCATION": url,
                "OPTIONS": {**settings.CACHES["default"]["OPTIONS"], "SOCKET_CONNECT_TIMEOUT": 0.5},
            }
        }

    use(url)
    yield server
    server.stop()


def kill(server):
    os.kill(server._child.process.pid, signal.SIGKILL)
    server._child.process.wait()


def test_a_revocation_outlives_a_killed_redis(own_redis):
    denylist.revoke(["a"], until=soon())
    kill(own_redis)
    assert denylist.is_revoked("a"), "while it is away, the table answers"
    assert not denylist.is_revoked("b")
    own_redis.start()
    connection = get_redis_connection("default")
    assert connection.exists("cc:revoked:a"), "its append-only file brought it back"
    assert denylist.is_revoked("a")
    assert not denylist.is_revoked("b")


def test_a_revocation_outlives_the_loss_of_redis_data(own_redis, tmp_path):
    denylist.revoke(["a"], until=soon())
    kill(own_redis)
    for path in (tmp_path / "redis" / "appendonlydir").iterdir():
        path.unlink()
    own_redis.start()
    assert not get_redis_connection("default").exists("cc:revoked:a")
    assert denylist.is_revoked("a")


def test_a_revocation_that_redis_did_not_take_is_refused_and_not_half_kept(own_redis):
    kill(own_redis)
    with pytest.raises(denylist.RevocationNotKept):
        denylist.revoke(["a"], until=soon())
    assert not RevokedToken.objects.exists()
    with pytest.raises(RedisError):
        get_redis_connection("default").ping()
