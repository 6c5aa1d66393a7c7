"""What the person set wins, and no provider's account ever reaches another's address."""

from pathlib import Path

import pytest

from config.run.environment import Switches, application_environment
from config.run.problem import Problem
from config.run.services import Endpoints

ENDPOINTS = Endpoints("postgresql://u:p@127.0.0.1:5/callcentre", "redis://:p@127.0.0.1:6/0")


def _environment(layout, given):
    switches = Switches.from_environment(given)
    return application_environment(layout, switches, ENDPOINTS, settings="config.settings.local", given=given)


def test_a_bare_machine_gets_everything(layout):
    environment = _environment(layout, {})
    assert environment["DATABASE_URL"] == ENDPOINTS.database_url
    assert environment["REDIS_URL"] == ENDPOINTS.redis_url
    assert environment["PUBLIC_ORIGIN"] == "http://127.0.0.1:8000"
    assert environment["PUBLIC_MEDIA_ORIGIN"] == "ws://127.0.0.1:8001"
    assert environment["TWILIO_API_BASE"] == "http://127.0.0.1:8010"
    assert environment["OPENAI_REALTIME_BASE"] == "ws://127.0.0.1:8011/v1"
    assert environment["GEMINI_API_BASE"] == "https://127.0.0.1:8012"
    for name, path in environment.items():
        if name.endswith("_FILE") and name != "DEMO_LOGINS_FILE":
            assert Path(path).read_text(encoding="utf-8").strip(), name


def test_a_real_account_is_never_sent_to_the_sandbox(layout):
    environment = _environment(layout, {"OPENAI_API_KEY": "sk-real", "TWILIO_AUTH_TOKEN": "real"})
    assert "OPENAI_API_KEY" not in environment
    assert "TWILIO_AUTH_TOKEN" not in environment
    assert "sk-real" not in Path(environment["OPENAI_API_KEY_FILE"]).read_text(encoding="utf-8")


def test_a_named_address_keeps_its_own_account(layout):
    given = {"OPENAI_REALTIME_BASE": "wss://api.openai.com/v1", "OPENAI_API_KEY": "sk-real"}
    environment = _environment(layout, given)
    assert environment["OPENAI_API_KEY"] == "sk-real"
    assert environment["OPENAI_REALTIME_BASE"] == "wss://api.openai.com/v1"
    assert "OPENAI_API_KEY_FILE" not in environment
    assert environment["TWILIO_API_BASE"] == "http://127.0.0.1:8010", "the carrier is still the sandbox's"


def test_the_sandboxs_authority_is_not_trusted_at_a_real_provider(layout):
    given = {"GEMINI_API_BASE": "https://generativelanguage.googleapis.com", "GEMINI_API_KEY": "real"}
    assert "GEMINI_CA_FILE" in _environment(layout, {})
    assert "GEMINI_CA_FILE" not in _environment(layout, given)


def test_the_encrypted_port_is_beside_the_plain_one_unless_it_is_named(layout):
    assert _environment(layout, {"SANDBOX_AI_PORT": "9000"})["SANDBOX_AI_TLS_PORT"] == "9001"
    given = {"SANDBOX_AI_PORT": "9000", "SANDBOX_AI_TLS_PORT": "9500"}
    assert _environment(layout, given)["GEMINI_API_BASE"] == "https://127.0.0.1:9500"


def test_a_faster_sandbox_is_not_taken_for_a_flood(layout):
    assert "MEDIA_BURST_S" not in _environment(layout, {})
    assert _environment(layout, {"SANDBOX_SPEED": "4"})["MEDIA_BURST_S"] == "3600"
    assert _environment(layout, {"SANDBOX_SPEED": "4", "MEDIA_BURST_S": "7"})["MEDIA_BURST_S"] == "7"


def test_the_sandboxs_accounts_place_more_calls_than_a_new_one_in_earnest(layout):
    assert _environment(layout, {})["TWILIO_CALLS_PER_SECOND"] == "200"
    rehearsed = _environment(layout, {"TWILIO_CALLS_PER_SECOND": "3", "TWILIO_MAX_CONCURRENT": "5"})
    assert (rehearsed["TWILIO_CALLS_PER_SECOND"], rehearsed["TWILIO_MAX_CONCURRENT"]) == ("3", "5")
    assert rehearsed["TELNYX_CALLS_PER_SECOND"] == "200"


def test_without_the_sandbox_nothing_points_at_it(layout):
    environment = _environment(layout, {"SANDBOX": "0", "TWILIO_ACCOUNT_SID": "ACreal"})
    assert environment["TWILIO_ACCOUNT_SID"] == "ACreal"
    assert not [name for name in environment if name.endswith(("_API_BASE", "_BASE_URL", "_REALTIME_BASE"))]


def test_given_secrets_and_settings_are_left_alone(layout):
    given = {"SECRET_KEY": "mine", "DJANGO_SETTINGS_MODULE": "config.settings.production", "PORT": "9000"}
    environment = _environment(layout, given)
    assert environment["SECRET_KEY"] == "mine"
    assert "SECRET_KEY_FILE" not in environment
    assert environment["DJANGO_SETTINGS_MODULE"] == "config.settings.production"
    assert environment["PUBLIC_ORIGIN"] == "http://127.0.0.1:9000"


def test_a_public_origin_brings_its_own_media_origin(layout):
    environment = _environment(layout, {"PUBLIC_ORIGIN": "https://voice.example.com"})
    assert environment["PUBLIC_ORIGIN"] == "https://voice.example.com"
    assert "PUBLIC_MEDIA_ORIGIN" not in environment


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"PORT": "eighty"}, "PORT=eighty is not a port number"),
        ({"MEDIA_PORT": "70000"}, "MEDIA_PORT=70000 is not a port number"),
        ({"SANDBOX": "maybe"}, "SANDBOX=maybe must be 1 or 0"),
    ],
)
def test_a_bad_switch_is_told(given, words):
    with pytest.raises(Problem, match=words):
        Switches.from_environment(given)
