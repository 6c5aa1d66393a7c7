"""A media process that records into a folder of its own, and a provider that echoes; one of each for a file."""

import pytest

from tests.calls.media_server import EchoProvider, MediaServer, eventually, media_server


@pytest.fixture(scope="module")
def provider():
    with EchoProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recorded")


@pytest.fixture(scope="module")
def process(django_db_setup, django_db_blocker, provider, folder):
    with django_db_blocker.unblock(), media_server(provider, folder / "media.log", VAR_DIR=str(folder)) as server:
        yield server


@pytest.fixture(autouse=True)
def same_storage(settings, folder):
    backend = {**settings.STORAGES["recordings"], "OPTIONS": {"location": str(folder / "uploads" / "recordings")}}
    settings.STORAGES = {**settings.STORAGES, "recordings": backend}
    settings.RECORDING_SPOOL_DIR = folder / "recording-spool"


@pytest.fixture
def media(process: MediaServer):
    yield process
    process.wait_idle()
    eventually(lambda: not list(process.log.parent.glob("recording-spool/*.spool")))
