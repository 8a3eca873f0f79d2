"""Extraction of validated records from texts."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from structout import defaults
from structout.completion import Sampling, Usage
from structout.errors import BudgetError, DamagedError, DataError, SpecError
from structout.models import Model, Strict, model_of
from structout.pipeline.bar import bar
from structout.pipeline.budget import Budget, used_up, within_budget
from structout.pipeline.chunks import in_order, interruptible
from structout.pipeline.failures import Failures
from structout.pipeline.job import Job, begun, priced
from structout.pipeline.journal.journal import Journal
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.progress import Progress
from structout.pipeline.remembered import Remembered
from structout.pipeline.run import unknown
from structout.prices import Price, Prices, named, with_known
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
    prices: Prices | Mapping[str, Price | Sequence[float]] | None = None,
    budget: Budget | None = None,
    progress: Callable[[Progress], object] | bool = False,
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

    `prices` are US dollars for a million tokens, `{MODEL: (INPUT, OUTPUT)}`; a model without one has the price that
    genai-prices knows. Nothing is sent that could exceed the `budget`. At its end, `BudgetError` is raised after the
    results that are known, and with a journal the same call with a higher budget goes on. If it is too small
    for one text, the error is not `retryable`. A budget in dollars where a price is unknown raises `SpecError`. Without
    a journal, a budget limits this call alone, and the last 10,000 answers are remembered, so that equal prompts are
    asked once.

    `progress` is called with a `Progress` after each result; True shows a bar on stderr.

        model, seen = Scripted('{"size_mm": 6}'), []
        schema = {"type": "object", "properties": {"size_mm": {"type": "integer"}}}
        costs, budget = {"scripted": (0.15, 0.60)}, Budget(usd=0.01)
        made = extract_many(["M6", "M6 nut"], schema, model, prices=costs, budget=budget, progress=seen.append)
        assert [result.value for result in made] == [{"size_mm": 6}, {"size_mm": 6}]
        assert (seen[-1].done, seen[-1].total) == (2, 2)
        assert 0 < seen[-1].cost < 0.01
    """
    total = len(texts) if isinstance(texts, Sized) else None
    texts = _listed(texts)
    job = Job(
        Schema.of(schema),
        model_of(model),
        with_models(strategy_of(strategy), Strict),
        tuple(examples),
        sampling or Sampling(),
    )
    chunk = chunk or job.chunk
    if prices is not None or budget is not None or progress:
        job = _with_prices(job, prices, budget)
    if on_error not in ("raise", "result"):
        raise SpecError(f"invalid on_error: got {on_error!r:.40}", hint="give 'raise' or 'result'")
    tolerant = on_error == "result"
    if journal is None:
        if budget is not None and job.in_waves:
            raise SpecError("a budget for a model with #batch needs a journal", hint="give journal=PATH")
        found = _passing(texts, job, chunk, budget, tolerant=tolerant)
    else:
        job = begun(job, journal)
        kept = Journal(journal, job.identity(), private=private)
        found = _kept(texts, job, kept, chunk, budget, tolerant=tolerant)
    return found if progress is False else _watched(found, job.prices, total, progress)


def _with_prices(job: Job, prices: Prices | Mapping[str, Price | Sequence[float]] | None, budget: Budget | None) -> Job:
    """The job with its prices. Raises `SpecError` for invalid prices, and if the budget needs an unknown price."""
    table = named(Prices.of(prices or {}).table, [job.model.name])
    job = replace(job, prices=Prices(with_known(table, job.models())))
    if budget is not None:
        priced(job, budget)
    return job


def _watched(
    results: Generator[Result[Any], None, None],
    prices: Prices,
    total: int | None,
    progress: Callable[[Progress], object] | bool,
) -> Generator[Result[Any], None, None]:
    """The results, with `progress` called after each."""
    began, accepted, used, cost = time.monotonic(), 0, Usage(), 0.0 if prices.table else None
    with closing(results), nullcontext(progress) if callable(progress) else bar(total) as tell:
        for done, result in enumerate(results, 1):
            calls = [(one.model, one.completion.usage) for one in (*result.attempts, *result.checks)]
            paid = prices.cost(calls)
            accepted, used = accepted + result.ok, sum((usage for _, usage in calls), used)
            cost = None if cost is None or paid is None else cost + paid
            tell(
                Progress(
                    done=done,
                    total=total,
                    accepted=accepted,
                    tokens=used.input_tokens + used.output_tokens,
                    estimated_tokens=used.estimated_tokens,
                    cost=cost,
                    seconds=time.monotonic() - began,
                )
            )
            yield result


