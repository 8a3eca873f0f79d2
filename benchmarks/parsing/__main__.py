"""Run the comparison: `python -m benchmarks.parsing [--cases N] [--seed S] [--completions FILE] [--out FOLDER]`.

Development used seeds 1 to 99 and the kinds of syntax.py, extraction.py, coercion.py, yaml_style.py and traps.py.
The report takes fresh seeds (from 1000) and, apart, the kinds of held.py, blind.py and third.py and the cases of
fourth.jsonl: README.md beside this file says what these came to when they were first run, unseen.
"""

import argparse
import json
import platform
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.parsing import peers, written
from benchmarks.parsing.cases import GROUPS, Case, Instance, Stock, generate, read_instances
from benchmarks.parsing.measure import Counts, bombs, per_call, quantile, recover, run_bombs
from structout.evaluation import read_log
from structout.evaluation.reporting.style import styled
from structout.parsing import repair
from structout.schema import Schema

ROOT = Path(__file__).resolve().parents[2]
STOCKS: dict[Stock, str] = {
    "seen": "Kinds that development saw, fresh seed",
    "later": "Kinds that repair met in one blind run, and was then corrected for",
    "blind": "A second such set, with safeguards built in after its blind run",
    "third": "A third such set, run blind and then learned from as well",
}
# What came of each set when it was run unseen: README.md beside this file.
BLIND: dict[Stock, str] = {
    "later": "exact 76.1 on syntax, 90.7 extraction, 59.1 coercion, 94.9 YAML; 2.7 silently wrong.",
    "blind": "exact 59.1 on syntax, 90.3 extraction, 89.7 coercion; 7.9 silently wrong, traps included.",
    "third": "exact 44.9 on syntax, 76.5 extraction, 37.6 coercion, 74.1 YAML; 6.9 silently wrong, traps included.",
}
FOURTH = Path(__file__).with_name("fourth.jsonl")
BLIND_FOURTH = "88.5 % right, 9.8 % refused though readable, 1.8 % silently wrong."
PEERS: dict[str, peers.Reader] = {
    "json.loads without fences": peers.strict,
    "jiter partial": peers.jiter_partial,
    "repairjson": peers.repairjson,
    "fast_json_repair": peers.fast_json_repair,
    "json_repair": peers.json_repair_plain,
    "json_repair with schema": peers.json_repair_schema,
    "json_repair, salvage": peers.json_repair_salvage,
}
READERS = PEERS | {
    "structout": peers.structout(complete=False),
    "structout, finish reason known": peers.structout(complete=True),
}


