"""Do several adapters pay? Run it: `python -m benchmarks.reliability.members --data DIR --tuned DIR --sets snips`.

`--tuned` holds for each set a folder of its name with the members 1, 2 and 3, fine-tuned on the train records of
`sets.parts` with different seeds (`structout finetune --members 3`). An `Ensemble` of them answers the records for
heads and calibration; the test records stay unread. Each member's own answers are among the attempts, so that the
ensemble is compared with each member on the same answers. What it finds is written to results/members.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.reliability import sets
from benchmarks.reliability.confidence import DRAWS, Flags, Numbers, area, certified
from structout import Constrained, Ensemble, On, Sampling, evaluate
from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.score import score
from structout.evaluation.stats.pairs import difference
from structout.schema import Schema

MEMBERS = 3
_HEAD = "| set | records | strategy | right | more than the best member (95 %) | AUC | wrong at 80 % yield | at 50 % |"
_CERTIFIED = "| set | at most wrong | strategy | draws with a certificate | mean yield of these | of all draws |"


def alone(outcomes: Sequence[Outcome], model: str, schema: Schema[object]) -> tuple[Numbers, Flags]:
    """The probability of one member's answers, and whether they are right."""
    sure, right = [], []
    for outcome in outcomes:
        (own,) = (call for call in outcome.calls if call.model == model)
        checked = schema.check_text(own.completion.text)
        found = score(outcome.expected, checked.document, outcome.comparison)
        right.append(checked.ok and found.all_right)
        sure.append((own.completion.probability or 0.0) if checked.ok else 0.0)
    return np.array(sure), np.array(right, bool)


def line(name: str, way: str, sure: Numbers, right: Flags, best: Flags) -> str:
    """A line of the first table."""
    order = np.argsort(-sure, kind="stable")
    wrong = [1 - right[order[: int(share * len(right))]].mean() for share in (0.8, 0.5)]
    apart = difference(right.astype(float).tolist(), best.astype(float).tolist())
    gain = "–" if right is best else f"{100 * apart.value:+.1f} ({100 * apart.low:+.1f} to {100 * apart.high:+.1f})"
    return (
        f"| {name} | {len(right)} | {way} | {right.mean():.0%} | {gain} | {area(sure, right):.3f} | {wrong[0]:.0%} "
        f"| {wrong[1]:.0%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.members", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tuned", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["addresses", "snips"])
    parser.add_argument("--logs", type=Path, default=Path(".structout/members"))
    options = parser.parse_args()
    first, second = [_HEAD, "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"], [_CERTIFIED]
    second.append("| --- | ---: | --- | ---: | ---: | ---: |")
    for name in options.sets:
        parts = sets.parts(name, options.data)
        assert parts is not None, f"no {name} in {options.data}"
        models = [f"path:{options.tuned / name / str(number)}" for number in range(1, MEMBERS + 1)]
        ensemble = Ensemble(*(On(model, Constrained(quote=True)) for model in models))
        how, log = Sampling(max_tokens=sets.MAX_TOKENS[name]), options.logs / f"{name}.jsonl"
        outcomes: list[Outcome] = []
        for part in (parts.heads, parts.calibration):
            outcomes += evaluate(ensemble, models[0], part, examples=parts.train, sampling=how, log=log).outcomes
        single = {model: alone(outcomes, model, parts.train.schema) for model in models}
        best = max((right for _, right in single.values()), key=lambda right: float(right.mean()))
        known = {f"member {number}": one for number, one in enumerate(single.values(), 1)}
        sure = np.array([(one.answer_sureness or 0.0) if one.ok else 0.0 for one in outcomes])
        known["Ensemble of the three"] = sure, np.array([one.right for one in outcomes], bool)
        for way, (probability, right) in known.items():
            first.append(line(name, way, probability, right, best))
            second += certified(name, {way: probability}, right, DRAWS)
    text = [
        "# Several adapters",
        "",
        f"Made by `python -m benchmarks.reliability.members --sets {' '.join(options.sets)}`, {DRAWS:,} draws a line "
        "of the second table: the embedded model, fine-tuned three times on the same 300 records with different seeds, "
        "with `Constrained(quote=True)`. The ensemble keeps the answer with the highest mean probability, and costs "
        "three calls.",
        "",
        *first,
        "",
        "How often `certify` finds a threshold that it can promise, with half of the records to propose thresholds and "
        "half to judge them:",
        "",
        *second,
        "",
    ]
    (sets.ROOT / "benchmarks" / "results" / "members.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
