"""Files for reading and writing, plain or compressed, and stdin."""

import bz2
import errno
import gzip
import io
import lzma
import os
import sys
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, TextIO

from structout.errors import DataError, MissingExtraError
from structout.tables.place import KINDS, Place

_PIECE = 1 << 16  # bytes of a compressed file that are read at a time


def check_readable(place: Place) -> None:
    """Raise `DataError` if a file of this machine cannot be read, without opening it: it may be a pipe."""
    if place.name == "-" or place.is_remote or place.is_database or (place.is_query and place.name.startswith("sql:")):
        return
    if not os.access(place.file, os.R_OK):
        reason = os.strerror(errno.EACCES if os.path.lexists(place.file) else errno.ENOENT)
        raise DataError(f"cannot read {place.shown}: {reason}", hint=f"check the path; give {KINDS}")


@contextmanager
def opened_text(place: Place, newline: str | None = None) -> Iterator[TextIO]:
    """A text file for reading. Bytes that are not UTF-8 become unpaired surrogates, so that they are kept. A byte order
    mark is removed. Raises `DataError`, also during reading.
    """
    with opened_bytes(place) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline=newline)
        try:
            yield text
        finally:
            if not raw.closed:  # it is closed already if unread rows were discarded
                text.detach()


@contextmanager
def opened_bytes(place: Place) -> Iterator[BinaryIO]:
    """A file, plain or compressed, or stdin (`-`), for reading bytes. Raises `DataError`, also during reading."""
    if place.name == "-":
        yield _utf8(place.name, sys.stdin.buffer)
        return
    try:
        with opened_file(place) as file, _unpacked(place, file) as stream:
            yield _utf8(place.shown, stream)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read {place.shown}: {reason}", hint=f"check the path; give {KINDS}") from error


def opened_file(place: Place) -> AbstractContextManager[BinaryIO]:
    """The bytes of a file as they are stored, here or at a remote place. Raises `OSError`, and `DataError` for a remote
    place.
    """
    if place.is_remote:
        from structout.tables.objects import opened

        return opened(place)
    return open(place.file, "rb")


def _unpacked(place: Place, file: BinaryIO) -> Any:
    if place.packing == "gz":
        return gzip.GzipFile(fileobj=file)
    if place.packing in ("bz2", "xz"):
        return io.BufferedReader(_Members(place, file))
    if place.packing == "zst":
        return io.BufferedReader(_arrow().CompressedInputStream(file, "zstd"))
    return _same(file)


class _Members(io.RawIOBase):
    """The content of a .bz2 or .xz file, member by member. Python's own readers take a damaged member after the first
    for the end of the file.
    """

    def __init__(self, place: Place, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._new: Callable[[], Any] = bz2.BZ2Decompressor if place.packing == "bz2" else lzma.LZMADecompressor
        self._member: Any = None
        self._given = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._member is None or self._member.eof:
                if not (rest := self._next(b"" if self._member is None else self._member.unused_data)):
                    return 0
                self._member, self._given = self._new(), rest
            elif self._member.needs_input and not self._given:
                self._given = self._file.read(_PIECE)
                if not self._given:
                    raise EOFError("the file ends in the middle of its compressed data")
            given, self._given = self._given, b""
            data = self._member.decompress(given, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)

    def _next(self, rest: bytes) -> bytes:
        """The beginning of the next member, after padding; empty at the end of the file."""
        while not (rest := rest.lstrip(b"\0")):
            if not (rest := self._file.read(_PIECE)):
                return b""
        return rest


def packed(place: Place, stream: BinaryIO) -> Any:
    """A stream that compresses what is written to `stream`, if the name says so. It has no timestamp, so that equal
    rows make equal files.
    """
    if place.packing == "gz":
        return gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0)
    if place.packing == "bz2":
        return bz2.BZ2File(stream, "wb")
    if place.packing == "xz":
        return lzma.LZMAFile(stream, "wb")
    if place.packing == "zst":
        return _zstandard(stream)
    return _same(stream)


@contextmanager
def _zstandard(stream: BinaryIO) -> Iterator[BinaryIO]:
    pa = _arrow()
    with pa.CompressedOutputStream(pa.PythonFile(_Kept(stream), "w"), "zstd") as out:
        yield out


class _Kept(io.RawIOBase):
    """A stream that stays open when the stream that writes to it is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._stream.write(data)


@contextmanager
def _same(stream: BinaryIO) -> Iterator[BinaryIO]:
    yield stream


def _utf8(name: str, stream: Any) -> Any:
    """The stream itself. Raises `DataError` if a byte order mark shows that it is UTF-16."""
    peek = getattr(stream, "peek", None)
    if peek is not None and peek(2)[:2] in (BOM_UTF16_BE, BOM_UTF16_LE):
        raise DataError(f"{name} is UTF-16", hint="convert it to UTF-8: iconv -f UTF-16 -t UTF-8")
    return stream


def _arrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", "pipeline") from error
    return pyarrow
