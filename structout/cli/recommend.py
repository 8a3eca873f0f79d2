"""`structout recommend`: the cheapest strategy that meets the targets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from structout.cli.candidates import DEFAULTS
from structout.cli.codes import FAILED, PASSED
from structout.cli.console import counted, progress, put_json, put_table, say
from structout.cli.forecasts import put_forecast
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    FoldsOption,
    ForecastOption,
    FormerOutOption,
    JsonOption,
    KeyOption,
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
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from structout.evaluation.recommendation import Candidate, Recommendation
    from structout.evaluation.stats.rates import Rate

_MISSED = "rate\nmisses"  # of a target that no number of records would show
_NONE = "accepts\nnone"  # of a target for accepted records


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
    wrong_of_accepted: Annotated[
        float | None,
        typer.Option(
            "--wrong-of-accepted",
            min=0,
            max=1,
            help="A target: the highest share of accepted records that may be wrong. A strategy that accepts no record "
            "does not meet it.",
        ),
    ] = None,
    compliance_only: Annotated[
        bool,
        typer.Option("--compliance-only", help="Choose by form alone, although labels say which values are right."),
    ] = False,
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, if the folder holds none.")] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", help="A candidate, such as 'Constrained()'. Repeatable (nine of structout's own)."),
    ] = None,
    model: ModelsOption = None,
    model_settings: ModelSettingsOption = None,
    minimise: Annotated[
        str,
        typer.Option(
            "--minimise", help="price, seconds, tokens, calls, or cost: the price if it is known, otherwise seconds."
        ),
    ] = "cost",
    rows: Annotated[
        int | None, typer.Option("--for", min=1, help="Also show what this many records would cost.")
    ] = None,
    share_out: Annotated[
        bool,
        typer.Option(
            "--share-out",
            help="Also use the train and dev records. Give this only if no model was trained on them.",
        ),
    ] = False,
    folds: FoldsOption = None,
    key: KeyOption = None,
    max_tokens: MaxTokensOption = 256,
    price: PricesOption = None,
    dry_run: ForecastOption = False,
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

    It measures its own candidates, whatever bench measured, unless --strategy names others. A strategy must also
    be better than a constant answer. With labels, a target for right values is required: a document may
    comply and be wrong. For example:
    structout recommend rows.csv --schema bolt.py:Bolt --record-accuracy 0.9 --folds 5
    """
    from dataclasses import asdict

    from structout.evaluation import Dataset
    from structout.evaluation import recommend as find
    from structout.evaluation.amounts import Minimise
    from structout.evaluation.experiment import Experiment
    from structout.evaluation.forecast import forecast_of
    from structout.evaluation.recommendation import built_of, shared_out
    from structout.evaluation.report import known
    from structout.prices import named, read_prices
    from structout.tables.whole_file import replacing

    units = ["cost", *get_args(Minimise)]
    if minimise not in units:
        raise SpecError(f"invalid --minimise: got {minimise!r}", hint=f"give {', '.join(units[:-1])} or {units[-1]}")
    prices = named(read_prices(price or []), model or ["embedded"])
    least = {"record_accuracy>=": record_accuracy, "value_accuracy>=": value_accuracy}
    bounds = {**least, "wrong_of_accepted<=": wrong_of_accepted}
    targets = [*(target or []), *(f"{bound}{share:.12g}" for bound, share in bounds.items() if share is not None)]
    whole = Dataset.load(dataset, schema, needs_labels=False, key=key)
    log = log or str(Experiment(dataset, {}).place())  # that of bench, which may hold the answers
    if dry_run:
        built, examples, parts = built_of(strategy or DEFAULTS), None, [whole]
        if folds is None:
            ordering, deciding, examples = shared_out(whole, built, share_out, 0)
            parts = [ordering, deciding]
        how: dict[str, Any] = {"examples": examples, "folds": folds, "sampling": sampling(max_tokens)}
        foreseen = forecast_of(built, model or ["embedded"], parts, **how, log=log, prices=prices)
        put_forecast(foreseen, max_tokens, as_json=as_json)
        raise typer.Exit(PASSED)
    with replacing(output, keep=False):
        pass  # a file that cannot be written raises here, before a model is asked
    with progress("recommend", None) as advance:
        found = find(
            strategy or DEFAULTS,
            model or ["embedded"],
            whole,
            targets,
            minimise=("price" if prices else None) if minimise == "cost" else minimise,  # type: ignore[arg-type]
            share_out=share_out,
            folds=folds,
            compliance_only=compliance_only,
            sampling=sampling(max_tokens),
            prices=prices,
            log=log,
            progress=lambda outcome: advance(outcome.strategy),
        )
    if as_json:
        put_json(known(asdict(found)) | (_costs(found, rows) if rows else {}))
    else:
        put_table(lambda _: _show(found, rows, is_own=not strategy))
    if found.chosen is not None:
        with replacing(output) as stream:
            stream.write(found.written(dataset).encode())
        say(f"the chosen strategy is in {output}")
    else:
        _set_aside(Path(output))
    raise typer.Exit(PASSED if found.chosen is not None else FAILED)


