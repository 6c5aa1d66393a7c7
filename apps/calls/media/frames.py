"""The frames that carriers, the session and voice AIs exchange.

Audio keeps the base64 text in which it arrived: where both ends speak the same format it leaves as the very same
text, and nothing on the way decodes or encodes it.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


class Encoding(StrEnum):
    PCMU = "pcmu"  # G.711 μ-law
    PCMA = "pcma"  # G.711 A-law
    PCM16 = "pcm16"  # little-endian, mono


@dataclass(frozen=True)
class AudioFormat:
    encoding: Encoding
    rate_hz: int

    @cached_property
    def bytes_per_ms(self) -> int:
        return self.rate_hz // 1000 * (2 if self.encoding is Encoding.PCM16 else 1)


PCMU_8K = AudioFormat(Encoding.PCMU, 8000)
PCM16_8K = AudioFormat(Encoding.PCM16, 8000)
PCM16_16K = AudioFormat(Encoding.PCM16, 16000)
PCM16_24K = AudioFormat(Encoding.PCM16, 24000)


# Not frozen: a hundred are made per call and second, and a frozen dataclass costs three times as much to make.
@dataclass(slots=True)
class Audio:
    """Sound from the line, to the line, or from the AI.

    text: the samples in base64. n_bytes: how many bytes they decode to. item_id: from the AI, the utterance.
    """

    text: str
    n_bytes: int
    format: AudioFormat = PCMU_8K
    item_id: str = ""

    @classmethod
    def of(cls, data: bytes, audio_format: AudioFormat = PCMU_8K, item_id: str = "") -> "Audio":
        return cls(base64.b64encode(data).decode(), len(data), audio_format, item_id)

    @property
    def data(self) -> bytes:
        return base64.b64decode(self.text)

    @property
    def ms(self) -> float:
        return self.n_bytes / self.format.bytes_per_ms


# ── From the line ───────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class StreamStarted:
    stream_id: str
    carrier_call_id: str
    account_id: str
    format: AudioFormat
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dtmf:
    digit: str


@dataclass(frozen=True, slots=True)
class MarkReached:
    """All audio sent before the mark has been played, or thrown away by a Clear."""

    name: str


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The carrier ended the stream: the far end hung up, or the call was updated from outside."""


# ── To the line ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Clear:
    """Throw away audio that has not been played."""


@dataclass(frozen=True, slots=True)
class Mark:
    name: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the stream. Ending the phone call itself is a service, not a frame.

    is_abrupt: without a farewell, to be rid of a peer that floods us.
    """

    is_abrupt: bool = False


# ── From the AI ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Usage:
    """What one response or one transcription is billed by: tokens, cached ones not counted a second time.

    transcription: tokens; transcription_s: seconds, where the provider bills by time instead. speech_chars: characters
    given to a text-to-speech voice. service and model: whose prices hold, "" for the session's own.
    """

    audio_in: int = 0
    text_in: int = 0
    cached_in: int = 0
    audio_out: int = 0
    text_out: int = 0
    transcription: int = 0
    transcription_s: float = 0.0
    speech_chars: int = 0
    service: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The AI's session is configured. expires_at: Unix seconds, None where it does not say."""

    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak. at_ms: on the clock of the audio given to the AI since it was opened."""

    item_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    item_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CallerTranscript:
    """What the caller said. text: a further piece, or all of it when is_final. is_lost: it could not be recognised."""

    item_id: str
    text: str
    is_final: bool = False
    language: str = ""
    is_lost: bool = False
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class AiTranscript:
    """What the AI says. text: a further piece, or all of it when is_final."""

    item_id: str
    text: str
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """arguments: the JSON text as the model wrote it; it may be anything."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class TurnDone:
    """The AI has generated all of a response. status: completed, cancelled, incomplete or failed."""

    status: str
    has_speech: bool
    usage: Usage | None = None
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """Something was used that is billed and belongs to no response of the AI's own."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Expiring:
    """The provider will end the conversation in so many seconds; opened again before that, it goes on."""

    in_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider reported an error. is_fatal: the session cannot go on."""

    code: str
    message: str
    is_fatal: bool = False


LineFrame = StreamStarted | Audio | Dtmf | MarkReached | StreamStopped
ToLine = Audio | Clear | Mark | HangUp
AiEvent = (
    Ready
    | Audio
    | SpeechStarted
    | SpeechStopped
    | CallerTranscript
    | AiTranscript
    | ToolCall
    | TurnDone
    | Used
    | Expiring
    | Failed
)


class MediaProtocolError(Exception):
    """The carrier sent what its protocol does not allow. code: a stable, closed set, fit for a metric label."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
