"""What production does to the static files once, when it is built."""

from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command


@pytest.fixture
def _as_in_production(settings, tmp_path):
    """With hashes in the names; compression, which changes no name, is left out."""
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }


@pytest.mark.usefixtures("_as_in_production")
def test_every_file_that_a_stylesheet_names_is_there(tmp_path):
    """The build stops at the first that is missing."""
    call_command("collectstatic", interactive=False, verbosity=0)
    assert (tmp_path / "staticfiles.json").exists()
    storage: Any = staticfiles_storage
    kit = (tmp_path / storage.stored_name("css/kit.css")).read_text(encoding="utf-8")
    assert "vendor/tabler/css/tabler.min." in kit
    assert "layer(kit)" in kit
