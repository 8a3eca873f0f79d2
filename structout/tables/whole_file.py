"""A file that appears whole or not at all."""

import errno
import glob
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from structout.errors import OutputError
from structout.tables.lock import locked
from structout.tables.place import Place

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@contextmanager
def replacing(path: str | Path, *, keep: bool = True) -> Iterator[BinaryIO]:
    """A binary file beside `path` that replaces it atomically, synced to disk, if the block succeeds. Other writers of
    `path` wait. A pipe or a device is written to directly. Its mode follows the umask and is never wider than the mode
    of the replaced file. A remote place is uploaded. Raises `OutputError`.
    """
    if (place := Place.of(str(path))).is_remote:
        from structout.tables.objects import check_upload, uploading

        if keep:
            with uploading(place) as stream:
                yield stream
        else:
            check_upload(place)
            yield io.BytesIO()
        return
    target = Path(os.path.realpath(path))  # a symbolic link stays, and its target is replaced
    with locked(target, place.shown), _beside(target, path, keep=keep) as stream:
        yield stream


@contextmanager
def _beside(target: Path, path: str | Path, *, keep: bool) -> Iterator[BinaryIO]:
    ordinary = target.is_file() or not target.exists()
    mode = target.stat().st_mode & 0o666 if target.is_file() else 0o666
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with _written(path):
            if target.is_dir() or (target.exists() and not os.access(target, os.W_OK)):
                raise PermissionError(13, "it may not be written")
            part = _Part(beside if ordinary else target if keep else Path(os.devnull), path, mode)
        with io.BufferedWriter(part) as stream:
            yield stream
            stream.flush()
            if ordinary:
                with _written(path):
                    os.fsync(stream.fileno())
        if keep and ordinary:
            with _written(path):
                os.replace(beside, target)
                _sync_folder(target.parent)
                clear_parts(target)
    finally:
        with suppress(OSError):
            beside.unlink()


def clear_parts(target: Path) -> None:
    """Remove the unfinished copies of a locked file that killed writers left beside it."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.[0-9]*.part*"):
        with suppress(PermissionError):  # Windows does not remove the file of another run that still writes
            left.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk, so that a replaced file survives a power failure."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folder, and a folder may be writable but not readable
        return
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # the file system syncs no folder
            raise
    finally:
        os.close(opened)


class _Part(io.FileIO):
    """A file whose errors name it, so that they are not mistaken for errors of another open file."""

    def __init__(self, beside: Path, target: str | Path, mode: int) -> None:
        self._target = target
        super().__init__(beside, "wb", opener=lambda name, flags: os.open(name, flags, mode))

    def write(self, data: "ReadableBuffer", /) -> int:
        with _written(self._target):
            return super().write(data)

    def close(self) -> None:
        with _written(self._target):  # a network or a quota may tell only here that a write failed
            super().close()


@contextmanager
def _written(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason, hint = error.strerror or str(error), "name another file, or make room; nothing is lost"
        raise OutputError(f"cannot write {Place.of(str(path)).shown}: {reason}", hint=hint) from error
