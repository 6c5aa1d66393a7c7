"""Gemini's far end for the measurement of transcoding: a provider that answers each frame with one of its own.

Resampling leaves no bytes as they were, so frames carry their times in what survives it. The caller's: nibbles as the
sixteen softest codes of μ-law, every one of which is still there among the samples at 16 kHz. The AI's: a steady level
all through the frame, one of 64, by which both ends look up when it left.
"""

import base64
import re
import time
from typing import Final

from benchmarks.media_wire import NullProvider, Phone, Wire

_N_STAMP: Final = 16
_REST: Final = base64.b64encode(b"\xff" * 144)
_CALLER_DATA: Final = re.compile(rb'"data":"([^"]{220})')
_LINE_DATA: Final = re.compile(rb'"payload":"([^"]{120})')
# Doubling delays by 23 samples; those that came are the odd ones of what leaves.
_FIRST_BYTE: Final = 2 * (2 * 23 + 1)
_FIRST_CHAR: Final = _FIRST_BYTE // 3 * 4
_LEVELS: Final = range(0x80, 0xC0)


def quiet_stamp() -> bytes:
    """Sixteen codes of μ-law, in base64 with the two bytes more that make it whole."""
    digits = time.perf_counter_ns().to_bytes(8, "big").hex()
    return bytes(0xF0 + int(digit, 16) for digit in digits)


def _value(code: int) -> int:
    """What a code from 0x80 up stands for."""
    code = ~code & 0xFF
    return (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84


_NIBBLES: Final = {_value(0xF0 + nibble): nibble for nibble in range(16)}
_SOUNDS: Final = {code: base64.b64encode(_value(code).to_bytes(2, "little", signed=True) * 480) for code in _LEVELS}
_SET_UP: Final = b'{"setupComplete":{"sessionId":"s1"}}'
_USAGE: Final = (
    b'"usageMetadata":{"promptTokenCount":132,"responseTokenCount":121,"totalTokenCount":253,"promptTokensDetails":'
    b'[{"modality":"AUDIO","tokenCount":13},{"modality":"TEXT","tokenCount":119}],"responseTokensDetails":'
    b'[{"modality":"AUDIO","tokenCount":121}]}'
)


class GeminiWire(Wire):
    """sent_at: call → level → when the frame of that level left for the caller."""

    def __init__(self) -> None:
        super().__init__()
        self.sent_at: dict[str, dict[int, int]] = {}

    def provider(self) -> "NullGemini":
        return NullGemini(self)


class QuietPhone(Phone):
    """A call whose frames are silence to a provider that listens for speech."""

    def speak(self) -> None:
        if self.is_open:
            self._number += 1
            self._wire.measured.n_sent += self._wire.measured.is_on
            frame = base64.b64encode(quiet_stamp() + b"\xff" * 144)
            self.send(self._before + b"%d" % self._number + self._middle + frame + b'"}}')

    def received(self, payload: bytes) -> None:
        found = _LINE_DATA.search(payload)
        if found is None:
            super().received(payload)
            return
        assert isinstance(self._wire, GeminiWire)
        code = base64.b64decode(found[1][104:108])[2]  # the eightieth: the filter has swung in by then
        left_at = self._wire.sent_at.get(self.call_sid, {}).pop(code, None)
        if left_at is not None and self._wire.measured.is_on:
            self._wire.measured.to_caller.append(time.perf_counter_ns() - left_at)


class NullGemini(NullProvider):
    """The Live API without a mind."""

    def __init__(self, wire: GeminiWire) -> None:
        super().__init__(wire)
        self._gemini = wire

    def greet(self, head: bytes) -> None:
        """It waits for the setup."""

    def received(self, payload: bytes) -> None:
        now = time.perf_counter_ns()
        found = _CALLER_DATA.search(payload)
        if found is not None:
            self._heard(found[1], now)
            self._answer()
        elif b'"setup"' in payload[:12]:
            call = re.search(rb"Contact: (CA\w+)", payload)
            self._call_sid = call[1].decode() if call else ""
            self._gemini.sent_at[self._call_sid] = {}
            self.send(_SET_UP)
        elif b'"turnComplete":true' in payload and not self._speaks:
            self._begin_response()

    def _heard(self, data: bytes, now: int) -> None:
        if not self._wire.measured.is_on:
            return
        pcm = base64.b64decode(data[_FIRST_CHAR : _FIRST_CHAR + 92])[_FIRST_BYTE % 3 :]
        values = memoryview(pcm[: 4 * _N_STAMP]).cast("h")[::2]
        left_at = 0
        for value in values:
            left_at = left_at << 4 | _NIBBLES[value]
        self._wire.measured.to_ai.append(now - left_at)

    def say(self) -> None:
        code = _LEVELS[self._n % len(_LEVELS)]
        self._gemini.sent_at[self._call_sid][code] = time.perf_counter_ns()
        self.send(
            b'{"serverContent":{"modelTurn":{"role":"model","parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000",'
            b'"data":"%s"}}]}}}' % _SOUNDS[code]
        )

    def words(self) -> None:
        self.send(b'{"serverContent":{"outputTranscription":{"text":"some words "}}}')

    def _begin_response(self) -> None:
        self._speaks = True

    def _end_response(self, status: str) -> None:
        if status == "completed":
            self.send(b'{"serverContent":{"generationComplete":true}}')
        self.send(b'{"serverContent":{"turnComplete":true,"interactionStatus":"IDLE"},%s}' % _USAGE)
        self.send(b'{"sessionResumptionUpdate":{"newHandle":"handle_%d","resumable":true}}' % self._n)

    def _caller_starts(self) -> None:
        self._hush_until = self._n + self.HUSH_FRAMES
        self._wire.asked_at[self._call_sid] = time.perf_counter_ns()
        self.send(b'{"serverContent":{"interrupted":true}}')
        self._end_response("cancelled")

    def _caller_stops(self) -> None:
        self.send(
            b'{"serverContent":{"inputTranscription":{"text":"Wait a moment.","finished":true,"languageCode":"en-US"}}}'
        )
        self._begin_response()
