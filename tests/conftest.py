"""The people of the tests, and a clean clock and cache for each."""

import pytest
from django.core.cache import cache

from apps.accounts.models import Role, User
from tests.distribution import Scheduling
from tests.factories.accounts import make_user


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True)
def _fresh_cache(request: pytest.FixtureRequest) -> None:
    """Tests that touch the database also touch what is kept beside it in Redis; neither may leak into the next."""
    if request.node.get_closest_marker("django_db") or "db" in request.fixturenames:
        cache.clear()


@pytest.fixture
def admin(db: None) -> User:
    return make_user("admin", role=Role.ADMIN, first_name="Adele", last_name="Admin")


@pytest.fixture
def alice(db: None) -> User:
    """Supervises Team North."""
    return make_user("alice", role=Role.SUPERVISOR, first_name="Alice", last_name="North")


@pytest.fixture
def bob(db: None) -> User:
    """An agent of Team North."""
    return make_user("bob", role=Role.AGENT, first_name="Bob", last_name="North")


@pytest.fixture
def carol(db: None) -> User:
    """Supervises another team."""
    return make_user("carol", role=Role.SUPERVISOR, first_name="Carol", last_name="South")
