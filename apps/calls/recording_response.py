"""A recording as an HTTP answer: whole or in pieces, and no thread is held while a listener's line is slow."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO, Final
from urllib.parse import quote

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from apps.calls.models import Recording
from apps.calls.recording_files import open_piece
from apps.calls.services.recordings import files

_CHUNK: Final = 1 << 16
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes start … end, both included."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start + 1


class CannotBeGiven(Exception):
    """No byte of what was asked for exists."""


def piece_of(header: str, size: int) -> Piece | None:
    """What a Range header asks for; None for the whole, also where it asks in a way that may be passed over.

    Raises CannotBeGiven.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.group(0) == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
    if start >= size or start > end:
        if first and last and int(last) < int(first):
            return None
        raise CannotBeGiven
    return Piece(start, end)


def recording_response(request: HttpRequest, recording: Recording, *, is_download: bool) -> HttpResponseBase:
    """Raises Http404 if the file is not where it should be. HEAD gets the same head and nothing else."""
    etag = f'"{recording.sha256}"'
    try:
        wanted = piece_of(request.headers.get("Range", ""), recording.size)
        if request.headers.get("If-Range", etag) != etag:
            wanted = None
    except CannotBeGiven:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{recording.size}"})
    piece = wanted or Piece(0, recording.size - 1)
    headers = {
        "Content-Type": recording.content_type,
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, no-store",
        "Content-Disposition": _file_name(recording, is_download=is_download),
    }
    if settings.RECORDING_X_ACCEL:  # nginx sends it, and answers ranges by itself
        location = f"{settings.RECORDING_X_ACCEL.rstrip('/')}/{quote(recording.name)}"
        return HttpResponse(headers={**headers, "X-Accel-Redirect": location})
    headers["Content-Length"] = str(piece.length)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {piece.start}-{piece.end}/{recording.size}"
    status = 200 if wanted is None else 206
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    try:
        file = open_piece(files(), recording.name, piece.start, piece.length)
    except FileNotFoundError as error:
        raise Http404 from error
    return StreamingHttpResponse(_Sound(file, piece.length), status=status, headers=headers)


def sound_response(request: HttpRequest, sound: bytes, *, etag: str, file_name: str) -> HttpResponse:
    """Something short that is in memory anyway, whole or in pieces: some browsers play only what comes in pieces."""
    try:
        piece = piece_of(request.headers.get("Range", ""), len(sound))
    except CannotBeGiven:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{len(sound)}"})
    headers = {
        "Content-Type": "audio/wav",
        "Accept-Ranges": "bytes",
        "ETag": f'"{etag}"',
        "Cache-Control": "private, no-cache",
        "Content-Disposition": content_disposition_header(False, file_name) or "inline",
    }
    if piece is None:
        return HttpResponse(sound, headers=headers)
    headers["Content-Range"] = f"bytes {piece.start}-{piece.end}/{len(sound)}"
    return HttpResponse(sound[piece.start : piece.end + 1], status=206, headers=headers)


class _Sound:
    """A file's next bytes in chunks. Django closes it with the response, also where nobody reads it."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._left > 0 and (chunk := await asyncio.to_thread(self._file.read, min(_CHUNK, self._left))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        self._file.close()


def _file_name(recording: Recording, *, is_download: bool) -> str:
    suffix = recording.name.rsplit(".", 1)[-1]
    when = recording.started_at.strftime("%Y-%m-%d-%H%M")
    return content_disposition_header(is_download, f"call-{recording.call_id}-{when}.{suffix}") or "inline"
