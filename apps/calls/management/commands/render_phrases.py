"""``manage.py render_phrases``: make the recordings that are played while no voice AI can be had."""

import io
import math
import shlex
import subprocess
import tempfile
import tomllib
import wave
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from apps.calls.bridge.phrase_book import BUNDLED, TEXTS, as_wav
from apps.calls.media.audio import PCMU_FRAME, PCMU_RATE_HZ, PCMU_SILENCE, encode_pcmu

_SPEAK = "espeak-ng -v {language} -s 160 -w {file} {text}"
_RMS = 3400.0  # of active speech: about -20 dBFS, as phone calls are
_PEAK = 20000.0
_PASS_HZ = 3400.0


class Command(BaseCommand):
    """Any program that writes a WAV file (PCM16, mono, any rate) will do for --speak."""

    help = "Render the sentences of phrases.toml to G.711 recordings beside it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--directory", type=Path, default=BUNDLED, help="where phrases.toml is")
        parser.add_argument("--speak", default=_SPEAK, help="speaks one sentence: {language}, {text}, {file}")
        parser.add_argument("--missing", action="store_true", help="only those that have no recording yet")

    def handle(self, *_: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        try:
            texts: dict[str, dict[str, str]] = tomllib.loads((directory / TEXTS).read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise CommandError(f"{directory / TEXTS}: {error}") from error
        n = 0
        for language, phrases in texts.items():
            for name, text in phrases.items():
                target = directory / f"{language}-{name}.wav"
                if options["missing"] and target.exists():
                    continue
                target.write_bytes(as_wav(_spoken(options["speak"], language, text)))
                n += 1
        self.stdout.write(f"{n} phrases rendered to {directory}.")


def _spoken(speak: str, language: str, text: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "spoken.wav"
        words = [word.format(language=language, text=text, file=file) for word in shlex.split(speak)]
        try:
            subprocess.run(words, check=True, timeout=60, capture_output=True)
            with wave.open(io.BytesIO(file.read_bytes())) as spoken:
                if (spoken.getsampwidth(), spoken.getnchannels()) != (2, 1):
                    raise CommandError("the program for --speak must write PCM16, mono")
                rate_hz, pcm = spoken.getframerate(), spoken.readframes(spoken.getnframes())
        except (OSError, subprocess.SubprocessError, wave.Error) as error:
            raise CommandError(f"“{words[0]}” did not speak: {error}") from error
    return _for_the_line(np.frombuffer(pcm, dtype="<i2").astype(np.float64), rate_hz)


def _for_the_line(samples: "np.typing.NDArray[np.float64]", rate_hz: int) -> bytes:
    """At 8 kHz, at one loudness, in whole frames."""
    n_out = math.ceil(len(samples) * PCMU_RATE_HZ / rate_hz)
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    spectrum[hz > _PASS_HZ] = 0
    wave_8k = np.fft.irfft(spectrum[: n_out // 2 + 1], n_out) * (n_out / len(samples))
    active = wave_8k[np.abs(wave_8k) > 100]
    if active.size:
        wave_8k *= _RMS / math.sqrt(float(np.mean(active**2)))
    bent = np.rint(_PEAK * np.tanh(wave_8k / _PEAK)).astype("<i2")
    encoded = encode_pcmu(bent.tobytes())
    return encoded + PCMU_SILENCE * (-len(encoded) % PCMU_FRAME)
