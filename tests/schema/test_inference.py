"""A model inferred from labels: it imports, accepts every label, and holds no code of a label."""

import ast
import datetime
import sys
import types
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from structout import Schema
from structout.schema.inference import infer

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
KEYS = TEXTS | st.sampled_from(
    [
        "", "class", "date", "dt", "str", "None", "none", "copy", "json", "model_dump_x", "__init__", "_x", "a-b",
        "a b", "a_b", "Record", "BaseModel", "Inner", "inner", "ﬁ", "fi", "²", "1", "İ", '"""', "'",
        '"', "\\", "\n", "#", "{x}",
        '"); import os; os.abort() #', "Größe", "数量", "_more", "value", "x" * 200,
    ]
)  # fmt: skip
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.sampled_from(["hex", "flange", "2024-02-29", "2023-02-29", "0001-01-01"])
)
DOCUMENTS = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
DEEP: dict[str, Any] = {"x": 1}
for _ in range(12):
    DEEP = {"x": [DEEP]}
LABELS = st.lists(st.dictionaries(KEYS, DOCUMENTS, max_size=5), min_size=1, max_size=5)


def model_of(source: str) -> type[BaseModel]:
    """The model in the text of a module."""
    module = types.ModuleType("inferred_by_a_test")
    sys.modules[module.__name__] = module
    exec(compile(source, "schema.py", "exec"), vars(module))
    (name,) = vars(module)["__all__"]
    found: type[BaseModel] = vars(module)[name]
    return found


def fields(labels: list[dict[str, Any]]) -> dict[str, str]:
    """The fields of the inferred model as they are written."""
    tree = ast.parse(infer(labels).source)
    (record,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Record")
    return {
        ast.unparse(line.target): ast.unparse(line.annotation) + (f" = {ast.unparse(line.value)}" if line.value else "")
        for line in record.body
        if isinstance(line, ast.AnnAssign)
    }


@given(LABELS)
@example([{"a": {"b": 1}, "A": {"b": 1}, "A2": 1}])
@example([DEEP])
@example([{"many": {str(n): n for n in range(150)}}])
@example([{"Any": None, "Literal": "Literal", "Field": 1}, {}])
@example([{"a b": 1, "a_b": 2, "a-b": 3}, {"a b": None}])
def test_the_module_imports_and_every_label_complies(labels: list[dict[str, Any]]) -> None:
    schema = Schema.of(model_of(infer(labels).source))
    for label in labels:
        checked = schema.check(label)
        assert checked.issues == ()


@given(LABELS)
def test_a_label_brings_no_code_into_the_module(labels: list[dict[str, Any]]) -> None:
    tree = ast.parse(infer(labels).source)
    for node in tree.body:
        assert isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef | ast.Assign | ast.Expr)
        if isinstance(node, ast.ClassDef):
            assert all(isinstance(line, ast.AnnAssign | ast.Expr) for line in node.body)
    imported = {one.name for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for one in node.names}
    assert imported <= {"datetime", "Any", "Literal", "BaseModel", "Field"}
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert called <= {"Field"}
    assert infer(labels).source.isprintable() or all(c.isprintable() or c == "\n" for c in infer(labels).source)


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (["M6", "M8"], "str"),
        ([1, 2], "int"),
        ([1, 2.5], "float"),
        ([10**20, 2.5], "int | float"),
        ([True, False], "bool"),
        (["2024-02-29", "2023-01-01"], "dt.date"),
        (["2023-02-29", "2023-01-01"], "str"),
        (["2024-02-29", None], "dt.date | None"),
        (["hex", "flange", "hex"] * 2, "Literal['hex', 'flange']"),
        (["hex", "flange", "hex"] * 2 + [None], "Literal['hex', 'flange'] | None"),
        (["EUR"] * 9, "str"),
        ([str(n) for n in range(13)] * 9, "str"),
        ([None], "str | None"),
        ([1, "x"], "int | str"),
        ([["a"], [], None], "list[str] | None"),
        ([[1, None]], "list[int | None]"),
        ([{"b": 1}], "A"),
    ],
)
def test_a_type_is_as_narrow_as_the_values_justify(values: list[Any], written: str) -> None:
    assert fields([{"a": value} for value in values]) == {"a": written}


def test_a_missing_field_has_a_default_and_an_awkward_key_an_alias() -> None:
    found = fields([{"size (mm)": 6.5, "class": "x", "note": "y"}, {"size (mm)": 1, "class": "y"}])
    assert found == {
        "size_mm": "float = Field(alias='size (mm)')",
        "class_": "str = Field(alias='class')",
        "note": "str | None = None",
    }
    model = model_of(infer([{"day": "2024-02-29", "Größe": 1}]).source)
    assert model(day=datetime.date(2024, 2, 29), Größe=1).model_dump() == {
        "day": datetime.date(2024, 2, 29),
        "Größe": 1,
    }


def test_closed_lists_are_named_for_people_to_complete() -> None:
    assert infer([{"kind": one, "name": str(n)} for n, one in enumerate(["a", "b"] * 3)]).closed == ("kind",)
