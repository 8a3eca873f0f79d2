"""`structout run`: a file of validated records from a file of rows, with no row lost."""

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from structout import defaults
from structout.cli.codes import DAMAGED, FAILED, INCOMPLETE, INTERRUPTED, NOTHING, PASSED
from structout.cli.console import LogFormat, counted, put, reporter, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    ColumnOption,
    DelimiterOption,
    ExamplesOption,
    FormatOption,
    FormerInputOption,
    FormerTextOption,
    InstructionsOption,
    KeepOption,
    MaxTokensOption,
    ModelOption,
    ModelSettingsOption,
    PricesOption,
    SchemaOption,
    SeedOption,
    SourceArgument,
    StrategyOption,
    TagsOption,
    TemperatureOption,
    WriteSecretsOption,
    sampling,
    say_of_unasked,
    share_named,
    shown_examples,
    tags_of,
    warn_of_other_models,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structout.models.ledger import Wave
    from structout.pipeline.file_run import FileRun, Finished
    from structout.pipeline.run import Executor
    from structout.pipeline.settings import RunSettings


class EngineName(StrEnum):
    """The engine of a run."""

    LOCAL = "local"
    RAY = "ray"


class LoadMode(StrEnum):
    """How rows reach a table that exists."""

    APPEND = "append"
    REPLACE = "replace"
    UPSERT = "upsert"


class Shift(StrEnum):
    """What happens when the rows stop looking like the labelled records."""

    WARN = "warn"
    QUARANTINE = "quarantine"
    STOP = "stop"


class KeepText(StrEnum):
    """What is kept of the texts of records, prompts and answers."""

    ALL = "all"
    HASH = "hash"


