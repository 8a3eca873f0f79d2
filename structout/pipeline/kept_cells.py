"""The kept cells of a run's input, row by row, until the output is written."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from structout.document import Json
from structout.errors import OutputError
from structout.tables.kept_columns import KeptColumns
from structout.tables.rows import Row


class KeptCells:
    """The cells of kept columns, in a file without a name beside the journal: every run reads the whole input anyway,
    so they need not outlive it, and nothing of them stays to be forgotten. Positions count from 0.
    """

    def __init__(self, columns: KeptColumns, folder: Path) -> None:
        self.columns = columns
        self._folder = folder
        self._rows: Iterator[Row] = iter(())
        self._read = -1
        with self._written():
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def close(self) -> None:
        """Close the file, which removes it."""
        with suppress(OSError):  # what a full disk did not take is not needed any more
            self._file.close()

    def seen(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, once their cells are kept. A row with a cell that the output cannot hold gets its problem. Raises
        `OutputError`.
        """
        self._rows = self._noted(rows)
        return self._rows

    def _noted(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            cells = self.columns.cells(row.record)
            self.columns.note(cells)
            with self._written():
                self._file.write(json.dumps(cells).encode() + b"\n")
            if not row.wrong and (name := self.columns.unreadable(cells)):
                row = replace(row, wrong=f"the column {name!r} is not UTF-8: convert the file to UTF-8")
            self._read = row.position
            yield row

    def read_to(self, position: int) -> None:
        """Read the rows that are missing up to a position, and keep their cells."""
        while self._read < position and next(self._rows, None) is not None:
            pass

    def reader(self) -> Callable[[int], dict[str, Json]]:
        """A function that finds the cells of the row at a position, for positions that ascend. It finds nothing of rows
        that were not read.
        """
        with self._written():
            self._file.seek(0)
        here, line = -1, b""

        def at(position: int) -> dict[str, Json]:
            nonlocal here, line
            with self._written():
                while here < position:
                    here, line = here + 1, self._file.readline()
            return json.loads(line) if line else {}

        return at

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            hint = "make room and run the same command again: nothing is lost"
            raise OutputError(f"cannot write the kept columns in {self._folder}: {reason}", hint=hint) from error
