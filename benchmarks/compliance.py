"""All strategies over all tasks of schemas/, with the embedded model: `python -m benchmarks.compliance`.

Each task has its log; what a log holds is not asked again, so that a run that was stopped goes on, and one with more
`--records` only asks for the new ones.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from structout import Dataset, Report
from structout.completion import Sampling
from structout.evaluation import evaluate, read_log
from structout.evaluation.reporting.page import write
from structout.evaluation.reporting.table import percent
from structout.models import load_model

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks/results"
STRATEGIES = [
    "Prompted()",
    "Prompted(examples=3)",
    "Repair(Prompted(examples=3))",
    "Reask(Repair(Prompted(examples=3)))",
    "Constrained()",
    "Constrained(examples=3)",
    "Constrained(examples=3, quote=True)",
    "Cascade(Repair(Prompted(examples=3)), Constrained(examples=3))",
    "Verify(Constrained(examples=3), Grounded())",
    "Draft(Constrained(examples=3))",
    "Think(Constrained(examples=3))",
    "BestOf(Constrained(examples=3), n=3)",
    "Vote(Constrained(examples=3), n=3)",
]
SHOWN = ("compliance", "record accuracy", "wrong-but-valid")
MOST_TOKENS = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=24, help="test records a task")
    parser.add_argument("--tasks", nargs="*", default=[], help="folders of schemas/ (default: all)")
    parser.add_argument("--logs", type=Path, default=ROOT / ".structout", help="where the logs are")
    parser.add_argument("--table", action="store_true", help="only write the table of what the logs hold")
    given = parser.parse_args()
    tasks = given.tasks or sorted(path.parent.name for path in ROOT.glob("schemas/*/records.jsonl"))
    reports = {}
    for task in tasks:
        log = given.logs / f"compliance-{task}.jsonl"
        report = read_log(log) if given.table else measure(task, given.records, log)
        write(report, RESULTS / f"compliance-{task}.html")
        reports[task] = report
    text = table(reports)
    (RESULTS / "compliance.md").write_text(text, encoding="utf-8")
    print(text)


def measure(task: str, records: int, log: Path) -> Report:
    """Run all strategies over the first test records of a task, in their fixed order."""
    whole = Dataset.load(ROOT / "schemas" / task)
    part = whole.split("test").shuffled().head(records)
    began = time.monotonic()
    report = evaluate(
        STRATEGIES,
        load_model("embedded"),
        part,
        examples=whole,
        sampling=Sampling(max_tokens=MOST_TOKENS),
        log=log,
        about={"command": f"python -m benchmarks.compliance {shlex.join(sys.argv[1:])}".strip()},
    )
    print(f"{task}: {len(part)} records in {(time.monotonic() - began) / 60:.1f} minutes", file=sys.stderr, flush=True)
    return report


def table(reports: dict[str, Report]) -> str:
    """For each strategy and task the compliance, the record accuracy and what is wrong but valid, with the cost."""
    heads = ["strategy", *(f"{task} ({report.about['records']})" for task, report in reports.items()), "s / record"]
    lines = [f"| {' | '.join(heads)} |", f"| --- | {' | '.join(['---:'] * (len(heads) - 1))} |"]
    for strategy in STRATEGIES:
        rows = [report[strategy] for report in reports.values()]
        cells = [" / ".join(f"{100 * row.rates[name].value:.0f}" for name in SHOWN) for row in rows]
        seconds = sum(row.cost.seconds for row in rows) / len(rows)
        lines.append(f"| {strategy} | {' | '.join(cells)} | {seconds:.2f} |")
    seconds = sum(row.cost.seconds * row.n for report in reports.values() for row in report.rows())
    machine = next(iter(reports.values())).about["machine"]
    parts = [
        "# All strategies over all tasks",
        f"{' / '.join(SHOWN)} in percent, by task (test records), with SmolLM2-135M; seconds of the model per record.",
        "\n".join(lines),
        f"{seconds / 60:.0f} minutes of the model if nothing were shared between strategies ({machine}). Made by "
        "`python -m benchmarks.compliance`; each task's report, with intervals and every transcript, is "
        "`compliance-TASK.html` beside this file.",
        *(f"## {task}\n\n{_detail(report)}" for task, report in reports.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _detail(report: Report) -> str:
    lines = [
        f"| strategy | {' | '.join(report.rows()[0].rates)} |",
        f"| --- |{' ---: |' * len(report.rows()[0].rates)}",
    ]
    for row in report.rows():
        lines.append(f"| {row.label} | {' | '.join(percent(r).replace(chr(10), ' ') for r in row.rates.values())} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
