"""Tests run against servers of their own, with none of the person's accounts."""

import pytest

from config.run import suite
from config.run.services import Endpoints


def test_no_account_and_no_address_of_the_person_reaches_a_test(layout, monkeypatch):
    for name in ("TWILIO_AUTH_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL", "PUBLIC_ORIGIN", "SECRET_KEY"):
        monkeypatch.setenv(name, "the person's own")
    environment = suite.tools_environment(layout, Endpoints("postgresql://a", "redis://b"))
    assert "the person's own" not in environment.values()
    assert environment["DJANGO_SETTINGS_MODULE"] == "config.settings.test"
    assert environment["DATABASE_URL"] == "postgresql://a"
    addresses = [value for name, value in environment.items() if name.endswith(("_BASE", "_BASE_URL"))]
    assert len(addresses) == 6
    assert all("//127.0.0.1:9" in address for address in addresses)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    (tmp_path / "apps" / "calls" / "migrations").mkdir(parents=True)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    return tmp_path


def test_kept_databases_are_made_anew_when_a_migration_changed(layout, checkout):
    migration = checkout / "apps" / "calls" / "migrations" / "0001_initial.py"
    migration.write_text("one", encoding="utf-8")
    assert suite._fresh_schema(layout) == ["--create-db"]
    assert suite._fresh_schema(layout) == []
    migration.write_text("two", encoding="utf-8")
    assert suite._fresh_schema(layout) == ["--create-db"]
