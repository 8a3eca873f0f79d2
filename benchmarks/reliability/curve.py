"""How many generated records pay? Run it:

    python schemas/parts/generate.py 500 --seed 1 > generated.jsonl
    structout finetune schemas/parts --output parts500 --more generated.jsonl --rank 8 --passes 3 --held-out 0
    python -m benchmarks.reliability.curve --adapters 500=parts500 1500=schemas/parts/tuned

The adapters are trained as `make tuned` trains the adapter of the demo, on the hand-written train records and on other
numbers of generated ones, and compared on the hand-written dev records. What it finds is written to results/curve.md.
"""

import argparse
from pathlib import Path

from benchmarks.reliability import sets
from benchmarks.reliability.reward import HEAD, RULE, line
from structout import Constrained, Dataset, Sampling, evaluate
from structout.models.tuning import Tuning


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability.curve", description=__doc__)
    parser.add_argument("--adapters", nargs="+", required=True, metavar="RECORDS=FOLDER")
    parser.add_argument("--logs", type=Path, default=Path(".structout/curve"))
    options = parser.parse_args()
    named = (one.partition("=") for one in options.adapters)
    adapters = dict(sorted((int(count), Path(folder)) for count, _, folder in named))
    records = Dataset.load(sets.ROOT / "schemas" / "parts").split("dev")
    how = Sampling(max_tokens=sets.MAX_TOKENS["parts"])
    answered = {}
    for count, folder in adapters.items():
        log = options.logs / f"{count}.jsonl"
        report = evaluate([Constrained(quote=True)], f"path:{folder}", records, sampling=how, log=log)
        answered[count] = report.outcomes
    base = answered[min(answered)]
    lines = [
        line("hand-written", f"{count:,} generated", _cost(adapters[count]), outcomes, base)
        for count, outcomes in answered.items()
    ]
    text = [
        "# How many generated records pay",
        "",
        f"Made by `python -m benchmarks.reliability.curve`: see there how. {len(records)} hand-written dev records of "
        "parts, `Constrained(quote=True)`. Each adapter learned from the hand-written train records in three passes, "
        "and from the generated ones once. Intervals are 95 %, of the difference to the first adapter, on the same "
        "records.",
        "",
        HEAD,
        RULE,
        *lines,
        "",
    ]
    (sets.ROOT / "benchmarks" / "results" / "curve.md").write_text("\n".join(text), encoding="utf-8")


def _cost(adapter: Path) -> str:
    tuning = Tuning.read(adapter)
    assert tuning is not None, f"{adapter} holds no fine-tuned model"
    return f"{tuning.training['passes']}, {tuning.cost['cpu_seconds']:,.0f} s"


if __name__ == "__main__":
    main()
