from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pytest
from pydantic import BaseModel, Field, SecretStr

from structout import Completion, Prompt, Scripted, SpecError, extract_table


class Bolt(BaseModel):
    """A bolt with a column of each kind."""

    kind: Literal["hex", "flange"]
    size: float | None
    made: date
    count: int


ANSWERS = {
    "hex": '{"kind": "hex", "size": 6.5, "made": "2026-01-02", "count": 3}',
    "flange": '{"kind": "flange", "size": null, "made": "2026-01-03", "count": 1e30}',
    "odd": "no JSON",
    "big": f'{{"kind": "hex", "size": 1, "made": "2026-01-02", "count": {10**20}}}',
}
ROWS = {"id": [1, 2, 3, 4], "text": ["hex", "odd", None, "big"]}


def _given(kind: str) -> Any:
    if kind in ("pandas", "polars"):
        return pytest.importorskip(kind).DataFrame(ROWS)
    table = pa.table(ROWS)
    return duckdb.from_arrow(table) if kind == "duckdb" else table.to_batches()[0] if kind == "batch" else table


@pytest.mark.parametrize("kind", ["table", "batch", "duckdb", "pandas", "polars"])
def test_a_table_in_is_a_typed_table_out(kind: str) -> None:
    made = extract_table(_given(kind), Bolt, Scripted(ANSWERS), "Prompted()")
    assert made.column_names == ["id", "text", "kind", "size", "made", "count", "_status", "_issues"]
    assert made.schema.field("made").type == pa.date32()
    assert made.schema.field("count").type == pa.int64()
    assert made["id"].to_pylist() == [1, 2, 3, 4]
    assert made["_status"].to_pylist() == ["valid", "invalid", "invalid", "rejected"]
    first, second, third, fourth = made.select(["kind", "size", "made", "count", "_issues"]).to_pylist()
    assert first == {"kind": "hex", "size": 6.5, "made": date(2026, 1, 2), "count": 3, "_issues": []}
    for row, said in ((second, "no JSON"), (third, "blank"), (fourth, "cannot hold")):
        assert [row[name] for name in ("kind", "size", "made", "count")] == [None] * 4
        assert said in " ".join(row["_issues"])


def test_columns_are_kept_or_left_out() -> None:
    table = pa.table({**ROWS, "kind": ["a"] * 4})
    model = Scripted(ANSWERS)
    assert extract_table(table, Bolt, model, "Prompted()", keep=["id"]).column_names[:2] == ["id", "kind"]
    assert extract_table(table, Bolt, model, "Prompted()", keep=[]).column_names[0] == "kind"
    assert extract_table(table.slice(0, 0), Bolt, model, "Prompted()", keep=[]).num_rows == 0


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (["hex"], {}, "invalid table: got list"),
        (ROWS, {}, "got dict"),
        (pa.table(ROWS), {"column": "words"}, "no column 'words'"),
        (pa.table({**ROWS, "kind": [1] * 4}), {}, "both have a column 'kind'"),
        (pa.table([[1], ["a"], ["b"]], names=["id", "text", "text"]), {}, "two columns 'text'"),
    ],
)
def test_another_table_is_refused_before_a_model_is_asked(table: Any, options: dict[str, Any], message: str) -> None:
    model = Scripted(ANSWERS)
    with pytest.raises(SpecError, match=message):
        extract_table(table, Bolt, model, "Prompted()", **options)
    assert model.calls == 0


def test_a_record_has_no_field_named_as_a_column_of_the_result() -> None:
    class Sent(BaseModel):
        status: str = Field(alias="_status")

    model = Scripted('{"_status": "sent"}')
    with pytest.raises(SpecError, match="the records have a column '_status'"):
        extract_table(pa.table(ROWS), Sent, model, "Prompted()")
    assert model.calls == 0


def test_secrets_are_shown_on_demand_only() -> None:
    class Login(BaseModel):
        password: SecretStr

    model = Scripted('{"password": "hunter2"}')
    with pytest.raises(SpecError, match="hides fields that a table would show: password") as caught:
        extract_table(pa.table(ROWS), Login, model, "Prompted()")
    assert ("write_secrets=True" in caught.value.hint, model.calls) == (True, 0)
    made = extract_table(pa.table(ROWS).slice(0, 1), Login, model, "Prompted()", write_secrets=True)
    assert made["password"].to_pylist() == ["hunter2"]


def test_a_model_that_works_in_batches_gets_the_whole_table_at_once() -> None:
    asked: list[int] = []

    class InBatches:
        name = "model#batch"

        def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
            asked.append(len(prompts))
            return [Completion(ANSWERS["hex"]) for _ in prompts]

    table = pa.table({"text": [f"bolt {number}" for number in range(100)]})
    assert extract_table(table, Bolt, InBatches(), "Prompted()").num_rows == 100
    assert asked == [100]
