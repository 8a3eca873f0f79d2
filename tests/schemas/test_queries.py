"""The task `queries`: its data tell queries apart that mean different things."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator

import pytest

from structout import Dataset
from structout.evaluation.scoring.execution import Execution
from structout.language import Sql
from tests.conftest import ROOT

FOLDER = ROOT / "schemas/queries"
QUERIES = Dataset.load(FOLDER)
EXPECTED = {record.key: str(record.expected) for record in QUERIES}
_CONDITION = re.compile(r" (?:AND|WHERE) [\w.]+ (?:(?:=|<>|[<>]=?|LIKE) (?:'[^']*'|[\w.]+)|IS (?:NOT )?NULL)")
_ORDERED = re.compile(r"SELECT .*? FROM (.*) ORDER BY (.+?)( ASC| DESC)?(?: LIMIT (\d+))?")
_SWAPS = {
    " = ": (" <> ",),
    " <> ": (" = ",),
    " > ": (" >= ", " < "),
    " >= ": (" > ", " < "),
    " < ": (" <= ", " > "),
    " <= ": (" < ", " > "),
    " IS NULL": (" IS NOT NULL",),
    " IS NOT NULL": (" IS NULL",),
    " NOT IN (": (" IN (",),
    " IN (": (" NOT IN (",),
    " AND ": (" OR ",),
    " LIKE ": (" NOT LIKE ",),
    "DISTINCT ": ("",),
    " DESC": ("", " ASC"),
    " ASC": (" DESC",),
    "AVG(": ("SUM(", "MIN(", "MAX("),
    "SUM(": ("AVG(", "MAX("),
    "MAX(": ("MIN(", "COUNT("),
    "MIN(": ("MAX(", "COUNT("),
}


@pytest.fixture(scope="module")
def execution() -> Execution:
    assert isinstance(QUERIES.schema.language, Sql)
    return Execution(QUERIES.schema.language, (FOLDER / "data.sql").read_text(encoding="utf-8"))


def altered(query: str) -> Iterator[str]:
    """The query with one thing changed: an operator, an aggregate, a condition, a direction, a limit, a number."""
    for old, news in _SWAPS.items():
        for found in re.finditer(re.escape(old), query):
            before = query[: found.start()]
            of_between = old == " AND " and re.search(r"BETWEEN \S+$", before)
            of_not = old in (" IN (", " LIKE ") and before.endswith(" NOT")
            if not of_between and not of_not:
                yield from (before + new + query[found.end() :] for new in news)
    for found in re.finditer(
        r" (?:AND|WHERE) [\w.]+ (?:(?:=|<>|[<>]=?|LIKE) (?:'[^']*'|[\w.]+)|IS (?:NOT )?NULL)", query
    ):
        rest = query[found.end() :]
        if found[0].startswith(" WHERE"):
            rest = re.sub(r"^ AND ", " WHERE ", rest)
        yield query[: found.start()] + rest
    for found in re.finditer(r" (?:LIMIT \d+|HAVING .*?(?= ORDER|$)|ORDER BY .*)", query):
        yield query[: found.start()] + query[found.end() :]
    for found in re.finditer(r"COUNT\((?:DISTINCT )?[a-z_.]+\)", query):
        yield query[: found.start()] + "COUNT(*)" + query[found.end() :]
    for found in re.finditer(r"LIMIT (\d+)", query):
        yield f"{query[: found.start(1)]}{int(found[1]) + 1}"


def test_each_expected_query_returns_something_of_its_own(execution: Execution) -> None:
    returned = {key: execution.rows(query) for key, query in EXPECTED.items()}
    assert all(returned.values())
    assert not [key for key, rows in returned.items() if rows in ([(0,)], [(None,)])]
    assert len({str(rows) for rows in returned.values()}) == len(returned)


def test_no_expected_result_hangs_on_a_tie(execution: Execution) -> None:
    for query in EXPECTED.values():
        there, back = execution.rows(query), execution.rows(query, reversed_scans=True)
        assert there == back if " ORDER BY " in query else Counter(there) == Counter(back), query
        if ordered := _ORDERED.fullmatch(query):
            source, key, direction, limit = ordered.groups()
            keys = execution.rows(f"SELECT {key} FROM {source} ORDER BY {key}{direction or ''}")
            shown = keys[: int(limit) + 1] if limit else keys
            assert len(set(shown)) == len(shown), (query, shown)


def test_a_query_with_one_thing_changed_returns_something_else(execution: Execution) -> None:
    blind, tried = [], 0
    for query in EXPECTED.values():
        for other in altered(query):
            try:
                execution.rows(other)
            except sqlite3.Error:
                continue
            tried += 1
            if execution.same(query, other):
                blind.append((query, other))
    assert tried > 200
    assert not blind, "\n".join(map(str, blind))
