"""The storage of recordings as files, and what any storage of theirs can do besides: give out a piece of one."""

from typing import BinaryIO, Protocol, cast, runtime_checkable

from django.core.files.storage import FileSystemStorage, Storage


@runtime_checkable
class GivesPieces(Protocol):
    def open_piece(self, name: str, start: int, length: int) -> BinaryIO:
        """A file that stands at byte ``start``; no more than ``length`` bytes are read. Raises FileNotFoundError."""
        ...


class RecordingFiles(FileSystemStorage):
    """Below a folder that no web server serves."""

    def open_piece(self, name: str, start: int, length: int) -> BinaryIO:
        file = open(self.path(name), "rb")  # noqa: SIM115 - whoever asked closes it
        file.seek(start)
        return file


def open_piece(storage: Storage, name: str, start: int, length: int) -> BinaryIO:
    """From any storage; one that knows no pieces is asked for the whole. Raises FileNotFoundError."""
    if isinstance(storage, GivesPieces):
        return storage.open_piece(name, start, length)
    file = storage.open(name, "rb")
    file.seek(start)
    return cast(BinaryIO, file)
