"""The beep of an answering machine, among speech and noise."""

import math

import numpy as np
import pytest

from apps.calls.media.audio import encode_pcmu
from apps.calls.media.beep import BeepEar
from apps.calls.media.frames import Audio
from apps.sandbox.speech import synthesise


def frames(pcm: np.ndarray) -> list[Audio]:
    data = encode_pcmu(pcm.astype("<i2").tobytes())
    return [Audio.of(data[at : at + 160]) for at in range(0, len(data) - 159, 160)]


def tone(hz: float, ms: int, level: int = 8000) -> np.ndarray:
    return level * np.sin(2 * math.pi * hz * np.arange(8 * ms) / 8000)


def n_beeps(*parts: np.ndarray) -> int:
    ear = BeepEar()
    return sum(ear.hear(frame) for part in parts for frame in frames(part))


SILENCE = np.zeros(8 * 400)


@pytest.mark.parametrize("hz", [440, 850, 1000, 1400, 2000])
@pytest.mark.parametrize("ms", [200, 500, 1000])
def test_a_tone_that_ends_is_a_beep(hz, ms):
    assert n_beeps(SILENCE, tone(hz, ms), SILENCE) == 1


def test_a_beep_in_noise_is_heard():
    noise = np.random.default_rng(1).normal(0, 300, 8 * 1300)
    assert n_beeps(noise[: 8 * 400], noise[: 8 * 500] + tone(1000, 500), noise[: 8 * 400]) == 1


def test_a_click_a_hum_and_noise_are_no_beep():
    noise = np.random.default_rng(2).normal(0, 2000, 8 * 2000)
    assert n_beeps(SILENCE, tone(1000, 40), SILENCE) == 0
    assert n_beeps(SILENCE, tone(50, 1000), SILENCE) == 0
    assert n_beeps(SILENCE, tone(1000, 4000), SILENCE) == 0
    assert n_beeps(noise, SILENCE) == 0


@pytest.mark.parametrize("language", ["en", "es", "cs"])
def test_speech_is_no_beep(language):
    text = {
        "en": "Hi, you have reached my voicemail. Please leave a message after the tone.",
        "es": "Hola, ahora no puedo atenderle. Deje su mensaje después de la señal.",
        "cs": "Dobrý den, momentálně nemohu přijmout hovor. Zanechte prosím vzkaz.",
    }[language]
    ear = BeepEar()
    data = synthesise(text, language)
    assert not any(ear.hear(Audio.of(data[at : at + 160])) for at in range(0, len(data) - 159, 160))
