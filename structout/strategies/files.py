"""The files that a strategy depends on, with hashes of their content."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from structout.errors import SpecError
from structout.source import defining_file
from structout.strategies.parts import parts


def files_of(strategy: Any) -> list[str]:
    """Each file that a strategy depends on, with a hash of its content.

    A part lists its files in a method `files()`. The file that defines a part is included too, unless structout defines
    the part, or the part declares a `version`, which replaces the file. Raises `SpecError` for a file that cannot be
    read, and `SchemaError` if a `Rule` names an unknown function.
    """
    found: dict[str, None] = {}
    for part in parts(strategy):
        found.update(dict.fromkeys(_of(part)))
    return list(found)


def _of(part: Any) -> Iterator[str]:
    if isinstance(part, type) or not (hasattr(part, "run") or hasattr(part, "check") or hasattr(part, "files")):
        return
    kind = type(part)
    if kind.__module__.partition(".")[0] != "structout":
        version = getattr(part, "version", None)
        if version is not None:
            yield f"{kind.__qualname__} {version}"
        elif (file := defining_file(kind)) is not None:
            yield _named(file)
    if callable(own := getattr(part, "files", None)):
        yield from (_named(Path(file)) for file in own())


def _named(file: Path) -> str:
    try:
        return f"{file.name}@{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    except OSError as error:
        raise SpecError(f"cannot read {file}: {error.strerror}", hint="check the path in the strategy") from error
