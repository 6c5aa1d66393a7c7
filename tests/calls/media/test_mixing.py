"""What is heard in a recording, and where: known tones go in, the file is decoded and measured."""

import hashlib
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from apps.calls.media.audio import decode_pcmu, encode_pcma, encode_pcmu
from apps.calls.media.frames import PCM16_24K, PCMU_8K, AudioFormat, Encoding
from apps.calls.media.mixing import WAV_HEAD_BYTES, Span, join, mix, peaks_of, wav_head
from apps.calls.media.spool import (
    FORMAT_NUMBERS,
    Kind,
    NotASpool,
    SpoolHead,
    read_head,
    read_records,
    record,
)

HEAD = SpoolHead(call_id=7, leg_id=8, stream="abc", offset_ms=0, began_at="2026-11-02T10:00:00+00:00")
FRAME_MS = 20


def tone(ms: int, *, hz: int = 440, rate_hz: int = 8000, amplitude: int = 12_000) -> bytes:
    """PCM16."""
    t = np.arange(ms * rate_hz // 1000)
    return (amplitude * np.sin(2 * np.pi * hz * t / rate_hz)).astype("<i2").tobytes()


def frames(pcmu: bytes) -> list[bytes]:
    return [pcmu[i : i + 160] for i in range(0, len(pcmu), 160)]


class Spool:
    """Writes what a session would tell the recorder."""

    def __init__(self, path: Path, head: SpoolHead = HEAD):
        self.path = path
        self.entries: list[bytes] = [head.as_bytes()]

    def caller(self, at_ms: int, data: bytes, form: AudioFormat = PCMU_8K):
        self.entries.append(record(Kind.CALLER + FORMAT_NUMBERS[form.encoding, form.rate_hz], at_ms, data))

    def ai(self, at_ms: int, data: bytes, form: AudioFormat = PCMU_8K):
        self.entries.append(record(Kind.AI + FORMAT_NUMBERS[form.encoding, form.rate_hz], at_ms, data))

    def tell(self, kind: Kind, at_ms: int, text: str = ""):
        self.entries.append(record(kind, at_ms, text.encode()))

    def write(self) -> Path:
        self.path.write_bytes(b"".join(self.entries))
        return self.path

    def talk(self, length_ms: int, sounds: dict[int, bytes], *, late=lambda ms: 0) -> None:
        """A caller's line: a frame every 20 ms, silence but for the tones at their times. late: ms of delay of each."""
        line = bytearray(b"\xff" * length_ms * 8)
        for at_ms, pcm in sounds.items():
            sound = encode_pcmu(pcm)
            line[at_ms * 8 : at_ms * 8 + len(sound)] = sound
        for i, frame in enumerate(frames(bytes(line))):
            self.caller(i * FRAME_MS + late(i * FRAME_MS), frame)


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "7-abc.spool")


def heard(path: Path) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """For caller and AI: from when to when (ms) there is sound in the file."""
    body = path.read_bytes()[WAV_HEAD_BYTES:]
    return tuple(_spans(body[side::2]) for side in (0, 1))  # type: ignore[return-value]


