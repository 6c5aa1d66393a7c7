"""Listen, version 1 (nova-3): results while somebody speaks, the end of their speech, all on the clock of the audio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ..faults import Fault
from ..hearing import Utterance
from ..outgoing import Outgoing
from ..vad import AudioBuffer, IdleTimeout, SpeechStarted, VadSettings
from ..world import World
from .part import Part
from .transcripts import languages_of, so_far, timed_words

_INTERIM_MS: Final = 300
_SEGMENT_MS: Final = 3000  # of speech, after which its words are final though it goes on
_PADDING_MS: Final = 100
_MODEL_UUID: Final = "1f7c9c5e-5a4e-4c5a-9d0b-6f0d6c2d9a11"


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """The query, read. to_mulaw: its encoding."""

    model: str
    language: str
    hints: tuple[str, ...]
    to_mulaw: Callable[[bytes], bytes]
    interim_results: bool = False
    endpointing_ms: int | None = 10
    utterance_end_ms: int | None = None
    vad_events: bool = False

    @property
    def is_multi(self) -> bool:
        return self.language == "multi"


class ListenSession(Part):
    """patience_s: how long it waits for sound or KeepAlive."""

    def __init__(
        self, world: World, options: ListenOptions, line: Outgoing, faults: list[Fault], *, patience_s: float = 10.0
    ) -> None:
        super().__init__(world, "listen", options.model, line, faults)
        self.options = options
        self._patience_s = patience_s
        self._heard_from_at = 0.0
        self._buffer = AudioBuffer()
        # Without endpointing only Finalize and the end of the audio end a turn; a minute of silence comes close to it.
        silence_ms = 60_000 if options.endpointing_ms is None else max(options.endpointing_ms, 20)
        self._buffer.configure(VadSettings(prefix_padding_ms=_PADDING_MS, silence_duration_ms=silence_ms))
        self._interim_at_ms = 0
        self._segment_from_ms = 0
        self._n_final = 0  # words of this turn that have been final
        self._last_word_ms: int | None = None
        self._turn_from_ms = 0
        self._delay_s = 0.0
        self._is_lost = False  # nothing can be made of this turn

    def open(self) -> None:
        super().open()
        self._heard_from_at = asyncio.get_running_loop().time()
        self.later(self._patience_s / 4, self._watch)

    def _watch(self) -> None:
        if asyncio.get_running_loop().time() - self._heard_from_at > self._patience_s:
            text = "Deepgram did not receive audio data or a text message within the timeout window."
            self.hang_up(1011, f"{text} See https://dpgr.am/net0001")
        else:
            self.later(self._patience_s / 4, self._watch)

    # Receiving

    def receive_audio(self, data: bytes) -> None:
        self._heard_from_at = asyncio.get_running_loop().time()
        if not data:
            self._close_stream()
            return
        self.record.audio_in_bytes += len(data)
        for heard in self._buffer.append(self.options.to_mulaw(data)):
            if isinstance(heard, SpeechStarted):
                self._started(heard.at_ms)
            elif not isinstance(heard, IdleTimeout):
                self._stopped(heard.at_ms, heard.audio)
        if self._buffer.speaking:
            self._goes_on()
        else:
            self._look_back()

    def receive_text(self, data: bytes) -> None:
        self._heard_from_at = asyncio.get_running_loop().time()
        try:
            message = orjson.loads(data)
            kind = str(message["type"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self._schema_error("The message is no JSON object with a type.")
            return
        self.record.received[kind] += 1
        if kind == "Finalize":
            self._finalize()
        elif kind == "CloseStream":
            self._close_stream()
        elif kind == "Configure":
            self.emit("ConfigureSuccess", request_id=self.id, keyterms=message.get("keyterms") or [])
        elif kind != "KeepAlive":
            self._schema_error(f"Unknown variant `{kind}`.")

    def _schema_error(self, description: str) -> None:
        self.record.errors.append(description)
        self.emit("Error", variant="SchemaError", description=description, message="Could not parse the message.")
        self.hang_up(1008, "DATA-0000")

    # What is heard

    def _look_back(self) -> None:
        """Tell once that nothing has followed the last word for long enough."""
        last, pause = self._last_word_ms, self.options.utterance_end_ms
        if last is not None and pause is not None and self._buffer.now_ms >= last + pause:
            self._tell("UtteranceEnd", channel=[0, 1], last_word_end=last / 1000)
            self._last_word_ms = None

    def _started(self, at_ms: int) -> None:
        self._delay_s = self.begin()
        self._is_lost = self.trouble("transcription_failed") is not None
        self._turn_from_ms = self._segment_from_ms = at_ms
        self._interim_at_ms, self._n_final, self._last_word_ms = at_ms, 0, None
        if self.options.vad_events:
            self._tell("SpeechStarted", channel=[0, 1], timestamp=at_ms / 1000)

    def _goes_on(self) -> None:
        now = self._buffer.now_ms
        if now - self._interim_at_ms < _INTERIM_MS:
            return
        self._interim_at_ms = now
        heard = so_far(self.world.index().recognise(self._buffer.spoken), now - self._turn_from_ms)
        words = heard.text.split()
        # The last word may still be growing, so it is not final yet.
        if now - self._segment_from_ms >= _SEGMENT_MS and not self._is_lost and len(words) > self._n_final + 1:
            self._results(heard, words[self._n_final : -1], now, is_final=True)
            self._n_final, self._segment_from_ms = len(words) - 1, now
        elif self.options.interim_results:
            self._results(heard, words[self._n_final :], now, is_final=False)
        if words and (fault := self.trouble("disconnect")) is not None:
            self.strike(fault)

    def _stopped(self, at_ms: int, audio: bytes, *, is_asked: bool = False) -> None:
        heard = self.world.index().recognise(audio)
        if self._is_lost:
            heard = Utterance("")
        words = heard.text.split()
        self._results(heard, words[self._n_final :], at_ms, is_final=True, ends=not is_asked, is_asked=is_asked)
        if words:
            self._last_word_ms = max(self._turn_from_ms, at_ms - (self.options.endpointing_ms or 0))
            self.record.turns.append({"who": "caller", "text": heard.text, "intents": list(heard.intents)})

    def _results(
        self,
        heard: Utterance,
        words: list[str],
        until_ms: int,
        *,
        is_final: bool,
        ends: bool = False,
        is_asked: bool = False,
    ) -> None:
        start, end = self._segment_from_ms / 1000, max(self._segment_from_ms, until_ms) / 1000
        best: dict[str, Any] = {
            "transcript": " ".join(words),
            "confidence": 0.98 if words else 0.0,
            "words": timed_words(words, start, end, heard.language if self.options.is_multi else None),
        }
        if self.options.is_multi:
            best["languages"] = languages_of(heard) if words else []
            best["languages_hinted"] = list(self.options.hints)
        self._tell(
            "Results",
            channel_index=[0, 1],
            duration=round(end - start, 3),
            start=round(start, 3),
            is_final=is_final,
            speech_final=ends,
            channel={"alternatives": [best]},
            metadata={
                "request_id": self.id,
                "model_info": {"name": f"general-{self.options.model}", "version": "2026-08-07.0", "arch": "nova-3"},
                "model_uuid": _MODEL_UUID,
            },
            from_finalize=is_asked,
        )

    def _tell(self, type_: str, **fields: Any) -> None:
        """Everything about a turn is as late as the turn."""
        if self._delay_s:
            self.later(self._delay_s, lambda: self.emit(type_, **fields))
        else:
            self.emit(type_, **fields)

    def _finalize(self) -> None:
        if self._buffer.speaking:
            audio, now = self._buffer.spoken, self._buffer.now_ms
            self._buffer.clear()
            self._stopped(now, audio, is_asked=True)
        else:
            self._segment_from_ms = self._buffer.now_ms
            self._results(Utterance(""), [], self._buffer.now_ms, is_final=True, is_asked=True)

    def _close_stream(self) -> None:
        if self._buffer.speaking:
            audio, now = self._buffer.spoken, self._buffer.now_ms
            self._buffer.clear()
            self._stopped(now, audio)
        self.emit(
            "Metadata",
            transaction_key="deprecated",
            request_id=self.id,
            sha256="0" * 64,
            created="2026-11-22T10:00:00.000Z",
            duration=self._buffer.now_ms / 1000,
            channels=1,
        )
        self.hang_up(1000)
