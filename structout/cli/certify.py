"""`structout certify`: a strategy that abstains when it is unsure, with a guarantee on its errors."""

from dataclasses import asdict
from math import ceil
from pathlib import Path
from shlex import quote
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structout import defaults
from structout.cli.codes import FAILED, PASSED
from structout.cli.console import counted, progress, put, put_json, say
from structout.cli.forecasts import put_forecast
from structout.cli.options import (
    PRICE_HELP,
    AllowCodeOption,
    CodeOption,
    FoldsOption,
    ForecastOption,
    FormerOutOption,
    JsonOption,
    KeyOption,
    LogOption,
    MaxTokensOption,
    ModelOption,
    ModelSettingsOption,
    StrategyOption,
    current_spelling,
    sampling,
    say_of_unasked,
    shares_of,
)
from structout.errors import SpecError
from structout.surfaces import line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structout.evaluation.certification import Certificate
    from structout.evaluation.field_certification import FieldCertificate
    from structout.evaluation.stats.rates import Rate
    from structout.evaluation.stats.thresholds import Evidence

CONFIDENCES = "a model with log-probabilities (#logprobs after its name) gives them, and so do Vote and Learned"


def certify(
    dataset: Annotated[str, typer.Argument(help="A folder, a JSONL or CSV file, or hf:OWNER/NAME.")],
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, if the folder holds none.")] = None,
    strategy: StrategyOption = defaults.STRATEGY,
    model: ModelOption = "embedded",
    model_settings: ModelSettingsOption = None,
    max_error: Annotated[
        float,
        typer.Option(
            "--max-error", min=0.0001, max=0.9999, help="The highest share of accepted records that may be wrong."
        ),
    ] = 0.05,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            help="FIELD=SHARE: the highest share of values of a field (or /a/*/b) that may be wrong. Doubtful values "
            "become null, and the record is kept. It takes the place of --max-error. Repeatable.",
        ),
    ] = None,
    confidence: Annotated[
        str | None,
        typer.Option(
            "--confidence", help="A function that returns the confidence of an outcome: path/to/file.py:function."
        ),
    ] = None,
    folds: FoldsOption = None,
    key: KeyOption = None,
    group: Annotated[
        str | None,
        typer.Option("--group", help="The column whose equal values mark rows that may be wrong together: a supplier."),
    ] = None,
    max_tokens: MaxTokensOption = 256,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", help=f"Only with --dry-run: {PRICE_HELP}"),
    ] = None,
    dry_run: ForecastOption = False,
    log: LogOption = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            callback=current_spelling,
            help="The file for the certified strategy, which rejects uncertain records.",
        ),
    ] = "certified.strategy",
    out: FormerOutOption = None,
    as_json: JsonOption = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
) -> None:
    """Find the confidence that keeps a strategy's errors below --max-error. Exit 1 if no such confidence is found."""
    from structout.evaluation import Dataset, certify_fields
    from structout.evaluation import certify as find
    from structout.evaluation.certification import several_tried
    from structout.evaluation.experiment import Experiment
    from structout.evaluation.field_certification import FieldCertificate
    from structout.evaluation.forecast import forecast_of
    from structout.evaluation.user_functions import own
    from structout.prices import named, read_prices
    from structout.strategies import strategy_of
    from structout.strategies.given import priced_models
    from structout.tables.whole_file import replacing

    targets = shares_of("--field", field)
    if targets and confidence is not None:
        raise SpecError(
            "got both --field and --confidence", hint="omit one of them: fields have confidences of their own"
        )
    say_of_unasked(strategy, model)
    whole = Dataset.load(dataset, schema, group=group, key=key)
    by: dict[str, Any] = {"confidence": own(confidence, float, int, NoneType)} if confidence is not None else {}
    log = log or str(Experiment(dataset, {}).place())  # that of bench, which may hold the answers
    if price and not dry_run:
        raise SpecError("got --price without --dry-run: prices only count in a forecast", hint="add --dry-run")
    if dry_run:
        prices = named(read_prices(price or []), priced_models(strategy_of(strategy), model))
        parts = [whole] if folds else [whole.split("dev"), whole.split("test")]
        how: dict[str, Any] = {"examples": None if folds else whole, "folds": folds, "sampling": sampling(max_tokens)}
        foreseen = forecast_of({strategy: strategy_of(strategy)}, [model], parts, **how, log=log, prices=prices)
        put_forecast(foreseen, max_tokens, as_json=as_json)
        raise typer.Exit(PASSED)
    with replacing(output, keep=False):
        pass  # a file that cannot be written raises here, before a model is asked
    dev, test = len(whole.split("dev")), len(whole.split("test"))
    with progress("certify", len(whole) if folds else dev + test) as advance:
        asked: dict[str, Any] = {
            "model": model, "folds": folds, "sampling": sampling(max_tokens),
            "log": log, "progress": lambda outcome: advance(outcome.key),
        }  # fmt: skip
        found: Certificate | FieldCertificate = (
            certify_fields(strategy, whole, targets, **asked)
            if targets
            else find(strategy, whole, max_error, **asked, **by)
        )
    if folds is None and dev + test < len(whole):
        used = f"{dev:,} proposed thresholds (the dev split) and {test:,} judged them (the test split)"
        say(f"of {len(whole):,} labelled rows, {used}" + ": --folds 5 uses all" * found.lacks_records)
    if as_json:
        put_json(
            {name: value for name, value in asdict(found).items() if name != "confidences"} | {"is_met": found.is_met}
        )
    else:
        judging = (found.fields[0].evidence if isinstance(found, FieldCertificate) else found.evidence).records
        rest = f"; {len(whole) - judging:,} of them propose thresholds, and {judging:,} judge them" * bool(folds)
        put(f"{found.strategy} on {found.model}, measured on {counted(len(whole) if folds else test, 'record')}{rest}:")
        if group is not None:
            groups = counted(len({record.group for record in whole}), "group")
            put(f"the records are of {groups} by {line(group)}, and may be wrong together in a group;")
        told = _of_fields(found, len(whole)) if isinstance(found, FieldCertificate) else _of_records(found, len(whole))
        put("\n".join(told))
        has_answers = isinstance(found, FieldCertificate) or found.evidence.accepted > 0
        if has_answers and (several := several_tried(found.tried)):
            put(several)
    if found.is_met and confidence is not None:
        say("no strategy file is written: a strategy cannot apply the function of --confidence")
    elif found.is_met:
        _write(found, dataset, output)
    raise typer.Exit(PASSED if found.is_met else FAILED)


