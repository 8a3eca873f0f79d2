"""The report as one self-contained HTML file."""

from collections.abc import Iterator, Sequence
from difflib import ndiff
from pathlib import Path
from typing import Any

from structout import pages, surfaces
from structout.errors import DataError
from structout.evaluation.amounts import Minimise, a_record, drawn, for_records, in_unit, unit_of
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.report import Report, ReportRow
from structout.evaluation.reporting import suspected
from structout.evaluation.reporting.conclusion import conclusion
from structout.evaluation.stats.pairs import Difference
from structout.evaluation.stats.rates import Rate
from structout.evaluation.suspects import Suspect
from structout.evaluation.taxonomy import ERRORS, judged
from structout.verifiers.finding import searched

_ASSETS = Path(__file__).parent / "assets"


def write(report: Report, path: str | Path, doubted: Sequence[Suspect] | None = None) -> None:
    """Write the report as a file, with a section on `doubted` labels. Raises `DataError` if it cannot be written."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(page(report, doubted), encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        hint = "name another file with --html"
        raise DataError(f"cannot write the report {path}: {error.strerror}", hint=hint) from error


def page(report: Report, doubted: Sequence[Suspect] | None = None) -> str:
    """The report as HTML with its data as JSON inside, escaped so that no text can end the script element."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(_ASSETS), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.get_template("report.html")
    return template.render(
        title=surfaces.terminal(report.title),  # the template escapes markup
        verdict=surfaces.terminal(conclusion(report)),
        style=pages.style() + _asset("report.css"),
        script=_asset("report.js").replace("// plots.js\n", _asset("plots.js")),
        data=surfaces.json_in_html(data(report)),
        transcripts=_has_transcripts(report),
        suspects=None if doubted is None else suspected.section(report, doubted),
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def data(report: Report) -> dict[str, Any]:
    """All data that the page shows."""
    arms, unit = list(report.arms), unit_of([row.cost for row in report.rows()])
    return {
        "about": {key: value for key, value in report.about.items() if key != "comparison"},
        "errors": ERRORS,
        "unit": drawn(unit)[0],
        "rows": [_row(row, arms, unit) for row in report.rows()],
        "constant": None
        if report.constant is None
        else {name: _rate(rate) for name, rate in report.constant.rates.items()},
        "pairs": [
            {
                "one": arms.index(pair.one),
                "other": arms.index(pair.other),
                "right": {"p": pair.p, **_apart(pair.difference)},
                "wrong": {"p": pair.p_wrong, **_apart(pair.wrong)},
            }
            for pair in report.pairs()
        ],
        "perturbed": [
            {
                "arm": arms.index(Arm(one.arm.strategy, one.arm.model, one.arm.setting)),
                "name": one.arm.perturbation,
                "flips": _rate(one.flips),
                "changed": _rate(one.changed),
                **_apart(one.change),
            }
            for one in report.perturbed()
        ],
        "fields": [
            [
                {
                    "name": one.name,
                    "failed": one.failed,
                    "right": one.right,
                    "errors": one.errors,
                    "precision": _rate(one.precision),
                    "recall": _rate(one.recall),
                    "values": {value: _rate(rate) for value, rate in one.values.items()},
                }
                for one in report.fields(arm)
            ]
            for arm in arms
        ],
        "arms": [{"label": arm.label, "model": arm.model, "perturbation": arm.perturbation} for arm in arms],
        "prompts": list(_prompts(report, arms)) if _has_transcripts(report) else [],
        **(_transcripts(report, arms) if _has_transcripts(report) else _measured(report, arms)),
    }


def _prompts(report: Report, arms: list[Arm]) -> Iterator[dict[str, Any]]:
    """The first prompt of each arm, without repetitions; where only the setting differs, with the difference to the
    first arm of the strategy, line by line.
    """
    shown: dict[tuple[str, str], list[list[str]]] = {}
    for arm, outcomes in report.plain.items():
        prompt = next((one.calls[0].prompt for one in outcomes if one.calls), None)
        if prompt is None:
            continue
        first = [[message.role, message.content] for message in prompt.messages]
        before = shown.get((arm.strategy, arm.model))
        if before == first:
            continue
        shown.setdefault((arm.strategy, arm.model), first)
        lines = ndiff(_lines(before), _lines(first)) if before is not None else ()
        yield {"arm": arms.index(arm), "messages": first, "diff": [line for line in lines if line[0] in "+- "]}


def _lines(messages: list[list[str]]) -> list[str]:
    """The lines of a prompt, each message under its role."""
    return [line for role, content in messages for line in (f"[{role}]", *content.splitlines())]


def _has_transcripts(report: Report) -> bool:
    """Whether the page may show what records, prompts and answers say."""
    return report.about.get("transcripts") is not False


def _row(row: ReportRow, arms: list[Arm], unit: Minimise) -> dict[str, Any]:
    cost, one, (_, many) = row.cost, in_unit(row.cost, unit), drawn(unit)
    return {
        "arm": arms.index(Arm(row.strategy, row.model, row.setting)),
        "strategy": row.strategy,
        "setting": list(row.setting),
        "n": row.n,
        "rates": {name: _rate(rate) for name, rate in {**row.rates, **row.more}.items()},
        "cost": {name: getattr(cost, name) for name in cost.__dataclass_fields__},
        "amount": one * many,
        "spent": a_record(one, unit) if many == 1 else for_records(one, unit, many),
    }


def _rate(rate: Rate) -> list[float]:
    return [rate.value, rate.low, rate.high, rate.n]


def _apart(difference: Difference) -> dict[str, float]:
    return {name: getattr(difference, name) for name in ("value", "low", "high", "won", "lost", "n")}


def _measured(report: Report, arms: list[Arm]) -> dict[str, Any]:
    """All outcomes without their texts."""
    place = {arm: i for i, arm in enumerate(arms)}
    names = ("key", "repeat", "status", "right")
    outcomes = [{"arm": place[one.arm], **{name: getattr(one, name) for name in names}} for one in report.outcomes]
    return {"texts": [], "outcomes": outcomes}


def _transcripts(report: Report, arms: list[Arm]) -> dict[str, Any]:
    """All outcomes; they refer to a list of texts by index, so that each text is stored once."""
    texts: dict[str, int] = {}

    def text(written: str) -> int:
        return texts.setdefault(written, len(texts))

    place = {arm: i for i, arm in enumerate(arms)}
    outcomes = [
        {
            "arm": place[o.arm],
            "key": o.key,
            "repeat": o.repeat,
            "text": text(o.text),
            "status": o.status,
            "right": o.right,
            "expected": o.expected,
            "document": o.document if o.ok else o.refused,
            "issues": o.issues,
            "edits": o.edits,
            "leaves": _leaves(o),
            "attempts": [
                {
                    "model": call.model,
                    "messages": [[message.role, text(message.content)] for message in call.prompt.messages],
                    "constrained": row["constrained"],
                    "sampling": row["sampling"],
                    "text": call.completion.text,
                    "finish": call.completion.finish_reason,
                    "refusal": call.completion.refusal,
                    "logprob": call.completion.mean_value_logprob,
                    "usage": [
                        call.completion.usage.input_tokens,
                        call.completion.usage.output_tokens,
                        call.completion.usage.seconds,
                    ],
                    "check": place >= len(o.attempts),
                }
                for place, (call, row) in enumerate(zip(o.calls, (*o.attempts, *o.checks), strict=True))
            ],
        }
        for o in report.outcomes
    ]
    return {"texts": list(texts), "outcomes": outcomes}


def _leaves(outcome: Outcome) -> list[dict[str, Any]]:
    text = searched(outcome.text)
    return [
        {
            "pointer": leaf.pointer,
            "field": leaf.field or "(document)",
            "error": error,
            "expected": leaf.expected,
            "answer": leaf.answer,
            "span": text.find(leaf.answer).span if isinstance(leaf.answer, str | int | float) else None,
            "sure": outcome.confidence.get(leaf.pointer),
        }
        for leaf, error in judged(outcome)
    ]
