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
    settings.TELNYX_API_BASE = "http://127.0.0.1:8090/v2"
    assert ids(checks.check_public_origin(None)) == expected


PUBLIC_KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="


@pytest.mark.parametrize(
    ("api_key", "public_key", "connection_id", "previous", "expected"),
    [
        ("", "", "", "", []),
        ("KEY1", PUBLIC_KEY, "149", "", []),
        ("KEY1", PUBLIC_KEY, "149", PUBLIC_KEY, []),
        ("KEY1", PUBLIC_KEY, "", "", ["calls.E011"]),
        ("KEY1", "", "149", "", ["calls.E011"]),
        ("", PUBLIC_KEY, "", "", ["calls.E011"]),
        ("KEY1", "not base64!", "149", "", ["calls.E012"]),
        ("KEY1", "c2hvcnQ=", "149", "c2hvcnQ=", ["calls.E012", "calls.E012"]),
    ],
)
def test_telnyx_is_set_up_whole_or_not_at_all(settings, api_key, public_key, connection_id, previous, expected):
    settings.TELNYX_API_KEY, settings.TELNYX_CONNECTION_ID = api_key, connection_id
    settings.TELNYX_PUBLIC_KEY, settings.TELNYX_PUBLIC_KEY_PREVIOUS = public_key, previous
    assert ids(checks.check_telnyx_credentials(None)) == expected


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ([], []),
        (["192.0.2.0/24", "2001:db8::/32", "192.0.2.7"], []),
        (["192.0.2.1/24"], ["calls.E013"]),
        (["x"], ["calls.E013"]),
    ],
)
def test_networks_are_networks(settings, networks, expected):
    settings.TELNYX_WEBHOOK_IPS, settings.TWILIO_WEBHOOK_IPS = networks, []
    assert ids(checks.check_webhook_networks(None)) == expected
    settings.TELNYX_WEBHOOK_IPS, settings.TWILIO_WEBHOOK_IPS = [], networks
    assert ids(checks.check_webhook_networks(None)) == expected


def test_a_real_telnyx_must_reach_us_too(settings):
    settings.TWILIO_API_BASE = settings.PUBLIC_ORIGIN = "http://127.0.0.1:8000"
    settings.TELNYX_API_BASE = "https://api.telnyx.com/v2"
    assert ids(checks.check_public_origin(None)) == ["calls.E003", "calls.E004"]
    settings.PUBLIC_ORIGIN, settings.PUBLIC_MEDIA_ORIGIN = "https://voice_1.example.com", "wss://voice.example.com"
    assert ids(checks.check_public_origin(None)) == [], "an underscore is Twilio's trouble alone"


def test_limits_that_would_stop_a_healthy_carrier(settings):
    settings.WEBHOOK_SOURCE_PER_S = 49
    assert ids(checks.check_limits(None)) == ["calls.E014"]
    settings.WEBHOOK_SOURCE_PER_S, settings.WEBHOOK_ACCOUNT_PER_S = 100, 99
    assert ids(checks.check_limits(None)) == ["calls.E014"]


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
