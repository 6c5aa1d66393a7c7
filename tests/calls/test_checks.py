"""Wrong combinations of settings are named before the first call."""

import pytest

from apps.calls import checks
from config.run import certificates


def ids(found) -> list[str]:
    assert all(message.hint for message in found)
    return [message.id for message in found]


@pytest.mark.parametrize(
    ("sid", "token", "expected"),
    [
        ("", "", []),
        ("AC1", "t", []),
        ("AC1", "", ["calls.E001"]),
        ("", "t", ["calls.E001"]),
        ("SK1", "t", ["calls.E002"]),
    ],
)
def test_half_set_credentials(settings, sid, token, expected):
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = sid, token
    assert ids(checks.check_twilio_credentials(None)) == expected


@pytest.mark.parametrize(
    ("api", "origin", "media", "expected"),
    [
        ("http://127.0.0.1:8090", "http://127.0.0.1:8000", "ws://127.0.0.1:8001", []),
        ("https://api.twilio.com", "https://voice.example.com", "wss://voice.example.com", []),
        ("https://api.twilio.com", "http://voice.example.com", "wss://voice.example.com", ["calls.E003"]),
        ("https://api.twilio.com", "https://10.0.0.5", "wss://voice.example.com", ["calls.E003"]),
        ("https://api.twilio.com", "https://localhost", "ws://voice.example.com", ["calls.E003", "calls.E004"]),
        ("https://api.twilio.com", "https://voice_1.example.com", "wss://voice.example.com", ["calls.E005"]),
    ],
)
def test_a_real_carrier_must_reach_us(settings, api, origin, media, expected):
    settings.TWILIO_API_BASE, settings.PUBLIC_ORIGIN, settings.PUBLIC_MEDIA_ORIGIN = api, origin, media
    assert ids(checks.check_public_origin(None)) == expected


def test_debug_and_impossible_limits(settings):
    assert ids(checks.check_no_debug(None)) == []
    assert ids(checks.check_limits(None)) == []
    settings.DEBUG = True
    settings.CARRIER_TIMEOUT_S = 40
    settings.WEBHOOK_MAX_AGE_HOURS = 0
    assert ids(checks.check_no_debug(None)) == ["calls.E006"]
    assert ids(checks.check_limits(None)) == ["calls.E007", "calls.E009", "calls.W001"]


def test_who_vouches_for_gemini_can_be_read(settings, tmp_path):
    good, empty = tmp_path / "good.pem", tmp_path / "empty.pem"
    good.write_text(certificates.for_loopback().authority)
    empty.write_text("nothing of the kind")
    for path, expected in (("", []), (good, []), (empty, ["calls.E018"]), (tmp_path / "none.pem", ["calls.E018"])):
        settings.GEMINI_CA_FILE = str(path)
        assert ids(checks.check_gemini(None)) == expected


@pytest.mark.parametrize(("base", "expected"), [("https://10.0.0.1:8443", []), ("http://10.0.0.1", ["calls.E019"])])
def test_gemini_is_only_spoken_to_by_tls(settings, base, expected):
    settings.GEMINI_API_BASE = base
    assert ids(checks.check_gemini(None)) == expected
