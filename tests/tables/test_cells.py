"""Cells of CSV files as other programs write them."""

from typing import Any

import pytest

from structout import Schema
from structout.tables.layout import ABSENT, Layout

SCHEMA = Schema.of(
    {
        "properties": {
            "new": {"type": "boolean"},
            "count": {"type": "integer"},
            "size": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "left": {"type": ["integer", "null"]},
            "note": {"type": "string"},
            "free": {},
        },
        "required": ["note"],
    }
)


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("new", "True", True),
        ("new", "false", False),
        ("new", "1", 1),
        ("new", "NaN", "NaN"),
        ("count", "6.0", 6),
        ("count", "6.5", 6.5),
        ("count", "-6.00", -6),
        ("count", "", ABSENT),
        ("size", "6.0", 6.0),
        ("size", "NaN", None),
        ("size", "", None),
        ("size", r"\N", None),
        ("left", "NULL", None),
        ("note", "True", "True"),
        ("note", "NaN", "NaN"),
        ("note", "", ""),
        ("free", "True", "True"),
        ("other", "6.0", 6.0),
    ],
)
def test_a_cell_is_read_by_the_type_of_its_column(column: str, cell: str, value: Any) -> None:
    read = Layout.of(SCHEMA).cells()(column, cell)
    assert read == value
    assert type(read) is type(value)
