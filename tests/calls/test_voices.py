import pytest

from apps.calls.models import VoiceAIFallback
from apps.calls.voices import lacking_voices, missing_voices
from tests.factories.campaigns import make_virtual_agent

pytestmark = pytest.mark.django_db

ALL = ["en", "es", "cs"]


@pytest.mark.parametrize(
    ("choice", "missing"),
    [
        ({"provider": "openai"}, []),
        ({"provider": "gemini"}, []),
        ({"provider": "deepgram"}, ["cs"]),
        ({"provider": "deepgram", "speech": "gemini:gemini-3.8-flash-lite-tts"}, []),
    ],
)
def test_a_language_without_a_voice_is_missing(choice, missing):
    agent = make_virtual_agent(**choice)
    assert missing_voices(agent, ALL) == missing
    assert lacking_voices(agent, ALL) == missing


def test_another_voice_ai_may_speak_instead():
    agent = make_virtual_agent(provider="deepgram")
    VoiceAIFallback.objects.create(virtual_agent=agent, provider="openai")
    assert missing_voices(agent, ALL) == []
    assert lacking_voices(agent, ALL) == ["cs"]


def test_a_second_voice_is_of_use_only_to_a_pipeline():
    agent = make_virtual_agent(provider="deepgram")
    VoiceAIFallback.objects.create(virtual_agent=agent, provider="deepgram")
    assert missing_voices(agent, ["cs", "en"]) == ["cs"]
