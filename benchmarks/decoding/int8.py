"""What int8 weights cost in accuracy: `python -m benchmarks.decoding.int8`, over records of schemas/parts, with the
adapter that is shipped: the model as it is gets too little right to tell.
"""

import argparse
from pathlib import Path

from structout import Sampling, load_model
from structout.decoding.weights import Weights
from structout.evaluation import Dataset, evaluate
from structout.evaluation.reporting.table import markdown
from structout.models.local import LocalModel

ROOT = Path(__file__).parents[2]
STRATEGY = "Constrained()"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding.int8", description=__doc__)
    parser.add_argument("--records", type=int, default=64)
    count = parser.parse_args().records
    data = Dataset.load(ROOT / "schemas" / "parts")
    models = [_tuned("packed"), _tuned("int8")]
    report = evaluate([STRATEGY], models, data.split("test").head(count), sampling=Sampling(max_tokens=288))
    exact, rough = ([o.answer for o in report.outcomes if o.model == model.name] for model in models)
    same = sum(one == other for one, other in zip(exact, rough, strict=True))
    text = [
        "# What int8 weights do to the answers",
        "",
        f"Written by `python -m benchmarks.decoding.int8`: {len(exact)} records of `schemas/parts`,",
        "SmolLM2-135M-Instruct with the shipped adapter, fp32 weights (`packed`) against int8.",
        f"{same} of {len(exact)} answers were the same text.",
        "",
        markdown(report),
        "",
    ]
    (ROOT / "benchmarks" / "results" / "decoding_int8.md").write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))


def _tuned(weights: Weights) -> LocalModel:
    model = load_model(f"path:{ROOT / 'schemas' / 'parts' / 'tuned'}", weights=weights)
    assert isinstance(model, LocalModel)
    model.name = weights
    return model


if __name__ == "__main__":
    main()