def _set_aside(earlier: Path) -> None:
    """Rename the strategy that an earlier command chose: nothing may take it for the result of this one."""
    if earlier.is_file():
        old = earlier.with_name(f"{earlier.name}.old")
        earlier.replace(old)
        say(f"no strategy is recommended, so the earlier {earlier} was renamed to {old}")


def _costs(found: "Recommendation", rows: int) -> dict[str, Any]:
    """The costs of `--for` as JSON: of the chosen strategy, or null, and of each candidate."""
    chosen = found.chosen and found.chosen.cost * rows
    return {"for": {"records": rows, "cost": chosen, "costs": [one.cost * rows for one in found.candidates]}}


def _show(found: "Recommendation", rows: int | None, *, is_own: bool) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from structout.evaluation.amounts import amount
    from structout.evaluation.reporting.table import percent

    ordering = f"ordered on {counted(found.ordering, 'record')} and tested on {found.deciding:,} others"
    how = ordering if found.ordering else f"each tested on {counted(found.deciding, 'record')} (all, in folds)"
    table = Table(
        title=Text(f"{line(found.dataset)}, cheapest first: strategies were {how}"),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    last = ("records tested", "p", "meets target", "records needed")
    heads = ["cost a record", *([f"for {rows:,}"] if rows else []), *map(_spoken, found.candidates[0].rates), *last]
    for head in ("#", *heads):
        table.add_column(Text(head.replace("-", "-\n", 1).replace(" ", "\n", 1)), justify="right")
    for number, one in enumerate(found.candidates, 1):
        costs = [amount(one.cost * many, found.minimise) for many in (1, *([rows] if rows else []))]
        rates = [percent(r) for r in one.rates.values()]
        p = "–" if one.p is None else f"{one.p:.3f}"
        cells = [str(number), *costs, *rates, str(one.n or found.ordering), p, _word(one), _needed(one)]
        table.add_row(*(Text(cell) for cell in cells))
    names = [f"{number}  {_name(one, found)}" for number, one in enumerate(found.candidates, 1)]
    own = f"These are structout's own {len(names)} candidates: --strategy measures others." if is_own else ""
    told = (_legend(found), own, found.sharing, *_verdict(found, rows))
    return Group(table, "", *map(Text, names), "", *(Text(one) for one in told if one))


def _word(one: "Candidate") -> str:
    """Whether a candidate meets the targets, in a word."""
    if one.p is None:
        return "not\ntested"
    return "no" if not one.shown else "yes" if one.beats_constant else "not above\nconstant"


def _needed(one: "Candidate") -> str:
    """The records that a candidate still needs to meet the targets."""
    if one.p is None or one.shown:
        return "–"
    if one.accepts_none:
        return _NONE
    return _MISSED if one.needed is None else f"{one.needed:,}"


def _legend(found: "Recommendation") -> str:
    """What the columns of the last rows mean, as far as these rows need it."""
    told = "p: the probability of rates this good if a target is not met; a strategy meets the targets at 0.05 or less."
    if not found.ordering and len(found.candidates) > 1:
        told += f" It is corrected for {len(found.candidates)} strategies that are tested at once (Holm)."
    words = {_needed(one) for one in found.candidates}
    if words - {"–", _MISSED, _NONE}:
        told += " Records needed: as many would show the targets at the present rates."
    if _MISSED in words:
        told += " Rate misses: it is on the wrong side of the target, so that more records would not help."
    if _NONE in words:
        told += " Accepts none: without an accepted record, nothing is known of the share that is wrong."
    return told


def _name(one: "Candidate", found: "Recommendation") -> str:
    """A candidate's strategy, with its model if there are several."""
    several = len({other.arm.model for other in found.candidates}) > 1
    return line(f"{one.arm.label} on {one.arm.model}" if several else one.arm.label)


def _spoken(metric: str) -> str:
    return "wrong-but-valid" if metric == "wrong_but_valid" else metric.replace("_", " ")


def _verdict(found: "Recommendation", rows: int | None) -> "Iterator[str]":
    """The sentences below the table."""
    from structout.evaluation.amounts import a_record, for_records
    from structout.evaluation.recommendation import NO_LABELS

    aim = " and ".join(map(str, found.targets))
    if (best := found.chosen) is not None:
        yield f"{aim}: met, with 95 % confidence, by {line(best.arm.label)} on {line(best.arm.model)}."
        if (wrong := best.rates.get("wrong_but_valid")) is not None:
            share = f"{100 * wrong.value:.0f} % (at most {100 * wrong.high:.0f} %)"
            yield f"{share} of its records are wrong-but-valid: accepted, and wrong in at least one value."
        if best.constant:
            yield f"A constant answer, the most frequent label of the other records, has {_rates(best.constant)}."
        total = f": {for_records(best.cost, found.minimise, rows)}" if rows is not None else ""
        yield f"It costs {a_record(best.cost, found.minimise)}{total}."
        if found.minimise == "seconds":
            yield "Seconds are the model's for one request after another: a run keeps many in flight at a server."
    elif constant := next((one for one in found.candidates if one.shown), None):
        yield f"NO STRATEGY IS RECOMMENDED: {_name(constant, found)} meets {aim}, but does not do better than a"
        rates = {name: constant.rates[name] for name in constant.constant}
        yield f"constant answer. Always the most frequent label of the other records: {_rates(constant.constant)};"
        yield f"the strategy: {_rates(rates)}."
    else:
        yield f"No strategy meets {aim} with 95 % confidence on {counted(found.deciding, 'record')}."
        yield _hope(found)
    if not found.has_labels:
        yield NO_LABELS
    elif not any(target.is_of_values for target in found.targets):
        yield "No target says that the values are right (--compliance-only): read wrong-but-valid before you choose."


def _rates(rates: "Mapping[str, Rate]") -> str:
    """Rates by metric in words."""
    shown = (
        f"{_spoken(name)} {100 * r.value:.0f} % ({100 * r.low:.0f} to {100 * r.high:.0f})" for name, r in rates.items()
    )
    return " and ".join(shown)


def _hope(found: "Recommendation") -> str:
    able = [one for one in found.candidates if one.needed is not None]
    if not able:
        why = "No strategy is on the right side of the targets at its present rates"
        if all(one.accepts_none for one in found.candidates if one.p is not None):
            why = "No strategy accepted a record"
        return f"{why}, so more records would not help. Try others."
    least = min(able, key=lambda one: one.needed or 0)
    needed = counted(least.needed or 0, "record")
    return f"At its present rates, {_name(least, found)} would meet the targets with {needed}."
