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
from typing import Final, NamedTuple

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
FORMATS: Final = {side + number: form for side in (Kind.CALLER, Kind.AI) for number, form in enumerate(_FORMATS)}
_KNOWN: Final = frozenset({*FORMATS, Kind.CUT, Kind.PAUSE, Kind.RESUME, Kind.END})


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


class Record(NamedTuple):
    """kind: a Kind, for audio with its format's number added. at_ms: on the clock of the call; of the AI's audio, when
    it begins to be heard.
    """

    kind: int
    at_ms: int
    payload: bytes


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
        unpack, head = _HEAD.unpack_from, _HEAD.size
        while block := file.read(_BLOCK):
            block, position = rest + block, 0
            n = len(block)
            while position + head <= n:
                kind, at_ms, length = unpack(block, position)
                if length > _MAX_PAYLOAD or kind not in _KNOWN:
                    return
                end = position + head + length
                if end > n:
                    break
                yield Record(kind, at_ms, block[position + head : end])
                position = end
            rest = block[position:]
