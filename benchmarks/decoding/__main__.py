"""How fast is constrained decoding, against plain generation and against its peers?

    python -m benchmarks.decoding --peers peers/bin/python --gguf SmolLM2-135M-Instruct.Q4_1.gguf
    python -m benchmarks.decoding --report

Every cell (workload x system x batch size x round) is a process of its own with one thread, timed in CPU seconds;
rounds go through all systems in turn, so that a slow spell of the machine meets all of them. All systems are given
the same prompt tokens, schema, token limit and model, and each round other records. A finished cell is a line in the
raw results, and is not run again. `PLAN` says what is run, the most important first; `--minutes` bounds a run.

Systems: `generate` (transformers, unconstrained), `generate:prefix` (the same, with the keys and values of what all
prompts begin with computed once and copied to each batch); `outlines:llguidance`, `outlines:xgrammar` and
`outlines:outlines_core`; `xgrammar` (its logits processor); `guidance`; `llamacpp:plain`, `llamacpp:grammar` (the
Q4_1 file that the embedded model was made from, through xllamacpp); `structout` (as it is by default),
`structout:loop` (a plain masked loop), `structout:0` to `structout:4` (fp32 weights and so many features: refill
alone, then share, force, lazy, draft as well), `structout:noscore` (without the log-probabilities of forced tokens),
`structout:free` (no grammar), `structout:int8` (weights).

guidance 0.3.1 fails with transformers 5.23, and xllamacpp is a package that nothing else needs: they have an
environment of their own, made with `python -m venv peers && peers/bin/pip install guidance xllamacpp "transformers<5"
torch accelerate`. A system that is not installed is skipped, with the reason.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.decoding import report
from benchmarks.decoding.work import work
from structout.models.embedded import embedded_folder
from structout.models.local import LocalModel
from structout.schema import Schema

RESULTS = Path(__file__).parents[1] / "results"
SOURCE = Path(__file__).parents[2] / "structout"
OTHERS = ("guidance", "llamacpp")  # run by --peers


@dataclass(frozen=True, slots=True)
class Sweep:
    """Some systems on some records of a workload, in batches, for some rounds."""

    systems: tuple[str, ...]
    batch: int
    records: int
    rounds: int
    workload: str = "flat"


MAIN = ("generate", "generate:prefix", "outlines:llguidance", "structout")
STEPS = ("structout:0", "structout:1", "structout:2", "structout:3", "structout:4", "structout:int8")
SERVED = ("llamacpp:grammar", "llamacpp:plain")
MORE = ("outlines:outlines_core", "outlines:xgrammar", "xgrammar")
FREE = ("structout:free", "structout:noscore", "structout:loop")
TWO = ("generate", "structout")
PLAN = (
    Sweep(TWO, 1, 11, 1),
    Sweep(MAIN, 8, 16, 1),
    Sweep(TWO, 32, 32, 1),
    Sweep(("llamacpp:grammar",), 8, 16, 1),
    Sweep(("llamacpp:grammar",), 1, 11, 1),
    Sweep(STEPS, 8, 16, 1),
    Sweep(TWO, 1, 11, 3),
    Sweep(SERVED, 8, 16, 1),
    Sweep(TWO, 32, 64, 1),
    Sweep(("outlines:llguidance",), 1, 11, 1),
    Sweep(("outlines:llguidance", "llamacpp:grammar"), 32, 32, 1),
    Sweep(MORE, 8, 16, 1),
    *(Sweep(TWO, 8, 8, 1, name) for name in ("fields-3", "fields-24", "items-1", "items-4")),
    Sweep(TWO, 128, 128, 1),
    Sweep(("guidance",), 1, 11, 1),
    Sweep(TWO, 8, 16, 3),
    Sweep(("generate:prefix", "structout:int8"), 32, 32, 1),
    *(Sweep(TWO, 8, 8, 1, name) for name in ("fields-12", "items-2")),
    Sweep(("llamacpp:grammar", "structout:int8"), 128, 128, 1),
    Sweep(("generate:prefix",), 1, 11, 1),
    Sweep(STEPS, 1, 11, 1),
    Sweep(FREE, 8, 16, 1),
    Sweep(TWO, 32, 64, 2),
    Sweep(MORE, 1, 11, 1),
    Sweep(("outlines:llguidance",), 128, 128, 1),
    Sweep(STEPS, 32, 32, 1),
    Sweep(TWO, 8, 16, 1, "parts"),
    Sweep(MORE, 32, 32, 1),
    Sweep(MAIN, 1, 11, 3),
    Sweep(MAIN, 8, 16, 3),
    Sweep(STEPS, 128, 128, 1),
    Sweep(MAIN, 32, 64, 2),
    Sweep(MAIN, 128, 128, 1),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=__doc__.split("\n")[0])
    parser.add_argument("--peers", default=sys.executable, help="the Python that has guidance and xllamacpp")
    parser.add_argument("--gguf", default=os.environ.get("STRUCTOUT_GGUF", ""), help="the model file for llama.cpp")
    parser.add_argument("--raw", default=str(RESULTS / "decoding.jsonl"))
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no cell after that many")
    parser.add_argument("--only", default="", help="only systems whose name begins so")
    parser.add_argument("--report", action="store_true", help="only write the report of what was measured")
    options = parser.parse_args()
    raw = Path(options.raw)
    if not options.report:
        raw.parent.mkdir(parents=True, exist_ok=True)
        _run(options, raw)
    if raw.is_file():
        report.write(_lines(raw), raw.parent)


def _lines(raw: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()] if raw.is_file() else []


def _run(options: argparse.Namespace, raw: Path) -> None:
    folder = embedded_folder()
    model = LocalModel.load(str(folder), name="embedded", weights="fp32")
    done = [{name: line[name] for name in _CELL} for line in _lines(raw)]
    skipped: set[str] = set()
    code = _code()
    until = time.monotonic() + 60 * options.minutes
    for sweep in PLAN:  # what an earlier sweep has measured is not measured again
        task = work(sweep.workload, model, 1 + sweep.records * sweep.rounds)
        for round_ in range(sweep.rounds):
            first = 1 + sweep.records * round_
            prompts = task.prompts[first : first + sweep.records]
            for system in sweep.systems:
                cell = asdict(sweep) | {"system": system, "round": round_, "max_tokens": task.max_tokens}
                cell = {name: cell[name] for name in _CELL}
                if system in skipped or not system.startswith(options.only) or cell in done:
                    continue
                if time.monotonic() > until:
                    return
                job = cell | {"model": str(folder), "gguf": options.gguf, "schema": task.schema}
                job |= {"ends": sorted(model._ends), "prompts": prompts, "warm": task.prompts[0]}
                answer = _measure(options, job)
                if answer is None:
                    skipped.add(system)
                    continue
                answer["code"] = code
                answer["prompt_tokens"] = sum(len(prompt["tokens"]) for prompt in prompts)
                done.append(cell)
                with raw.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(cell | answer) + "\n")
                cost = answer["cpu"] / sweep.records
                print(f"{sweep.workload} {system} batch {sweep.batch}: {cost:.2f} CPU s/record", flush=True)


def _code() -> str:
    """A hash of what decodes, so that cells that other code was measured in can be told apart."""
    digest = hashlib.sha256()
    for file in sorted(file for part in ("decoding", "grammar") for file in (SOURCE / part).glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


_PATIENCE = 3000  # seconds that a cell may take
_CELL = ("workload", "system", "batch", "round", "records", "max_tokens")


def _measure(options: argparse.Namespace, job: dict[str, Any]) -> dict[str, Any] | None:
    python = options.peers if job["system"].partition(":")[0] in OTHERS else sys.executable
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    try:
        done = subprocess.run(
            [python, str(Path(__file__).with_name("cell.py"))],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
            env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        print(f"{job['system']} skipped: not done within {_PATIENCE} seconds", file=sys.stderr, flush=True)
        return None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"{job['system']} skipped: {reason}", file=sys.stderr, flush=True)
        return None
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    schema = Schema.of(job["schema"])
    answer["valid"] = sum(schema.check_text(text).ok for text in answer["texts"])
    return answer


if __name__ == "__main__":
    main()