def _write(found: "Certificate | FieldCertificate", dataset: str, output: str) -> None:
    """Write the certified strategy, and the confidences for `run --watch` beside it."""
    from structout.evaluation.recommendation import options_of
    from structout.shift import reference_json
    from structout.tables.whole_file import replacing

    with replacing(output) as stream:
        stream.write(found.written(dataset).encode())
    say(f"the certified strategy is in {output}")
    options = f"--strategy {quote(output)} {options_of(dataset, found.max_tokens, found.strategy)}"
    if found.confidences:
        place = str(Path(output).with_suffix(".confidences.json"))
        with replacing(place) as stream:
            stream.write(reference_json(found.strategy, found.model, found.reference).encode())
        options += f" --watch {quote(place)}"
    watched = ", which tells when rows stop looking like these" if found.confidences else ""
    say(f"run it with: {options}{watched}")


def _of_records(found: "Certificate", labelled: int) -> "Iterator[str]":
    """What was found for whole records."""
    from structout.evaluation.amounts import plain

    if not found.evidence.accepted:
        yield f"the strategy accepted none of the {counted(found.n, 'record')} that judge: there is nothing to certify"
        return  # without an accepted record, nothing else is known
    yield f"{_wrong(found.evidence, 'accepted record')}: {_percent(found.base_error)};"
    most = f"at most {100 * found.max_error:g} % wrong"
    if found.bound:
        yield f"to have {most}, any method must reject at least {plain(100 * found.bound)} % of the accepted records"
    else:
        yield f"this is within the target, {most}, on these records: the question is whether it is shown"
    has_confidence = found.of == "answer" or bool(found.confidences)
    if not has_confidence:
        yield "the strategy gives no confidence, so it can set no record aside, and the target is for all of them;"
    if found.is_met:
        of = " of the whole answer" if found.of == "answer" else ""
        how = f"a confidence{of} of at least {found.threshold:.4g}" if found.threshold else "the strategy as it is"
        yield f"{how} accepts {_percent(found.coverage)} of the records;"
        yield f"{found.errors} of {found.accepted} were wrong, which bounds the error at {100 * found.worst:.1f} %"
    elif has_confidence:
        yield "no threshold meets the target with 95 % certainty;"
        yield from _hope(found.evidence, labelled)
    else:
        yield "they do not meet it with 95 % certainty;"
        yield from _hope(found.evidence, labelled)
        yield f"confidences would let the strategy set records aside: {CONFIDENCES}"


