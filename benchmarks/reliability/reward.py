"""Does a reward pay that punishes values which are made up? Run it: `python -m benchmarks.reliability.reward`.

The embedded model of the demo answers 500 generated part descriptions, which are new to it, four times at temperature
1, held to the schema. The reward of an answer is its right leaves minus two for each leaf that is made up. From the
same adapter, three ways learn from these records, each for as many CPU seconds as DPO takes for one pass:

- `DPO`: the best answer of a record is preferred to the worst, for the 200 records whose answers differ the most;
- `best answers`: fine-tuning on the best answer of each record;
- `labels`: fine-tuning on the labels, which needs no answers.

One loop serves all three, so that a CPU second buys the same arithmetic. They are compared on hand-written
descriptions and on new generated ones. A run that is interrupted goes on with the same command; what it finds is
written to results/reward.md.
"""

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import copytree, rmtree
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, logsigmoid

from benchmarks.reliability import sets
from benchmarks.reliability.confidence import area
from benchmarks.reliability.measure import made_up
from structout import BestOf, Constrained, Dataset, Sampling, evaluate
from structout.document import Json, leaves
from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.score import score
from structout.evaluation.stats.pairs import Difference, difference
from structout.finetuning.batches import Encoded, answers, collate, encode
from structout.finetuning.demonstrations import Demonstration, demonstrate
from structout.finetuning.finetuner import local, tidy
from structout.finetuning.supervised import quick
from structout.models.local import LocalModel
from structout.models.tuning import Tuning

START = sets.ROOT / "schemas" / "parts" / "tuned"
_SAMPLES = BestOf(Constrained(quote=True), n=4, by="mean_logprob", temperature=1.0)
_HOW = Sampling(max_tokens=sets.MAX_TOKENS["parts"])
_INVENTED = 2  # right leaves that a leaf costs that is made up
_BATCH = 4
_RATE, _RATE_OF_PAIRS = 3e-4, 1e-4  # at the start; the first training began with 1.5e-3, `prefer` begins with 1e-4
_BETA = 0.1  # as in `prefer`
_PAIRS = 200
HEAD = (
    "| records | way | passes and CPU seconds | values right | more (points) | records right | leaves made up "
    "| records without | more (points) | AUC | wrong at 80 % yield | at 50 % |"
)
RULE = "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
_LEARN, _TEST = (500, 77), (150, 78)  # the numbers of generated records, and their seeds


@dataclass(frozen=True)
class Answer:
    """A sampled answer to a record, with its reward."""

    text: str
    reward: int


def invented(text: str, expected: Json, document: Json) -> int:
    """The leaves of a document that are neither right nor in the record: texts, and numbers by their digits."""
    gold, said = leaves(expected), text.replace(",", ".")
    unsaid = [
        value
        for place, value in leaves(document).items()
        if type(value) in (int, float) and gold.get(place) != value and not any(one in said for one in _written(value))
    ]
    return len(made_up(text, expected, document)) + len(unsaid)


def _written(number: Any) -> list[str]:
    """How a record may write a number: years in two digits too."""
    return [f"{number:g}", *([f"{number % 100:02g}"] if 1900 <= number < 2100 else [])]


def reward(outcome: Outcome, document: Json) -> int:
    """The right leaves of an answer's document, minus two for each leaf that is made up."""
    right = score(outcome.expected, document, outcome.comparison).right
    return right - _INVENTED * invented(outcome.text, outcome.expected, document)


def generated(count: int, seed: int, folder: Path) -> Dataset:
    """Part descriptions that are made for their records."""
    file = folder / f"generated-{seed}.jsonl"
    command = [sys.executable, str(sets.ROOT / "schemas" / "parts" / "generate.py"), str(count), "--seed", str(seed)]
    file.write_text(subprocess.check_output(command, text=True), encoding="utf-8")
    made = Dataset.load(file, str(sets.ROOT / "schemas" / "parts"))
    return replace(made, records=tuple(replace(one, split="train") for one in made), split_by_place=0)


def sampled(records: Dataset, folder: Path) -> tuple[list[list[Answer]], float]:
    """Four answers to each record, and the CPU seconds of the run that completed them."""
    log, clock = folder / "sampled.jsonl", folder / "sampled.seconds"
    began = time.process_time()
    outcomes = evaluate(_SAMPLES, f"path:{START}", records, sampling=_HOW, log=log).outcomes
    if not clock.is_file():
        clock.write_text(str(time.process_time() - began), encoding="utf-8")
    found = []
    for outcome in outcomes:
        answered = (records.schema.check_text(call.completion.text) for call in outcome.calls)
        found.append([
            Answer(call.completion.text, reward(outcome, records.schema.written(checked)))
            for call, checked in zip(outcome.calls, answered, strict=True)
            if checked.ok
        ])  # fmt: skip
    return found, float(clock.read_text(encoding="utf-8"))


