"""The files that a strategy reads: what stands in them is part of what it does."""

import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from structout.errors import SpecError
from structout.source import import_object
from structout.verifiers import Learned, Rule


def files_of(part: Any) -> list[str]:
    """Each file that a part of a strategy reads, with a hash of its content: the head of a `Learned`, the code of a
    `Rule`. Raises `SpecError` where one cannot be read, `SchemaError` where a `Rule` names no function.
    """
    return [f"{file.name}@{_digest(file)}" for file in dict.fromkeys(_files(part))]


def _files(part: Any) -> Iterator[Path]:
    if isinstance(part, tuple):
        for one in part:
            yield from _files(one)
    elif isinstance(part, Learned) and isinstance(part.head, str):
        yield Path(part.head)
    elif isinstance(part, Rule):
        yield from _code(part.function)
    elif is_dataclass(part) and not isinstance(part, type):
        for one in fields(part):
            yield from _files(getattr(part, one.name))


def _code(function: Any) -> Iterator[Path]:
    if isinstance(function, str):
        place = function if function.endswith(".py") else function.rpartition(":")[0]
        if place.endswith(".py"):
            yield Path(place)
            return
        function = import_object(function)
    try:
        file = inspect.getsourcefile(function if inspect.isroutine(function) else type(function))
    except TypeError:  # of Python's own
        return
    if file is not None and Path(file).is_file():
        yield Path(file)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise SpecError(f"cannot read {file}: {error.strerror}", hint="check the path in the strategy") from error
