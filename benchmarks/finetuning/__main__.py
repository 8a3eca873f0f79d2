"""Run it: `python -m benchmarks.finetuning --data FOLDER [--sets NAME ...] [--only PART ...]`.

`--data` holds `addresses.jsonl` and `snips.jsonl` with their schemas (sets that are not there are left out). Models and
logs are kept under `--work`: an interrupted run goes on where it was, and what was measured is not measured again.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.finetuning import report
from benchmarks.reliability import sets
from structout import Dataset, Model, Prompted, Report, Sampling, evaluate, load_model
from structout.evaluation import read_log
from structout.finetuning import Training, TrainingStep, finetune
from structout.finetuning.curve import SIZES, learning_curve
from structout.finetuning.dpo import prefer
from structout.finetuning.finetuner import MEASURED
from structout.finetuning.preference_pairs import preferences
from structout.models.tuning import Tuning, reordered
from structout.result import Example

PARTS = ("train", "generated", "preferences", "curve")
STRATEGIES = (*MEASURED, "Constrained(quote=True)")
# As `make tuned` makes the adapter that is shipped; and short records, of which 24 CPU minutes allow more passes.
TRAINING = {
    "parts": Training(rank=8, passes=3, held_out=0),
    "snips": Training(passes=8),
}
GENERATED = {"parts": 1500}  # records by the set's own generator, learnt besides
LABELS_ALONE = Training(rank=8, passes=8)  # without them there is time for more passes
CURVE_PASSES = 4  # of each of the five models of a learning curve


def main() -> None:
    options = _options()
    results: dict[str, Any] = _read(options.out / "finetuning.json")
    for name in options.sets:
        dataset = _chosen(name, options)
        if dataset is None:
            print(f"{name} is not in {options.data}: left out", file=sys.stderr)
            continue
        found = results.setdefault(name, {})
        for part in PARTS:
            if part in options.only:
                found.update(_DONE[part](name, dataset, options))
                written = json.dumps(results, indent=1).replace(f"{options.work}/", "")  # no place on this machine
                (options.out / "finetuning.json").write_text(written + "\n", encoding="utf-8")
                report.write(results, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finetuning", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--sets", nargs="+", default=["parts", "addresses", "snips"])
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--labels", type=int, default=300, help="train records of each set")
    parser.add_argument("--records", type=int, default=100, help="test records of each set")
    parser.add_argument("--before", type=int, default=100, help="how many of them the model as it is is asked")
    parser.add_argument("--answers", type=int, default=3, help="to each train record, to find preferences in")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="of the learning curve")
    parser.add_argument("--work", type=Path, default=Path(".structout/finetuning"))
    parser.add_argument("--out", type=Path, default=sets.ROOT / "benchmarks" / "results")
    return parser.parse_args()


def _read(file: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return known


def _chosen(name: str, options: argparse.Namespace) -> Dataset | None:
    """The records to learn, spread evenly over the train split, and those to judge by, over the test split."""
    whole = sets.load(name, options.data)
    if whole is None:
        return None
    train = sets.sample(whole.split("train"), options.labels)
    test = sets.sample(whole.split("test"), options.records)
    return replace(whole, records=(*train.records, *test.records))


def _train(name: str, dataset: Dataset, options: argparse.Namespace) -> dict[str, Any]:
    folder, test = options.work / name, dataset.split("test")
    more = _generated(name, options.work)
    tuned = finetune("embedded", dataset, folder, TRAINING.get(name), more=more, tell=_tell)
    tuning = Tuning.read(folder)
    assert tuning is not None
    logs = [options.work / f"{name}-{when}.jsonl" for when in ("before", "after")]
    before = _measured(STRATEGIES, "embedded", test.head(options.before), dataset, logs[0])
    after = _measured(STRATEGIES, tuned, test, dataset, logs[1])
    return {
        "labels": len(dataset.examples),
        "generated": len(more),
        "training": tuning.training,
        "cost": tuning.cost,
        "log": tuning.log,
        "before": [asdict(row) for row in before.rows()],
        "after": [asdict(row) for row in after.rows()],
        "keys": {name: report.keys_right(after, name) for name in STRATEGIES},
    }


def _without_generated(name: str, dataset: Dataset, options: argparse.Namespace) -> dict[str, Any]:
    """What the labelled records alone bring, where others were learnt besides."""
    if name not in GENERATED:
        return {}
    folder, test = options.work / f"{name}-labels", dataset.split("test")
    tuned = finetune("embedded", dataset, folder, LABELS_ALONE, tell=_tell)
    tuning = Tuning.read(folder)
    assert tuning is not None
    alone = _measured(STRATEGIES, tuned, test, dataset, folder.with_suffix(".jsonl"))
    both = read_log(options.work / f"{name}-after.jsonl")
    return {
        "alone": {
            "cost": tuning.cost,
            "rows": [asdict(row) for row in alone.rows()],
            "gains": {strategy: report.gain(alone, both, strategy) for strategy in STRATEGIES},
        }
    }


def _generated(name: str, work: Path) -> list[Example]:
    if name not in GENERATED:
        return []
    place, file = sets.ROOT / "schemas" / name, work / f"{name}-generated.jsonl"
    command = [sys.executable, str(place / "generate.py"), str(GENERATED[name]), "--seed", "1"]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return [Example(record.text, record.written) for record in Dataset.load(file, str(place))]


def _prefer(name: str, dataset: Dataset, options: argparse.Namespace) -> dict[str, Any]:
    """Sample answers to the train records, and prefer those that are right to those that are not."""
    sft, folder, test = options.work / name, options.work / f"{name}-preferred", dataset.split("test")
    log = options.work / f"{name}-sampled.jsonl"
    sampled = _measured(
        [Prompted(temperature=1.0)], f"path:{sft}", dataset.split("train"), dataset, log, repeats=options.answers
    )
    tuning = Tuning.read(sft)
    assert tuning is not None
    taught = reordered(dataset.schema, tuning.orders)
    pairs = preferences(sampled.outcomes, taught, labels=dataset.examples)
    began = time.process_time()
    if Tuning.read(folder) is None:
        prefer(f"path:{sft}", pairs, folder)
    spent = time.process_time() - began
    before = read_log(options.work / f"{name}-after.jsonl")
    after = _measured(STRATEGIES, f"path:{folder}", test, dataset, options.work / f"{name}-preferred.jsonl")
    return {
        "preferences": {
            "pairs": len(pairs),
            "cpu_seconds": round(spent),
            "after": [asdict(row) for row in after.rows()],
            "gains": {name: report.gain(before, after, name) for name in STRATEGIES},
        }
    }


def _curve(name: str, dataset: Dataset, options: argparse.Namespace) -> dict[str, Any]:
    whole = sets.load(name, options.data)
    assert whole is not None
    test = dataset.split("test")
    # What is neither learnt nor judged by helps out where the train split is too small for a size.
    known = {record.key for record in dataset.records}
    train = [record for record in dataset.records if record.split == "train"]
    pool = [*train, *(replace(record, split="train") for record in whole.records if record.key not in known)]
    points = [
        point
        for size in options.sizes
        for point in learning_curve(
            "embedded",
            replace(dataset, records=tuple(pool[: max(size, len(train))])),
            options.work / f"{name}-curve",
            replace(TRAINING.get(name, Training()), passes=CURVE_PASSES),
            sizes=[size],
            measure=test,
            sampling=Sampling(max_tokens=sets.MAX_TOKENS[name]),
            tell=_tell,
        )
    ]
    return {"curve": [asdict(point) for point in points]}


def _measured(
    strategies: Sequence[Any], model: str | Model, records: Dataset, whole: Dataset, log: Path, repeats: int = 1
) -> Report:
    """The report of these strategies, from the log if that is complete."""
    if log.is_file() and len((known := read_log(log)).outcomes) == len(strategies) * len(records) * repeats:
        return known
    who = load_model(model) if isinstance(model, str) else model
    sampling = Sampling(max_tokens=sets.MAX_TOKENS[whole.name])
    began = time.perf_counter()
    made = evaluate(strategies, who, records, examples=whole, sampling=sampling, log=log, repeats=repeats)
    print(f"{log.stem}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return made


_DONE = {"train": _train, "generated": _without_generated, "preferences": _prefer, "curve": _curve}


def _tell(step: TrainingStep) -> None:
    if step.step % 10 == 0 or step.step == step.steps:
        print(f"step {step.step} of {step.steps}, loss {step.loss:.3f}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
