"""The storage of recordings in S3, or in what speaks its protocol. Imported only where it is chosen: boto3 is large."""

from typing import BinaryIO, cast

from botocore.exceptions import ClientError  # type: ignore[import-untyped]  # it brings no types
from storages.backends.s3 import S3Storage  # type: ignore[import-untyped]  # neither does it


class RecordingS3(S3Storage):  # type: ignore[misc]  # untyped, as said
    """Private objects. A piece is asked for as a piece: seeking in a player does not fetch whole calls."""

    def open_piece(self, name: str, start: int, length: int) -> BinaryIO:
        key = self._normalize_name(name)
        try:
            answer = self.bucket.Object(key).get(Range=f"bytes={start}-{start + length - 1}")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey"}:
                raise FileNotFoundError(name) from error
            raise
        return cast(BinaryIO, answer["Body"])
