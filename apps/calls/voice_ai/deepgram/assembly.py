"""The pipeline put together: which listener, which language model and which voice a brief asks for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Final

from deepgram import AsyncDeepgramClient

from apps.calls.voice_ai.base import ANY_LANGUAGE, VoiceAIError, VoiceBrief
from apps.calls.voice_ai.capabilities import DEEPGRAM, GEMINI, usual_voice
from apps.calls.voice_ai.deepgram.listening import listener_for
from apps.calls.voice_ai.deepgram.parts import Listener, Speaker, Thinker
from apps.calls.voice_ai.deepgram.pipeline import Deepgram
from apps.calls.voice_ai.deepgram.speaking import AuraSpeaker
from apps.calls.voice_ai.deepgram.thinking import ChatThinker

if TYPE_CHECKING:
    from google.genai import Client as GeminiClient
    from openai import AsyncOpenAI

DEFAULT_LLM: Final = "openai:gpt-6-luna"


class Assembly:
    """What all conversations share. guard: service → a context manager around each request to it, such as a breaker.

    openai_client, gemini_client: made when first needed; they raise VoiceAIError where there are no credentials.
    """

    def __init__(
        self,
        deepgram: AsyncDeepgramClient,
        *,
        openai_client: Callable[[], "AsyncOpenAI"],
        gemini_client: Callable[[], "GeminiClient"],
        guard: Callable[[str], AbstractContextManager[None]],
        open_timeout_s: float = 10.0,
    ) -> None:
        self._deepgram = deepgram
        self._openai_client = openai_client
        self._gemini_client = gemini_client
        self._guard = guard
        self._open_timeout_s = open_timeout_s

    def warm_up(self) -> None:
        """Load what the first call would otherwise wait for. Raises VoiceAIError."""
        _ = self._deepgram.listen.v1, self._deepgram.speak.v1, self._openai_client().chat.completions

    def conversation(self) -> Deepgram:
        return Deepgram(
            listener_for=self._listener,
            thinker_for=self._thinker,
            speaker_for=self._speaker,
            guard=partial(self._guard, "deepgram"),
        )

    def _listener(self, brief: VoiceBrief) -> Listener:
        return listener_for(
            self._deepgram,
            model=brief.model or DEEPGRAM.models[0],
            language=brief.language,
            languages=brief.languages,
            open_timeout_s=self._open_timeout_s,
        )

    def _thinker(self, brief: VoiceBrief) -> Thinker:
        service, _, model = (brief.llm or DEFAULT_LLM).partition(":")
        guard = partial(self._guard, f"{service}_llm")
        if service == "openai" and model:
            return ChatThinker(self._openai_client(), service=service, model=model, guard=guard)
        if service == "gemini" and model:
            from apps.calls.voice_ai.deepgram.google import GeminiThinker  # 20 MB, where it is used

            return GeminiThinker(self._gemini_client(), model=model, guard=guard)
        raise VoiceAIError("think_unknown_model", brief.llm, retryable=False)

    def _speaker(self, brief: VoiceBrief) -> Speaker:
        if brief.language in DEEPGRAM.speaks:
            voice = brief.voice
            if not voice.endswith(f"-{brief.language}"):
                voice = usual_voice("deepgram", brief.language)
            return AuraSpeaker(self._deepgram, voice=voice, open_timeout_s=self._open_timeout_s)
        service, _, model = brief.speech.partition(":")
        if service == "gemini" and model:
            from apps.calls.voice_ai.deepgram.google import GeminiSpeaker  # as above

            voice = brief.voice if brief.voice in GEMINI.voices[ANY_LANGUAGE] else usual_voice("gemini", brief.language)
            guard = partial(self._guard, "gemini_speech")
            return GeminiSpeaker(self._gemini_client(), model=model, voice=voice, guard=guard)
        raise VoiceAIError("speak_no_voice", brief.language, retryable=False)
