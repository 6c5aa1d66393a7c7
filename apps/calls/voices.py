"""Whether a virtual agent can speak a language at all, by the voice AIs it is given."""

from collections.abc import Iterable

from apps.calls.models import VirtualAgent
from apps.calls.models.virtual_agent import VoiceAIChoice
from apps.calls.voice_ai.capabilities import CAPABILITIES


def speaks(choice: VoiceAIChoice, language: str) -> bool:
    """language: ISO 639-1. A pipeline lends a second voice to what its provider does not speak."""
    capabilities = CAPABILITIES[choice.provider]
    return language in capabilities.speaks or (capabilities.is_pipeline and bool(choice.speech))


def missing_voices(agent: VirtualAgent, languages: Iterable[str]) -> list[str]:
    """The languages that none of the agent's voice AIs speaks, neither its own nor those that take over."""
    missing = lacking_voices(agent, languages)
    if missing:
        others = list(agent.fallbacks.all())
        missing = [language for language in missing if not any(speaks(choice, language) for choice in others)]
    return missing


def lacking_voices(agent: VirtualAgent, languages: Iterable[str]) -> list[str]:
    """The languages that the agent's own voice AI does not speak; another one may have to take over at once."""
    return [language for language in sorted(set(languages)) if not speaks(agent, language)]
