"""Records from files and pipes."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from structout.errors import DataError


def texts(source: str) -> Iterator[Any]:
    """The records of a text file (one a line), of JSONL (the `text` of each line), or of stdin (`-`), either way.

    A JSONL line without a text yields what it has instead, or None: a bad record, for the pipeline to report.
    """
    for line in lines(source):
        if not line.strip():
            continue
        if source.endswith(".jsonl") or (source == "-" and line.lstrip().startswith("{")):
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            yield row.get("text") if isinstance(row, dict) else None
        else:
            yield line.rstrip("\r\n")


def lines(source: str) -> Iterator[str]:
    """The lines of a file or of stdin (`-`); bytes that are not UTF-8 become unpaired surrogates, so none is lost. A
    byte order mark goes.

    Raises `DataError` if the file cannot be read.
    """
    if source == "-":
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")  # type: ignore[union-attr]
        yield from sys.stdin
        return
    try:
        with open(source, encoding="utf-8-sig", errors="surrogateescape") as stream:
            yield from stream
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror}", hint="check the path") from error
