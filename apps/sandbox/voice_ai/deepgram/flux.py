"""Listen, version 2 (Flux): turns rather than results, each message with all words of its turn."""

from __future__ import annotations

from typing import Any, Final

import orjson

from ..faults import Fault
from ..hearing import Utterance
from ..outgoing import Outgoing
from ..vad import AudioBuffer, IdleTimeout, SpeechStarted, VadSettings
from ..world import World
from .listen import ListenOptions
from .part import Part
from .transcripts import languages_of, so_far

LANGUAGES: Final = frozenset({"de", "en", "es", "fr", "hi", "it", "ja", "nl", "pt", "ru"})
_UPDATE_MS: Final = 250
_TURN_SILENCE_MS: Final = 500


class FluxSession(Part):
    def __init__(self, world: World, options: ListenOptions, line: Outgoing, faults: list[Fault]) -> None:
        super().__init__(world, "listen", options.model, line, faults)
        self.options = options
        self._buffer = AudioBuffer()
        self._buffer.configure(VadSettings(prefix_padding_ms=100, silence_duration_ms=_TURN_SILENCE_MS))
        self._n_messages = 0
        self._turn = -1
        self._turn_from_ms = 0
        self._updated_ms = 0
        self._is_told = False
        self._delay_s = 0.0

    def open(self) -> None:
        self._emit_counted("Connected", request_id=self.id)
        super().open()

    def _emit_counted(self, type_: str, **fields: Any) -> None:
        self.emit(type_, **fields, sequence_id=self._n_messages)
        self._n_messages += 1

    def receive_audio(self, data: bytes) -> None:
        self.record.audio_in_bytes += len(data)
        for heard in self._buffer.append(self.options.to_mulaw(data)):
            if isinstance(heard, SpeechStarted):
                self._delay_s = self.begin()
                self._turn += 1
                self._turn_from_ms = self._updated_ms = heard.at_ms
                self._is_told = False
            elif not isinstance(heard, IdleTimeout):
                self._end(heard.audio, heard.at_ms, "model")
        if self._buffer.speaking and self._buffer.now_ms - self._updated_ms >= _UPDATE_MS:
            self._updated_ms = self._buffer.now_ms
            self._update()

    def receive_text(self, data: bytes) -> None:
        try:
            message = orjson.loads(data)
            kind = str(message["type"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            kind, message = "", {}
        self.record.received[kind] += 1
        if kind == "CloseStream":
            self._force()
            self.hang_up(1000)
        elif kind == "ForceEndTurn":
            self._force()
        elif kind == "Configure":
            self._emit_counted(
                "ConfigureSuccess",
                request_id=self.id,
                thresholds=message.get("thresholds") or {},
                keyterms=message.get("keyterms") or [],
                language_hints=message.get("language_hints") or list(self.options.hints),
            )
        else:
            self.record.errors.append(f"unknown message {kind}")
            self._emit_counted("Error", code="DATA-0001", description=f"Unknown message type {kind!r}.")
            self.hang_up(1008, "DATA-0001")

    def _understood(self, audio: bytes) -> Utterance:
        """What is said in a language the model does not know is nothing it could write down."""
        heard = self.world.index().recognise(audio)
        known = {"en"} if self.options.model.endswith("-en") else LANGUAGES
        return Utterance("") if heard.language is not None and heard.language not in known else heard

    def _update(self) -> None:
        heard = so_far(self._understood(self._buffer.spoken), self._buffer.now_ms - self._turn_from_ms)
        if not heard.text:
            return
        event, self._is_told = "Update" if self._is_told else "StartOfTurn", True
        self._tell(heard, event, self._buffer.now_ms, 0.1)
        if (fault := self.trouble("disconnect")) is not None:
            self.strike(fault)

    def _force(self) -> None:
        if self._buffer.speaking:
            audio, now = self._buffer.spoken, self._buffer.now_ms
            self._buffer.clear()
            self._end(audio, now, "manual")

    def _end(self, audio: bytes, at_ms: int, trigger: str) -> None:
        heard = self._understood(audio)
        if self.trouble("transcription_failed") is not None:
            heard = Utterance("")
        if not self._is_told and not heard.text:
            return  # noise begins no turn
        if not self._is_told:
            self._tell(heard, "StartOfTurn", at_ms, 0.1)
        self._tell(heard, "EndOfTurn", at_ms, 0.85, trigger=trigger)
        self.record.turns.append({"who": "caller", "text": heard.text, "intents": list(heard.intents)})

    def _tell(self, heard: Utterance, event: str, until_ms: int, confidence: float, **more: Any) -> None:
        fields: dict[str, Any] = {
            "request_id": self.id,
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": self._turn_from_ms / 1000,
            "audio_window_end": until_ms / 1000,
            "transcript": heard.text,
            "words": [{"word": word, "confidence": 0.97} for word in heard.text.split()],
            "end_of_turn_confidence": confidence,
            **more,
        }
        if self.options.model.endswith("-multi"):
            fields |= {"languages": languages_of(heard), "languages_hinted": list(self.options.hints)}
        if self._delay_s:
            self.later(self._delay_s, lambda: self._emit_counted("TurnInfo", **fields))
        else:
            self._emit_counted("TurnInfo", **fields)
