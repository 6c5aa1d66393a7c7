"""What one stream's recording is on disk while the call lasts: a log of who sounded when, in the order we learnt it.

A file begins with a line of JSON that says whose it is, and goes on with records: kind, time on the call's clock and
payload. It only ever grows, so that whatever kills the process leaves a file that can be read up to its last whole
record. Nothing is placed, mixed or cut here; that is done once, when all is known (see ``mixing``).
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from apps.calls.media.frames import PCM16_8K, PCM16_16K, PCM16_24K, PCMU_8K, AudioFormat, Encoding

_MAGIC: Final = b"callcentre-spool-1\n"
_HEAD: Final = struct.Struct("<BII")
_BLOCK: Final = 1 << 18
_MAX_PAYLOAD: Final = 1 << 22
"""No record is longer; a length beyond is a damaged file."""


class Kind(IntEnum):
    """CALLER and AI take a format's number on top."""

    CALLER = 0x10
    AI = 0x20
    CUT = 0x30
    PAUSE = 0x40
    RESUME = 0x41
    END = 0x50


_FORMATS: Final = (PCMU_8K, AudioFormat(Encoding.PCMA, 8000), PCM16_8K, PCM16_16K, PCM16_24K)
FORMAT_NUMBERS: Final = {(form.encoding, form.rate_hz): number for number, form in enumerate(_FORMATS)}


class NotASpool(ValueError):
    """The file is no spool, or not one of this version."""


@dataclass(frozen=True, slots=True)
class SpoolHead:
    """stream: a name of its own for every stream. offset_ms: where on the call's clock it begins.

    began_at: ISO 8601, when the call's clock stood at offset_ms.
    """

    call_id: int
    leg_id: int
    stream: str
    offset_ms: int
    began_at: str

    def as_bytes(self) -> bytes:
        return _MAGIC + json.dumps(asdict(self)).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Record:
    """at_ms: on the clock of the call; of the AI's audio, when it begins to be heard. format: of audio only."""

    kind: Kind
    at_ms: int
    payload: bytes
    format: AudioFormat = PCMU_8K


def record(kind: int, at_ms: int, payload: bytes = b"") -> bytes:
    """A record's bytes. kind: a Kind, for audio with its FORMAT_NUMBERS added."""
    return _HEAD.pack(kind, at_ms, len(payload)) + payload


def read_head(path: Path) -> SpoolHead:
    """Raises NotASpool."""
    with path.open("rb") as file:
        if file.readline(64) != _MAGIC:
            raise NotASpool(path.name)
        try:
            return SpoolHead(**json.loads(file.readline(4096)))
        except (ValueError, TypeError) as error:
            raise NotASpool(path.name) from error


def read_records(path: Path) -> Iterator[Record]:
    """Every whole record in the order it was written; what was torn off at the end is left out."""
    with path.open("rb") as file:
        file.readline(64)
        file.readline(4096)
        rest = b""
        while block := file.read(_BLOCK):
            block, position = rest + block, 0
            while position + _HEAD.size <= len(block):
                kind, at_ms, length = _HEAD.unpack_from(block, position)
                if length > _MAX_PAYLOAD:
                    return
                end = position + _HEAD.size + length
                if end > len(block):
                    break
                found = _record(kind, at_ms, block[position + _HEAD.size : end])
                if found is None:
                    return
                yield found
                position = end
            rest = block[position:]


def _record(kind: int, at_ms: int, payload: bytes) -> Record | None:
    side = kind & 0xF0
    if side in {Kind.CALLER, Kind.AI}:
        number = kind & 0x0F
        return Record(Kind(side), at_ms, payload, _FORMATS[number]) if number < len(_FORMATS) else None
    return Record(Kind(kind), at_ms, payload) if kind in set(Kind) else None
