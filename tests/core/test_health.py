import time

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.test import override_settings

from apps.core import health
from apps.core.tasks import HEARTBEAT_KEY, beat_heartbeat

pytestmark = pytest.mark.django_db


def test_alive_whatever_the_host_and_without_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/healthz", headers={"host": "10.1.2.3"})
    assert (response.status_code, response.content) == (200, b"ok")


def test_ready_when_everything_answers(client):
    beat_heartbeat()
    response = client.get("/readyz", headers={"host": "10.1.2.3"})
    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "checks": {"database": "ok", "migrations": "ok", "redis": "ok", "workers": "ok"},
    }


def test_ready_is_cheap_once_migrations_are_known(client, django_assert_num_queries):
    beat_heartbeat()
    client.get("/readyz")
    with django_assert_num_queries(1):
        client.get("/readyz")


@pytest.mark.parametrize(("age_s", "state"), [(None, "silent"), (31, "late"), (29, "ok")])
def test_workers_are_known_by_their_heartbeat(client, age_s, state):
    if age_s is not None:
        cache.set(HEARTBEAT_KEY, time.time() - age_s)
    response = client.get("/readyz")
    assert response.json()["checks"]["workers"] == state
    assert response.status_code == (200 if state == "ok" else 503)


def test_not_ready_without_the_database(client, monkeypatch):
    def refuse(*args, **kwargs):
        raise DatabaseError

    beat_heartbeat()
    monkeypatch.setattr(connection, "cursor", refuse)
    monkeypatch.setattr(health._CHECKS["migrations"], "is_done", False)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "unreachable"
    assert response.json()["checks"]["redis"] == "ok"


def test_not_ready_without_redis(client):
    nobody_there = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}
    with override_settings(CACHES=nobody_there):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"] == {
        "database": "ok",
        "migrations": "ok",
        "redis": "unreachable",
        "workers": "unknown",
    }


def test_not_ready_while_migrations_are_pending(client, monkeypatch):
    beat_heartbeat()
    monkeypatch.setattr(health._CHECKS["migrations"], "is_done", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'campaigns'")
    assert client.get("/readyz").json()["checks"]["migrations"] == "pending"


def test_metrics_from_this_machine(client):
    body = client.get("/metrics").content.decode()
    assert "callcentre_ready" in body
    assert "django_http_requests_before_middlewares_total" in body


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_proxy_on_this_machine_does_not_open_metrics(client, header):
    assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


def test_metrics_need_the_token_from_elsewhere(client, settings):
    def scrape(token: str = "") -> int:
        return client.get("/metrics", REMOTE_ADDR="203.0.113.9", headers={"authorization": token}).status_code

    assert scrape() == 403
    settings.METRICS_TOKEN = "let-prometheus-in"
    assert scrape("Bearer wrong") == 403
    assert scrape("Bearer let-prometheus-in") == 200


def test_metrics_by_role(client, admin, alice):
    for person, status in ((alice, 403), (admin, 200)):
        client.force_login(person, backend="apps.accounts.backends.RoleBackend")
        assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == status