def run(
    context: typer.Context,
    schema: SchemaOption,
    source: SourceArgument = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="The file for accepted rows: JSONL, CSV (.gz), Parquet, also at s3://, gs:// or az://; "
            "NAME.duckdb#TABLE, postgresql://...#TABLE, or - for stdout.",
        ),
    ] = "-",
    mode: Annotated[
        LoadMode, typer.Option("--mode", help="What becomes of the rows of a PostgreSQL table: upsert is by --key.")
    ] = LoadMode.REPLACE,
    model: ModelOption = "embedded",
    model_settings: ModelSettingsOption = None,
    strategy: StrategyOption = defaults.STRATEGY,
    instructions: InstructionsOption = None,
    examples: ExamplesOption = None,
    max_tokens: MaxTokensOption = 512,
    temperature: TemperatureOption = 0.0,
    seed: SeedOption = 0,
    column: ColumnOption = "text",
    format: FormatOption = None,  # noqa: A002
    delimiter: DelimiterOption = "",
    key: Annotated[str | None, typer.Option("--key", help="The column that identifies a row.")] = None,
    keep: KeepOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Read at most this many rows.")] = None,
    min_yield: Annotated[
        float | None,
        typer.Option(
            "--min-yield",
            parser=share_named,
            metavar="SHARE",
            help="The lowest share of rows that must be accepted: exit 0 if it holds, else 1. (Without it, 1 if any "
            "row is in the quarantine.) The files are written in both cases.",
        ),
    ] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Omit the provenance columns (_key, ...).")] = False,
    quarantine: Annotated[
        str | None, typer.Option("--quarantine", help="The file for all other rows (OUTPUT.quarantine.jsonl).")
    ] = None,
    journal: Annotated[
        str | None, typer.Option("--journal", help="The file that keeps every answer (OUTPUT.journal).")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start again, but reuse the answers that were paid for.")
    ] = False,
    retry_quarantine: Annotated[
        bool, typer.Option("--retry-quarantine", help="Retry the quarantined rows with this strategy and model.")
    ] = False,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Ask equal prompts once.")] = True,
    chunk: Annotated[
        int | None,
        typer.Option(
            "--chunk", min=1, help="Rows per batch (32, or a server's requests in flight; 5,000 with #batch)."
        ),
    ] = None,
    max_errors: Annotated[
        int,
        typer.Option(
            "--max-errors",
            min=1,
            help="Stop when the model fails on this many consecutive rows, or refuses this many before it answers one.",
        ),
    ] = 10,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="Run on this machine or on Ray (there, budgets count re-asks late).")
    ] = EngineName.LOCAL,
    actors: Annotated[int, typer.Option("--actors", min=1, help="Ray processes, each with its own model.")] = 2,
    price: PricesOption = None,
    prices: Annotated[str | None, typer.Option("--prices", help='JSON: {"MODEL": [input, output]}.')] = None,
    budget_usd: Annotated[
        float | None, typer.Option("--budget-usd", min=0, help="Stop before spending more than this.")
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option("--budget-tokens", min=0, help="Stop before using more tokens than this.")
    ] = None,
    max_hours: Annotated[float | None, typer.Option("--max-hours", min=0, help="Stop after this many hours.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only estimate tokens, cost and time from 20 rows (--probe)."),
    ] = False,
    probe: Annotated[
        int,
        typer.Option(
            "--probe",
            min=0,
            help="Rows that a dry run needs (20): it asks for any that lack an answer; 0 asks nothing.",
        ),
    ] = 20,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="The format of progress on stderr.")
    ] = LogFormat.TEXT,
    telemetry: Annotated[
        bool,
        typer.Option("--telemetry", help="Send OpenTelemetry spans to the tracer of opentelemetry-instrument."),
    ] = False,
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", help="The file for metrics in the Prometheus text format, kept up to date."),
    ] = None,
    tag: TagsOption = None,
    write_secrets: WriteSecretsOption = False,
    by_serialization: Annotated[
        bool,
        typer.Option(
            "--by-serialization",
            help="Write accepted records as Pydantic writes them: hidden fields hidden, computed fields added.",
        ),
    ] = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
    private: Annotated[
        bool, typer.Option("--private", help="Make new files readable only by their owner (0600).")
    ] = False,
    keep_text: Annotated[
        KeepText,
        typer.Option(
            "--keep-text",
            help="What the quarantine keeps of texts, and the journal once the run is complete: all, or a hash.",
        ),
    ] = KeepText.ALL,
    batch_adopt: Annotated[
        str | None,
        typer.Option("--batch-adopt", metavar="JOB", help="The provider's job of a batch that is in doubt."),
    ] = None,
    batch_resubmit: Annotated[
        bool,
        typer.Option("--batch-resubmit", help="Submit a batch that is in doubt again, and risk to pay for it twice."),
    ] = False,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch", help="Confidences that certify wrote: tell when those of the rows no longer look like them."
        ),
    ] = None,
    on_shift: Annotated[
        Shift, typer.Option("--on-shift", help="What happens then: warn, quarantine the later rows, or stop.")
    ] = Shift.WARN,
    former_source: FormerInputOption = None,
    former_text: FormerTextOption = None,
) -> None:
    """Turn a file of rows into a file of validated records, one outcome per row. The same command resumes a run.

    The column _confidence is of a row's least sure value, or of its whole answer if the strategy has a
    Confident(of="answer"), as a strategy of certify mostly has.

    Exit 0: all rows were accepted, or as many as --min-yield demands; 1: some rows are in the quarantine, or too many;
    2: wrong usage, or the model's server rejects the key, the name or every row, or the run finished but its journal
    was damaged; 3: the run stopped early (model, account, disk, hours: run the same command again; budget: raise it
    first) or the model failed on some rows; 4: the input holds no rows; 143: ended by SIGTERM, and 130 by Ctrl-C: the
    same command resumes the run.
    """
    from structout.pipeline.budget import Budget
    from structout.pipeline.file_run import FileRun, RunInterruptedError
    from structout.pipeline.settings import RunSettings
    from structout.prices import Prices, read_prices
    from structout.schema import Schema
    from structout.strategies import instructed
    from structout.tables.kept_columns import columns_named

    if private:
        before = os.umask(0o077)  # the umask also covers the files that DuckDB and SQLite make
        context.call_on_close(lambda: os.umask(before))
    listed = dict(Prices.load(prices).table) if prices else {}
    settings = RunSettings(
        schema=schema,
        source=source or "-",
        format=format,
        delimiter=delimiter,
        output=output,
        model=model,
        strategy=instructed(strategy, instructions) if instructions else strategy,
        examples=shown_examples(examples, Schema.of(schema)) if examples else (),
        sampling=sampling(max_tokens, temperature, seed),
        prices=Prices(listed | read_prices(price or [])),
        budget=Budget(budget_usd, budget_tokens, max_hours),
        text=column,
        key=key,
        keep=columns_named(keep or ()),
        limit=limit,
        bare=bare,
        mode=mode.value,
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
        tags=tags_of(tag),
        keep_text=keep_text.value,
        write_secrets=write_secrets,
        by_serialization=by_serialization,
        batch_adopt=batch_adopt,
        batch_resubmit=batch_resubmit,
        watch=watch,
        on_shift=on_shift.value,
    )
    work = FileRun(settings)
    say_of_unasked(settings.strategy, model)
    try:
        if price and not work.is_empty:
            warn_of_other_models(read_prices(price), work.job.models())
        if dry_run:
            _estimate(work, probe)
            return
        executor = work.local() if engine is EngineName.LOCAL else _ray(work)
        with reporter(log_format, metrics) as report:
            found = work.execute(executor, report, _retrying, _waiting(), _resuming)
    except RunInterruptedError as stopped:
        kept = f"the answers are kept in {settings.place} ({stopped.done:,} rows are done)"
        say(f"interrupted: {kept}; the same command resumes the run")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(_reported(found, settings, min_yield))