Loss = Callable[[Any, Sequence[Any]], torch.Tensor]  # of a network, for what it learns from in a step


@dataclass(frozen=True)
class Pair:
    """A better and a worse answer to a record, and how much likelier the better answer was before (logarithm)."""

    better: Encoded
    worse: Encoded
    before: float = 0.0


def likelihoods(network: Any, batch: Sequence[Encoded], pad: int) -> torch.Tensor:
    """The logarithm of the probability of each answer."""
    with quick(network):
        logits, labels, rows = answers(network, collate(batch, pad))
    each = -cross_entropy(logits, labels, reduction="none")
    return torch.zeros(len(batch)).index_add(0, rows, each)


def of_answers(network: Any, batch: Sequence[Encoded], pad: int) -> torch.Tensor:
    """The loss of fine-tuning: the mean over all tokens of the answers."""
    return -likelihoods(network, batch, pad).sum() / sum(len(one.tokens) - one.start for one in batch)


def of_pairs(network: Any, batch: Sequence[Pair], pad: int) -> torch.Tensor:
    """The loss of DPO (arXiv:2305.18290), and that of the better answers, which keeps them likely."""
    better, worse = likelihoods(network, [*(one.better for one in batch), *(one.worse for one in batch)], pad).chunk(2)
    margin = better - worse - torch.tensor([one.before for one in batch])
    tokens = sum(len(one.better.tokens) - one.better.start for one in batch)
    return -logsigmoid(_BETA * margin).mean() - better.sum() / tokens


@torch.no_grad()
def remembered(network: Any, pairs: Sequence[Pair], pad: int) -> list[Pair]:
    """The pairs with how much likelier the better answers are now."""
    found = []
    for one in pairs:
        better, worse = likelihoods(network, [one.better, one.worse], pad)
        found.append(replace(one, before=float(better - worse)))
    return found


def continued(
    lessons: Sequence[Demonstration] | Sequence[tuple[Demonstration, Demonstration]],
    folder: Path,
    seconds: float | None = None,
) -> None:
    """Fine-tune the adapter further and save it: on answers, or on pairs with the better answer first.

    It learns for so many CPU seconds, over and over, or else for one pass.
    """
    from peft import PeftModel

    tuning = Tuning.read(START)
    assert tuning is not None
    base, dice = local(tuning.base), random.Random(0)
    network = PeftModel.from_pretrained(base.network, str(START), is_trainable=True).train()
    began = time.process_time()
    loss, rate, units = _prepared(network, base, lessons)
    weights = [one for one in network.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    steps, queue = 0, list[Any]()
    while (done := _done(steps * _BATCH / len(units), time.process_time() - began, seconds)) < 1:
        if len(queue) < _BATCH:
            queue += dice.sample(units, len(units))
        batch, queue = queue[:_BATCH], queue[_BATCH:]
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - done)
        found = loss(network, batch)
        found.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
        print(f"{folder.name}: step {steps}, {done:.0%}, loss {found.item():.3f}", file=sys.stderr, flush=True)
    spent = round(time.process_time() - began)
    made = folder.with_suffix(".new")
    rmtree(made, ignore_errors=True)
    copytree(START, made)
    network.save_pretrained(str(made), save_embedding_layers=False)
    tidy(made, tuning.base)
    told = {"passes": round(steps * _BATCH / len(units), 1), "cpu_seconds": spent}
    replace(tuning, cost=tuning.cost | told).write(made)
    made.rename(folder)


def _prepared(network: Any, base: LocalModel, lessons: Sequence[Any]) -> tuple[Loss, float, Sequence[Any]]:
    """The loss, the rate at the start, and what a step learns from."""
    if isinstance(lessons[0], Demonstration):
        return partial(of_answers, pad=base.pad), _RATE, encode(base, lessons)
    better, worse = (encode(base, some) for some in zip(*lessons, strict=True))
    pairs = remembered(network, [Pair(*both) for both in zip(better, worse, strict=True)], base.pad)
    return partial(of_pairs, pad=base.pad), _RATE_OF_PAIRS, pairs


def _done(passes: float, spent: float, seconds: float | None) -> float:
    return passes if seconds is None else spent / seconds


