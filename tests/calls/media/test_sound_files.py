"""What people upload, as the line plays it: every way of writing samples, and every way of getting it wrong."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calls.media.audio import decode_pcmu, encode_pcma, encode_pcmu
from apps.calls.media.sound_files import BadSound, at_rate, for_line
from tests.factories.sounds import spoken_wav, tone, wav_file


def written(sound: "np.ndarray", coding: int, bits: int) -> bytes:
    """Samples from -1 to 1 as a file holds them."""
    if coding == 3:
        return sound.astype(f"<f{bits // 8}").tobytes()
    if coding in {6, 7}:
        pcm = (sound * 32767).astype("<i2").tobytes()
        return encode_pcma(pcm) if coding == 6 else encode_pcmu(pcm)
    if bits == 8:
        return (sound * 127 + 128).astype(np.uint8).tobytes()
    whole = (sound * (2**31 - 1)).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, 4 - bits // 8 :].tobytes()


def heard(sound: bytes) -> "np.ndarray":
    return np.frombuffer(decode_pcmu(sound), "<i2").astype(np.float64) / 32768


def loudest_hz(sound: "np.ndarray") -> float:
    return float(np.argmax(np.abs(np.fft.rfft(sound))) * 8000 / len(sound))


@pytest.mark.parametrize(
    ("coding", "bits"), [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (6, 8), (7, 8)], ids=str
)
@pytest.mark.parametrize("rate_hz", [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_every_coding_and_rate_comes_out_as_the_same_sound(coding, bits, rate_hz):
    body = written(tone(700, 0.5, rate_hz=rate_hz), coding, bits)
    out = heard(for_line(wav_file(body, coding=coding, bits=bits, rate_hz=rate_hz), longest_s=60))
    assert abs(len(out) - 4000) <= 1
    assert abs(loudest_hz(out) - 700) <= 2
    assert abs(np.sqrt(np.mean(out[400:-400] ** 2)) - 0.5 / np.sqrt(2)) < 0.02


def test_two_channels_become_one_and_extensible_heads_are_read():
    left, right = tone(400, 0.5, rate_hz=16_000), np.zeros(8000)
    body = written(np.stack([left, right], axis=1).reshape(-1), 1, 16)
    out = heard(for_line(wav_file(body, channels=2, rate_hz=16_000, is_extensible=True), longest_s=60))
    assert abs(loudest_hz(out) - 400) <= 2
    assert abs(np.abs(out).max() - 0.25) < 0.02


def test_what_a_line_cannot_carry_does_not_come_back_as_something_else():
    """6 kHz would fold to 2 kHz."""
    sound = (tone(6000, 0.5, rate_hz=16_000) + 0.1 * tone(500, 0.5, rate_hz=16_000)).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(at_rate(sound, 16_000, 8000)))
    assert spectrum[int(2000 / 2)] < 0.001 * spectrum[int(500 / 2)]


def test_the_end_of_a_sound_does_not_ring_in_its_beginning():
    sound = np.concatenate([np.zeros(22_050), tone(900, 0.5, rate_hz=44_100)]).astype(np.float32)
    assert np.abs(at_rate(sound, 44_100, 8000)[:3600]).max() < 0.001


def test_a_size_that_nobody_knew_when_it_was_written_is_the_rest_of_the_file():
    whole = bytearray(spoken_wav(1.0))
    at = whole.index(b"data") + 4
    whole[at : at + 4] = b"\xff\xff\xff\xff"
    assert len(for_line(bytes(whole), longest_s=60)) == 8000


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_wav"),
        (b"ID3\x04" + bytes(400), "not_wav"),
        (b"RIFF\0\0\0\0WAVE", "damaged"),
        (spoken_wav()[:50], "empty"),
        (wav_file(b""), "empty"),
        (wav_file(b"\x01"), "empty"),
        (wav_file(bytes(16_000)), "silent"),
        (wav_file(written(tone(500, 1, loudness=0.002), 1, 16)), "silent"),
        (spoken_wav(1.6), "too_long"),
        (wav_file(bytes(4000), coding=2, bits=4), "coding"),
        (wav_file(bytes(4000), coding=85, bits=16), "coding"),
        (wav_file(bytes(4000), bits=12), "coding"),
        (wav_file(bytes(4000), rate_hz=3999), "coding"),
        (wav_file(bytes(4000), rate_hz=0xFFFFFFFF), "coding"),
        (wav_file(bytes(4000), channels=0), "coding"),
        (wav_file(bytes(4000), channels=9), "coding"),
        (wav_file(np.full(8000, np.nan, "<f4").tobytes(), coding=3, bits=32), "damaged"),
        (wav_file(np.full(8000, np.inf, "<f4").tobytes(), coding=3, bits=32), "damaged"),
        (wav_file(np.full(8000, 1e300, "<f8").tobytes(), coding=3, bits=64), "damaged"),
        (b"RIFF\0\0\0\0WAVEdata" + struct.pack("<I", 4) + bytes(4), "damaged"),
        (b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 4) + bytes(4), "damaged"),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_reason(data, code):
    with pytest.raises(BadSound) as refused:
        for_line(data, longest_s=1.5)
    assert refused.value.code == code


def _is_sound_or_refused(data: bytes) -> None:
    try:
        sound = for_line(data, longest_s=2.0)
    except BadSound:
        return
    assert 0 < len(sound) <= 2 * 8000 + 1


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_never_more_than_refused(data):
    _is_sound_or_refused(data)


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([1, 3, 6, 7, 0xFFFE]), st.integers(0, 9), st.integers(0, 200_000))
def test_any_head_before_any_samples_is_sound_or_refused(body, coding, channels, rate_hz):
    for bits in (8, 16, 24, 32, 64):
        _is_sound_or_refused(wav_file(body, coding=coding, channels=channels, rate_hz=rate_hz, bits=bits))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 119), st.integers(0, 255)), max_size=6), st.integers(0, 4200))
def test_a_file_damaged_anywhere_is_sound_or_refused(changes, n_kept):
    data = bytearray(spoken_wav(0.2, rate_hz=8000)[:n_kept])
    for at, value in changes:
        if at < len(data):
            data[at] = value
    _is_sound_or_refused(bytes(data))
