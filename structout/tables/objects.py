"""Objects of stores, and files of web servers: read in pieces, listed, and written whole."""

import gzip
import io
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from structout.errors import DataError, OutputError, SpecError
from structout.tables.place import DocumentFormat, Place, partition_of
from structout.tables.stores import AGAIN, SHORT, SILENCE, SLOW, address, check_installed, store_of, told

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_FIRST: Final = 1 << 16  # bytes of the first piece, which may be all that is needed
_PIECE: Final = 4 << 20  # bytes that are read ahead
_PART: Final = 8 << 20  # bytes of a part of an upload: 10,000 parts are 80 GB
_PARTS: Final = 4  # parts of an upload that are on their way at once
_WHOLE: Final = timedelta(days=1)  # for a file that a server sends only whole
_SLOWEST: Final = 10_000  # bytes a second of such a file, on average
_MAGIC: Final = re.compile(r"[*?[]")


@contextmanager
def opened(place: Place) -> Iterator[BinaryIO]:
    """An object, or a file of a web server, for reading bytes; `seek` works. What the store holds in the encoding gzip
    is unpacked here, unless the name says so already.

    Raises `DataError`, also during reading, `MissingExtraError` and `SpecError`.
    """
    raw = _Object(place)
    with io.BufferedReader(raw, _FIRST) as stream:
        if raw.encoding == "gzip" and place.packing != "gz":
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield unpacked  # type: ignore[misc]
        elif raw.encoding in ("", "identity", "gzip"):
            yield stream
        else:
            reason = f"unknown content encoding {raw.encoding!r}"
            raise DataError(f"cannot read {place.shown}: {reason}", hint="store it plain, or as gzip")


