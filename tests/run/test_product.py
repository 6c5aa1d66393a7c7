"""Decisions of `make run` that are not its processes'."""

import os

import pytest

from config.run import product
from config.run.environment import Switches


@pytest.mark.parametrize(
    ("sandbox", "address", "rings"),
    [
        ("1", "http://127.0.0.1:8010", True),
        ("1", "https://api.twilio.com", False),
        ("0", "http://127.0.0.1:8010", False),
        ("0", None, False),
    ],
)
def test_the_demo_dials_only_into_the_sandbox(sandbox, address, rings):
    environment = {} if address is None else {"TWILIO_API_BASE": address}
    switches = Switches.from_environment({"SANDBOX": sandbox})
    assert product._rings_the_sandbox(switches, environment) is rings


def test_translations_are_compiled_when_a_catalogue_is_newer(tmp_path):
    catalogue = tmp_path / "es" / "LC_MESSAGES" / "django.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text("", encoding="utf-8")
    assert product._translations_are_stale(tmp_path)
    catalogue.with_suffix(".mo").write_text("", encoding="utf-8")
    os.utime(catalogue, (1, 1))
    assert not product._translations_are_stale(tmp_path)


def test_the_banner_says_how_to_log_in_and_whether_it_dials(layout):
    switches = Switches.from_environment({"PORT": "9000"})
    text = "\n".join(product._banner(layout, switches, 7.2, dials=True))
    assert "Ready in 7 s:  http://127.0.0.1:9000/" in text
    assert "(supervisor)" in text
    assert "is dialling" in text
    assert "is dialling" not in "\n".join(product._banner(layout, switches, 7.2, dials=False))
