"""`structout certify`: a strategy that abstains when it is unsure, with a guarantee on its errors."""

from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated

import typer

from structout import defaults
from structout.cli.codes import FAILED, PASSED
from structout.cli.console import counted, progress, put, put_json, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    FoldsOption,
    FormerOutOption,
    JsonOption,
    LogOption,
    MaxTokensOption,
    ModelOption,
    ModelSettingsOption,
    StrategyOption,
    current_spelling,
    sampling,
)
from structout.surfaces import line

if TYPE_CHECKING:
    from structout.evaluation.certification import Certificate
    from structout.evaluation.stats.rates import Rate


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
    confidence: Annotated[
        str | None,
        typer.Option(
            "--confidence", help="A function that returns the confidence of an outcome: path/to/file.py:function."
        ),
    ] = None,
    folds: FoldsOption = None,
    group: Annotated[
        str | None,
        typer.Option("--group", help="The column whose equal values mark rows that may be wrong together: a supplier."),
    ] = None,
    max_tokens: MaxTokensOption = 256,
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
    from dataclasses import asdict

    from structout.evaluation import Dataset
    from structout.evaluation import certify as find
    from structout.evaluation.user_functions import own
    from structout.shift import reference_json
    from structout.tables.whole_file import replacing

    whole = Dataset.load(dataset, schema, group=group)
    by = {"confidence": own(confidence, float, int, NoneType)} if confidence is not None else {}
    with replacing(output, keep=False):
        pass  # a file that cannot be written raises here, before a model is asked
    dev, test = len(whole.split("dev")), len(whole.split("test"))
    with progress("certify", len(whole) if folds else dev + test) as advance:
        found = find(
            strategy,
            whole,
            max_error,
            model=model,
            folds=folds,
            sampling=sampling(max_tokens),
            log=log or f".structout/bench-{whole.name}.jsonl",
            progress=lambda outcome: advance(outcome.key),
            **by,
        )
    if folds is None and dev + test < len(whole):
        used = f"{dev:,} proposed thresholds (the dev split) and {test:,} judged them (the test split)"
        say(f"of {len(whole):,} labelled rows, {used}: --folds 5 uses all")
    if as_json:
        put_json({name: value for name, value in asdict(found).items() if name != "confidences"})
    else:
        put(f"{found.strategy} on {found.model}, measured on {counted(found.n, 'record')}:")
        if group is not None:
            groups = counted(len({record.group for record in whole}), "group")
            put(f"the records are of {groups} by {line(group)}, and may be wrong together in a group;")
        put(f"{_percent(found.base_error)} of the accepted records are wrong;")
        most = f"at most {100 * max_error:g} % wrong"
        put(f"to have {most}, any method must reject at least {100 * found.bound:.0f} % of the accepted records")
        if not found.confidences:
            put("the strategy gives no confidence, so it can set no record aside, and the target is for all of them;")
        if found.is_met:
            how = "the strategy" if found.threshold is None else f"threshold {found.threshold:.4f}"
            put(f"{how} accepts {_percent(found.coverage)} of the records;")
            put(f"{found.errors} of {found.accepted} were wrong, which bounds the error at {100 * found.worst:.1f} %")
        else:
            put(_why_not(found))
    if found.is_met and confidence is not None:
        say("no strategy file is written: a strategy cannot apply the function of --confidence")
    elif found.is_met:
        with replacing(output) as stream:
            stream.write(found.written(dataset).encode())
        say(f"the certified strategy is in {output}")
        if found.confidences:
            place = str(Path(output).with_suffix(".confidences.json"))
            with replacing(place) as stream:
                stream.write(reference_json(found.strategy, found.model, found.confidences).encode())
            say(f"structout run --watch {place} tells when rows stop looking like these")
    raise typer.Exit(PASSED if found.is_met else FAILED)


def _why_not(found: "Certificate") -> str:
    """Why the target is not met, and what would help."""
    from structout.evaluation.stats.rates import records_needed

    needed = records_needed(1 - found.max_error)
    judged = (
        f"{counted(found.base_error.n, 'accepted record')} judged it, and {needed:,} would show it if all are right"
    )
    if found.confidences:
        return f"no threshold meets the target with 95 % certainty: {judged}"
    help_with = "a model with log-probabilities gives confidences, and so do Vote and a Learned verifier"
    return f"they do not meet it with 95 % certainty: {judged}; {help_with}"


def _percent(rate: "Rate") -> str:
    return f"{100 * rate.value:.0f} % ({100 * rate.low:.0f}–{100 * rate.high:.0f})"
