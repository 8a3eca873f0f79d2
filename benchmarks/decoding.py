"""How fast is constrained decoding, against plain generation and against its peers?

    python -m benchmarks.decoding --systems generate,structout --batches 1,8 --records 1:8,8:16 --rounds 3
    python -m benchmarks.decoding --report

Every cell (system x batch size x round) is a process of its own with one thread, timed in CPU seconds; rounds go
through all systems in turn, so that a slow spell of the machine meets all of them. All systems are given the same
prompt tokens, schema, token limit and model. Each finished cell is a line in the raw results, and is not run again.
`--minutes` bounds a run, for machines with other work to do.

Systems: `generate` (transformers, unconstrained); `outlines:llguidance`, `outlines:xgrammar`, `outlines:outlines_core`;
`xgrammar` (its logits processor); `guidance`; `llamacpp:plain`, `llamacpp:grammar` (the Q4_1 file that the embedded
model was made from, through xllamacpp); `structout:loop` (a plain loop), `structout:0` to `structout:3` (the engine
with so many of its features on: share, force, lazy, draft), `structout` (all), `structout:noscore` (all but the
log-probabilities of forced tokens), `structout:free` (no grammar), `structout:packed` and `structout:int8` (weights).

guidance and xllamacpp may need an environment of their own (guidance 0.3.1 fails with transformers 5.23): make one with
`python -m venv peers && peers/bin/pip install guidance xllamacpp "transformers<5" torch accelerate` and name it with
`--peers peers/bin/python`. A system that is not installed is skipped.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import decoding_report
from structout.completion import Prompt
from structout.evaluation.dataset import Dataset
from structout.models.embedded import embedded_folder
from structout.models.local import LocalModel
from structout.prompts import compose
from structout.result import Task

HERE = Path(__file__).parent
RESULTS = HERE / "results"
OTHERS = ("guidance", "llamacpp")  # run by --peers


def main() -> None:
    options = _options()
    raw = Path(options.raw)
    if not options.report:
        raw.parent.mkdir(parents=True, exist_ok=True)
        _run(options, raw)
    if raw.is_file():
        lines = [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()]
        decoding_report.write(lines, RESULTS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=__doc__.split("\n")[0])
    parser.add_argument("--systems", default="generate,outlines:llguidance,xgrammar,structout")
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--records", default="1:8,8:16,32:32,128:128", help="how many, for each batch size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--examples", type=int, default=2, help="labelled examples in the prompt")
    parser.add_argument("--data", default=str(HERE.parent / "schemas" / "parts"))
    parser.add_argument("--peers", default=sys.executable, help="the Python that has guidance and xllamacpp")
    parser.add_argument("--gguf", default=os.environ.get("STRUCTOUT_GGUF", ""), help="the model file for llama.cpp")
    parser.add_argument("--raw", default=str(RESULTS / "decoding.jsonl"))
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no cell after that many")
    parser.add_argument("--report", action="store_true", help="only write the report of what was measured")
    return parser.parse_args()


def _run(options: argparse.Namespace, raw: Path) -> None:
    counts = dict(tuple(map(int, pair.split(":"))) for pair in options.records.split(","))
    batches = [int(batch) for batch in options.batches.split(",")]
    job, prompts = _job(options, max(counts[batch] for batch in batches) + 1)
    done = [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()] if raw.is_file() else []
    skipped: set[str] = set()
    until = time.monotonic() + 60 * options.minutes
    for round_ in range(options.rounds):
        for batch in batches:
            for system in options.systems.split(","):
                cell = {
                    "system": system,
                    "batch": batch,
                    "round": round_,
                    "records": counts[batch],
                    "max_tokens": options.max_tokens,
                    "examples": options.examples,
                }
                if system in skipped or any(cell.items() <= line.items() for line in done):
                    continue
                if time.monotonic() > until:
                    return
                own = {"prompts": prompts[1 : counts[batch] + 1], "warm": prompts[0]}
                answer = _measure(options, job | cell | own)
                if answer is None:
                    skipped.add(system)
                    continue
                answer["prompt_tokens"] = sum(len(prompt["tokens"]) for prompt in prompts[1 : counts[batch] + 1])
                done.append(cell | answer)
                with raw.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[-1]) + "\n")
                print(f"{system} batch {batch}: {answer['cpu'] / counts[batch]:.2f} CPU s/record", flush=True)


def _job(options: argparse.Namespace, count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What all cells have in common, and the prompts: their text and tokens."""
    folder = embedded_folder()
    model = LocalModel.load(str(folder), name="embedded")
    data = Dataset.load(options.data)
    shown = data.split("train").examples[: options.examples]
    prompts = []
    for record in list(data.split("test"))[:count] + list(data.split("dev"))[: max(0, count - 75)]:
        prompt = Prompt(compose(Task(record.text, data.schema), shown))
        tokens = model.encode(prompt)
        if not isinstance(tokens, str):
            prompts.append({"text": model.render(prompt), "tokens": tokens})
    schema = data.schema.json_schema
    job = {"model": str(folder), "gguf": options.gguf, "schema": schema, "ends": sorted(model._ends)}
    return job, prompts


def _measure(options: argparse.Namespace, job: dict[str, Any]) -> dict[str, Any] | None:
    from structout.schema import Schema

    python = options.peers if job["system"].partition(":")[0] in OTHERS else sys.executable
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [python, str(HERE / "decoding_cell.py")],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"PYTHONPATH": str(HERE.parent)},
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"{job['system']} skipped: {reason}", file=sys.stderr)
        return None
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    schema = Schema.of(job["schema"])
    answer["valid"] = sum(schema.check_text(text).ok for text in answer["texts"])
    return answer


if __name__ == "__main__":
    main()
