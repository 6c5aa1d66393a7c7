"""Recorded phrases for when no voice AI can be had: to ask for patience, to apologise. Read once, from files.

The files beside ``phrases.toml`` can be replaced one by one: another directory may hold some of them, and texts of its
own.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from apps.calls.media.frames import PCMU_8K, Audio

BUNDLED = Path(__file__).parent / "phrases"
TEXTS = "phrases.toml"
_MU_LAW = 7
_PIECE_BYTES = 1600  # 200 ms


class BadPhrase(Exception):
    """A recording is missing, or not G.711 μ-law at 8 kHz, mono, in a WAV file."""


@dataclass(frozen=True, slots=True)
class Phrase:
    text: str
    pieces: Sequence[Audio]


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """By language. waits: told in turn while the caller has to wait. transfer: told before somebody else answers."""

    waits: Mapping[str, Sequence[Phrase]] = field(default_factory=dict)
    apology: Mapping[str, Phrase] = field(default_factory=dict)
    transfer: Mapping[str, Phrase] = field(default_factory=dict)


NO_PHRASES = PhraseBook()


@lru_cache
def load(own: Path | None = None) -> PhraseBook:
    """All phrases. own: a directory whose files go before the bundled ones. Raises BadPhrase. Reads files."""
    texts: dict[str, dict[str, str]] = tomllib.loads((BUNDLED / TEXTS).read_text())
    if own is not None and (own / TEXTS).is_file():
        for language, mine in tomllib.loads((own / TEXTS).read_text()).items():
            texts.setdefault(language, {}).update(mine)
    found = {
        language: {name: Phrase(text, split(_read(own, f"{language}-{name}.wav"))) for name, text in of.items()}
        for language, of in texts.items()
    }
    return PhraseBook(
        waits={language: _named(of, "wait-") for language, of in found.items()},
        apology={language: of["apology"] for language, of in found.items()},
        transfer={language: of["transfer"] for language, of in found.items()},
    )


def _named(phrases: Mapping[str, Phrase], start: str) -> list[Phrase]:
    return [phrases[name] for name in sorted(phrases) if name.startswith(start)]


def split(data: bytes) -> list[Audio]:
    """μ-law as messages of a size that a carrier takes."""
    return [Audio.of(data[at : at + _PIECE_BYTES], PCMU_8K) for at in range(0, len(data), _PIECE_BYTES)]


def _read(own: Path | None, name: str) -> bytes:
    for directory in (own, BUNDLED):
        if directory is not None and (directory / name).is_file():
            return samples(directory / name)
    raise BadPhrase(f"{name} is missing")


def samples(path: Path) -> bytes:
    """What a WAV file holds, which must be μ-law at 8 kHz, mono. Raises BadPhrase."""
    return samples_of(path.read_bytes(), str(path))


def samples_of(raw: bytes, name: str) -> bytes:
    """The same of a file that was read already; name is what the error calls it."""
    if raw[:4] != b"RIFF" or raw[8:12] != b"WAVE":
        raise BadPhrase(f"{name} is no WAV file")
    at, is_right = 12, False
    while at + 8 <= len(raw):
        chunk, size = raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little")
        body = raw[at + 8 : at + 8 + size]
        if chunk == b"fmt ":
            kind, channels = int.from_bytes(body[:2], "little"), int.from_bytes(body[2:4], "little")
            is_right = (kind, channels, int.from_bytes(body[4:8], "little")) == (_MU_LAW, 1, PCMU_8K.rate_hz)
        elif chunk == b"data":
            if is_right and body:
                return body
            break
        at += 8 + size + size % 2
    raise BadPhrase(f"{name} is not G.711 μ-law at 8 kHz, mono")


def as_wav(data: bytes) -> bytes:
    """μ-law at 8 kHz as a WAV file."""
    rate = PCMU_8K.rate_hz
    fmt = b"".join(
        number.to_bytes(size, "little") for number, size in ((_MU_LAW, 2), (1, 2), (rate, 4), (rate, 4), (1, 2), (8, 2))
    )
    fmt += b"\x00\x00"  # no further parameters
    chunks = b"fmt " + len(fmt).to_bytes(4, "little") + fmt
    chunks += b"data" + len(data).to_bytes(4, "little") + data + b"\x00" * (len(data) % 2)
    return b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WAVE" + chunks