def _of_fields(found: "FieldCertificate", labelled: int) -> "Iterator[str]":
    """What was found for each field."""
    for one in found.fields:
        yield f"{line(one.field)}: {_wrong(one.evidence, 'value')}, {_percent(one.base_error)};"
        yield f"  at most {100 * one.max_error:g} % may be wrong"
        if not one.has_confidence:
            yield f"  its values have no confidence, so none can be withheld: {CONFIDENCES}"
        elif one.threshold is None:
            yield "  no threshold meets this target;"
            yield from (f"  {told}" for told in _hope(one.evidence, labelled))
        else:
            kept = f"{_percent(one.coverage)} of the values"
            yield f"  threshold {one.threshold:.4f} keeps {kept}, and the others become null;"
            yield f"  {one.errors} of {one.kept} were wrong, which bounds the error at {100 * one.worst:.1f} %"
    if found.is_met and len(found.fields) > 1:
        yield "all targets hold together with 95 % confidence"


def _wrong(found: "Evidence", what: str) -> str:
    """How many of the answers that judge are wrong."""
    return (
        f"{found.wrong:,} of the {counted(found.accepted, what)} that judge {'is' if found.wrong == 1 else 'are'} wrong"
    )


def _hope(found: "Evidence", labelled: int) -> "Iterator[str]":
    """Whether the confidence tells right from wrong, and how many records would meet the target."""
    if (one := found.separation) is not None:
        pairs = f"{100 * one.area:.0f} % of the pairs of a right and a wrong answer (50 % is chance)"
        shown = "tells right from wrong" if one.is_shown else "is not shown to tell right from wrong"
        yield f"the confidence {shown}: the right answer is surer in {pairs};"
    if found.needed is None:
        yield "at these rates, no number of records would meet the target: try another strategy or model, such as"
        yield "Verify(STRATEGY, Grounded(fields='examples')), which refuses values that do not stand in their texts"
    elif found.needed <= found.records:
        yield "a threshold that was chosen by the records that judge would meet it, but such a choice proves nothing:"
        yield "the records that propose thresholds did not propose it, for they are few or hold few wrong answers."
        yield "Label more rows. If a verifier within the strategy leaves few wrong answers, certify it without"
        yield "this verifier: the confidence then has wrong answers that show where to set the threshold"
    else:
        yield f"at these rates, about {found.needed:,} records that judge would meet it (now {found.records:,}):"
        rows = ceil(found.needed * labelled / max(1, found.records))
        yield f"label about {rows:,} rows in all (now {labelled:,})"


def _percent(rate: "Rate") -> str:
    return f"{100 * rate.value:.0f} % ({100 * rate.low:.0f}–{100 * rate.high:.0f})"
