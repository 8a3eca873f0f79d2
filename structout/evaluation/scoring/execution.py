"""Comparison of queries by the rows that they return (execution accuracy; Zhong et al., arXiv 2010.02840)."""

import re
import sqlite3
from collections import Counter
from dataclasses import dataclass

from structout.errors import DataError
from structout.language import Database, Sql, no_files, only_read

ResultRow = tuple[int | float | str | bytes | None, ...]

_MOST_ROWS = 10_000
_LONGEST_VALUE = 1_000_000  # bytes
_INSTRUCTIONS = 20_000_000  # of SQLite's virtual machine, about a second


@dataclass(frozen=True)
class Execution:
    """Runs queries of `language` on its tables, filled with the INSERT statements of `data`."""

    language: Sql
    data: str

    def same(self, expected: str, answer: str) -> bool:
        """Whether an answer returns the same rows as the expected query.

        Columns are compared in order, whatever their names; numbers to six decimals; duplicate rows count; the order
        of rows counts if the expected query sorts them. An answer that fails or exceeds a limit is not the same.
        Raises `DataError` if the expected query fails or exceeds a limit.
        """
        try:
            wanted = self.rows(expected)
        except sqlite3.Error as error:
            raise DataError(f"the expected query failed: {error}: {expected}", hint="fix the label") from error
        try:
            given = self.rows(answer)
        except sqlite3.Error:
            return False
        return wanted == given if _sorts(expected) else Counter(wanted) == Counter(given)

    def rows(self, query: str, *, reversed_scans: bool = False) -> list[ResultRow]:
        """The rows that a query returns. `reversed_scans` reads tables backwards, to reveal an undefined order.

        Raises `sqlite3.Error` for a query that fails, writes, or exceeds a limit, and `DataError` for invalid data.
        """
        problem = self.language.problem(query)
        if problem:
            raise sqlite3.OperationalError(problem)
        with Database(self.language.ddl) as database:
            database.set_authorizer(no_files)
            try:
                database.executescript(self.data)
            except sqlite3.Error as error:
                raise DataError(f"cannot insert the data: {error}", hint="fix the data file") from error
            database.set_authorizer(None)
            if reversed_scans:
                database.execute("PRAGMA reverse_unordered_selects = ON")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            database.set_authorizer(only_read)
            database.set_progress_handler(lambda: 1, _INSTRUCTIONS)
            found = database.execute(query).fetchmany(_MOST_ROWS + 1)
        if len(found) > _MOST_ROWS:
            raise sqlite3.OperationalError(f"more than {_MOST_ROWS} rows")
        return [tuple(round(value, 6) if isinstance(value, float) else value for value in row) for row in found]


def _sorts(query: str) -> bool:
    """Whether a query has an ORDER BY outside string literals and parentheses."""
    outside = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "''", query)
    while (inner := re.sub(r"\([^()]*\)", "", outside)) != outside:
        outside = inner
    return re.search(r"\bORDER\s+BY\b", outside, re.IGNORECASE) is not None
