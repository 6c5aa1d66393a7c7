"""Both far ends of the media process in one cheap process: phones that send 50 frames a second, a provider that echoes.

The WebSocket framing is written out here because the load must cost much less than what it measures: prebuilt bytes, a
zero mask (allowed, and nothing to compute) and no library objects per message. Each frame of audio begins with the time
it left, so either end knows how long it was on the way.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

FRAME_S: Final = 0.02
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STAMP: Final = re.compile(rb'"(?:audio|payload|delta)":"(.{12})')
_SILENCE: Final = base64.b64encode(b"\xff" * 151)  # 9 bytes of stamp and these: 20 ms
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


def stamp() -> bytes:
    return base64.b64encode(time.perf_counter_ns().to_bytes(9, "big"))


def stamped_at(text: bytes) -> int:
    return int.from_bytes(base64.b64decode(text), "big")


def frame_bytes(payload: bytes, *, is_client: bool, opcode: int = _TEXT) -> bytes:
    masked = 0x80 if is_client else 0
    n = len(payload)
    first = 0x80 | opcode
    head = bytes((first, masked | n)) if n < 126 else struct.pack("!BBH", first, masked | 126, n)
    return head + (b"\0\0\0\0" if is_client else b"") + payload


@dataclass(slots=True)
class Measured:
    """Nanoseconds each, in one window."""

    to_ai: list[int] = field(default_factory=list)
    to_caller: list[int] = field(default_factory=list)
    interruptions: list[int] = field(default_factory=list)
    n_sent: int = 0
    n_lost_sockets: int = 0
    is_on: bool = False

    def reset(self) -> None:
        self.to_ai.clear()
        self.to_caller.clear()
        self.interruptions.clear()
        self.n_sent = 0


class Peer(asyncio.Protocol):
    """One end of a WebSocket, after or before its HTTP upgrade."""

    is_client = False

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._buffer = bytearray()
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]  # uvloop's transport is no asyncio.Transport by name

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.is_open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            self.upgraded(head)
        buffer = self._buffer
        at = 0
        while len(buffer) - at >= 2:
            opcode, n = buffer[at] & 0x0F, buffer[at + 1]
            is_masked, n = n & 0x80, n & 0x7F
            start = at + 2
            if n == 126:
                if len(buffer) < start + 2:
                    break
                n = (buffer[start] << 8) | buffer[start + 1]
                start += 2
            elif n == 127:
                raise ValueError("no message of the benchmark is so long")
            key = b""
            if is_masked:
                key = bytes(buffer[start : start + 4])
                start += 4
            if len(buffer) < start + n:
                break
            payload = bytes(buffer[start : start + n])
            at = start + n
            if is_masked and key != b"\0\0\0\0":
                whole = (key * (n // 4 + 1))[:n]
                payload = (int.from_bytes(payload, "little") ^ int.from_bytes(whole, "little")).to_bytes(n, "little")
            if opcode == _TEXT:
                self.received(payload)
            elif opcode == _PING:
                self.transport.write(frame_bytes(payload, is_client=self.is_client, opcode=_PONG))
            elif opcode == _CLOSE:
                self.transport.write(frame_bytes(payload, is_client=self.is_client, opcode=_CLOSE))
                self.transport.close()
        del buffer[:at]

    def upgraded(self, head: bytes) -> None:
        raise NotImplementedError

    def received(self, payload: bytes) -> None:
        raise NotImplementedError

    def send(self, payload: bytes) -> None:
        self.transport.write(frame_bytes(payload, is_client=self.is_client))


class Phone(Peer):
    """A call at the carrier: opens the media socket and sends a frame whenever it is told to."""

    is_client = True

    def __init__(self, *, url_path: str, host: str, signature: str, call_sid: str, account: str, wire: "Wire") -> None:
        super().__init__()
        self._request = (
            f"GET {url_path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
            f"X-Twilio-Signature: {signature}\r\n\r\n"
        ).encode()
        self.call_sid = call_sid
        self.stream_sid = call_sid.replace("CA", "MZ", 1)
        self._account = account
        self._wire = wire
        self._number = 1
        self._before = b'{"event":"media","sequenceNumber":"'
        audio = '"media":{"track":"inbound","chunk":"1","timestamp":"20","payload":"'
        self._middle = f'","streamSid":"{self.stream_sid}",{audio}'.encode()
        self._after = _SILENCE + b'"}}'
        self.opened: asyncio.Future[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.opened = asyncio.get_running_loop().create_future()
        self.transport.write(self._request)

    def upgraded(self, head: bytes) -> None:
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            self.opened.set_exception(RuntimeError(f"refused: {head[:60]!r}"))
            self.transport.close()
            return
        self.is_open = True
        self.send(b'{"event":"connected","protocol":"Call","version":"1.0.0"}')
        start = (
            f'{{"event":"start","sequenceNumber":"1","streamSid":"{self.stream_sid}","start":{{"accountSid":"{self._account}",'
            f'"streamSid":"{self.stream_sid}","callSid":"{self.call_sid}","tracks":["inbound"],"mediaFormat":'
            '{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},"customParameters":{}}}'
        )
        self.send(start.encode())
        self.opened.set_result(None)

    def speak(self) -> None:
        if self.is_open:
            self._number += 1
            self._wire.measured.n_sent += self._wire.measured.is_on
            self.send(self._before + b"%d" % self._number + self._middle + stamp() + self._after)

    def received(self, payload: bytes) -> None:
        now = time.perf_counter_ns()
        measured = self._wire.measured
        found = _STAMP.search(payload)
        if found is not None:
            if measured.is_on:
                measured.to_caller.append(now - stamped_at(found[1]))
        elif payload.startswith(b'{"event":"mark"'):
            self._number += 1
            name = payload.partition(b'"name":"')[2].partition(b'"')[0]
            self.send(
                b'{"event":"mark","sequenceNumber":"%d","streamSid":"%s","mark":{"name":"%s"}}'
                % (self._number, self.stream_sid.encode(), name)
            )
        elif payload.startswith(b'{"event":"clear"'):
            asked_at = self._wire.asked_at.pop(self.call_sid, None)
            if asked_at is not None and measured.is_on:
                measured.interruptions.append(now - asked_at)

    def stop(self) -> None:
        if self.is_open:
            self._number += 1
            self.send(
                b'{"event":"stop","sequenceNumber":"%d","streamSid":"%s","stop":{"callSid":"%s"}}'
                % (self._number, self.stream_sid.encode(), self.call_sid.encode())
            )
            self.is_open = False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_open:
            self._wire.measured.n_lost_sockets += 1
        self.is_open = False


class NullProvider(Peer):
    """OpenAI Realtime without a mind: each frame comes back at once as the AI's voice, in turns and with words."""

    TURN_FRAMES = 200  # four seconds of speech to a response
    WORD_FRAMES = 10
    INTERRUPT_FRAMES = 500  # the caller breaks in every ten seconds
    HUSH_FRAMES = 25

    def __init__(self, wire: "Wire") -> None:
        super().__init__()
        self._wire = wire
        self._n = 0
        self._n_items = 0
        self._hush_until = 0
        self._speaks = False
        self._before = b""
        self._call_sid = ""
        self._is_plain = False
        # Callers do not break in all at once.
        self._phase = wire.next_phase()

    def upgraded(self, head: bytes) -> None:
        key = next(
            line.split(b":", 1)[1].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.is_open = True
        self._wire.providers.add(self)
        self.greet(head)

    def greet(self, head: bytes) -> None:
        """What it says first."""
        if b"/v1/realtime" in head.split(b"\r\n", 1)[0]:
            self.send(b'{"type":"session.created","session":{"id":"sess_1","expires_at":4000000000}}')
        else:
            self._is_plain = True
            self._new_item()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.providers.discard(self)

    def received(self, payload: bytes) -> None:
        now = time.perf_counter_ns()
        found = _STAMP.search(payload)
        if found is not None:
            if self._wire.measured.is_on:
                self._wire.measured.to_ai.append(now - stamped_at(found[1]))
            self._answer()
        elif b'"session.update"' in payload:
            safety = re.search(rb"Contact: (CA\w+)", payload)
            self._call_sid = safety[1].decode() if safety else ""
            self.send(b'{"type":"session.updated","session":{}}')
        elif b'"response.create"' in payload and not self._speaks:
            self._begin_response()

    def _answer(self) -> None:
        self._n += 1
        if self._is_plain:
            self.send(self._before + stamp() + _SILENCE + b'"}')
            return
        if not self._speaks:
            return
        if self._n < self._hush_until:
            return
        if self._n == self._hush_until:
            self._caller_stops()
        if (self._n + self._phase) % self.INTERRUPT_FRAMES == 0:
            self._caller_starts()
            return
        if self._n % self.TURN_FRAMES == 0:
            self._end_response("completed")
            self._begin_response()
        if self._n % self.WORD_FRAMES == 0:
            self.words()
        self.say()

    def words(self) -> None:
        self.send(
            b'{"type":"response.output_audio_transcript.delta","event_id":"e","response_id":"resp_%d","item_id":"item_%d",'
            b'"output_index":0,"content_index":0,"delta":"some words "}' % (self._n_items, self._n_items)
        )

    def say(self) -> None:
        """One frame of the AI's."""
        self.send(self._before + stamp() + _SILENCE + b'"}')

    def _new_item(self) -> None:
        self._n_items += 1
        self._before = (
            b'{"type":"response.output_audio.delta","event_id":"event_0123456789abcdef","response_id":"resp_%d",'
            b'"item_id":"item_%d","output_index":0,"content_index":0,"delta":"' % (self._n_items, self._n_items)
        )

    def _begin_response(self) -> None:
        self._speaks = True
        self._new_item()
        self.send(
            b'{"type":"response.created","event_id":"e","response":{"id":"resp_%d","status":"in_progress"}}'
            % self._n_items
        )

    def _end_response(self, status: str) -> None:
        if status == "completed":
            self.send(
                b'{"type":"response.output_audio_transcript.done","event_id":"e","response_id":"resp_%d","item_id":"item_%d",'
                b'"output_index":0,"content_index":0,"transcript":"%s"}'
                % (self._n_items, self._n_items, b"some words " * (self.TURN_FRAMES // self.WORD_FRAMES))
            )
        self.send(
            b'{"type":"response.done","event_id":"e","response":{"id":"resp_%d","status":"%s","output":[{"type":"message",'
            b'"content":[{"type":"output_audio"}]}],"usage":{"total_tokens":253,"input_tokens":132,"output_tokens":121,'
            b'"input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64,"cached_tokens_details":'
            b'{"text_tokens":64,"audio_tokens":0}},"output_token_details":{"text_tokens":30,"audio_tokens":91}}}}'
            % (self._n_items, status.encode())
        )

    def _caller_starts(self) -> None:
        self._hush_until = self._n + self.HUSH_FRAMES
        self._wire.asked_at[self._call_sid] = time.perf_counter_ns()
        self.send(
            b'{"type":"input_audio_buffer.speech_started","event_id":"e","audio_start_ms":%d,"item_id":"user_%d"}'
            % (self._n * 20, self._n_items)
        )
        self._end_response("cancelled")

    def _caller_stops(self) -> None:
        self.send(
            b'{"type":"input_audio_buffer.speech_stopped","event_id":"e","audio_end_ms":%d,"item_id":"user_%d"}'
            % (self._n * 20, self._n_items)
        )
        self.send(
            b'{"type":"conversation.item.input_audio_transcription.completed","event_id":"e","item_id":"user_%d",'
            b'"content_index":0,"transcript":"Wait a moment.","languages":[{"code":"en"}],"usage":{"type":"tokens",'
            b'"total_tokens":22}}' % self._n_items
        )
        self._begin_response()


class Wire:
    """All phones and the provider's server, and what they measure."""

    def __init__(self) -> None:
        self.measured = Measured()
        self.asked_at: dict[str, int] = {}
        self.providers: set[NullProvider] = set()
        self._phase = 0

    def next_phase(self) -> int:
        self._phase += 37
        return self._phase

    def provider(self) -> NullProvider:
        """The provider's end of one more connection."""
        return NullProvider(self)

    async def serve(self, port: int, tls: ssl.SSLContext | None = None) -> asyncio.AbstractServer:
        return await asyncio.get_running_loop().create_server(self.provider, "127.0.0.1", port, ssl=tls)

    async def talk(self, phones: list[Phone], *, for_s: float) -> None:
        """Let every phone send a frame each 20 ms, spread evenly over the 20 ms."""
        slots: list[list[Phone]] = [[] for _ in range(20)]
        for i, phone in enumerate(phones):
            slots[i * 20 // max(1, len(phones)) % 20].append(phone)
        loop = asyncio.get_running_loop()
        began = loop.time()
        n = 0
        while True:
            due = began + n * FRAME_S / 20
            now = loop.time()
            if now - began > for_s:
                return
            if due > now:
                await asyncio.sleep(due - now)
            for phone in slots[n % 20]:
                phone.speak()
            n += 1


def twilio_signature(url: str, token: str) -> str:
    digest = hmac.new(token.encode(), url.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def percentile(values: list[int], share: float) -> float:
    """In the values' unit; nan without values."""
    if not values:
        return float("nan")
    ranked = sorted(values)
    return float(ranked[min(len(ranked) - 1, int(len(ranked) * share))])


PhoneFactory = Callable[[], Phone]