def _spans(channel: bytes) -> list[tuple[int, int]]:
    pcm = np.abs(np.frombuffer(decode_pcmu(channel), "<i2").astype(int))
    loud = np.flatnonzero(pcm > 1000)
    if not len(loud):
        return []
    edges = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(loud)) if b - a > 40), len(loud)]
    return [(int(loud[a]) // 8, int(loud[b - 1]) // 8) for a, b in pairwise(edges)]


def near(found, expected, within_ms: int = 20) -> bool:
    return len(found) == len(expected) and all(
        abs(a - c) <= within_ms and abs(b - d) <= within_ms for (a, b), (c, d) in zip(found, expected, strict=True)
    )


def test_both_sides_stand_where_they_sounded(spool, tmp_path):
    spool.talk(4000, {500: tone(300), 2500: tone(200)})
    for i, frame in enumerate(frames(encode_pcmu(tone(600)))):
        spool.ai(1000 + i * FRAME_MS, frame)
    mixed = mix(spool.write(), tmp_path / "out.wav")
    caller, ai = heard(mixed.path)
    assert near(caller, [(500, 800), (2500, 2700)])
    assert near(ai, [(1000, 1600)])
    assert mixed.duration_ms == 4000


def test_speech_ahead_has_no_hole_when_the_estimate_of_the_carrier_jumps(spool, tmp_path):
    for i in range(25):
        spool.caller(i * FRAME_MS, b"\xff" * 160)
    for i, frame in enumerate(frames(encode_pcmu(tone(1000)))):
        spool.ai(500 + i * FRAME_MS + (120 if i >= 25 else 0), frame)
    for i in range(25, 100):
        spool.caller(i * FRAME_MS, b"\xff" * 160)
    assert near(heard(mix(spool.write(), tmp_path / "out.wav").path)[1], [(500, 1500)])


def test_what_was_cut_is_not_in_the_recording(spool, tmp_path):
    spool.talk(2000, {1200: tone(400)})
    middle = 1 + 1200 // FRAME_MS
    later, spool.entries = spool.entries[middle:], spool.entries[:middle]
    for i, frame in enumerate(frames(encode_pcmu(tone(5000)))):
        spool.ai(600 + i * FRAME_MS, frame)
    spool.tell(Kind.CUT, 1260)
    spool.entries += later
    for i, frame in enumerate(frames(encode_pcmu(tone(200)))):
        spool.ai(1700 + i * FRAME_MS, frame)
    spool.tell(Kind.END, 0)
    mixed = mix(spool.write(), tmp_path / "out.wav")
    assert near(heard(mixed.path)[1], [(600, 1260), (1700, 1900)])
    assert mixed.duration_ms == 2000


def test_a_stall_of_the_line_makes_no_hole(spool, tmp_path):
    """For 700 ms nothing comes, then all of it at once: TCP lost nothing."""
    spool.talk(3000, {400: tone(1800)}, late=lambda ms: max(0, 1500 - ms) if 800 <= ms < 1500 else 0)
    caller, _ = heard(mix(spool.write(), tmp_path / "out.wav").path)
    assert near(caller, [(400, 2200)])


def test_sound_that_never_came_is_silence_and_moves_nothing(spool, tmp_path):
    spool.talk(4000, {500: tone(200), 3000: tone(200)})
    del spool.entries[1 + 1000 // FRAME_MS : 1 + 2000 // FRAME_MS]
    caller, _ = heard(mix(spool.write(), tmp_path / "out.wav").path)
    assert near(caller, [(500, 700), (3000, 3200)])


def test_jitter_neither_tears_nor_shifts(spool, tmp_path):
    spool.talk(3000, {1000: tone(1000)}, late=lambda ms: (ms * 7919) % 90)
    caller, _ = heard(mix(spool.write(), tmp_path / "out.wav").path)
    assert near(caller, [(1000, 2000)])


def test_a_pause_is_silence_on_both_sides(spool, tmp_path):
    spool.talk(1000, {200: tone(1800)})
    for i, frame in enumerate(frames(encode_pcmu(tone(3000)))):  # said ahead, heard into the pause and beyond it
        spool.ai(500 + i * FRAME_MS, frame)
    spool.tell(Kind.PAUSE, 1000, "card")
    spool.tell(Kind.RESUME, 2000)
    for i, frame in enumerate(frames(encode_pcmu(tone(500)) + b"\xff" * 160 * 75)):
        spool.caller(2000 + i * FRAME_MS, frame)
    spool.tell(Kind.END, 0)
    mixed = mix(spool.write(), tmp_path / "out.wav")
    caller, ai = heard(mixed.path)
    assert near(caller, [(200, 1000), (2000, 2500)])
    assert near(ai, [(500, 1000), (2000, 3500)])
    assert mixed.paused == [Span(1000, 2000, "card")]


def test_a_pause_that_never_ends_lasts_to_the_end(spool, tmp_path):
    spool.talk(1000, {})
    spool.tell(Kind.PAUSE, 600, "card")
    assert mix(spool.write(), tmp_path / "out.wav").paused == [Span(600, 1000, "card")]


def test_a_later_stream_of_a_call_counts_from_its_own_beginning(spool, tmp_path):
    later = Spool(tmp_path / "b.spool", SpoolHead(7, 8, "b", 10_000, HEAD.began_at))
    for i, frame in enumerate(frames(encode_pcmu(tone(400)))):
        later.caller(10_200 + i * FRAME_MS, frame)
    caller, _ = heard(mix(later.write(), tmp_path / "b.wav").path)
    assert near(caller, [(200, 600)])


def test_streams_of_one_call_are_joined_on_its_clock(spool, tmp_path):
    spool.talk(2000, {500: tone(200)})
    first = mix(spool.write(), tmp_path / "a.wav")
    later = Spool(tmp_path / "b.spool", SpoolHead(7, 8, "b", 5000, HEAD.began_at))
    for i, frame in enumerate(frames(encode_pcmu(tone(400)))):
        later.ai(5100 + i * FRAME_MS, frame)
    second = mix(later.write(), tmp_path / "b.wav")
    whole = join([(0, first.path), (5000, second.path)], tmp_path / "whole.wav", [Span(1, 2)])
    assert near(heard(whole.path)[0], [(500, 700)])
    assert near(heard(whole.path)[1], [(5100, 5500)])
    assert whole.duration_ms == 5500
    assert whole.paused == [Span(1, 2)]


@pytest.mark.parametrize(
    ("form", "encode"),
    [
        (AudioFormat(Encoding.PCMA, 8000), lambda: encode_pcma(tone(500))),
        (AudioFormat(Encoding.PCM16, 8000), lambda: tone(500)),
        (AudioFormat(Encoding.PCM16, 16_000), lambda: tone(500, rate_hz=16_000)),
        (PCM16_24K, lambda: tone(500, rate_hz=24_000)),
    ],
)
def test_every_format_of_a_line_is_understood(spool, tmp_path, form, encode):
    spool.talk(1000, {})
    data, step = encode(), form.bytes_per_ms * FRAME_MS
    for i in range(0, len(data), step):
        spool.ai(300 + i // form.bytes_per_ms, data[i : i + step], form)
    assert near(heard(mix(spool.write(), tmp_path / "out.wav").path)[1], [(300, 800)])


def test_a_torn_file_is_read_up_to_its_last_whole_record(spool, tmp_path):
    spool.talk(1000, {200: tone(200)})
    path = spool.write()
    path.write_bytes(path.read_bytes()[:-70])
    mixed = mix(path, tmp_path / "out.wav")
    assert mixed.duration_ms == 980
    assert near(heard(mixed.path)[0], [(200, 400)])


def test_speech_ahead_when_the_line_or_the_process_dies_is_left_out(spool, tmp_path):
    spool.talk(1000, {})
    for i, frame in enumerate(frames(encode_pcmu(tone(9000)))):
        spool.ai(500 + i * FRAME_MS, frame)
    mixed = mix(spool.write(), tmp_path / "out.wav")
    assert near(heard(mixed.path)[1], [(500, 1000)])
    assert mixed.duration_ms <= 1020


def test_a_stream_without_sound_is_an_empty_recording(spool, tmp_path):
    mixed = mix(spool.write(), tmp_path / "out.wav")
    assert (mixed.duration_ms, mixed.size, mixed.peaks) == (0, WAV_HEAD_BYTES, [[], []])


def test_what_is_no_spool_is_refused(tmp_path):
    path = tmp_path / "x.spool"
    path.write_bytes(b"RIFF....WAVE")
    with pytest.raises(NotASpool):
        read_head(path)
    path.write_bytes(HEAD.as_bytes()[:30])
    with pytest.raises(NotASpool):
        mix(path, tmp_path / "x.wav")


def test_damage_ends_the_reading_and_raises_nothing(spool):
    spool.talk(100, {})
    path = spool.write()
    with path.open("ab") as file:
        file.write(struct.pack("<BII", Kind.CALLER, 5, 2**31) + b"x" * 100)
    assert len(list(read_records(path))) == 5


def test_the_file_says_what_it_is(spool, tmp_path):
    spool.talk(1000, {200: tone(200)})
    mixed = mix(spool.write(), tmp_path / "out.wav")
    data = mixed.path.read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (mixed.size, mixed.sha256)
    riff, size, wav = struct.unpack_from("<4sI4s", data)
    assert (riff, size, wav) == (b"RIFF", len(data) - 8, b"WAVE")
    code, channels, rate, byte_rate, align, bits = struct.unpack_from("<HHIIHH", data, 20)
    assert (code, channels, rate, byte_rate, align, bits) == (7, 2, 8000, 16_000, 2, 8)
    assert wav_head(8000) == data[:WAV_HEAD_BYTES]


def test_peaks_show_who_was_loud_when(spool, tmp_path):
    spool.talk(8000, {4000: tone(4000, amplitude=32_000)})
    caller, ai = mix(spool.write(), tmp_path / "out.wav").peaks
    assert len(caller) == len(ai) == 800
    assert max(caller[:399]) == 0
    assert min(caller[401:]) > 240
    assert max(ai) == 0
    assert peaks_of(np.full(3, 0xFF, np.uint8)) == [0, 0, 0]
