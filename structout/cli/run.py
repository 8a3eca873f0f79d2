"""`structout run`: a file of rows in, a file of records out, none lost."""

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

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
    from structout.pipeline.file_run import FileRun, Finished
    from structout.pipeline.run import Executor
    from structout.pipeline.settings import RunSettings


class EngineName(StrEnum):
    """Where the work is done."""

    LOCAL = "local"
    RAY = "ray"


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
    from structout.pipeline.budget import Budget
    from structout.pipeline.file_run import FileRun, RunInterruptedError
    from structout.pipeline.settings import RunSettings
    from structout.prices import Prices, read_prices
    from structout.schema import Schema

    if private:
        before = os.umask(0o077)  # of whatever writes: DuckDB and SQLite make files of their own
        context.call_on_close(lambda: os.umask(before))
    listed = dict(Prices.load(prices).table) if prices else {}
    settings = RunSettings(
        schema=schema,
        source=source,
        output=output,
        model=model,
        strategy=strategy,
        examples=shown_examples(examples, Schema.of(schema)) if examples else (),
        sampling=sampling(max_tokens, temperature, seed),
        prices=Prices(listed | read_prices(price or [])),
        budget=Budget(budget_usd, budget_tokens, max_hours),
        text=text,
        key=key,
        limit=limit,
        bare=bare,
        quarantine=quarantine,
        journal=journal,
        fresh=fresh,
        retry_quarantine=retry_quarantine,
        cache=cache,
        chunk=chunk,
        max_errors=max_errors,
        engine=engine.value,
        actors=actors,
        telemetry=telemetry,
        metrics=metrics,
        private=private,
    )
    work = FileRun(settings)
    try:
        if dry_run:
            _estimate(work, probe)
            return
        executor = work.local() if engine is EngineName.LOCAL else _ray(work)
        with reporter(log_format, metrics) as report:
            found = work.execute(executor, report, lambda count: say(f"{count:,} rows are asked again"))
    except RunInterruptedError as stopped:
        kept = f"what was answered is kept in {settings.place} ({stopped.done:,} rows are done)"
        say(f"interrupted: {kept}; the same command goes on")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(_told(found, settings))


def _told(found: "Finished", settings: "RunSettings") -> int:
    """Say what a run came to; the exit code."""
    if found.rows == 0:
        return _nothing()
    say(f"{found.rows:,} rows in = {found.accepted:,} to {settings.output} + {found.others:,} to {settings.rest}")
    if found.repeated_keys:
        say(f"{found.repeated_keys:,} rows have the same {settings.key} as an earlier row: it does not tell rows apart")
    if found.failed:
        say(f"the model failed on {found.failed:,} of them; the same command asks for these again")
    if found.damaged:
        say(f"{settings.place} held what cannot be trusted (see above); it was asked again")
        return DAMAGED
    return INCOMPLETE if found.failed else FAILED if found.others else PASSED


def _nothing() -> int:
    say("nothing to do: the input holds no rows")
    return NOTHING


def _ray(work: "FileRun") -> "Executor":
    from structout.ray import engine

    settings = work.settings
    recipe = settings.recipe(work.job)
    return engine(recipe, actors=settings.actors, chunk=settings.chunk, budget=settings.budget, cache=settings.cache)


def _estimate(work: "FileRun", probe: int) -> None:
    """Print what the rows that are not known will take; nothing but the probe is asked."""
    if work.is_empty:
        raise typer.Exit(_nothing())
    executor = work.local() if work.settings.engine == "local" else _ray(work)
    found, is_known = work.estimate(executor, probe)
    if not is_known:
        say("the number of rows is not known beforehand: the estimate is for 1,000")
    put("\n".join(found.lines()))
    if found.asked:
        say(f"{found.asked} rows were asked for; their answers are kept in {work.settings.place}")
