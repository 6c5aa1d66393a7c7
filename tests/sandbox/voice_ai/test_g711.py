import warnings

import numpy as np
import pytest

from apps.sandbox.voice_ai import g711

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

ALL = bytes(range(256))


def test_tables_agree_with_audioop():
    assert g711.decode(ALL).tobytes() == audioop.ulaw2lin(ALL, 2)
    assert g711.ALAW.tobytes() == audioop.alaw2lin(ALL, 2)


def test_encoding_undoes_decoding_and_silence_is_ff():
    assert g711.encode(g711.decode(ALL)) == ALL.replace(b"\x7f", b"\xff")
    assert g711.encode(np.zeros(4, np.int16)) == b"\xff" * 4


def test_alaw_and_back_is_heard_as_the_same():
    there_and_back = g711.decode(g711.alaw_to_mulaw(g711.mulaw_to_alaw(ALL))).astype(int)
    error = np.abs(there_and_back - g711.decode(ALL).astype(int))
    assert (error <= np.maximum(16, np.abs(g711.decode(ALL).astype(int)) // 16)).all()


@pytest.mark.parametrize("chunk", [960, 1000, 7])
def test_tone_survives_24_khz_in_any_chunks(chunk):
    k = np.arange(24_000)
    pcm = np.rint(10_000 * np.sin(2 * np.pi * 1000 * k / 24_000)).astype("<i2").tobytes()
    resample = g711.Pcm24kIn()
    mulaw = b"".join(resample(pcm[at : at + chunk]) for at in range(0, len(pcm), chunk))
    assert len(mulaw) == 8000
    level = np.sqrt(np.mean(g711.decode(mulaw)[400:].astype(float) ** 2))
    assert level == pytest.approx(10_000 / np.sqrt(2), rel=0.02)


def test_sound_above_the_band_does_not_fold_back():
    k = np.arange(24_000)
    pcm = np.rint(10_000 * np.sin(2 * np.pi * 6000 * k / 24_000)).astype("<i2").tobytes()
    assert np.abs(g711.decode(g711.Pcm24kIn()(pcm))[400:].astype(int)).max() < 50


def test_going_out_at_24_khz_and_coming_back_keeps_the_sound():
    k = np.arange(8000)
    mulaw = g711.encode(np.rint(8000 * np.sin(2 * np.pi * 440 * k / 8000)).astype(np.int16))
    pcm = g711.pcm24k_of(mulaw)
    assert len(pcm) == 6 * len(mulaw)
    back = g711.decode(g711.Pcm24kIn()(pcm))[400:-400].astype(float)
    assert np.sqrt(np.mean(back**2)) == pytest.approx(8000 / np.sqrt(2), rel=0.03)
