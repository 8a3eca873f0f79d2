"""Run the comparison: `python -m benchmarks.reliability --data FOLDER [--tuned FOLDER] [--sets NAME ...]`.

`--data` holds `addresses.jsonl`, `snips.jsonl` and `quantities.jsonl` with their schemas (sets that are not there are
left out). `--tuned` holds a model for each set in a folder of its name, fine-tuned on the train records of
`sets.divided`, or the members 1, 2 and 3 in such a folder: member 1 answers, and all of them decide together as an
`Ensemble`. All answers are kept under `--log`: an interrupted run goes on where it was, and a finished run is scored
again without asking the models.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.reliability import report, sets
from benchmarks.reliability.measure import auc, brier, consistency, corrected, made_up, right_of_the_first, row
from benchmarks.reliability.recorded import Recorded
from benchmarks.reliability.ways import BASE, ENSEMBLE, Fitted, together, ways
from structout import Confident, Constrained, Dataset, Grounded, Sampling, Scripted, Verifier, evaluate, load_model
from structout.document import leaves
from structout.evaluation import judged
from structout.evaluation.outcome import Outcome
from structout.models.tuning import Tuning
from structout.verifiers import Judged

_SETS = ["parts", "addresses", "snips", "quantities"]
_MODELS = ["as is", "fine-tuned"]
_EXAMPLES = 3  # shown to the model where it was not fine-tuned
_NOBODY = Scripted("")  # for verifiers that ask no model
_FOLDS = 5
_SAMPLED = ("BestOf", "Vote", "Cascade")  # ways that may answer otherwise each time
_RUNS = 5  # of each record, for consistency


def main() -> None:
    options = _options()
    options.log.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        dataset = sets.divided(name, options.data)
        if dataset is None:
            print(f"{name} is not in {options.data}: left out", file=sys.stderr)
            continue
        for kind in options.models:
            members = _members(kind, name, options.tuned, options.log)
            if not members:
                print(f"no fine-tuned model for {name}: left out", file=sys.stderr)
                continue
            for answers in options.answers:
                members[0].take(answers)
            table = _compare(name, kind, dataset, members, options)
            (options.log / f"{_file(kind, name)}.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    found = [options.log / f"{_file(kind, name)}.json" for name in _SETS for kind in _MODELS]
    report.write([json.loads(file.read_text(encoding="utf-8")) for file in found if file.is_file()], options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--tuned", type=Path)
    parser.add_argument("--sets", nargs="+", default=_SETS)
    parser.add_argument("--models", nargs="+", default=_MODELS)
    parser.add_argument("--records", type=int, default=100, help="test records of each set")
    parser.add_argument("--dev", type=int, default=250, help="dev records to fit to; 0: fit across folds of test")
    parser.add_argument("--samples", type=int, default=5, help="answers of a vote")
    parser.add_argument("--repeated", type=int, default=25, help="test records that are run five times")
    parser.add_argument("--answers", nargs="+", type=Path, default=[], help="harness logs whose answers are taken over")
    parser.add_argument("--only", nargs="+", help="compare only these ways")
    parser.add_argument("--log", type=Path, default=Path(".structout/reliability"))
    parser.add_argument("--out", type=Path, default=sets.ROOT / "benchmarks" / "results")
    return parser.parse_args()


def _file(kind: str, name: str) -> str:
    return f"{kind.replace(' ', '-')}-{name}"


def _members(kind: str, name: str, tuned: Path | None, log: Path) -> list[Recorded]:
    """The models of a set: the embedded model, or those that were fine-tuned, of which the first answers alone."""
    if kind == "as is":
        return [Recorded(kind, partial(load_model, "embedded"), log / f"{_file(kind, name)}.jsonl")]
    if tuned is None:
        return []
    return [
        Recorded(
            f"{kind} {number}",
            partial(load_model, f"path:{place}"),
            log / f"{_file(kind, name)}-{number}.jsonl",
            Tuning.read(place),
        )
        for number, place in enumerate(sets.adapters(tuned / name), 1)
    ]


def _compare(
    name: str, kind: str, dataset: Dataset, members: Sequence[Recorded], options: argparse.Namespace
) -> dict[str, Any]:
    model = members[0]
    sampling = Sampling(max_tokens=sets.MAX_TOKENS[name])
    examples = _EXAMPLES if kind == "as is" else 0
    test = sets.sample(dataset.split("test"), options.records)

    def run(found: dict[str, Any], records: Dataset, repeats: int = 1) -> dict[str, list[Outcome]]:
        outcomes: dict[str, list[Outcome]] = {}
        for label, way in found.items():
            began = time.perf_counter()
            one = evaluate({label: way}, model, records, examples=dataset, sampling=sampling, repeats=repeats)
            outcomes[label] = list(one.outcomes)
            print(
                f"{name}, {kind}: {label}, {len(records)} x {repeats}: {time.perf_counter() - began:.0f} s", flush=True
            )
        return outcomes

    several = {ENSEMBLE: together(members, examples)} if len(members) > 1 else {}
    source = sets.sample(dataset.split("dev"), options.dev) if options.dev else test
    answers = run({BASE: Constrained(examples=examples, quote=True), **several}, source)
    lessons = {way: judged(found, dataset.schema) for way, found in answers.items()}
    taught = {way: [one.key for one in found if one.ok] for way, found in answers.items()}
    outcomes: dict[str, list[Outcome]] = defaultdict(list)
    scores: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    for records in [test] if options.dev else sets.folds(test, _FOLDS):
        held_out = {record.key for record in records} if not options.dev else set()
        kept = {
            way: [one for key, one in zip(taught[way], found, strict=True) if key not in held_out]
            for way, found in lessons.items()
        }
        fitted = Fitted.on(dataset, kept[BASE], kept.get(ENSEMBLE, []))
        compared = ways(fitted, examples, options.samples, members if several else ())
        wanted = (BASE, *(options.only or compared))
        found = run({label: way for label, way in compared.items() if label in wanted}, records)
        for label, group in found.items():
            outcomes[label] += group
        for verifier in _free(fitted):
            told, spent = _scores(verifier, judged(found[BASE], dataset.schema))
            scores[_named(verifier)] += told
            seconds[_named(verifier)] += spent
    outcomes = {label: group for label, group in outcomes.items() if len(group) == len(test)}  # in every fold
    drawn = {"Constrained(temperature=0.7)": Constrained(examples=examples, quote=True, temperature=0.7)}
    repeated = drawn | {name: way for name, way in compared.items() if name.startswith(_SAMPLED)}
    runs = run(repeated, sets.sample(test, options.repeated), _RUNS) if options.repeated else {}
    base = outcomes[BASE]
    checks = judged(base, dataset.schema)
    return {
        "set": name,
        "model": kind,
        "dev": len(lessons[BASE]) if options.dev else 0,
        "dev right": sum(one.right for one in lessons[BASE]),
        "taken": len(model.taken),
        "rows": corrected({label: row(group, base) for label, group in outcomes.items()}, BASE),
        "consistency": {label: consistency(group) for label, group in runs.items()},
        "grounded": _grounding(fitted.grounded, checks, base),
        "free": {label: _ranking(told, seconds[label] / len(told)) for label, told in scores.items() if told},
    }


def _free(fitted: Fitted) -> list[Verifier]:
    found: list[Verifier | None] = [
        fitted.grounded, fitted.confident, fitted.answer, fitted.roundtrip, fitted.learned
    ]  # fmt: skip
    return [one for one in found if one is not None]


def _named(verifier: Verifier) -> str:
    whole = isinstance(verifier, Confident) and verifier.of == "answer"
    return type(verifier).__name__ + ", whole answer" * whole


def _scores(verifier: Verifier, checks: Sequence[Judged]) -> tuple[list[tuple[float, bool]], float]:
    """A verifier's scores of results, each with whether it is right, and the CPU seconds that they took."""
    began = time.process_time()
    verdicts = verifier.check([one.task for one in checks], [one.result for one in checks], _NOBODY)
    spent = time.process_time() - began
    return [(verdict.score, one.right) for verdict, one in zip(verdicts, checks, strict=True)], spent


