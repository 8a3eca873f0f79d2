"""Extraction from a table in memory: Arrow in, Arrow out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from structout import defaults
from structout.completion import Sampling
from structout.errors import DataError, MissingExtraError, SpecError
from structout.models import Model
from structout.pipeline.budget import Budget
from structout.pipeline.extraction import extract_many
from structout.pipeline.progress import Progress
from structout.prices import Price, Prices
from structout.result import Example, Result
from structout.schema import Schema
from structout.schema.hidden import check_hidden
from structout.strategies import Strategy
from structout.tables.columnar import Bad, arrow_rows

if TYPE_CHECKING:
    import pyarrow as pa

_STATUS, _ISSUES = "_status", "_issues"


def extract_table(
    table: Any,
    schema: Any,
    model: Model | str = defaults.MODEL,
    strategy: Strategy | str = defaults.STRATEGY,
    *,
    column: str = "text",
    keep: Sequence[str] | Literal["all"] = "all",
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
    chunk: int | None = None,
    journal: str | Path | None = None,
    private: bool = False,
    on_error: Literal["raise", "result"] = "raise",
    prices: Prices | Mapping[str, Price | Sequence[float]] | None = None,
    budget: Budget | None = None,
    progress: Callable[[Progress], object] | bool = False,
    write_secrets: bool = False,
) -> "pa.Table":
    """Turn a column of texts into typed columns: one row for each row of `table`, in order.

    `table` is whatever exports Arrow streams (the Arrow PyCapsule interface): a table of Arrow, a frame of pandas or
    polars, a relation of DuckDB. The result has the columns that `keep` names, then the columns of the schema, null for
    a row without a record, then `_status` and `_issues`. `write_secrets` allows a schema with fields that Pydantic
    hides (secrets and excluded fields), whose columns show the values. The other parameters are those of
    `extract_many`. Raises also `SpecError` for something else than a table, for columns that are missing or exist
    twice, and for hidden fields, and `MissingExtraError`. At the end of a `budget`, `BudgetError` is raised
    instead; with a journal, the same call with a higher budget asks only for the rows that are missing.

        made = extract_table(pandas_frame, Part, model, "Constrained()", column="description")
        frame = made.to_pandas()
    """
    pa = _arrow()
    contract = Schema.of(schema)
    source = _table(pa, table)
    kept = source.column_names if keep == "all" else list(keep)
    _check(source, contract, column, kept)
    if not write_secrets:
        check_hidden(contract, "add write_secrets=True: the table then shows their values", "a table")
    texts = [_text(row, column) for batch in source.select([column]).to_batches() for row in arrow_rows(batch)]
    results = extract_many(
        texts,
        contract,
        model,
        strategy,
        examples=examples,
        sampling=sampling,
        chunk=chunk,
        journal=journal,
        private=private,
        on_error=on_error,
        prices=prices,
        budget=budget,
        progress=progress,
    )
    made = pa.Table.from_pylist(list(_rows(results, contract)), _layout(pa, contract))
    for name in reversed(kept):
        made = made.add_column(0, source.schema.field(name), source.column(name))
    return made


def _rows(results: Iterator[Result[Any]], contract: Schema[Any]) -> Iterator[dict[str, Any]]:
    from structout.tables.arrow import Table

    columns = Table(contract, bare=True)
    for result in results:
        issues = [str(issue) for issue in result.issues]
        try:
            record = columns.row(contract.written(result), {}) if result.ok else {}
            yield {**record, _STATUS: result.status, _ISSUES: issues}
        except DataError as error:
            yield {_STATUS: "rejected", _ISSUES: [*issues, error.message]}


def _layout(pa: Any, contract: Schema[Any]) -> Any:
    from structout.tables.arrow import Table

    fields = [(one.name, one.type) for one in Table(contract, bare=True).schema]
    return pa.schema([*fields, (_STATUS, pa.string()), (_ISSUES, pa.list_(pa.string()))])


def _text(row: dict[str, Any] | Bad, column: str) -> Any:
    return None if isinstance(row, Bad) else row[column]


def _table(pa: Any, table: Any) -> Any:
    """The table as a table of Arrow. Raises `SpecError`."""
    if isinstance(table, pa.Table | pa.RecordBatch) or hasattr(table, "__arrow_c_stream__"):
        try:
            return pa.table(table)
        except (TypeError, ValueError, pa.ArrowException) as error:
            reason = str(error).split("\n")[0][:200]
            raise SpecError(f"invalid table: {reason}", hint="give a table with named columns") from error
    hint = "give a table of Arrow, a frame of pandas or polars (collected), or a relation of DuckDB"
    raise SpecError(f"invalid table: got {type(table).__name__}", hint=hint)


def _check(source: Any, contract: Schema[Any], column: str, kept: list[str]) -> None:
    from structout.tables.arrow import columns_of

    names = source.column_names
    for name in (column, *kept):
        if names.count(name) != 1:
            problem = f"the table has no column {name!r}" if name not in names else f"it has two columns {name!r}"
            raise SpecError(problem, hint=f"name one of {', '.join(map(repr, dict.fromkeys(names[:12])))}")
    fields = columns_of(contract)
    if taken := next((name for name in (_STATUS, _ISSUES) if name in fields), None):
        hint = f"give the field another name: {taken!r} tells how the row went"
        raise SpecError(f"the records have a column {taken!r}", hint=hint)
    made = [*fields, _STATUS, _ISSUES]
    if taken := next((name for name in kept if name in made), None):
        raise SpecError(f"the table and the records both have a column {taken!r}", hint="leave it out of keep=[...]")


def _arrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", "pipeline") from error
    return pyarrow
