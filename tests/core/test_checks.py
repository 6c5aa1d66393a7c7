from datetime import timedelta

import pytest
from django.core.checks import run_checks


def ids(**kwargs):
    return {message.id for message in run_checks(**kwargs)}


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("SECRET_KEY", "short", "core.E001"),
        ("JWT_ACCESS_MINUTES", 0, "core.E002"),
        ("JWT_REFRESH_DAYS", 365, "core.E002"),
        ("AXES_FAILURE_LIMIT", 0, "core.E003"),
        ("AXES_COOLOFF_TIME", timedelta(0), "core.E003"),
        ("TRUSTED_PROXY_IPS", ["10.0.0.300"], "core.E005"),
        ("TRUSTED_PROXY_IPS", ["10.0.0.0/8"], "core.E006"),
        ("JWT_SIGNING_KEY", "no key", "accounts.E001"),
        ("JWT_PREVIOUS_KEYS", "no key", "accounts.E001"),
    ],
)
def test_wrong_settings_are_told_at_release(settings, name, value, check):
    assert check not in ids()
    setattr(settings, name, value)
    assert check in ids()


def test_a_private_key_among_the_previous_ones_is_refused(settings):
    settings.JWT_PREVIOUS_KEYS = settings.JWT_SIGNING_KEY
    assert "accounts.E001" in ids()


def test_a_deployment_without_a_token_for_metrics_is_warned(settings):
    assert "core.W001" in ids(include_deployment_checks=True)
    settings.METRICS_TOKEN = "let-prometheus-in"
    assert "core.W001" not in ids(include_deployment_checks=True)
