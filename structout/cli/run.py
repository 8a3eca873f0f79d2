"""`structout run`: a file of rows in, a file of records out, none lost."""

import os
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from structout import defaults
from structout.cli.codes import DAMAGED, FAILED, INCOMPLETE, INTERRUPTED, NOTHING, PASSED
from structout.cli.console import LogFormat, put, reporter, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    ExamplesOption,
    MaxTokensOption,
    ModelOption,
    PricesOption,
    SchemaOption,
    SeedOption,
    StrategyOption,
    TemperatureOption,
    sampling,
    shown_examples,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structout.pipeline.budget import Budget
    from structout.pipeline.job import Job
    from structout.pipeline.journal.journal import Journal
    from structout.pipeline.run import Executor
    from structout.prices import Prices
    from structout.tables.output import Placing
    from structout.tables.rows import Row


class EngineName(StrEnum):
    """Where the work is done."""

    LOCAL = "local"
    RAY = "ray"


_READ = 20  # rows that a dry run reads where it asks for none
KINDS = "JSONL, CSV, either with .gz, Parquet, NAME.duckdb#TABLE"


def run(
    context: typer.Context,
    schema: SchemaOption,
    source: Annotated[
        str, typer.Option("--input", "-i", help=f"{KINDS}, a .sql file or sql:QUERY (DuckDB), text, or - for stdin.")
    ] = "-",
    output: Annotated[
        str, typer.Option("--output", "-o", help=f"Where accepted rows go: {KINDS}, or - for stdout.")
    ] = "-",
    model: ModelOption = "embedded",
    strategy: StrategyOption = defaults.STRATEGY,
    examples: ExamplesOption = None,
    max_tokens: MaxTokensOption = 512,
    temperature: TemperatureOption = 0.0,
    seed: SeedOption = 0,
    text: Annotated[str, typer.Option("--text", help="The column to read.")] = "text",
    key: Annotated[str | None, typer.Option("--key", help="The column that tells rows apart.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first rows.")] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Leave out how each record came about (_key, ...).")] = False,
    quarantine: Annotated[
        str | None, typer.Option("--quarantine", help="Where all other rows go (OUTPUT.quarantine.jsonl).")
    ] = None,
    journal: Annotated[str | None, typer.Option("--journal", help="Where the run is kept (OUTPUT.journal).")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew; answers that were paid for are kept.")] = False,
    retry_quarantine: Annotated[
        bool, typer.Option("--retry-quarantine", help="Ask again for the quarantined rows, by this strategy and model.")
    ] = False,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Ask the same prompt once.")] = True,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Rows that go to the model at a time.")] = 32,
    max_errors: Annotated[
        int, typer.Option("--max-errors", min=1, help="Stop when the model failed on so many rows in a row.")
    ] = 10,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Where the work is done: on this machine, or by Ray.")
    ] = EngineName.LOCAL,
    actors: Annotated[int, typer.Option("--actors", min=1, help="Models that Ray loads, each in its own process.")] = 2,
    price: PricesOption = None,
    prices: Annotated[str | None, typer.Option("--prices", help='JSON: {"MODEL": \\[input, output]}.')] = None,
    budget_usd: Annotated[float | None, typer.Option("--budget-usd", min=0, help="Stop before this is spent.")] = None,
    budget_tokens: Annotated[
        int | None, typer.Option("--budget-tokens", min=0, help="Stop before so many tokens are used.")
    ] = None,
    max_hours: Annotated[float | None, typer.Option("--max-hours", min=0, help="Stop after this time.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate tokens, money and time from the first rows, and stop.")
    ] = False,
    probe: Annotated[
        int, typer.Option("--probe", min=0, help="Rows a dry run asks for (and keeps); 0: it asks nothing.")
    ] = 20,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="Progress on stderr.")] = LogFormat.TEXT,
    telemetry: Annotated[
        bool,
        typer.Option("--telemetry", help="OpenTelemetry spans, for the tracer that opentelemetry-instrument sets up."),
    ] = False,
    metrics: Annotated[
        str | None, typer.Option("--metrics", help="A file that is kept up to date in Prometheus text format.")
    ] = None,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
    private: Annotated[
        bool, typer.Option("--private", help="Files that are made can be read by their owner alone (0600).")
    ] = False,
) -> None:
    """Turn a file of rows into a file of validated records: one outcome a row, resumed where it was interrupted.

    Exit 0: all rows were accepted; 1: some went to the quarantine; 2: wrong usage, or the journal was damaged: what it
    lost was asked again; 3: stopped early (budget, model, disk), or the model failed on some rows: the same command
    goes on; 4: there were no rows.
    """
    from structout.models import load_model
    from structout.pipeline.budget import Budget
    from structout.pipeline.job import Job, priced
    from structout.pipeline.journal.journal import ANSWERED, PLACED, Journal
    from structout.pipeline.run import finish, local, process
    from structout.pipeline.run import retry_quarantine as forget
    from structout.schema import Schema
    from structout.strategies import load_strategy
    from structout.tables.keys import Keys
    from structout.tables.output import check_distinct, check_field_names, check_target, check_writable, placing
    from structout.tables.rows import count_rows, read_rows

    if private:
        before = os.umask(0o077)  # of whatever writes: DuckDB and SQLite make files of their own
        context.call_on_close(lambda: os.umask(before))
    stem = "structout" if output == "-" else output.replace("#", ".")
    rest, place = quarantine or f"{stem}.quarantine.jsonl", journal or f"{stem}.journal"
    check_distinct(
        {"--input": source, "--output": output, "--quarantine": rest, "--journal": place, "--metrics": metrics}
    )
    contract = Schema.of(schema)
    way = load_strategy(strategy)
    check_target(output)
    check_field_names(output, contract, bare=bare)
    for file in filter(None, (rest, place, metrics)):
        check_writable(file)
    rows = read_rows(source, text=text, key=key, limit=limit)
    first = list(islice(rows, 1))  # an input that cannot be read, or not so, leaves no journal behind
    total = count_rows(source, limit=limit)
    if dry_run and not first:
        _nothing()
    who = load_model(model)
    budget = Budget(budget_usd, budget_tokens, max_hours)
    job = Job(
        contract, who, way, shown_examples(examples, contract), sampling(max_tokens, temperature, seed),
        _prices(who.name, price, prices), max_errors,
    )  # fmt: skip
    priced(job, budget)
    job = job.traced() if telemetry else job
    how = (
        local(chunk, budget, cache=cache)
        if engine is EngineName.LOCAL
        else _ray(job, schema, model, chunk, actors, budget, cache=cache)
    )
    keys = Keys()
    rows, into = keys.seen(chain(first, rows)) if key else chain(first, rows), placing(output, contract, bare=bare)
    same = () if fresh else ("schema",) if retry_quarantine else None
    known = "" if fresh else PLACED if retry_quarantine else ANSWERED
    keep = known == ANSWERED and probe > 0  # of a dry run: what another run left stays as it is
    with Journal(
        place, job.identity(), fresh=fresh and not dry_run, only=same, adopt=keep or not dry_run,
        private=private, mend=not dry_run,
    ) as kept:  # fmt: skip
        try:
            if dry_run:
                kept.overlook(known)
                _estimate(rows, job, kept, how, total, probe, into, keep=keep)
                return
            if retry_quarantine:
                say(f"{forget(kept, job, into):,} rows are asked again")
            with reporter(log_format, metrics) as report:
                tally = process(rows, job, kept, how, total=total, progress=report, place=into)
            accepted, others = finish(kept, job, tally.done, output, rest, bare=bare, limit=limit)
            failed = kept.counts(limit).get("error", 0)
        except KeyboardInterrupt:
            done = f"{kept.last() + 1:,} rows are done"
            say(f"interrupted: what was answered is kept in {place} ({done}); the same command goes on")
            raise typer.Exit(INTERRUPTED) from None
    if tally.done == 0:
        _nothing()
    say(f"{tally.done:,} rows in = {accepted:,} to {output} + {others:,} to {rest}")
    if keys.repeated:
        say(f"{keys.repeated:,} of them have a key ({key}) that an earlier one has: it does not tell rows apart")
    if failed:
        say(f"the model failed on {failed:,} of them; the same command asks for these again")
    if kept.damaged:
        say(f"{place} held what cannot be trusted (see above); it was asked again")
        raise typer.Exit(DAMAGED)
    if failed:
        raise typer.Exit(INCOMPLETE)
    raise typer.Exit(FAILED if others else PASSED)


