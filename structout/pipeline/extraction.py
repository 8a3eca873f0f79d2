"""Extraction of validated records from texts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from structout import defaults
from structout.completion import Sampling
from structout.errors import DamagedError, DataError, SpecError
from structout.models import Model, Strict, model_of
from structout.pipeline.chunks import in_order, interruptible
from structout.pipeline.failures import Failures
from structout.pipeline.job import Job, begun
from structout.pipeline.journal.journal import Journal
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.run import unknown
from structout.result import Example, Result
from structout.schema import Schema
from structout.strategies import Strategy, strategy_of, with_models
from structout.strategies.refusals import Refusals, refusals_of
from structout.tables.rows import Row, rows_of

T = TypeVar("T")


@overload
def extract(
    text: str,
    schema: type[T] | Schema[T],
    model: Model | str = ...,
    strategy: Strategy | str = ...,
    *,
    examples: Sequence[Example] = ...,
    sampling: Sampling | None = ...,
) -> Result[T]: ...
@overload
def extract(
    text: str,
    schema: Any,
    model: Model | str = ...,
    strategy: Strategy | str = ...,
    *,
    examples: Sequence[Example] = ...,
    sampling: Sampling | None = ...,
) -> Result[Any]: ...
def extract(
    text: str,
    schema: Any,
    model: Model | str = defaults.MODEL,
    strategy: Strategy | str = defaults.STRATEGY,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
) -> Result[Any]:
    """Turn one text into a validated record. The parameters are those of `extract_many`."""
    (result,) = extract_many([text], schema, model, strategy, examples=examples, sampling=sampling)
    return result


def extract_many(
    texts: Iterable[str],
    schema: Any,
    model: Model | str = defaults.MODEL,
    strategy: Strategy | str = defaults.STRATEGY,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
    chunk: int | None = None,
    journal: str | Path | None = None,
    private: bool = False,
    on_error: Literal["raise", "result"] = "raise",
) -> Iterator[Result[Any]]:
    """Turn texts into validated records: one result per text, in input order, as soon as it is known.

    `schema` is anything that `Schema.of` takes, `model` a `Model` or a name for `load_model`, `strategy` a `Strategy`
    or an expression for `load_strategy`. Texts are read lazily, `chunk` at a time: by default 32, and 5,000 for a
    model that works in batches. A bad text becomes a result with issues. Only an invalid schema, model or strategy
    raises, and a model that fails, or that refuses the first ten texts for one reason.

    With `on_error="result"`, a text on which the model fails becomes a result with the reason as its issue, and the
    same call with the same journal asks for this text again. Ten such texts in a row still raise, and so does an error
    that concerns all texts, such as a rejected key.

    `journal` is a file that keeps every answer and every result as it arrives. After an interruption, the same call
    yields the kept results without asking again, and then continues. A journal that is in use, or that belongs to
    another schema, strategy, model, prompt, sampling or input, raises `JournalError`. If a part of the journal is
    damaged, a `StructoutWarning` names its rows, and they are asked again. A `private` journal is readable only by its
    owner (0600); the mode of any other journal follows the umask.
    """
    texts = _listed(texts)
    job = Job(
        Schema.of(schema),
        model_of(model),
        with_models(strategy_of(strategy), Strict),
        tuple(examples),
        sampling or Sampling(),
    )
    chunk = chunk or job.chunk
    if on_error not in ("raise", "result"):
        raise SpecError(f"invalid on_error: got {on_error!r:.40}", hint="give 'raise' or 'result'")
    if journal is None:
        return _passing(texts, job, chunk, tolerant=on_error == "result")
    job = begun(job, journal)
    kept = Journal(journal, job.identity(), private=private)
    return _kept(texts, job, kept, chunk, tolerant=on_error == "result")


def _listed(texts: Any) -> Iterable[str]:
    """The texts one by one: an array of Arrow as a list. Raises `SpecError` for one text, a mapping or a table."""
    kind = type(texts)
    if hasattr(kind, "columns") or hasattr(kind, "column_names") or isinstance(texts, Mapping):
        raise SpecError(f"invalid texts: got a table ({kind.__name__})", hint="give one column, as in table['text']")
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise SpecError(f"invalid texts: got {texts!r:.80}", hint="give a list of texts, or call extract for one text")
    return texts.to_pylist() if hasattr(texts, "to_pylist") else texts


Done = tuple[Row, Result[Any], RowOutcome | None]  # None: the journal needs no entry


def _passing(texts: Iterable[str], job: Job, chunk: int, *, tolerant: bool) -> Iterator[Result[Any]]:
    def plain(rows: list[Row]) -> list[Done]:
        return [(row, one, None) for row, one in zip(rows, job.results([row.text for row in rows]), strict=True)]

    ask = partial(_asked, job, tolerant=True) if tolerant else plain
    refusals, failures = Refusals[Result[Any]](job.max_errors), Failures(job.max_errors)
    with interruptible(in_order(rows_of(texts), ask, chunk, keeps=False)) as found:
        for done in found:
            refusals.told(refusals_of(result) for _, result, _ in done)
            for _, result, outcome in done:
                refusals.passed(result, refusals_of(result))
                if outcome is not None:
                    failures.passed(outcome)
            yield from (result for _, result, _ in done)


def _asked(job: Job, rows: list[Row], *, tolerant: bool) -> list[Done]:
    """The results of rows that are asked now, with their outcomes."""
    if tolerant:
        return [(row, one.result(job.schema), one) for row, one in zip(rows, job.outcomes(rows), strict=True)]
    results = job.results([row.text for row in rows])
    return [(row, result, job.outcome(row, result)) for row, result in zip(rows, results, strict=True)]


def _kept(texts: Iterable[str], job: Job, journal: Journal, chunk: int, *, tolerant: bool) -> Iterator[Result[Any]]:
    recorded = job.recorded(journal, tolerant=tolerant)

    def work(rows: list[Row]) -> list[Done]:
        missing = {row.position for row in unknown(rows, journal)}
        results: dict[int, Result[Any]] = {}
        wrong: dict[int, str] = {}
        for row in rows:
            if row.position not in missing:
                try:
                    results[row.position] = journal.outcome(row.position).result(job.schema)
                except (DataError, DamagedError) as error:
                    wrong[row.position] = error.message
        journal.distrust(wrong)
        new = [row for row in rows if row.position not in results]
        asked = {row.position: (row, result, one) for row, result, one in _asked(recorded, new, tolerant=tolerant)}
        return [asked.get(row.position) or (row, results[row.position], None) for row in rows]

    refusals, failures = Refusals[Done](job.max_errors), Failures(job.max_errors)

    def keep(done: list[Done]) -> None:
        journal.add_outcomes([(row.position, row.digest, outcome) for row, _, outcome in done if outcome is not None])

    with journal, interruptible(in_order(rows_of(texts), work, chunk)) as found:
        journal.forget_errors()
        for done in found:
            refusals.told(refusals_of(result) for _, result, _ in done)
            keep([kept for one in done for kept in refusals.passed(one, refusals_of(one[1]))])
            for _, _, outcome in done:
                if outcome is not None:
                    failures.passed(outcome)
            yield from (result for _, result, _ in done)
        keep(refusals.rest())