def _listed(texts: Any) -> Iterable[str]:
    """The texts one by one: an array of Arrow as a list. Raises `SpecError` for one text, a mapping or a table."""
    kind = type(texts)
    if hasattr(kind, "columns") or hasattr(kind, "column_names") or isinstance(texts, Mapping):
        raise SpecError(f"invalid texts: got a table ({kind.__name__})", hint="give one column, as in table['text']")
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise SpecError(f"invalid texts: got {texts!r:.80}", hint="give a list of texts, or call extract for one text")
    return texts.to_pylist() if hasattr(texts, "to_pylist") else texts


Done = tuple[Row, Result[Any], RowOutcome | None]  # None: the journal needs no entry


def _passing(
    texts: Iterable[str], job: Job, chunk: int, budget: Budget | None, *, tolerant: bool
) -> Generator[Result[Any], None, None]:
    memory, stopped = Remembered(), list[BudgetError]()
    asking = job if budget is None else job.recorded(memory, budget, tolerant=tolerant)

    def plain(rows: list[Row]) -> list[Done]:
        return [(row, one, None) for row, one in zip(rows, asking.results([row.text for row in rows]), strict=True)]

    ask = within_budget(partial(_asked, asking, tolerant=True) if tolerant else plain, stopped)
    rows, expected = takewhile(lambda row: not stopped, rows_of(texts)), 0
    refusals, failures = Refusals[Result[Any]](job.max_errors), Failures(job.max_errors)
    at_once = 2 if budget is None else 1  # a second chunk would be paid for, and lost if the budget ends the first
    with interruptible(in_order(rows, ask, chunk, at_once, keeps=False)) as found:
        for done in found:
            refusals.told(refusals_of(result) for _, result, _ in done)
            for _, result, outcome in done:
                refusals.passed(result, refusals_of(result))
                if outcome is not None:
                    failures.passed(outcome)
            for row, result, _ in done:
                if row.position == expected:  # after a row that the budget left out, none is in order
                    expected += 1
                    yield result
    if stopped:
        raise _at_the_end(stopped, memory.spent(), "give journal=PATH too, so that the same call goes on")


def _at_the_end(stopped: list[BudgetError], spent: Mapping[str, Usage], hint: str) -> BudgetError:
    """The error at the end of a budget, with a hint for a program."""
    error = used_up(stopped, spent)
    smaller = "lower max_tokens, or name the dialect of a server, which then needs no probe: MODEL#json_schema"
    error.hint = f"raise the budget{f'; {hint}' if error.retryable else f', {smaller}'}"
    return error


def _asked(job: Job, rows: list[Row], *, tolerant: bool) -> list[Done]:
    """The results of rows that are asked now, with their outcomes."""
    if tolerant:
        return [(row, one.result(job.schema), one) for row, one in zip(rows, job.outcomes(rows), strict=True)]
    results = job.results([row.text for row in rows])
    return [(row, result, job.outcome(row, result)) for row, result in zip(rows, results, strict=True)]


def _kept(
    texts: Iterable[str], job: Job, journal: Journal, chunk: int, budget: Budget | None, *, tolerant: bool
) -> Generator[Result[Any], None, None]:
    recorded, stopped = job.recorded(journal, budget, tolerant=tolerant), list[BudgetError]()
    ask = within_budget(partial(_asked, recorded, tolerant=tolerant), stopped)

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
        found: dict[int, Done] = {done[0].position: done for done in ask(new)}
        found |= {row.position: (row, results[row.position], None) for row in rows if row.position in results}
        return [found[row.position] for row in rows if row.position in found]

    refusals, failures = Refusals[Done](job.max_errors), Failures(job.max_errors)

    def keep(done: list[Done]) -> None:
        journal.add_outcomes([(row.position, row.digest, outcome) for row, _, outcome in done if outcome is not None])

    rows, expected = takewhile(lambda row: not stopped, rows_of(texts)), 0
    with journal, interruptible(in_order(rows, work, chunk)) as found:
        journal.forget_errors()
        for done in found:
            refusals.told(refusals_of(result) for _, result, _ in done)
            keep([kept for one in done for kept in refusals.passed(one, refusals_of(one[1]))])
            for _, _, outcome in done:
                if outcome is not None:
                    failures.passed(outcome)
            for row, result, _ in done:
                if row.position == expected:  # after a row that the budget left out, none is in order
                    expected += 1
                    yield result
        keep(refusals.rest())
        if stopped:
            raise _at_the_end(stopped, journal.spent(), "the same call with this journal goes on")
        journal.end(expected)
