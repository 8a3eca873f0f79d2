"""Do several adapters pay? Run it: `python -m benchmarks.reliability.members --data DIR --tuned DIR --sets snips`.

`--tuned` holds for each set a folder of its name with the members 1, 2 and 3, fine-tuned on the train records of
`sets.parts` with different seeds (`structout finetune --members 3`). An `Ensemble` of them answers the records for
heads and calibration; the test records stay unread. Each member's own answers are among the attempts, so that the
ensemble is compared with each member on the same answers. What it finds is written to results/members.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.reliability import sets
from benchmarks.reliability.confidence import DRAWS, Flags, Numbers, area, certified, write
from structout import Constrained, Ensemble, On, Sampling, evaluate
from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.score import score
from structout.evaluation.stats.pairs import difference
from structout.models.tuning import Tuning
from structout.schema import Schema
from structout.strategies.merge import canonical

MEMBERS = 3
_HEAD = "| set | records | strategy | right | more than the best member (95 %) | AUC | wrong at 80 % yield | at 50 % |"


@dataclass(frozen=True)
class Answers:
    """The answers of a member or of several: the probability of each, whether it is right, and its document."""

    sure: Numbers
    right: Flags
    documents: tuple[str, ...]


def alone(outcomes: Sequence[Outcome], model: str, schema: Schema[object]) -> Answers:
    """The answers of one member."""
    sure, right, documents = [], [], []
    for outcome in outcomes:
        (own,) = (call for call in outcome.calls if call.model == model)
        checked = schema.check_text(own.completion.text)
        found = score(outcome.expected, checked.document, outcome.comparison)
        right.append(checked.ok and found.all_right)
        sure.append((own.completion.probability or 0.0) if checked.ok else 0.0)
        documents.append(canonical(checked.document))
    return Answers(np.array(sure), np.array(right, bool), tuple(documents))


def together(members: Sequence[Answers]) -> Answers:
    """What an `Ensemble` of these members keeps."""
    sure, right, documents = [], [], []
    for place in range(len(members[0].sure)):
        total: dict[str, float] = {}
        for one in members:
            total[one.documents[place]] = total.get(one.documents[place], 0.0) + float(one.sure[place])
        kept = max(total, key=lambda document: total[document])
        sure.append(total[kept] / len(members))
        right.append(next(bool(one.right[place]) for one in members if one.documents[place] == kept))
        documents.append(kept)
    return Answers(np.array(sure), np.array(right, bool), tuple(documents))


def line(name: str, way: str, found: Answers, best: Answers) -> str:
    """A line of the first table. `best` is the best of the members that answered."""
    sure, right = found.sure, found.right
    order = np.argsort(-sure, kind="stable")
    wrong = [1 - right[order[: int(share * len(right))]].mean() for share in (0.8, 0.5)]
    apart = difference(right.astype(float).tolist(), best.right.astype(float).tolist())
    gain = "–" if found is best else f"{100 * apart.value:+.1f} ({100 * apart.low:+.1f} to {100 * apart.high:+.1f})"
    return (
        f"| {name} | {len(right)} | {way} | {right.mean():.0%} | {gain} | {area(sure, right):.3f} | {wrong[0]:.0%} "
        f"| {wrong[1]:.0%} |"
    )


def _passes(model: str) -> int:
    """The passes over the records that a member was trained for."""
    tuning = Tuning.read(Path(model.removeprefix("path:")))
    return int(tuning.training["passes"]) if tuning is not None else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.members", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tuned", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["addresses", "snips"])
    parser.add_argument("--logs", type=Path, default=Path(".structout/members"))
    options = parser.parse_args()
    first, second = [_HEAD, "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"], list[str]()
    for name in options.sets:
        parts = sets.parts(name, options.data)
        assert parts is not None, f"no {name} in {options.data}"
        models = [f"path:{options.tuned / name / str(number)}" for number in range(1, MEMBERS + 1)]
        ensemble = Ensemble(*(On(model, Constrained(quote=True)) for model in models))
        how, log = Sampling(max_tokens=sets.MAX_TOKENS[name]), options.logs / f"{name}.jsonl"
        outcomes: list[Outcome] = []
        for part in (parts.heads, parts.calibration):
            outcomes += evaluate(ensemble, models[0], part, examples=parts.train, sampling=how, log=log).outcomes
        single = [alone(outcomes, model, parts.train.schema) for model in models]
        for count in range(1, MEMBERS + 1):
            for numbers in combinations(range(MEMBERS), count):
                some = [single[number] for number in numbers]
                found = together(some) if count > 1 else some[0]
                best = max(some, key=lambda one: float(one.right.mean()))
                told = " and ".join(f"{number + 1} ({_passes(models[number])} passes)" for number in numbers)
                way = f"member {told}" if count == 1 else f"`Ensemble` of {told}"
                first.append(line(name, way, found, best))
                second += certified(name, {way: found.sure}, found.right, DRAWS)
        kept = [one.right for one in outcomes]
        assert together(single).right.tolist() == kept, "the ensemble keeps what is reckoned here"
    made = (
        f"Made by `python -m benchmarks.reliability.members --sets {' '.join(options.sets)}`, {DRAWS:,} draws a line "
        "of the second table: the embedded model, fine-tuned three times on the same 300 records with different seeds, "
        "with `Constrained(quote=True)`. The ensemble keeps the answer with the highest mean probability, and costs "
        "a call for each member."
    )
    write("members.md", "Several adapters", made, first, "strategy", second)


if __name__ == "__main__":
    main()
