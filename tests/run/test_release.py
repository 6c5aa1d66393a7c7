"""The release phase is left out only when nothing that it looks at has changed."""

import os

import psycopg
import pytest

from config.run import release, services


@pytest.fixture
def database(layout, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    server = services.Postgres(layout, durable=False)
    url = server.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE django_migrations (id serial, app text, name text)")
        connection.execute("INSERT INTO django_migrations (app, name) VALUES ('calls', '0001_initial')")
        yield connection, url
    server.stop()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    root = tmp_path / "checkout"
    (root / "apps" / "calls").mkdir(parents=True)
    (root / "apps" / "calls" / "models.py").write_text("one", encoding="utf-8")
    (root / "Procfile").write_text("release: migrate\n", encoding="utf-8")
    monkeypatch.setattr(release, "ROOT", root)
    return root


def test_what_makes_a_release_necessary(layout, database, checkout):
    connection, url = database
    environment = {"DATABASE_URL": url, "REDIS_URL": "redis://one", "PUBLIC_ORIGIN": "http://a"}

    def is_done(**changes):
        return release.is_done(layout, environment | changes)

    assert not is_done()
    release.note_done(layout, environment)
    assert is_done()
    assert is_done(REDIS_URL="redis://two"), "an embedded server may be on another port each time"
    assert not is_done(PUBLIC_ORIGIN="http://b"), "system checks look at the settings"

    connection.execute("DELETE FROM django_migrations")
    assert not is_done(), "the database was rolled back or restored"
    connection.execute("INSERT INTO django_migrations (app, name) VALUES ('calls', '0001_initial')")
    assert is_done()

    os.utime(checkout / "apps" / "calls" / "models.py", (1, 1))
    assert not is_done(), "the code was changed"


def test_a_database_that_is_not_there_is_left_to_the_release_to_tell(layout, checkout):
    environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    assert not release.is_done(layout, environment)