def _nothing() -> NoReturn:
    say("nothing to do: the input holds no rows")
    raise typer.Exit(NOTHING)


def _prices(model: str, price: list[str] | None, listed: str | None) -> "Prices":
    from structout.prices import Prices, read_prices

    table = dict(Prices.load(listed).table) if listed else {}
    return Prices(table | read_prices(price or [], model))


def _ray(job: "Job", schema: str, model: str, chunk: int, actors: int, budget: "Budget", *, cache: bool) -> "Executor":
    from structout.pipeline.recipe import Recipe
    from structout.ray import engine

    place = str(Path(schema).resolve()) if Path(schema).exists() else schema  # a worker stands in another folder
    recipe = Recipe(place, model, job.strategy, job.examples, job.sampling, dict(job.prices.table), job.max_errors)
    return engine(recipe, actors=actors, chunk=chunk, budget=budget, cache=cache)


def _estimate(
    rows: "Iterator[Row]",
    job: "Job",
    journal: "Journal",
    engine: "Executor",
    total: int | None,
    probe: int,
    place: "Placing",
    *,
    keep: bool,
) -> None:
    """Print what the rows that are not known will take; nothing but the probe is asked."""
    from structout.pipeline.estimate import ask_nothing, ask_some, waiting

    some = list(islice(waiting(rows, journal), probe or _READ))
    left = 1000 if total is None else total - sum(journal.counts(total).values())
    if len(some) < (probe or _READ):
        left = len(some)
    elif total is None:
        say("the number of rows is not known beforehand: the estimate is for 1,000")
    if probe or not some:
        found = ask_some(some, job, journal, engine, left, keep=keep, place=place)
    else:
        found = ask_nothing(some, job, left)
    put("\n".join(found.lines()))
    if found.asked:
        say(f"{found.asked} rows were asked for; their answers are kept in {journal.path}")
