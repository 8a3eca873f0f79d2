"""`structout bench`: strategies measured on labelled records."""

from typing import Annotated

import typer

from structout.cli.codes import INTERRUPTED
from structout.cli.console import progress, say, show
from structout.cli.options import JsonOption, MaxTokensOption, sampling
from structout.errors import SpecError

DEFAULTS = [
    "Prompted()",
    "Prompted(examples=3)",
    "Repair(Prompted(examples=3))",
    "Reask(Repair(Prompted(examples=3)))",
    "Constrained(examples=3)",
    "Cascade(Repair(Prompted(examples=3)), Constrained(examples=3))",
]


def bench(
    dataset: Annotated[
        str | None, typer.Argument(help="A folder with a schema and records.jsonl, or a JSONL file.")
    ] = None,
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, where the folder has none.")] = None,
    strategy: Annotated[
        list[str] | None, typer.Option("--strategy", help="An expression; may be given several times.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="May be given several times.")] = None,
    split: Annotated[str, typer.Option("--split", help="train, dev, test or all.")] = "test",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first records.")] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Runs of each record.")] = 1,
    max_tokens: MaxTokensOption = 256,
    log: Annotated[
        str | None, typer.Option("--log", help="Where every attempt is logged (default .structout/bench-NAME.jsonl).")
    ] = None,
    rescore: Annotated[str | None, typer.Option("--rescore", help="Score this log again; no model is asked.")] = None,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write the table as Markdown.")] = False,
) -> None:
    """Measure strategies on labelled records: compliance with accuracy and cost beside it."""
    from structout.evaluation import Dataset, evaluate, read_log

    if rescore is not None:
        show(read_log(rescore), as_json=as_json, markdown=markdown)
        return
    if dataset is None:
        raise SpecError("no data set is named", hint="structout bench schemas/parts")
    whole = Dataset.load(dataset, schema)
    if split not in ("train", "dev", "test", "all"):
        raise SpecError(f"no split is called {split!r}", hint="give train, dev, test or all")
    part = whole if split == "all" else whole.split(split)  # type: ignore[arg-type]
    part = part.head(limit) if limit else part
    models, strategies = model or ["embedded"], strategy or DEFAULTS
    path = log or f".structout/bench-{whole.name}.jsonl"
    total = len(part) * len(models) * len(strategies) * repeats
    try:
        with progress("bench", total) as advance:
            report = evaluate(
                strategies,
                models,
                part,
                repeats=repeats,
                examples=whole,
                sampling=sampling(max_tokens),
                log=path,
                progress=lambda outcome: advance(outcome.strategy),
            )
    except KeyboardInterrupt:
        kept = len(read_log(path).outcomes)
        say(f"interrupted: {kept} of {total} outcomes are kept in {path}; score them with --rescore {path}")
        raise typer.Exit(INTERRUPTED) from None
    show(report, as_json=as_json, markdown=markdown)
    say(f"every attempt is in {path}")
