"""The lock of a file, so that one process writes it at a time."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from structout.errors import OutputError

PATIENCE: Final = 60.0  # seconds, as for a locked table of PostgreSQL
_PAUSE: Final = 0.05  # seconds


@contextmanager
def locked(file: Path, shown: object, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of a file, which is called `shown` in messages: a locked file `.NAME.lock` beside it.

    The end of the block removes it. A killed process leaves it without its lock, and the next writer takes it over. A
    pipe and a device have no lock, nor has any file of a system or a file system without `flock`.

    Raises `OutputError` if another process, or another thread, holds the lock for longer than `patience`, in seconds.
    """
    lock = file.with_name(f".{file.name}.lock")
    held = _taken(lock, shown, patience) if file.is_file() or not file.exists() else None
    try:
        yield
    finally:
        if held is not None:
            with suppress(OSError):
                lock.unlink()  # before the file is closed: until then, nobody else has a lock of this name
            with suppress(OSError):
                os.close(held)


def _taken(lock: Path, shown: object, patience: float) -> int | None:
    """The locked file; None if there are no locks, or if the folder takes no file: the writer will say so."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ModuleNotFoundError:  # Windows
        return None
    until = time.monotonic() + patience
    while True:
        try:
            opened = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None
        try:
            flock(opened, LOCK_EX | LOCK_NB)
            if os.path.samestat(os.fstat(opened), os.stat(lock)):
                return opened
            os.close(opened)  # the last holder has removed the name
        except FileNotFoundError:
            os.close(opened)
        except BlockingIOError:
            os.close(opened)
            if time.monotonic() >= until:
                hint = "wait for that process and run the same command again, or name another file; nothing is lost"
                raise OutputError(f"cannot write {shown}: another process writes it", hint=hint) from None
            time.sleep(_PAUSE)
        except OSError:  # a file system without locks
            os.close(opened)
            with suppress(OSError):
                lock.unlink()
            return None