def learned(records: Dataset, found: Sequence[Sequence[Answer]], folder: Path) -> dict[str, Path]:
    """The three ways' adapters."""
    right = demonstrate(records.examples, records.schema)
    ranked = [sorted(some, key=lambda one: -one.reward) for some in found]
    answered = [
        [Demonstration(one.prompt, each.text) for each in some] for one, some in zip(right, ranked, strict=True)
    ]
    best = [some[0] for some in answered if some]
    apart = {place: some[0].reward - some[-1].reward for place, some in enumerate(ranked) if some}
    torn = [place for place in sorted(apart, key=lambda place: -apart[place])[:_PAIRS] if apart[place] > 0]
    pairs = [(answered[place][0], answered[place][-1]) for place in torn]
    ways = {name: folder / name for name in ("DPO", "best answers", "labels")}
    if not ways["DPO"].is_dir():
        continued(pairs, ways["DPO"])
    for name, lessons in (("best answers", best), ("labels", right)):
        if not ways[name].is_dir():
            continued(lessons, ways[name], _cost(ways["DPO"])["cpu_seconds"])
    return ways


def _cost(adapter: Path) -> dict[str, float]:
    tuning = Tuning.read(adapter)
    assert tuning is not None
    return tuning.cost


def line(name: str, way: str, learned: str, outcomes: Sequence[Outcome], base: Sequence[Outcome]) -> str:
    """A line of the table."""
    right = np.array([one.right for one in outcomes], bool)
    sure = np.array([one.answer_sureness or 0.0 for one in outcomes])
    order = np.argsort(-sure, kind="stable")
    wrong = [1 - right[order[: int(share * len(right))]].mean() for share in (0.8, 0.5)]
    made = [_invented(one) for one in outcomes]
    of = sum(len(leaves(one.document)) for one in outcomes)
    values = sum(one.score.right for one in outcomes) / sum(one.score.leaves for one in outcomes)
    gains = ["–", "–"]
    if outcomes is not base:
        shares, others = ([one.score.right / one.score.leaves for one in some] for some in (outcomes, base))
        clean, before = ([float(not count) for count in counts] for counts in (made, map(_invented, base)))
        gains = [_points(difference(shares, others)), _points(difference(clean, before))]
    return (
        f"| {name} | {way} | {learned} | {values:.1%} | {gains[0]} | {right.mean():.1%} | {sum(made)} of {of} "
        f"| {sum(not one for one in made) / len(made):.0%} | {gains[1]} | {area(sure, right):.3f} | {wrong[0]:.0%} "
        f"| {wrong[1]:.0%} |"
    )


def _invented(outcome: Outcome) -> int:
    return invented(outcome.text, outcome.expected, outcome.document)


def _points(found: Difference) -> str:
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.reward", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".structout/reward"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    fresh = generated(*_LEARN, folder)
    found, sampling = sampled(fresh, folder)
    ways = {"the adapter as it is": START, **learned(fresh, found, folder)}
    tests = {
        "hand-written": Dataset.load(sets.ROOT / "schemas" / "parts").split("dev"),
        "generated": generated(*_TEST, folder),
    }
    lines = []
    for name, records in tests.items():
        models = {way: f"path:{place}" for way, place in ways.items()}
        report = evaluate(
            [Constrained(quote=True)], list(models.values()), records, sampling=_HOW, log=folder / f"{name}.jsonl"
        )
        answered = {way: [one for one in report.outcomes if one.model == model] for way, model in models.items()}
        base = answered["the adapter as it is"]
        lines += [line(name, way, _learned(ways[way]), outcomes, base) for way, outcomes in answered.items()]
    _write(lines, found, sampling)


def _learned(adapter: Path) -> str:
    """The passes over the records, and the CPU seconds, that an adapter learned for."""
    cost = _cost(adapter)
    return f"{cost['passes']:.1f}, {cost['cpu_seconds']:,.0f} s" if "passes" in cost else "–"


def _write(lines: Sequence[str], found: Sequence[Sequence[Answer]], sampling: float) -> None:
    told = [some for some in found if some]
    best, worst, mean = (fmean(pick([one.reward for one in some]) for some in told) for pick in (max, min, fmean))
    apart = sum(max(one.reward for one in some) > min(one.reward for one in some) for some in told)
    text = [
        "# A reward that punishes what is made up",
        "",
        f"Made by `python -m benchmarks.reliability.reward`: see there how. {sum(map(len, told)):,} answers to "
        f"{len(told)} new generated descriptions took {sampling:,.0f} CPU seconds. The mean reward of an answer is "
        f"{mean:.1f}, of a record's best answer {best:.1f}, of its worst {worst:.1f}; {apart} records have answers "
        "with different rewards. All ways learn from these records, starting from the adapter of the demo, for the "
        "same CPU seconds; the seconds of sampling, which learning from labels does not need, come on top. Intervals "
        "are 95 %, of the difference to this adapter as it is, on the same records.",
        "",
        HEAD,
        RULE,
        *lines,
        "",
    ]
    (sets.ROOT / "benchmarks" / "results" / "reward.md").write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
