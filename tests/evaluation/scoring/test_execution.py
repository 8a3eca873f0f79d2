"""Queries are compared by what they return."""

import sqlite3
from pathlib import Path

import pytest

from structout import DataError
from structout.evaluation.scoring.execution import Execution
from structout.language import Sql

DDL = "CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, kilos REAL);"
DATA = (
    "INSERT INTO pet VALUES (1, 'Mo', 'cat', 4.1), (2, 'Ada', 'dog', 20), (3, 'Ole', 'cat', NULL), (4, 'Mo', 'dog', 9);"
)
PETS = Execution(Sql(DDL), DATA)


@pytest.mark.parametrize(
    ("expected", "answer", "same"),
    [
        ("SELECT name FROM pet WHERE kind = 'cat'", "select p.name as who from pet p where kind <> 'dog'", True),
        ("SELECT name FROM pet", "SELECT name FROM pet ORDER BY name", True),
        ("SELECT name FROM pet ORDER BY id", "SELECT name FROM pet ORDER BY name", False),
        ("SELECT name FROM pet WHERE id IN (SELECT id FROM pet ORDER BY id)", "SELECT name FROM pet ORDER BY 1", True),
        ("SELECT name FROM pet WHERE name <> ' ORDER BY '", "SELECT name FROM pet ORDER BY kilos", True),
        ("SELECT name FROM pet", "SELECT DISTINCT name FROM pet", False),
        ("SELECT id, name FROM pet", "SELECT name, id FROM pet", False),
        ("SELECT name FROM pet", "SELECT name, kind FROM pet", False),
        ("SELECT COUNT(*) FROM pet", "SELECT 4.0", True),
        ("SELECT SUM(kilos) FROM pet", "SELECT 33.1000000001", True),
        ("SELECT name FROM pet WHERE id = 3", "SELECT 'ole'", False),
        ("SELECT kilos FROM pet WHERE id = 3", "SELECT NULL", True),
        ("SELECT name FROM pet WHERE id = 9", "SELECT name FROM pet WHERE id = 10", True),
        ("SELECT name FROM pet", "SELECT nme FROM pet", False),
        ("SELECT name FROM pet", "DELETE FROM pet", False),
    ],
)
def test_the_same_rows_are_the_same(expected: str, answer: str, same: bool) -> None:
    assert PETS.same(expected, answer) is same


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i FROM n",
        "SELECT LENGTH(ZEROBLOB(100000000))",
        "SELECT sql FROM sqlite_master",
    ],
    ids=["endless", "many rows", "much memory", "the catalogue"],
)
def test_what_runs_away_or_looks_elsewhere_is_wrong(query: str) -> None:
    with pytest.raises(sqlite3.Error):
        PETS.rows(query)
    assert not PETS.same("SELECT name FROM pet", query)


def test_a_label_or_data_that_fail_are_named() -> None:
    with pytest.raises(DataError, match="expected query"):
        PETS.same("SELECT nme FROM pet", "SELECT name FROM pet")
    with pytest.raises(DataError, match="data"):
        Execution(Sql(DDL), "INSERT INTO dog VALUES (1)").rows("SELECT name FROM pet")


def test_an_order_that_is_not_stated_shows() -> None:
    query = "SELECT id FROM pet LIMIT 1"
    assert PETS.rows(query) == [(1,)]
    assert PETS.rows(query, reversed_scans=True) == [(4,)]


@pytest.mark.parametrize(
    "script",
    [
        "ATTACH DATABASE '{}' AS other; CREATE TABLE other.t (x);",
        "VACUUM INTO '{}';",
        "PRAGMA temp_store_directory = '{}';",
    ],
)
def test_data_write_no_file(tmp_path: Path, script: str) -> None:
    reaching = Execution(Sql(DDL), DATA + script.format(tmp_path / "new.db"))
    with pytest.raises(DataError, match="cannot insert the data"):
        reaching.rows("SELECT name FROM pet")
    assert not list(tmp_path.iterdir())
