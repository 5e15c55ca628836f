"""Bodies that are not parsed at the door: decisions are read by their use case's own rules."""

from __future__ import annotations

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from apps.api.renderers import LINES
from apps.decisions.domain.strict_json import MAX_BYTES

MAX_BATCH_BYTES = 64 * 1024 * 1024
MAX_BATCH_LINES = 50_000
IN_MEMORY = 1024 * 1024  # a larger batch waits in a temporary file
PIECE = 256 * 1024


class TooLargeError(APIException):
    status_code = 413
    default_code = "body_too_large"


class RawJSONParser(BaseParser):
    """One JSON document of at most 1 MiB, as its bytes."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return b"".join(_pieces(stream, MAX_BYTES))


class BatchParser(BaseParser):
    """Lines of JSON as a file: at most 50,000 lines and 64 MiB."""

    media_type = LINES

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (the operation closes it)
        try:
            _spool(stream, file)
        except BaseException:
            file.close()
            raise
        return file


def _spool(stream: Any, file: Any) -> None:
    lines, last = 0, b"\n"
    for piece in _pieces(stream, MAX_BATCH_BYTES):
        file.write(piece)
        lines, last = lines + piece.count(b"\n"), piece[-1:]
        if lines + (last != b"\n") > MAX_BATCH_LINES:
            raise TooLargeError(f"the batch has more than {MAX_BATCH_LINES:,} lines")
    file.seek(0)


def _pieces(stream: Any, most: int) -> Iterator[bytes]:
    """The whole body, refused by its announced length before a byte of it is read."""
    announced = int(stream.META.get("CONTENT_LENGTH") or 0)
    if announced > most:
        raise TooLargeError(f"the body has {announced:,} bytes; at most {most:,} are allowed")
    received = 0
    while piece := stream.read(PIECE):
        received += len(piece)
        yield piece
    if received < announced:
        raise ParseError(f"the body ended after {received:,} of its {announced:,} bytes")


def sent_bytes(data: object) -> bytes:
    """What RawJSONParser read; a request without a body has nothing to parse."""
    return data if isinstance(data, bytes) else b""
