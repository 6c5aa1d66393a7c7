"""Synthesised speech: the right length, loudness and band, and the same bytes every time."""

from __future__ import annotations

import audioop
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from apps.sandbox.personas import all_lines
from apps.sandbox.speech import FRAME_BYTES, SILENCE_FRAME, loudness, silence, synthesise, tone

SENTENCES = [
    ("en", "Yes, that sounds interesting. Tell me more, please."),
    ("es", "Sí, me interesa. Cuénteme más, por favor."),
    ("cs", "Ano, to mě zajímá. Řekněte mi o tom víc, prosím."),
]


def samples(mulaw: bytes) -> np.ndarray:
    return np.frombuffer(audioop.ulaw2lin(mulaw, 2), "<i2").astype(float)


def pitch_hz(mulaw: bytes) -> float:
    """Median pitch of the voiced parts, by autocorrelation."""
    x, found = samples(mulaw), []
    for start in range(0, len(x) - 400, 200):
        part = x[start : start + 400]
        if part.std() < 1500:
            continue
        correlation = np.correlate(part, part, "full")[399:]
        lag = 22 + int(correlation[22:115].argmax())
        if correlation[lag] > correlation[0] / 2:
            found.append(8000 / lag)
    return float(np.median(found))


@pytest.mark.parametrize(("language", "text"), SENTENCES)
@pytest.mark.parametrize("voice", ["a", "b"])
def test_a_sentence_sounds_like_speech(language, text, voice):
    mulaw = synthesise(text, language, voice)
    assert len(mulaw) % FRAME_BYTES == 0
    assert 1.5 < len(mulaw) / 8000 < 5
    assert 1000 < loudness(mulaw) < 6000
    x = samples(mulaw)
    assert np.abs(x).max() < 22000  # nowhere near clipping
    assert abs(x.mean()) < 50
    spectrum, hz = np.abs(np.fft.rfft(x)) ** 2, np.fft.rfftfreq(len(x), 1 / 8000)
    assert spectrum[(hz > 80) & (hz < 3600)].sum() / spectrum.sum() > 0.97
    assert spectrum[hz > 3900].sum() / spectrum.sum() < 0.002


@pytest.mark.parametrize(("language", "text"), SENTENCES)
def test_the_two_voices_differ_in_pitch(language, text):
    callee, ai = (pitch_hz(synthesise(text, language, voice)) for voice in "ab")
    assert 70 < callee < 140
    assert ai > callee * 1.5


def test_another_process_says_it_with_the_same_bytes():
    code = (
        "import hashlib; from apps.sandbox.speech import synthesise as s; s('Something else.', 'cs', 'b'); "
        "print(hashlib.sha256(s('Hello, good day.', 'en')).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    import hashlib

    synthesise.cache_clear()
    assert hashlib.sha256(synthesise("Hello, good day.", "en")).hexdigest() == told.stdout.strip()


def test_threads_do_not_mix_sentences():
    texts = [f"This is sentence number {i}." for i in range(8)]
    alone = [synthesise(text, "en") for text in texts]
    synthesise.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: synthesise(text, "en"), texts)) == alone


@pytest.mark.parametrize(("language", "voice"), [("de", "a"), ("en", "c")])
def test_unknown_languages_and_voices_are_refused(language, voice):
    with pytest.raises(ValueError, match="there are"):
        synthesise("Hello", language, voice)


def test_every_clip_is_audible_and_unlike_the_others():
    clips = [synthesise(line.text, line.language) for line in all_lines()]
    assert all(loudness(clip) > 800 for clip in clips)
    assert all(0.3 < len(clip) / 8000 < 25 for clip in clips)
    assert len(set(clips)) == len(clips)


def test_tones_and_silence():
    beep = samples(tone(1000.0, 0.5))
    spectrum = np.abs(np.fft.rfft(beep))
    assert abs(np.fft.rfftfreq(len(beep), 1 / 8000)[spectrum.argmax()] - 1000) < 3
    assert silence(0.05) == SILENCE_FRAME * 3
    assert loudness(silence(1)) == 0