class _Object(io.RawIOBase):
    """The bytes of an object, fetched in pieces. All pieces are of one version."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.encoding = ""
        self._place, (self._store, self._key) = place, store_of(place)
        self._version: tuple[Any, ...] | None = None
        self._size = self._at = self._start = 0
        self._data, self._whole = b"", None
        with told(place, DataError):
            try:
                self._data = self._fetch(0, _FIRST)
            except Exception as error:
                if not _is_whole_only(error):
                    raise
                self._whole = self._downloaded()

    _whole: BinaryIO | None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        piece = self._piece(len(view))
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(_PIECE) or b"", b""))

    def close(self) -> None:
        if self._whole is not None:
            self._whole.close()
        super().close()

    def _piece(self, most: int) -> bytes:
        if self._at >= self._size:
            return b""
        if self._whole is not None:
            self._whole.seek(self._at)
            return self._whole.read(most)
        if not self._start <= self._at < self._start + len(self._data):
            with told(self._place, DataError):
                self._data = self._fetch(self._at, self._at + max(most, _PIECE))
            self._start = self._at
        begin = self._at - self._start
        return self._data[begin : begin + most]

    def _fetch(self, start: int, stop: int) -> bytes:
        import obstore

        stop = stop if self._version is None else min(stop, self._size)
        found = obstore.get(self._store, self._key, options={"range": (start, stop)})
        self._note(found)
        length, data = min(stop, self._size) - start, b""
        for some in found.stream(min_chunk_size=length):  # a server may send more than it was asked for
            data += bytes(some)
            if len(data) >= length:
                break
        if len(data) != length:
            raise self._error(SHORT if len(data) < length else "the server sends more than it was asked for")
        return data

    def _note(self, found: Any) -> None:
        """Note the version of an answer of the server: it must be the version of earlier answers."""
        version = tuple(found.meta[name] for name in ("size", "e_tag", "last_modified"))
        if self._version not in (None, version):
            raise self._error("it changed while it was read")
        self._version, self._size = version, found.meta["size"]
        self.encoding = str(found.attributes.get("Content-Encoding", "")).lower()

    def _downloaded(self) -> BinaryIO:
        """The whole object in a temporary file: the server sends no parts of it, or it is empty."""
        import obstore

        store, _ = store_of(self._place, _WHOLE)
        found = obstore.get(store, self._key)
        self._note(found)
        if self._size > shutil.disk_usage(tempfile.gettempdir()).free:
            raise self._error(f"the server sends it only whole, and the disk lacks {self._size:,} bytes")
        began, count = time.monotonic(), 0
        file: Any = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            for piece in found.stream(min_chunk_size=1):
                count += file.write(piece)
                took = time.monotonic() - began
                if took > SILENCE.total_seconds() and count < took * _SLOWEST:
                    raise self._error(SLOW)
            if count != self._size:
                raise self._error(SHORT)
        except BaseException:
            file.close()
            raise
        return file  # type: ignore[no-any-return]

    def _error(self, reason: str) -> DataError:
        return DataError(f"cannot read {self._place.shown}: {reason}", hint=AGAIN)


def _is_whole_only(error: Exception) -> bool:
    from obstore.exceptions import NotSupportedError

    return isinstance(error, NotSupportedError) or "status code: 416" in str(error)


def is_there(place: Place) -> bool | None:
    """Whether an object exists; None if the store does not say. Raises `DataError`."""
    check_installed()
    import obstore
    from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

    store, key = store_of(place)
    with told(place, DataError):
        try:
            obstore.head(store, key)
        except FileNotFoundError:
            return False
        except (PermissionDeniedError, UnauthenticatedError):
            return None
    return True


def listed(place: Place, format: DocumentFormat | None = None, *, documents: bool = False) -> list[Place]:  # noqa: A002
    """The objects that a name stands for: itself, the objects in a folder, or the objects of a pattern (`*`, `?`,
    `[a-z]`, `**` for folders), sorted by name. A folder has objects with a known suffix, of rows or also of
    `documents`, and its folders state partitions.

    Raises `DataError` if a folder or a pattern has no object.
    """
    bucket, key = address(place)
    # Where the store does not say whether there is an object, its reader hears why.
    if key and not key.endswith("/") and is_there(place) is not False:
        return [place]

    def found(one: str) -> Place:
        return Place.of(f"{place.scheme}://{bucket}/{one}", format)

    if magic := _MAGIC.search(key):
        every = _keys(place, key[: magic.start()].rpartition("/")[0])
        matched = [found(one) for one in every if _matches(one.split("/"), key.split("/"))]
        if not matched:
            raise DataError(f"no object matches {place.shown}", hint="check the pattern, and quote it for the shell")
        return matched
    folder, objects = key.strip("/"), []
    for one in _keys(place, folder):
        inside = one.removeprefix(folder).strip("/").split("/")
        is_read = found(one).format is not None and (documents or found(one).is_of_rows)
        if is_read and not any(part.startswith(("_", ".")) for part in inside):
            objects.append(replace(found(one), partition=partition_of(inside[:-1])))
    if not objects and (not key or key.endswith("/")):
        raise DataError(f"the folder {place.shown} holds no objects to read", hint="check the name")
    return objects or [place]


def _keys(place: Place, folder: str) -> list[str]:
    import obstore

    store, _ = store_of(place)
    with told(place, DataError):
        keys = [one["path"] for some in obstore.list(store, prefix=folder or None) for one in some]
    return sorted(keys, key=lambda key: key.split("/"))


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern or not parts:
        return not pattern and not parts
    first, rest = pattern[0], pattern[1:]
    is_hidden = parts[0].startswith(".") and not first.startswith(".")
    if first == "**":
        return _matches(parts, rest) or (len(parts) > 1 and not is_hidden and _matches(parts[1:], pattern))
    return not is_hidden and fnmatchcase(parts[0], first) and _matches(parts[1:], rest)


@contextmanager
def uploading(place: Place) -> Iterator[BinaryIO]:
    """A binary stream into an object, which appears whole at the end of the block, or stays as it was.

    A large object is uploaded in parts, which the store drops if the block fails. A killed process leaves parts that
    no reader sees; the bucket's own rule for incomplete uploads removes them. Raises `OutputError` and `SpecError`.
    """
    writer = _writer(place, _PART, _PARTS)
    try:
        with io.BufferedWriter(_Upload(writer, place), _FIRST) as stream:
            yield stream
    except BaseException:
        with suppress(Exception):  # the first fault is raised
            writer.__exit__(*sys.exc_info())
        raise
    with told(place, OutputError):
        writer.close()


def check_upload(place: Place) -> None:
    """Check that an object can be written, by an upload in parts that is given up. No reader sees it, and an object of
    the name stays as it is. Raises `OutputError` and `SpecError`.
    """
    writer = _writer(place, 1, 1)
    try:
        with told(place, OutputError, SpecError):
            for _ in range(3):  # Azure answers to parts only, and a part is answered before the next but one is sent
                writer.write(b"\n")
    finally:
        with suppress(Exception):  # who may write may be forbidden to give up
            writer.__exit__(SpecError, None, None)


class _Upload(io.RawIOBase):
    """An upload whose errors name it, so that they are not mistaken for errors of another open file."""

    def __init__(self, writer: Any, place: Place) -> None:
        super().__init__()
        self._writer, self._place = writer, place

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        with told(self._place, OutputError):
            return int(self._writer.write(bytes(data)))


def _writer(place: Place, part: int, parts: int) -> Any:
    if place.is_web:
        hint = "write to a file of this machine, or to s3://, gs:// or az://"
        raise SpecError(f"cannot write {place.shown}: it is at a web server", hint=hint)
    if not address(place)[1] or place.name.endswith("/"):
        raise SpecError(f"cannot write {place.shown}: it is a folder", hint="name an object in it")
    store, key = store_of(place)
    import obstore

    return obstore.open_writer(store, key, buffer_size=part, max_concurrency=parts)
