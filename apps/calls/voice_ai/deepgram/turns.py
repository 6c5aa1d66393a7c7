"""From Deepgram's messages to turns of the caller's; pure, one object per connection."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from apps.calls.voice_ai.base import VoiceAIError
from apps.calls.voice_ai.deepgram.parts import Began, Ended, Heard, Listened


class NovaTurns:
    """nova-3: a turn is all final results up to speech_final or UtteranceEnd, whichever comes first."""

    def __init__(self) -> None:
        self._is_open = False
        self._final: list[str] = []
        self._languages: Counter[str] = Counter()
        self._until_ms = 0

    def read(self, message: Mapping[str, Any]) -> Iterator[Listened]:
        """Raises VoiceAIError for an error of the provider's, KeyError and its like for what is no message of it."""
        kind = message["type"]
        if kind == "Results":
            yield from self._results(message)
        elif kind == "UtteranceEnd":
            if self._is_open:
                yield self._end()
        elif kind == "Error":
            raise _error(message, str(message.get("variant") or ""))

    def _results(self, message: Mapping[str, Any]) -> Iterator[Listened]:
        best = message["channel"]["alternatives"][0]
        text, words = str(best["transcript"]).strip(), best.get("words") or ()
        start, end = float(message["start"]), float(message["start"]) + float(message["duration"])
        if text and not self._is_open:
            self._is_open = True
            yield Began(int(1000 * float(words[0]["start"] if words else start)))
        if text and message.get("is_final"):
            self._final.append(text)
            self._until_ms = int(1000 * float(words[-1]["end"] if words else end))
            self._count_languages(best, words)
            yield self._heard("")
        elif text:
            yield self._heard(text)
        if self._is_open and message.get("is_final") and (message.get("speech_final") or message.get("from_finalize")):
            self._until_ms = self._until_ms or int(1000 * end)
            yield self._end()

    def _heard(self, unsure: str) -> Heard:
        sure = " ".join(self._final)
        return Heard(f"{sure} {unsure}".strip(), len(sure))

    def _count_languages(self, best: Mapping[str, Any], words: Any) -> None:
        spoken = [_base(word["language"]) for word in words if word.get("language")]
        named = best.get("languages") or ()
        self._languages.update(spoken or ([_base(named[0])] * max(1, len(words)) if named else ()))

    def _end(self) -> Ended:
        language = self._languages.most_common(1)
        ended = Ended(" ".join(self._final), language[0][0] if language else "", self._until_ms)
        self._is_open, self._final, self._until_ms = False, [], 0
        self._languages.clear()
        return ended


class FluxTurns:
    """Flux tells turns by itself, each time with all of its words."""

    def __init__(self) -> None:
        self._is_open = False
        self._languages: list[str] = []

    def read(self, message: Mapping[str, Any]) -> Iterator[Listened]:
        """As NovaTurns.read()."""
        if message["type"] == "Error":
            raise _error(message, str(message.get("code") or ""))
        if message["type"] != "TurnInfo":
            return
        text, event = str(message["transcript"]).strip(), message["event"]
        self._languages = list(message.get("languages") or self._languages)
        if text and not self._is_open:
            self._is_open = True
            yield Began(int(1000 * float(message["audio_window_start"])))
        if event == "EndOfTurn":
            if self._is_open:
                language = _base(self._languages[0]) if self._languages else ""
                self._is_open, self._languages = False, []
                yield Ended(text, language, int(1000 * float(message["audio_window_end"])))
        elif text:
            yield Heard(text, 0)


def _base(code: Any) -> str:
    return str(code).partition("-")[0].lower()


def _error(message: Mapping[str, Any], code: str) -> VoiceAIError:
    return VoiceAIError(
        f"listen_{code.lower() or 'error'}", str(message.get("description") or "")[:200], retryable=True
    )
