"""`structout recommend`: the cheapest strategy that meets the targets."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from structout.cli.bench import DEFAULTS
from structout.cli.codes import FAILED, PASSED
from structout.cli.console import counted, progress, put_json, put_table, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
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
    from rich.console import RenderableType

    from structout.evaluation.recommendation import Recommendation


def recommend(
    dataset: Annotated[str, typer.Argument(help="A folder, a JSONL or CSV file, or hf:OWNER/NAME.")],
    target: Annotated[
        list[str], typer.Option("--target", "-t", help="A target to meet, such as compliance>=0.995. Repeatable.")
    ],
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
    """Find the cheapest strategy that meets the targets on held-out records. Exit 1 if no strategy meets them."""
    from dataclasses import asdict

    from structout.evaluation import Dataset
    from structout.evaluation import recommend as find
    from structout.evaluation.recommendation import Minimise
    from structout.prices import named, read_prices
    from structout.tables.output import replacing

    known = ["cost", *get_args(Minimise)]
    if minimise not in known:
        raise SpecError(f"invalid --minimise: got {minimise!r}", hint=f"give {', '.join(known[:-1])} or {known[-1]}")
    prices = named(read_prices(price or []), model or ["embedded"])
    whole = Dataset.load(dataset, schema)
    with replacing(output, keep=False):
        pass  # a file that cannot be written raises here, before a model is asked
    with progress("recommend", None) as advance:
        found = find(
            strategy or DEFAULTS,
            model or ["embedded"],
            whole,
            target,
            minimise=("price" if prices else "seconds") if minimise == "cost" else minimise,  # type: ignore[arg-type]
            share_out=share_out,
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

    unit = {"price": "price", "seconds": "s"}.get(found.minimise, found.minimise)
    ordering = counted(found.ordering, "record")
    title = f"Cheapest first: strategies were ordered on {ordering} and tested on {found.deciding:,}"
    table = Table(title=Text(title), title_justify="left", box=None)
    last = ("records tested", "p-value", "meets target", "records needed")
    for head in ("strategy", f"{unit} per record", *found.candidates[0].rates, *last):
        table.add_column(Text(head), justify="left" if head == "strategy" else "right")
    for one in found.candidates:
        rates = [f"{100 * r.value:.0f} % {100 * r.low:.0f}–{100 * r.high:.0f}" for r in one.rates.values()]
        tested = one.p is not None
        verdict = "yes" if one.shown else "no" if tested else "not tested"
        needed = "–" if not tested else f"{one.needed:,}" if one.needed is not None else "no number would do"
        p = f"{one.p:.3f}" if one.p is not None else "–"
        cells = [one.arm.label, f"{one.cost:.3g}", *rates, str(one.n or found.ordering), p, verdict, needed]
        table.add_row(*(Text(line(cell)) for cell in cells))
    aim = " and ".join(map(str, found.targets))
    if found.chosen is not None:
        best = found.chosen.arm
        said = Text(f"{aim}: met, with 95 % confidence, by ")
        said.append(line(best.label), "bold").append(f" on {line(best.model)}.")
        if rows is not None:
            total = found.chosen.cost * rows
            hours = f" ({total / 3600:.1f} hours of the model)" if found.minimise == "seconds" else ""
            said.append(f"\n{counted(rows, 'record')} would take {total:,.4g} {unit}{hours}.")
        return Group(table, "", said)
    able = [one for one in found.candidates if one.needed is not None]
    if able:
        least = min(able, key=lambda one: one.needed or 0)
        needed = counted(least.needed or 0, "record")
        hope = f"At its present rates, {line(least.arm.label)} would meet the targets with {needed}."
    else:
        hope = "Every tested strategy misses the targets at its present rates: more records would not help. Try others."
    deciding = counted(found.deciding, "record")
    return Group(table, "", Text(f"No strategy meets {aim} with 95 % confidence on {deciding}."), Text(hope))
