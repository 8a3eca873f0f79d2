"""What int8 weights cost in accuracy: `python -m benchmarks.decoding.int8`, over records of schemas/parts."""

import argparse
from pathlib import Path

from structout import Sampling
from structout.evaluation import Dataset, evaluate
from structout.models.embedded import embedded_folder
from structout.models.local import LocalModel

ROOT = Path(__file__).parents[2]
STRATEGY = "Constrained(examples=3)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding.int8", description=__doc__)
    parser.add_argument("--records", type=int, default=64)
    count = parser.parse_args().records
    data = Dataset.load(ROOT / "schemas" / "parts")
    models = [LocalModel.load(str(embedded_folder()), name=name, weights=name) for name in ("packed", "int8")]
    report = evaluate(
        [STRATEGY], models, data.split("test").head(count), examples=data, sampling=Sampling(max_tokens=192)
    )
    exact, rough = ([o.answer for o in report.outcomes if o.model == model.name] for model in models)
    same = sum(one == other for one, other in zip(exact, rough, strict=True))
    text = [
        "# What int8 weights do to the answers",
        "",
        f"Written by `python -m benchmarks.decoding.int8`: {len(exact)} records of `schemas/parts`,",
        "SmolLM2-135M-Instruct, fp32 weights (`packed`) against int8.",
        f"{same} of {len(exact)} answers were the same text.",
        "",
        report.markdown(),
        "",
    ]
    (ROOT / "benchmarks" / "results" / "decoding_int8.md").write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
