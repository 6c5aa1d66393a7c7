import time

import numpy as np
import pytest

from apps.calls.media.audio import (
    PCMU_FRAME,
    Resampler,
    ToLine,
    decode_pcma,
    decode_pcmu,
    encode_pcma,
    encode_pcmu,
    loudness,
)


def tone(hz: float, rate_hz: int, ms: int, amplitude: float = 16000) -> bytes:
    n = np.arange(rate_hz * ms // 1000)
    return np.rint(amplitude * np.sin(2 * np.pi * hz / rate_hz * n)).astype("<i2").tobytes()


def samples(pcm: bytes, *, after_ms: int = 0, rate_hz: int = 8000) -> np.ndarray:
    return np.frombuffer(pcm, "<i2").astype(float)[rate_hz * after_ms // 1000 :]


def level_db(pcm: bytes, rate_hz: int, amplitude: float = 16000) -> float:
    """Of a tone, once the filter has swung in, against what went in."""
    rms = np.sqrt(np.mean(samples(pcm, after_ms=40, rate_hz=rate_hz) ** 2))
    return float(20 * np.log10(max(rms, 1e-9) * np.sqrt(2) / amplitude))


def noise_db(pcm: bytes, hz: float, rate_hz: int) -> float:
    """All that is not the tone, below the tone."""
    heard = samples(pcm, after_ms=40, rate_hz=rate_hz)
    n = np.arange(len(heard)) * 2 * np.pi * hz / rate_hz
    basis = np.stack([np.sin(n), np.cos(n)], axis=1)
    parts, *_ = np.linalg.lstsq(basis, heard, rcond=None)
    rest = heard - basis @ parts
    return float(10 * np.log10(np.mean(rest**2) / (np.sum(parts**2) / 2)))


def in_chunks(resample, pcm: bytes, n_bytes: int) -> bytes:
    return b"".join(resample(pcm[at : at + n_bytes]) for at in range(0, len(pcm), n_bytes))


# ── G.711 ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_silence_has_its_codes():
    assert encode_pcmu(b"\x00\x00") == b"\xff"
    assert encode_pcma(b"\x00\x00") == b"\xd5"
    assert decode_pcmu(b"\xff\x7f") == bytes(4)


def test_the_loudest_codes_are_where_g711_puts_them():
    assert np.frombuffer(decode_pcmu(b"\x00\x80"), "<i2").tolist() == [-32124, 32124]


def test_coding_again_changes_nothing_but_the_second_zero():
    codes = bytes(range(256))
    assert encode_pcmu(decode_pcmu(codes)) == codes.replace(b"\x7f", b"\xff")
    assert encode_pcma(decode_pcma(codes)) == codes


def test_loudness_is_the_root_mean_square():
    assert loudness(tone(1000, 8000, 20)) == pytest.approx(16000 / 2**0.5, rel=0.01)
    assert loudness(bytes(320)) == 0


# ── Changing the rate ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("up", "down", "n_in", "n_out"), [(2, 1, 160, 320), (1, 3, 480, 160), (1, 2, 320, 160)], ids=str
)
def test_each_frame_in_is_a_frame_out(up, down, n_in, n_out):
    resample = Resampler(up=up, down=down)
    assert [len(resample(bytes(2 * n_in))) for _ in range(50)] == [2 * n_out] * 50


@pytest.mark.parametrize("hz", [300, 1000, 2000, 3000, 3400])
def test_the_telephone_band_goes_up_unharmed(hz):
    pcm = Resampler(up=2)(tone(hz, 8000, 1000))
    assert level_db(pcm, 16000) == pytest.approx(0, abs=0.1)
    assert noise_db(pcm, hz, 16000) < -85


@pytest.mark.parametrize("hz", [300, 1000, 2000, 3000, 3400])
def test_the_telephone_band_comes_down_unharmed(hz):
    pcm = Resampler(down=3)(tone(hz, 24000, 1000))
    assert level_db(pcm, 8000) == pytest.approx(0, abs=0.1)
    assert noise_db(pcm, hz, 8000) < -80


@pytest.mark.parametrize("hz", [4300, 5000, 7000, 9000, 11500])
def test_what_is_above_the_band_does_not_fold_back(hz):
    assert level_db(Resampler(down=3)(tone(hz, 24000, 1000)), 8000) < -75


def test_there_and_back_keeps_the_level():
    pcm = Resampler(down=2)(Resampler(up=2)(tone(1000, 8000, 1000)))
    assert level_db(pcm, 8000) == pytest.approx(0, abs=0.1)


def test_doubling_leaves_every_sample_that_came_as_it_was():
    given = np.random.default_rng(7).integers(-32768, 32767, 1600).astype("<i2")
    doubled = np.frombuffer(Resampler(up=2)(given.tobytes()), "<i2")
    assert doubled[1::2][23:].tolist() == given[:-23].tolist()


def test_full_scale_is_clipped_and_not_wrapped_round():
    square = np.tile(np.array([32767] * 8 + [-32768] * 8, "<i2"), 100).tobytes()
    doubled = samples(Resampler(up=2)(square))
    assert abs(np.diff(doubled)).max() < 50_000
    assert (doubled.max(), doubled.min()) == (32767, -32768)


@pytest.mark.parametrize("n_bytes", [1, 7, 320, 959, 961, 9600])
@pytest.mark.parametrize(("up", "down", "rate_hz"), [(2, 1, 8000), (1, 3, 24000)], ids=["up", "down"])
def test_however_it_is_cut_the_sound_is_the_same(up, down, rate_hz, n_bytes):
    pcm = tone(700, rate_hz, 200)
    whole = Resampler(up=up, down=down)(pcm)
    assert in_chunks(Resampler(up=up, down=down), pcm, n_bytes) == whole


def test_after_a_reset_nothing_of_before_is_left():
    resample = Resampler(down=3)
    fresh = resample(tone(440, 24000, 100))
    resample(tone(1700, 24000, 100)[:-1])
    resample.reset()
    assert resample(tone(440, 24000, 100)) == fresh


# ── To the line ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("n_bytes", [2, 333, 960, 1000, 9600])
def test_only_whole_frames_leave_and_the_end_is_filled_with_silence(n_bytes):
    line = ToLine(24000)
    pcm = tone(1000, 24000, 250)
    frames = [line(pcm[at : at + n_bytes]) for at in range(0, len(pcm), n_bytes)]
    assert all(len(frame) % PCMU_FRAME == 0 for frame in frames)
    whole = b"".join(frames) + line.flush()
    assert len(whole) % PCMU_FRAME == 0
    heard = samples(decode_pcmu(whole))
    assert abs(heard[8 * 250 - 40 : 8 * 250]).max() > 10_000  # the last of it came out of the filter
    assert abs(heard[8 * 257 :]).max() < 40
    assert len(heard) <= 8 * 280


def test_an_utterance_begins_afresh_after_the_end_of_one_and_after_a_cut():
    fresh = ToLine(24000)(tone(440, 24000, 100))
    line = ToLine(24000)
    line(tone(1700, 24000, 110))
    line.flush()
    assert line(tone(440, 24000, 100)) == fresh
    line(tone(1700, 24000, 115)[:-1])
    line.reset()
    assert line(tone(440, 24000, 100)) == fresh


def test_a_frame_each_way_costs_little():
    """Three thousandths of a second for each second of a call and more would be felt in how many calls fit."""
    up, line = Resampler(up=2), ToLine(24000)
    caller, ai = decode_pcmu(bytes(range(160))), tone(1000, 24000, 20)
    best = min(_once(up, line, caller, ai) for _ in range(5))
    assert best < 0.0002


def _once(up, line, caller: bytes, ai: bytes) -> float:
    began = time.process_time()
    for _ in range(200):
        up(caller)
        line(ai)
    return (time.process_time() - began) / 200
