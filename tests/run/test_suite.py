"""Tests run against servers of their own, with none of the person's accounts."""

from contextlib import nullcontext

import pytest

from config.run import suite, system_packages
from config.run.layout import Layout
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


@pytest.fixture
def _nothing_is_started(layout, monkeypatch):
    monkeypatch.setattr(suite, "own_servers", lambda *_, **__: nullcontext(Endpoints("postgresql://a", "redis://b")))
    monkeypatch.setattr(Layout, "from_environment", lambda: layout)
    for name in ("ensure_pango", "ensure_driver", "ensure_chromium"):
        monkeypatch.setattr(system_packages, name, lambda: None)
    layout.child("test").create()


@pytest.mark.usefixtures("_nothing_is_started")
@pytest.mark.parametrize(
    ("first", "second", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (2, 1, 2)], ids=["fine", "first", "second", "both"]
)
def test_both_parts_run_and_each_can_fail_the_suite(monkeypatch, first, second, code):
    ran: list[list[str]] = []
    codes = iter([0, first, second])

    def tool(arguments, _environment):
        ran.append(list(arguments))
        return next(codes)

    monkeypatch.setattr(suite, "_tool", tool)
    assert suite.test([]) == code
    _messages, *parts = ran
    chosen = [words[words.index("-m", 2) + 1] for words in parts]
    assert chosen == ["not (e2e or drill or storm or bench)", "e2e or drill"]


@pytest.mark.usefixtures("_nothing_is_started")
def test_some_tests_are_run_as_they_are_asked_for(monkeypatch):
    ran: list[list[str]] = []

    def tool(arguments, _environment):
        ran.append(list(arguments))
        return 0

    monkeypatch.setattr(suite, "_tool", tool)
    assert suite.test(["tests/core -k 'a or b'"]) == 0
    assert ran[-1][-3:] == ["tests/core", "-k", "a or b"]
