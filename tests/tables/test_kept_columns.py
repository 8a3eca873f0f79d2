"""Names and types of columns that stay beside records."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout import Schema, SpecError
from structout.tables.kept_columns import KeptColumns, columns_named

PART = Schema.of({"properties": {"kind": {"type": "string"}}, "required": ["kind"]})
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ([], ()),
        (["a,b", "b", "c"], ("a", "b", "c")),
        (['"a,b", c'], ("a,b", "c")),
        (["", ","], ()),
    ],
)
def test_names_of_columns(given: list[str], names: tuple[str, ...]) -> None:
    assert columns_named(given) == names


def test_two_names_that_a_database_takes_for_one() -> None:
    assert list(KeptColumns.of(("id", "ID"), "out.parquet", PART).kinds) == ["id", "ID"]
    with pytest.raises(SpecError, match="the column 'ID' cannot be kept"):
        KeptColumns.of(("id", "ID"), "out.duckdb#t", PART)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None], "string"),
        (["a", None], "string"),
        ([1, None, -(2**63)], "integer"),
        ([2**53 + 1], "integer"),
        ([2**63], "json"),
        ([1, 0.5], "number"),
        ([2**53 + 1, 0.5], "json"),
        ([True, False], "boolean"),
        ([True, 1], "json"),
        ([1, "1"], "json"),
        ([["a"]], "json"),
    ],
)
def test_a_column_has_the_type_that_holds_all_its_cells(values: list[Any], kind: str) -> None:
    columns = KeptColumns.of(("x",), "out.parquet", PART)
    for value in values:
        columns.note({"x": value})
    assert columns.kinds == {"x": kind}


@given(st.lists(VALUES, max_size=5))
def test_a_typed_column_holds_each_cell_exactly(values: list[Any]) -> None:
    pa = pytest.importorskip("pyarrow")
    from structout.tables.arrow import Table, kept_part

    columns = KeptColumns.of(("x",), "out.parquet", PART)
    for value in values:
        columns.note({"x": value})
    kept = columns.kinds
    schema = pa.schema([Table(PART, bare=True, kept=kept).schema.field("x")])
    found = pa.Table.from_pylist([kept_part(kept, {"x": value}) for value in values], schema)["x"].to_pylist()
    if kept["x"] == "json":
        import json

        found = [None if one is None else json.loads(one) for one in found]
    assert found == values
