"""`structout bench`: measurements of strategies on labelled records."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structout import surfaces
from structout.cli.axes import axes
from structout.cli.candidates import DEFAULTS, tuned
from structout.cli.codes import FAILED, INTERRUPTED, PASSED
from structout.cli.console import counted, progress, put, put_json, put_table, say, show
from structout.cli.forecasts import put_forecast
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    FoldsOption,
    ForecastOption,
    JsonOption,
    KeyOption,
    LogOption,
    ModelSettingsOption,
    ModelsOption,
    PricesOption,
    WriteSecretsOption,
    warn_of_other_models,
)
from structout.errors import DataError, SpecError

if TYPE_CHECKING:
    from structout.evaluation import Dataset, Report
    from structout.evaluation.experiment import Experiment


def bench(
    target: Annotated[
        str | None,
        typer.Argument(metavar="DATASET", help="A folder, a JSONL or CSV file, hf:OWNER/NAME, or an experiment.toml."),
    ] = None,
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, if the folder holds none.")] = None,
    strategy: Annotated[list[str] | None, typer.Option("--strategy", help="A strategy expression. Repeatable.")] = None,
    model: ModelsOption = None,
    model_settings: ModelSettingsOption = None,
    split: Annotated[str | None, typer.Option("--split", help="train, dev, test (the default) or all.")] = None,
    folds: FoldsOption = None,
    key: KeyOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Use at most this many records.")] = None,
    repeats: Annotated[int | None, typer.Option("--repeats", min=1, help="Runs per record (1).")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The seed for order, sampling and perturbations.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="The maximum number of tokens per answer (256).")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="The sampling temperature; 0 (the default) is greedy.")
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            help="Compare values: temperature=0,0.5,1, or NAME=VALUE,... for {NAME} in a strategy. Repeatable.",
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", help="Compare your own instructions: instructions=A.md,B.md. An empty name: without."),
    ] = None,
    perturb: Annotated[
        list[str] | None,
        typer.Option(
            "--perturb", help="Also measure with a small change to each text, such as typos; or all. Repeatable."
        ),
    ] = None,
    until_width: Annotated[
        float | None, typer.Option("--until-width", help="Stop when every rate's interval is at most this wide.")
    ] = None,
    until_decided: Annotated[
        bool | None, typer.Option("--until-decided", help="Stop when one strategy is shown to be the most accurate.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="A metric of your own: path/to/file.py:function.")
    ] = None,
    price: PricesOption = None,
    dry_run: ForecastOption = False,
    log: LogOption = None,
    rescore: Annotated[
        str | None,
        typer.Option("--rescore", help="Score a run of this log again without asking a model: the last run of bench."),
    ] = None,
    run: Annotated[
        int | None, typer.Option("--run", min=1, help="The number of the run that --rescore scores; it lists them.")
    ] = None,
    html: Annotated[str | None, typer.Option("--html", help="The HTML report (default: next to the log).")] = None,
    figures: Annotated[str | None, typer.Option("--figures", help="The folder for PNG figures.")] = None,
    baseline: Annotated[str | None, typer.Option("--baseline", help="The log of an earlier run to compare to.")] = None,
    history: Annotated[
        str | None, typer.Option("--history", help="List the runs in this folder of logs. --html draws their trend.")
    ] = None,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help="Exit 1 if the run is shown to be worse than the baseline.")
    ] = False,
    wrong: Annotated[
        str | None,
        typer.Option("--wrong", help="The file for the values that are not right, one a row: FILE.jsonl or FILE.csv."),
    ] = None,
    suspect: Annotated[
        bool,
        typer.Option("--suspect", help="Show labels that may be wrong: independent strategies agree on another value."),
    ] = False,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write the table as Markdown.")] = False,
    transcripts: Annotated[
        bool,
        typer.Option(
            "--transcripts/--no-transcripts",
            help="Keep the texts of records, prompts and answers in the log and the report.",
        ),
    ] = True,
    show_record: Annotated[
        bool, typer.Option("--show-record", help="Show a typical record first, before and after the best strategy.")
    ] = False,
    write_secrets: WriteSecretsOption = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
) -> None:
    """Measure strategies on labelled records: compliance, accuracy and cost. The last lines say which one to take.

    For example: structout bench schemas/parts --strategy "Prompted()" --strategy "Constrained(examples=3)" --limit 24
    """
    from structout.evaluation import read_log
    from structout.evaluation.experiment import Experiment
    from structout.evaluation.forecast import forecast
    from structout.evaluation.mistakes import check_file
    from structout.evaluation.mistakes import write as write_mistakes
    from structout.evaluation.reporting import suspected
    from structout.evaluation.suspects import suspects

    measured = model or ([] if (target or "").endswith(".toml") else ["embedded"])
    given: dict[str, Any] = {
        "schema": schema, "strategies": strategy, "models": model, "split": split, "folds": folds, "limit": limit,
        "repeats": repeats, "seed": seed, "max_tokens": max_tokens, "temperature": temperature,
        "until_width": until_width, "until_decided": until_decided, "perturbations": perturb, "metrics": metric,
        "sweep": axes(sweep or [], vary or []) or None, "prices": _priced(price, measured) if price else None,
        "log": log, "key": key,
    }  # fmt: skip
    if folds is not None and split not in (None, "all"):
        raise SpecError("got both --split and --folds", hint="omit --split: folds test the records of every split")
    if run is not None and rescore is None:
        raise SpecError("got --run without --rescore", hint="name the log with --rescore LOG")
    if fail_on_regression and baseline is None:
        raise SpecError("--fail-on-regression needs a baseline", hint="give the log of an earlier run with --baseline")
    if history is not None:
        _show_history(history, html, figures, as_json=as_json)
        raise typer.Exit(PASSED)
    if figures is not None:
        from structout.evaluation.reporting.figures import draw, ready

        ready(Path(figures))  # a problem with the figures surfaces before a model is asked
    if wrong is not None:
        if not transcripts:
            raise SpecError("got both --wrong and --no-transcripts", hint="omit one of them: --wrong writes texts")
        check_file(wrong)
    if suspect and not transcripts:
        raise SpecError("got both --suspect and --no-transcripts", hint="omit one of them: --suspect shows texts")
    earlier = read_log(baseline) if baseline is not None else None  # read first: this run may write to the same log
    if baseline is not None:
        _say_run(baseline, None, "the baseline is")
    if rescore is not None:
        report = read_log(rescore, Experiment(rescore, {}, metrics=tuple(metric or ())).own_metrics(), run)
        _say_run(rescore, run)
        if not transcripts:
            report = replace(report, about={**report.about, "transcripts": False})
        place = Path(html) if html else None
    elif target is None:
        raise SpecError("DATASET is missing", hint="name one, for example: structout bench schemas/parts")
    else:
        if target.endswith(".toml"):
            experiment = Experiment.load(target).changed(**given)
        else:
            named = {name: name for name in DEFAULTS} | (tuned(target) if not model and folds is None else {})
            experiment = Experiment(target, named).changed(**given)
        if dry_run:
            put_forecast(forecast(experiment), experiment.max_tokens, as_json=as_json)
            raise typer.Exit(PASSED)
        if suspect and len(experiment.strategies) * len(experiment.models) == 1 and not experiment.sweep:
            problem = "--suspect needs independent strategies that agree, and got one strategy"
            raise SpecError(problem, hint="give another --strategy or --model, which asks other questions")
        report = _run(experiment, earlier, write_secrets=write_secrets, transcripts=transcripts)
        if price:
            warn_of_other_models(given["prices"], [*_models(report), *experiment.models])
        place = Path(html) if html else experiment.place().with_suffix(".html")
    if not report.has_labels:
        _check_unlabelled(html, figures)
        place = None
    doubted = suspects(report) if suspect else None
    if show_record and not as_json:
        from structout.evaluation.reporting.one_record import one_record

        put_table(lambda _: one_record(report))
    more = {} if doubted is None else {"suspects": suspected.as_json(report, doubted)}
    worse = _compared(earlier, report, more, as_json=as_json, markdown=markdown)
    if doubted is not None and not as_json:
        if markdown:
            put(suspected.markdown(report, doubted))
        else:
            put_table(lambda _: suspected.table(report, doubted))
    if place is not None:
        from structout.evaluation.reporting.page import write

        replaced = place.exists()
        write(report, place, doubted)
        say(f"the report is in {place}" + (" and replaces the earlier one: --html names another file" * replaced))
    if figures is not None:
        say(f"figures: {', '.join(map(str, draw(report, Path(figures))))}")
    if wrong is not None:
        say(f"{wrong} holds {write_mistakes(report, wrong)}")
    if not as_json:
        _conclude(report, place, markdown=markdown)
    raise typer.Exit(FAILED if worse and fail_on_regression else 0)


_MOST_RUNS = 10  # of a log, listed beside the scored one


def _say_run(log: str, number: int | None, role: str = "scored") -> None:
    """Say which run of a log is read, and, if the run to score was not named, how another one is."""
    from structout.evaluation.log import LoggedRun, chosen, listed

    def told(one: LoggedRun) -> str:
        by = "bench" if one.is_of_bench else str(one.about.get("by", "recommend, certify or a program"))
        strategies = one.about.get("strategies")
        names = ", ".join(map(str, strategies)) if isinstance(strategies, list) else ""
        date = str(one.about.get("date", "no date"))
        return f"{date:.19}, by {by:.40}, {counted(one.outcomes, 'outcome')}: {names:.100}"

    found = listed(log)
    read = chosen(found, log, number)
    say(f"{role} run {read.number} of {len(found)} in {log}: {told(read)}")
    others = [one for one in found if one is not read] if number is None and role == "scored" else []
    for one in others[-_MOST_RUNS:]:
        say(f"--run {one.number} scores {told(one)}")


def _check_unlabelled(html: str | None, figures: str | None) -> None:
    """Raise `DataError` for a page or figures of records without labels: both show how many values are right."""
    if html is not None or figures is not None:
        problem = "the records have no labels, so there is nothing to draw"
        raise DataError(problem, hint="omit --html and --figures, or label the records")


def _conclude(report: "Report", place: Path | None, *, markdown: bool) -> None:
    from structout.evaluation.reporting.conclusion import conclusion

    text = conclusion(report, None if place is None else str(place))
    if markdown:
        put(f"\n{surfaces.markdown(text)}")
    else:
        from rich.text import Text

        put_table(lambda _: Text(f"\n{surfaces.line(text)}"))


def _show_history(folder: str, html: str | None, figures: str | None, *, as_json: bool) -> None:
    from structout.evaluation.history import history
    from structout.evaluation.reporting.trend import draw, table, write

    found = history(folder)
    if as_json:
        put_json([asdict(one) for one in found])
    else:
        put_table(lambda width: table(found))
    if html is not None:
        write(found, Path(html))
        say(f"the report is in {html}")
    if figures is not None:
        say(f"figures: {draw(found, Path(figures))}")


def _run(experiment: "Experiment", earlier: "Report | None", *, write_secrets: bool, transcripts: bool) -> "Report":
    from structout.evaluation import read_log
    from structout.evaluation.regression import check_common
    from structout.evaluation.reporting.conclusion import is_open
    from structout.models.tokens import uncounted_told
    from structout.schema.hidden import check_hidden

    whole, records = experiment.records()
    if not write_secrets and transcripts:
        check_hidden(whole.schema, "add --write-secrets: the log and the report hold every answer")
    if earlier is not None:
        check_common(earlier, experiment.strategies, records)
    arms = len(experiment.strategies) * len(experiment.models) * (1 + len(experiment.perturbations))
    total = len(records) * arms * experiment.repeats
    for values in experiment.sweep.values():
        total *= len(values)
    command = f"structout {shlex.join(sys.argv[1:])}"
    try:
        with progress("bench", total) as advance:
            report = experiment.run(
                lambda outcome: advance(outcome.strategy), {"command": command}, transcripts=transcripts
            )
    except KeyboardInterrupt:
        place = experiment.place()
        if not transcripts:
            say(f"interrupted: {place} holds no answers, so the same command starts again")
            raise typer.Exit(INTERRUPTED) from None
        kept = len(read_log(place).outcomes)
        say(f"interrupted: {kept} of {total} outcomes are kept in {place}; the same command resumes the run")
        raise typer.Exit(INTERRUPTED) from None
    say(f"every {'attempt' if transcripts else 'score'} is in {experiment.place()}")
    usages = [usage for one in report.outcomes for usage in one.usages]
    if told := uncounted_told(sum(one.estimated_tokens > 0 for one in usages), sum(one.calls for one in usages)):
        say(told)
    if told := _partly(whole, records, experiment):
        say(told + ": --folds 5 tests all" * is_open(report))
    return report


def _partly(whole: "Dataset", tested: "Dataset", experiment: "Experiment") -> str:
    """A sentence for labelled rows of which only a split is tested; "" if all are, or a limit says how many."""
    if len(tested) == len(whole) or experiment.limit is not None or not whole.has_labels:
        return ""
    rest = "examples come from the train split" if whole.examples else "the other rows are not used"
    split = f"the {experiment.split} split; {rest}"
    return f"{len(tested):,} of {len(whole):,} labelled rows were tested ({split})"


def _models(report: "Report") -> list[str]:
    """The names of the measured models, and of all other models that were asked."""
    calls = (call for one in report.outcomes for call in (*one.attempts, *one.checks))
    return list(dict.fromkeys([*(one.model for one in report.outcomes), *(str(call["model"]) for call in calls)]))


def _compared(
    earlier: "Report | None", report: "Report", more: Mapping[str, Any], *, as_json: bool, markdown: bool
) -> bool:
    """Show the report and the changes since an earlier report. True if a change is shown to be a regression."""
    if earlier is None:
        show(report, as_json=as_json, markdown=markdown, more=more)
        return False
    from structout.evaluation.provenance import moved
    from structout.evaluation.regression import changes
    from structout.evaluation.reporting.conclusion import conclusion

    found, others = changes(earlier, report), moved(earlier, report)
    if as_json:
        rows = [asdict(one) | {"is_regression": one.is_regression} for one in found]
        put_json(report.to_json() | {"conclusion": conclusion(report), "changes": rows, "moved": others, **more})
    else:
        show(report, as_json=False, markdown=markdown)
    for sentence in others:
        say(f"since the baseline, {sentence}")
    for one in found:
        if one.lost or one.won:
            d = one.difference
            what = "REGRESSION" if one.is_regression else "changed"
            arm = " ".join(filter(None, (one.arm.label, one.arm.perturbation)))
            say(
                f"{what}: {arm}, {one.metric}: {100 * d.value:+.1f} points, "
                f"{100 * d.low:+.1f} to {100 * d.high:+.1f}, p = {one.p:.3f}; "
                f"lost {', '.join(one.lost) or 'none'}; won {', '.join(one.won) or 'none'}"
            )
    return any(one.is_regression for one in found)


def _priced(texts: Sequence[str], models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The prices of `--price` by model name, as an experiment holds them. A price without a name belongs to the only
    one of `models`.
    """
    from structout.prices import named, read_prices

    given = named(read_prices(texts), models)
    return {model: {key: v for key, v in asdict(one).items() if v not in (None, "")} for model, one in given.items()}