def main() -> None:
    options = _options()
    try:
        import json_repair  # noqa: F401  (else its readers would fail, and failing is fast)
    except ImportError:
        sys.exit('the peers are not installed: pip install -e ".[bench]"')
    source, instances = read_instances(options.data, ROOT / "schemas")
    if not instances:
        sys.exit("no instances: give --data, or put records.jsonl into schemas/*")
    lines = [
        "# Repair: recovered, silently wrong, and how fast",
        "",
        f"`python -m benchmarks.parsing --cases {options.cases} --seed {options.seed}` over {len(instances)} valid"
        f" instances of {source}; Python {platform.python_version()}, {platform.machine()}.",
        "",
        "Exact: the value equals the one before the corruption. Silent: a value that complies with the schema, is not"
        " that one (a trap has none), and comes without a lossy or invented edit. In percent of the cases.",
    ]
    figures: dict[str, Counts] = {}
    for offset, (stock, what) in enumerate(STOCKS.items()):
        seed = options.seed + offset
        cases = list(generate(instances, options.cases // (2 if offset else 1), seed, stock=stock))
        counts = {name: recover(cases, read) for name, read in READERS.items()}
        lines += ["", f"## {what} (seed {seed}, {len(cases)} cases)", "", *_recovery(counts)]
        lines += ["", *_by_kind(counts["structout, finish reason known"])]
        if stock in BLIND:
            lines += ["", f"Blind (1500 cases, before the repair was mended for these kinds): {BLIND[stock]}"]
        if stock == "seen":
            figures = counts
            lines += ["", *_baml(instances, cases)]
            lines += ["", *_speed(cases[: options.timed], instances)]
    lines += ["", *_written("Field cases: after public bug reports, seen during development", options.field)]
    lines += [
        "",
        *_written("A fourth unseen set, written from public reports, run blind and then learned from", FOURTH),
    ]
    lines += ["", f"Blind, before repair was changed for these kinds: {BLIND_FOURTH}"]
    if options.completions:
        lines += ["", *_completions(options.completions)]
    if not options.no_bombs:
        lines += ["", *_bombs()]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "repair.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with styled():
        _figure(figures, options.out / "repair.png")
    print("\n".join(lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parsing", description=__doc__)
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--timed", type=int, default=300, help="how many of the cases to time")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "jsonschemabench.jsonl.gz")
    parser.add_argument("--field", type=Path, default=ROOT.parent / "shared" / "data" / "field" / "repair.jsonl")
    parser.add_argument("--completions", type=Path, help="a log of structout bench schemas/parts")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--no-bombs", action="store_true")
    return parser.parse_args()


def _share(counts: Counts, group: str, what: str) -> str:
    found = counts.get(group, Counter())
    return f"{100 * found[what] / found['cases']:.1f}" if found["cases"] else "-"


def _recovery(counts: dict[str, Counts]) -> list[str]:
    groups = [*GROUPS, "combined", "all"]
    first = next(iter(counts.values()))
    sizes = [str(first.get(group, Counter())["cases"]) for group in groups]
    lines = ["| exact / valid / silent | " + " | ".join(groups) + " | truncation flagged |"]
    lines += ["|---" * (len(groups) + 2) + "|", "| cases | " + " | ".join(sizes) + " | |"]
    for name, found in counts.items():
        cells = [" / ".join(_share(found, group, what) for what in ("exact", "valid", "silent")) for group in groups]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {_share(found, 'truncation', 'flagged')} |")
    return lines


def _by_kind(counts: Counts) -> list[str]:
    lines = ["Ours by kind (single corruptions; finish reason known): exact / silent of cases.", ""]
    for group in GROUPS:
        kinds = sorted(name for name in counts if name.startswith(group + "/"))
        cells = [
            f"{name.split('/')[1]} {_share(counts, name, 'exact')}/{_share(counts, name, 'silent')}"
            f" of {counts[name]['cases']}"
            for name in kinds
        ]
        lines.append(f"- {group}: " + "; ".join(cells))
    return lines


def _written(what: str, path: Path) -> list[str]:
    """What readers make of cases that people wrote: right, refused, silently wrong; debatable cases apart."""
    if not path.is_file():
        return [f"## {what}", "", f"Left out: there is no {path.name}."]
    cases = list(written.read(path))
    tallies = {name: written.tally(cases, written.through(read)) for name, read in PEERS.items()}
    tallies["structout"] = written.tally(cases, written.repaired)
    count = sum(not case.debatable for case in cases)
    lines = [f"## {what} ({count} cases, and {len(cases) - count} debatable ones)", ""]
    lines += ["| percent | right | refused, though readable | silently wrong | debatable: silently wrong, cases |"]
    lines += ["|---|---|---|---|---|"]
    for name, found in tallies.items():
        shares = " | ".join(f"{100 * found.plain[one] / count:.1f}" for one in ("right", "refused", "silent"))
        lines.append(f"| {name} | {shares} | {found.debatable['silent']} |")
    wrong = [
        f"{kind} {dict(found)}" for kind, found in tallies["structout"].kinds.items() if found.total() > found["right"]
    ]
    return [*lines, "", "Ours, kinds that are not all right: " + ("; ".join(sorted(wrong)) or "none")]


def _baml(instances: list[Instance], cases: list[Case]) -> list[str]:
    try:
        from benchmarks.parsing.baml import Baml

        peer = Baml({instance.name: instance.schema.json_schema for instance in instances})
    except ImportError:
        return ["BAML is left out: `pip install baml-py`."]
    mine = [case for case in cases if case.name in peer.functions]
    readers: dict[str, peers.Reader] = {
        "BAML": lambda case: peers.Answer(peer.parse(case.name, case.text)),
        **{name: READERS[name] for name in ("json_repair with schema", "structout", "structout, finish reason known")},
    }
    counts = {name: recover(mine, read, lenient=True) for name, read in readers.items()}
    taken = per_call(mine[:150], {name: readers[name] for name in ("BAML", "structout")})
    speed = ", ".join(f"{name} {statistics.median(times):.0f}" for name, times in taken.items())
    return [
        f"### Against BAML, on the {len(peer.functions)} of {len(instances)} instances whose schema BAML can express"
        " (null counts as absent, for all)",
        "",
        *_recovery(counts),
        "",
        f"Microseconds, p50: {speed}.",
    ]


def _speed(cases: list[Case], instances: list[Instance]) -> list[str]:
    anything = Schema.of(True)
    broken = [case for case in cases if case.group in ("syntax", "extraction")]
    readers: dict[str, peers.Reader] = {
        "jiter partial": peers.jiter_partial,
        "repairjson": peers.repairjson,
        "fast_json_repair": peers.fast_json_repair,
        "json_repair": peers.json_repair_plain,
        "structout, no schema": lambda case: peers.Answer(repair(case.text, anything, complete=case.complete).value),
        "json_repair with schema": peers.json_repair_schema,
        "structout": lambda case: peers.Answer(repair(case.text, case.schema, complete=case.complete).value),
    }
    lines = [f"### Microseconds on broken documents ({len(broken)}; medians of alternating rounds)", ""]
    lines += ["| | p50 | p99 | us/KB |", "|---|---|---|---|"]
    taken = per_call(broken, readers)
    size = sum(len(case.text.encode()) for case in broken) / 1024
    for name, times in taken.items():
        p50, p99 = statistics.median(times), quantile(times, 0.99)
        lines.append(f"| {name} | {p50:.0f} | {p99:.0f} | {sum(times) / size:.0f} |")
    without = sum(taken["json_repair"]) / sum(taken["structout, no schema"])
    with_schema = sum(taken["json_repair with schema"]) / sum(taken["structout"])
    middle = statistics.median(taken["json_repair"]) / statistics.median(taken["structout, no schema"])
    both = statistics.median(taken["json_repair with schema"]) / statistics.median(taken["structout"])
    lines += [
        "",
        f"Against json_repair: {middle:.1f} times as fast at p50 and {without:.1f} times in all without a schema;"
        f" {both:.1f} and {with_schema:.1f} times with it.",
    ]
    valid = [
        Case(instance.name, "syntax", (), instance.schema, json.dumps(instance.document), instance.document)
        for instance in instances[:: max(1, len(instances) // 200)]
    ]
    taken = per_call(
        valid,
        {
            "loads": lambda case: peers.Answer(case.schema.check(json.loads(case.text)).value),
            "ours": lambda case: peers.Answer(repair(case.text, case.schema).value),
        },
        rounds=9,
    )
    ratio = sum(taken["ours"]) / sum(taken["loads"])
    lines += [
        "",
        "Timed is what a program calls: `repair(...).value`, `json_repair.loads(...)`, and for a valid document"
        " `schema.check(json.loads(...)).value`; edits and issues are not looked at.",
        "",
        f"A valid document: {statistics.median(taken['ours']):.1f} us (p50), {ratio:.2f} times json.loads"
        " and validation.",
    ]
    return lines


def _completions(path: Path) -> list[str]:
    """What a model really answered, from the log of `structout bench schemas/parts`, with its gold documents."""
    schema: Schema[Any] = Schema.of("schemas/parts")
    cases: dict[str, Case] = {}
    for outcome in read_log(path).outcomes:
        for attempt in outcome.attempts:
            if not attempt["constrained"]:
                text, complete = attempt["text"], attempt["finish_reason"] == "stop"
                cases[text] = Case(outcome.key, "extraction", ("real",), schema, text, outcome.expected, complete)
    lines = [f"## Real completions ({len(cases)}): compliant, and compliant with the gold document", ""]
    lines += ["| | compliant | equal to gold |", "|---|---|---|"]
    for name, read in READERS.items():
        found = recover(list(cases.values()), read)
        lines.append(f"| {name} | {_share(found, 'all', 'valid')} | {_share(found, 'all', 'exact')} |")
    return lines


def _bombs() -> list[str]:
    schemas = {
        "object": Schema.of({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
        "list": Schema.of({"type": "array", "items": {"type": "integer"}}),
    }
    texts = bombs()
    taken = {name: run_bombs(schema, texts) for name, schema in schemas.items()}
    lines = ["## Hostile texts of 1 MB, seconds", "", "| | " + " | ".join(schemas) + " |", "|---" * 3 + "|"]
    return lines + [
        f"| `{name}` | " + " | ".join(f"{taken[key][name]:.2f}" for key in schemas) + " |" for name in texts
    ]


def _figure(counts: dict[str, Counts], path: Path) -> None:
    from matplotlib.figure import Figure

    names = [name for name in counts if name != "jiter partial"]
    groups = ["syntax", "extraction", "coercion", "yaml", "all"]
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, what, title in ((axes[0], "exact", "recovered exactly, %"), (axes[1], "silent", "silently wrong, %")):
        for row, name in enumerate(names):
            values = [float(_share(counts[name], group, what).replace("-", "0")) for group in groups]
            places = [index + (row - len(names) / 2) * 0.12 for index in range(len(groups))]
            axis.barh(places, values, height=0.11, label=name)
        axis.set_title(title)
        axis.grid(visible=False, axis="y")
    axes[0].set_yticks(range(len(groups)), groups)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
