"""Settings become voice AIs."""

import ssl

import pytest

from apps.calls import adapters
from apps.calls.adapters import VoiceAINotConfigured, voice_ai_for
from apps.calls.models import Provider
from config.run import certificates


@pytest.fixture(autouse=True)
def _fresh_clients():
    adapters._gemini_client.cache_clear()
    yield
    adapters._gemini_client.cache_clear()


def test_gemini_is_made_from_its_settings(settings, tmp_path):
    authority = tmp_path / "authority.pem"
    authority.write_text(certificates.for_loopback().authority)
    settings.GEMINI_API_KEY, settings.GEMINI_API_BASE = "secret", "https://10.0.0.1:8443"
    settings.GEMINI_CA_FILE = str(authority)
    first, second = voice_ai_for(Provider.GEMINI), voice_ai_for(Provider.GEMINI)
    assert first is not second
    assert first.name == "gemini"
    client = adapters._gemini_client()
    assert client is adapters._gemini_client()  # one TLS context for all calls
    options = client._api_client._http_options
    assert (options.base_url, options.api_version) == ("https://10.0.0.1:8443", settings.GEMINI_API_VERSION)
    tls = options.async_client_args["ssl"]
    assert tls.verify_mode is ssl.CERT_REQUIRED
    issuers = [dict(part for [part] in one["subject"]).get("commonName") for one in tls.get_ca_certs()]
    assert "Call centre sandbox authority" in issuers


def test_without_a_key_there_is_no_gemini(settings):
    settings.GEMINI_API_KEY = ""
    with pytest.raises(VoiceAINotConfigured):
        voice_ai_for(Provider.GEMINI)


def test_a_provider_nobody_knows_is_not_made():
    with pytest.raises(VoiceAINotConfigured):
        voice_ai_for("parrot")