def _retrying(count: int, blank: int) -> None:
    if count > blank:
        but = f"; {blank:,} more have no text, and are not asked" if blank else ""
        say(f"retrying {counted(count - blank, 'quarantined row')}: the model is asked, and paid, again{but}")
    elif count:
        told = f"no quarantined row to retry, but for {counted(count, 'row')} without a text"
        say(f"{told}; rows without an outcome are asked")
    else:
        say("no quarantined rows to retry: asking for all rows without an outcome")


def _resuming(count: int) -> None:
    say(f"{counted(count, 'row')} {'is' if count == 1 else 'are'} done already, and not asked again")


def _waiting() -> "Callable[[Sequence[Wave]], None]":
    """Says once of each job that it waits at its provider."""
    said: set[str] = set()

    def say_new(waves: "Sequence[Wave]") -> None:
        for wave in waves:
            if wave.job and wave.job not in said:
                said.add(wave.job)
                what = f"waiting for job {wave.job} of {wave.provider}: {counted(len(wave.keys), 'request')}"
                say(f"{what}, submitted at {wave.time}; it may take a day, and after an end the same command goes on")

    return say_new


def _reported(found: "Finished", settings: "RunSettings", least: float | None) -> int:
    """Report the counts of a finished run, and return the exit code. `least` is the lowest yield that is enough."""
    from structout.tables.place import Place

    if found.rows == 0:
        return _nothing()
    total, output, rest = counted(found.rows, "row"), settings.output, settings.rest
    forgotten = f" + {found.forgotten:,} forgotten" if found.forgotten else ""
    output = Place.of(output).shown
    say(f"{total} in = {found.accepted:,} to {output} + {found.others:,} to {rest}{forgotten}")
    for told in found.sureness.lines() if found.sureness is not None else ():
        say(told)
    if found.uncounted:
        say(found.uncounted)
    share = found.accepted / judged if (judged := found.accepted + found.others) else 1.0
    is_enough = found.others == 0 if least is None else share >= least
    if least is not None and not is_enough:
        say(f"missed: yield >= {least:g} (found {share:.6g})")
    if found.held:
        say(f"{counted(found.held, 'row')} of these are in the table since an earlier run, and were not appended again")
    if found.repeated_keys:
        repeated = "1 row has" if found.repeated_keys == 1 else f"{found.repeated_keys:,} rows have"
        say(f"{repeated} the same {settings.key} as an earlier row: name a column with unique values in --key")
    if found.waiting:
        what = f"{counted(found.waiting, 'request')} of earlier runs that this run did not need"
        say(f"{what}: see structout status {settings.place}")
    if found.failed:
        reason = f" ({found.reason[:200]})" if found.reason else ""
        again = "run the same command again to retry these rows"
        say(f"the model failed on {counted(found.failed, 'row')}{reason}; {again}")
        if settings.mark:
            say(f"{output} and {rest} are partial until then, as {settings.mark} says")
    if found.damaged:
        say(f"{settings.place} was damaged; the model was asked again for any lost rows")
        return DAMAGED
    return INCOMPLETE if found.failed else PASSED if is_enough else FAILED


def _nothing() -> int:
    say("nothing to do: the input holds no rows")
    return NOTHING


def _ray(work: "FileRun") -> "Executor":
    from structout.ray import engine

    settings = work.settings
    recipe = settings.recipe(work.job)
    return engine(
        recipe,
        actors=settings.actors,
        chunk=settings.chunk or work.job.chunk,
        budget=settings.budget,
        cache=settings.cache,
    )


def _estimate(work: "FileRun", probe: int) -> None:
    """Print an estimate for the open rows. Only the probe rows are asked."""
    if work.is_empty:
        raise typer.Exit(_nothing())
    executor = work.local() if work.settings.engine == "local" else _ray(work)
    found, is_known = work.estimate(executor, probe)
    if not is_known:
        say("the number of rows is unknown: the estimate is for 1,000 rows")
    put("\n".join(found.lines()))
    if found.asked:
        kept = (
            f"their answers are kept in {work.settings.place}, and their tokens count toward a budget of this journal"
        )
        say(f"the estimate asked for {counted(found.asked, 'row')}; {kept}")