def _ranking(scores: Sequence[tuple[float, bool]], seconds: float) -> dict[str, Any]:
    """How well scores tell right from wrong; `seconds` is what one takes."""
    return {
        "auc": auc(scores),
        "brier": brier(scores),
        "cpu seconds": seconds,
        "wrong of the first": [1 - right / k for k, right in enumerate(right_of_the_first(scores), 1)],
    }


def _grounding(grounded: Grounded, checks: Sequence[Judged], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How many made-up leaves grounding refuses, and how many right leaves and records it refuses too."""
    verdicts = grounded.check([one.task for one in checks], [one.result for one in checks], _NOBODY)
    gold = {one.text: one.expected for one in outcomes}
    counts = dict.fromkeys(("made up", "caught", "right", "refused", "wrong", "wrong refused"), 0)
    for one, verdict in zip(checks, verdicts, strict=True):
        expected, document = leaves(gold[one.task.text]), leaves(one.result.document)
        refused = {issue.pointer for issue in verdict.issues}
        invented = made_up(one.task.text, gold[one.task.text], one.result.document)
        correct = [place for place, value in document.items() if expected.get(place) == value]
        counts["made up"] += len(invented)
        counts["caught"] += len(refused.intersection(invented))
        counts["right"] += len(correct)
        counts["refused"] += len(refused.intersection(correct))
        counts["wrong"] += len(document) - len(correct)
        counts["wrong refused"] += len(refused.difference(correct))
    records = [verdict.decision == "reject" for one, verdict in zip(checks, verdicts, strict=True) if one.right]
    return {"fields": grounded.fields, **counts, "right records": len(records), "records refused": sum(records)}


if __name__ == "__main__":
    main()
