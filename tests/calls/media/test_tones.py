import numpy as np
import pytest

from apps.calls.media import tones
from apps.calls.media.audio import decode_pcmu

FREQUENCIES = {"1": (697, 1209), "5": (770, 1336), "0": (941, 1336), "#": (941, 1477), "D": (941, 1633)}


@pytest.mark.parametrize(("key", "expected"), FREQUENCIES.items())
def test_a_key_is_its_two_frequencies(key, expected):
    pcm = np.frombuffer(decode_pcmu(tones.keys(key).data)[:1600], dtype="<i2")
    spectrum = np.abs(np.fft.rfft(pcm, 8000))
    loudest = sorted(np.argsort(spectrum[:1150])[-1:].tolist() + (1150 + np.argsort(spectrum[1150:])[-1:]).tolist())
    assert loudest == pytest.approx(expected, abs=3)


def test_keys_follow_one_another_with_pauses_between():
    assert tones.keys("12").ms == 2 * (100 + 60)
    assert tones.keys("1w2").ms == 2 * (100 + 60) + 500


def test_what_is_no_key_is_refused():
    with pytest.raises(ValueError, match="not a key"):
        tones.keys("1x")
