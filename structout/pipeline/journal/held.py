"""The rows of a run that its table has, so that no run appends a row twice."""

from bisect import bisect_right
from typing import Any

from structout.errors import DamagedError, DataError, OutputError
from structout.pipeline.journal.database import ANEW
from structout.pipeline.journal.journal import Journal
from structout.records import require, understood
from structout.tables.place import Place
from structout.tables.staging import Fate, Load, Mark, fates

Stretches = list[list[int]]  # of positions: first and last, in order


class Held:
    """The rows of a run that a table of a database has; of any other output, none.

    Before the rows are committed, the journal gets a mark: the number of the transaction and the positions of the rows.
    A process may be killed before it knows whether the commit succeeded. The next run asks the database for the fate of
    the transaction. A table that was dropped and made again has none of the rows.
    """

    def __init__(self, journal: Journal, output: str, load: Load) -> None:
        """Find the rows. Raises `OutputError` if rows are appended and the database cannot tell which rows it has."""
        self.skipped = 0
        self._journal, self._output, self._load = journal, output, load
        self._is_table = Place.of(output).is_database
        self._known: Stretches = []
        self._new: Stretches = []
        self._marks: list[dict[str, Any]] = []
        if self._is_table:
            self._settle()

    def takes(self, position: int) -> bool:
        """Whether the row at a position is written; positions must come in order. A row that the table has is not
        appended again.
        """
        has = self._load.mode == "append" and self._has(position)
        self.skipped += has
        return not has

    def add(self, position: int) -> None:
        """Count a row as written, or as not needed."""
        if self._new and self._new[-1][1] == position - 1:
            self._new[-1][1] = position
        else:
            self._new.append([position, position])

    def mark(self, mark: Mark) -> None:
        """Write the mark of a transaction that is about to be committed."""
        rows = self._new if self._load.mode == "replace" else _merged(self._known + self._new)
        new = {"table": mark.table, "transaction": mark.transaction, "rows": rows, "done": False}
        self._marks.append(new)
        self._journal.keep_marks(self._marks)

    def done(self) -> None:
        """Note that the transaction was committed."""
        if self._marks:
            last = {**self._marks[-1], "done": True}
            kept = [one for one in self._marks[:-1] if one["table"] != last["table"]]
            self._journal.keep_marks([*kept, last])

    def _has(self, position: int) -> bool:
        place = bisect_right(self._known, position, key=lambda one: one[0])
        return place > 0 and position <= self._known[place - 1][1]

    def _settle(self) -> None:
        marks = self._journal.marks()
        try:
            with understood("marks of a table"):
                asked = [Mark(one["table"], one["transaction"]) for one in marks]
                for one, mark in zip(marks, asked, strict=True):
                    require("texts", isinstance(mark.table, str) and str(mark.transaction).isdecimal())
                    require("rows", all(isinstance(at, int) for first, last in one["rows"] for at in (first, last)))
        except DataError as error:
            raise DamagedError(f"{self._journal.path} is damaged: {error}", hint=ANEW) from error
        for one, fate in zip(marks, fates(self._output, asked) if asked else [], strict=True):
            if fate == "committed" or (fate == "unknown" and one.get("done")):
                self._known = one["rows"]
            elif fate in ("in progress", "unknown") and self._load.mode == "append":
                raise self._uncertain(fate)
            if fate != "aborted":
                self._marks.append(one)

    def _uncertain(self, fate: Fate) -> OutputError:
        shown = Place.of(self._output).shown
        if fate == "in progress":
            return OutputError(f"an earlier run still appends rows to {shown}", hint="try again in a minute")
        hint = "look for the rows in the table; then go on with --mode upsert, or with another journal"
        return OutputError(f"{shown} no longer knows whether an earlier run appended its rows", hint=hint)


def _merged(stretches: Stretches) -> Stretches:
    found: Stretches = []
    for first, last in sorted(stretches):
        if found and first <= found[-1][1] + 1:
            found[-1][1] = max(last, found[-1][1])
        else:
            found.append([first, last])
    return found
