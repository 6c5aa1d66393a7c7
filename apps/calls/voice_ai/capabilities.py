"""What each provider can do, as data: read by the back office and the checks without loading a provider's package.

Sources: the providers' documentation and SDK types as of November 2026.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from apps.calls.media.frames import PCM16_16K, PCM16_24K, PCMU_8K
from apps.calls.voice_ai.base import ANY_LANGUAGE, Capabilities

_ALL: Final = frozenset({"en", "es", "cs"})

OPENAI: Final = Capabilities(
    formats_in=frozenset({PCMU_8K}),
    formats_out=frozenset({PCMU_8K}),
    hears=_ALL,
    speaks=_ALL,
    voices={ANY_LANGUAGE: ("marin", "cedar", "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")},
    models=("gpt-realtime-2.1",),
    server_turns=True,
    tools=True,
    resumable=False,
    is_told_cuts=True,
)

GEMINI: Final = Capabilities(
    formats_in=frozenset({PCM16_16K}),
    formats_out=frozenset({PCM16_24K}),
    hears=_ALL,
    speaks=_ALL,
    voices={ANY_LANGUAGE: ("Kore", "Puck", "Zephyr", "Charon", "Fenrir", "Leda", "Orus", "Aoede")},
    models=("gemini-3.8-live",),
    server_turns=True,
    tools=True,
    resumable=True,
    is_told_cuts=False,
)

DEEPGRAM: Final = Capabilities(
    formats_in=frozenset({PCMU_8K}),
    formats_out=frozenset({PCMU_8K}),
    hears=_ALL,
    speaks=frozenset({"en", "es"}),
    voices={
        "en": ("aura-2-thalia-en", "aura-2-apollo-en", "aura-2-helena-en", "aura-2-orion-en"),
        "es": ("aura-2-celeste-es", "aura-2-alvaro-es", "aura-2-estrella-es", "aura-2-javier-es"),
    },
    models=("nova-3", "flux-general-multi"),
    server_turns=True,
    tools=True,
    resumable=False,
    is_told_cuts=True,
    is_pipeline=True,
)

CAPABILITIES: Final[Mapping[str, Capabilities]] = {"openai": OPENAI, "gemini": GEMINI, "deepgram": DEEPGRAM}


def usual_voice(provider: str, language: str) -> str:
    """The voice a provider speaks a language with unless another one is chosen; "" if it has none for it."""
    voices: Mapping[str, Sequence[str]] = CAPABILITIES[provider].voices
    found = voices.get(language) or voices.get(ANY_LANGUAGE) or ("",)
    return found[0]
