"""`structout recommend`: the cheapest strategy that meets the targets."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from structout.cli.bench import DEFAULTS
from structout.cli.codes import FAILED, PASSED
from structout.cli.console import counted, progress, put_json, put_table, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    FoldsOption,
    FormerOutOption,
    JsonOption,
    LogOption,
    MaxTokensOption,
    ModelSettingsOption,
    ModelsOption,
    PricesOption,
    current_spelling,
    sampling,
)
from structout.errors import SpecError
from structout.surfaces import line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from structout.evaluation.recommendation import Recommendation


def recommend(
    dataset: Annotated[str, typer.Argument(help="A folder, a JSONL or CSV file, or hf:OWNER/NAME.")],
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", help="A target to meet, such as wrong_but_valid<=0.02. Repeatable."),
    ] = None,
    record_accuracy: Annotated[
        float | None,
        typer.Option(
            "--record-accuracy",
            min=0,
            max=1,
            help="A target: the least share of records that are wholly right.",
        ),
    ] = None,
    value_accuracy: Annotated[
        float | None,
        typer.Option("--value-accuracy", min=0, max=1, help="A target: the least share of values that are right."),
    ] = None,
    compliance_only: Annotated[
        bool,
        typer.Option("--compliance-only", help="Choose by form alone, although labels say which values are right."),
    ] = False,
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, if the folder holds none.")] = None,
    strategy: Annotated[list[str] | None, typer.Option("--strategy", help="A strategy expression. Repeatable.")] = None,
    model: ModelsOption = None,
    model_settings: ModelSettingsOption = None,
    minimise: Annotated[
        str,
        typer.Option(
            "--minimise", help="price, seconds, tokens, calls, or cost: the price if it is known, otherwise seconds."
        ),
    ] = "cost",
    rows: Annotated[int | None, typer.Option("--for", min=1, help="Also show the cost of this many records.")] = None,
    share_out: Annotated[
        bool,
        typer.Option(
            "--share-out",
            help="Also use the train and dev records. Give this only if no model was trained on them.",
        ),
    ] = False,
    folds: FoldsOption = None,
    max_tokens: MaxTokensOption = 256,
    price: PricesOption = None,
    log: LogOption = None,
    output: Annotated[
        str, typer.Option("--output", "-o", callback=current_spelling, help="The file for the chosen strategy.")
    ] = "recommended.strategy",
    as_json: JsonOption = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
    out: FormerOutOption = None,
) -> None:
    """Find the cheapest strategy that meets the targets on held-out records. Exit 1 if no strategy meets them.

    With labels, a target of record or value accuracy is required: a document may comply and be wrong. For example:
    structout recommend rows.csv --schema bolt.py:Bolt --record-accuracy 0.9 --folds 5
    """
    from dataclasses import asdict

    from structout.evaluation import Dataset
    from structout.evaluation import recommend as find
    from structout.evaluation.amounts import Minimise
    from structout.prices import named, read_prices
    from structout.tables.output import replacing

    known = ["cost", *get_args(Minimise)]
    if minimise not in known:
        raise SpecError(f"invalid --minimise: got {minimise!r}", hint=f"give {', '.join(known[:-1])} or {known[-1]}")
    prices = named(read_prices(price or []), model or ["embedded"])
    accuracies = {"record_accuracy": record_accuracy, "value_accuracy": value_accuracy}
    targets = [*(target or []), *(f"{name}>={share:.12g}" for name, share in accuracies.items() if share is not None)]
    whole = Dataset.load(dataset, schema, needs_labels=False)
    with replacing(output, keep=False):
        pass  # a file that cannot be written raises here, before a model is asked
    with progress("recommend", None) as advance:
        found = find(
            strategy or DEFAULTS,
            model or ["embedded"],
            whole,
            targets,
            minimise=("price" if prices else "seconds") if minimise == "cost" else minimise,  # type: ignore[arg-type]
            share_out=share_out,
            folds=folds,
            compliance_only=compliance_only,
            sampling=sampling(max_tokens),
            prices=prices,
            log=log or f".structout/bench-{whole.name}.jsonl",
            progress=lambda outcome: advance(outcome.strategy),
        )
    if as_json:
        total = {"for": {"records": rows, "cost": found.chosen.cost * rows}} if rows and found.chosen else {}
        put_json(asdict(found) | total)
    else:
        put_table(lambda _: _show(found, rows))
    if found.chosen is not None:
        with replacing(output) as stream:
            stream.write(found.written(dataset).encode())
        say(f"the chosen strategy is in {output}")
    raise typer.Exit(PASSED if found.chosen is not None else FAILED)


def _show(found: "Recommendation", rows: int | None) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from structout.evaluation.amounts import amount

    ordering = f"ordered on {counted(found.ordering, 'record')} and tested on {found.deciding:,}"
    how = ordering if found.ordering else f"each tested on {counted(found.deciding, 'record')}"
    table = Table(title=Text(f"Cheapest first: strategies were {how}"), title_justify="left", box=None)
    last = ("records tested", "p-value", "meets target", "records needed")
    rates = [_spoken(name) for name in found.candidates[0].rates]
    for head in ("#", "cost a record", *rates, *last):
        table.add_column(Text(head.replace("-", "-\n", 1).replace(" ", "\n", 1)), justify="right")
    for number, one in enumerate(found.candidates, 1):
        shown = [f"{100 * r.value:.0f} % {100 * r.low:.0f}–{100 * r.high:.0f}" for r in one.rates.values()]
        tested = one.p is not None
        verdict = "yes" if one.shown else "no" if tested else "not tested"
        needed = "–" if not tested else f"{one.needed:,}" if one.needed is not None else "no number would do"
        p = f"{one.p:.3f}" if one.p is not None else "–"
        cost = amount(one.cost, found.minimise)
        cells = [str(number), cost, *shown, str(one.n or found.ordering), p, verdict, needed]
        table.add_row(*(Text(line(cell)) for cell in cells))
    models = len({one.arm.model for one in found.candidates}) > 1
    names = [f"{one.arm.label} on {one.arm.model}" if models else one.arm.label for one in found.candidates]
    legend = [Text(line(f"{number}  {name}")) for number, name in enumerate(names, 1)]
    return Group(table, "", *legend, "", *(Text(one) for one in (found.sharing, *_verdict(found, rows)) if one))


def _spoken(metric: str) -> str:
    return "wrong-but-valid" if metric == "wrong_but_valid" else metric.replace("_", " ")


def _verdict(found: "Recommendation", rows: int | None) -> "Iterator[str]":
    """The sentences below the table."""
    from structout.evaluation.amounts import a_record, for_records
    from structout.evaluation.recommendation import NO_LABELS

    aim = " and ".join(map(str, found.targets))
    if found.chosen is None:
        yield f"No strategy meets {aim} with 95 % confidence on {counted(found.deciding, 'record')}."
        yield _hope(found)
    else:
        best = found.chosen
        yield f"{aim}: met, with 95 % confidence, by {line(best.arm.label)} on {line(best.arm.model)}."
        if (wrong := best.rates.get("wrong_but_valid")) is not None:
            share = f"{100 * wrong.value:.0f} % (at most {100 * wrong.high:.0f} %)"
            yield f"{share} of its records are wrong-but-valid: accepted, and wrong in at least one value."
        total = f": {for_records(best.cost, found.minimise, rows)}" if rows is not None else ""
        yield f"It costs {a_record(best.cost, found.minimise)}{total}."
    if not found.has_labels:
        yield NO_LABELS
    elif not any(target.is_of_values for target in found.targets):
        yield "No target says that the values are right (--compliance-only): read wrong-but-valid before you choose."


def _hope(found: "Recommendation") -> str:
    able = [one for one in found.candidates if one.needed is not None]
    if not able:
        return "Every tested strategy misses the targets at its present rates: more records would not help. Try others."
    least = min(able, key=lambda one: one.needed or 0)
    needed = counted(least.needed or 0, "record")
    return f"At its present rates, {line(least.arm.label)} would meet the targets with {needed}."
