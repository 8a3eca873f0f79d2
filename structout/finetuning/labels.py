"""Labels from an expensive strategy, as training data for a cheap model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from structout.completion import Sampling
from structout.models import Model, load_model
from structout.pipeline.job import Job, begun
from structout.pipeline.journal.journal import Journal
from structout.pipeline.progress import Tally
from structout.pipeline.run import local, process
from structout.result import Example, Result
from structout.schema import Schema
from structout.schema.written import without_defaults
from structout.strategies import Strategy, load_strategy
from structout.surfaces import json_text
from structout.tables.rows import Row, rows_of


def label(
    texts: Iterable[Any],
    schema: Schema[Any],
    model: Model | str,
    strategy: Strategy | str,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
    journal: str | Path = ":memory:",
    fresh: bool = False,
    progress: Callable[[Tally], None] = lambda tally: None,
) -> tuple[list[Example], Tally]:
    """Label texts with the documents that a strategy accepts; returns the labelled records in order, and the counts.

    A label is the document as the schema's type dumps it, without defaults. If the model fails on a text, the other
    texts go on. `journal` is a file that keeps every answer as it comes: after an interruption the same call resumes,
    and asks again where the model failed. Raises as `pipeline.run.process`.
    """
    seen: list[Any] = []

    def rows() -> Iterator[Row]:
        for row in rows_of(texts):
            seen.append(row.text)
            yield row

    job = Job(
        schema,
        load_model(model) if isinstance(model, str) else model,
        load_strategy(strategy) if isinstance(strategy, str) else strategy,
        tuple(examples),
        sampling or Sampling(),
    )
    job = job if fresh else begun(job, journal)
    with Journal(journal, job.identity(), fresh=fresh) as kept:
        tally = process(rows(), job, kept, local(), progress=progress)
        outcomes = [(text, kept.outcome(place)) for place, text in enumerate(seen)]
    return [Example(text, written(schema, one.result(schema))) for text, one in outcomes if one.ok], tally


def written(schema: Schema[Any], result: Result[Any]) -> Any:
    """The document as a label; of a Pydantic type without defaults, so that answers are shorter."""
    if schema.adapter is None:
        return result.document if result.status == "valid" else schema.written(result)
    return without_defaults(schema.written(result), schema.json_schema)


def line(example: Example) -> str:
    """A labelled record as a line of a JSONL data set, in the train split."""
    return json_text({"text": example.text, "expected": example.document, "split": "train"})
