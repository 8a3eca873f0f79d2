"""Which schemas each grammar engine takes, what its masks let through, and whether structout's answers comply.

    python -m benchmarks.coverage [DATA] [--sample N] [--engines A,B] [--model N] [--parts budget,engines,...]

DATA is JSON lines, gzipped or not, of {"id", "family", "schema", "tests": [{"valid", "data"}]}. Each compilation has
ten seconds of CPU time in a process that is killed after that. What is measured is logged schema by schema in `--logs`,
and a run goes on where the logs end: remove them to measure afresh. Results go to benchmarks/results/coverage_*.md and
coverage.png.
"""

import argparse
import gzip
import json
import math
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import field_schemas
from benchmarks.engines import ENGINES, LIMIT, SPARE, Verdict, serve
from benchmarks.pydantic_models import CASES
from structout.errors import SchemaError
from structout.evaluation.reporting.style import styled
from structout.schema import Schema

_DATA = Path("../shared/data/jsonschemabench.jsonl.gz")
_RESULTS = Path("benchmarks/results")
_BATCH = 6  # schemas that the embedded model answers at once


class Worker:
    """One engine in a process of its own, which takes a child process to each schema."""

    def __init__(self, engine: str, tokenizer: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(engine, tokenizer, other), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()

    def judge(self, json_schema: Any, documents: Sequence[Any]) -> Verdict:
        """The engine's verdict."""
        self.connection.send((json_schema, documents))
        verdict: Verdict = self.connection.recv()
        return verdict if verdict.compile_ms <= LIMIT * 1000 else Verdict(error="too long")

    def close(self) -> None:
        self.process.kill()


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of the data set."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def percentile(values: Iterable[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.floor(q * len(ordered)))] if ordered else math.nan


def run(engine: str, rows: Sequence[dict[str, Any]], tokenizer: str, log: Path) -> dict[str, Any]:
    """All rows through one engine, summed up; goes on where `log` ends."""
    known = {line["id"]: line["verdict"] for line in read(log)} if log.exists() else {}
    log.parent.mkdir(parents=True, exist_ok=True)
    worker: Worker | None = None
    with log.open("a", encoding="utf-8") as file:
        for row in rows:
            if row["id"] not in known:
                worker = worker or Worker(engine, tokenizer)
                known[row["id"]] = asdict(worker.judge(row["schema"], [test["data"] for test in row["tests"]]))
                file.write(json.dumps({"id": row["id"], "verdict": known[row["id"]]}) + "\n")
                file.flush()
    if worker:
        worker.close()
    count: Counter[str] = Counter()
    levels: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    compile_ms, mask_us = [], []
    for row in rows:
        verdict = Verdict(**known[row["id"]])
        count["schemas"] += 1
        if verdict.error:
            errors[verdict.error if verdict.error in ("too long", "crashed") else "refused"] += 1
            continue
        count["compiles"] += 1
        compile_ms.append(verdict.compile_ms)
        mask_us += verdict.mask_us
        levels[verdict.level] += 1
        right = True
        schema = Schema.of(row["schema"]) if engine.startswith("structout") else None
        held_back = verdict.held or [False] * len(verdict.taken)
        for test, taken, held in zip(row["tests"], verdict.taken, held_back, strict=True):
            kind = "valid" if test["valid"] else "invalid"
            count[kind] += 1
            count[f"{kind} taken"] += taken
            count[f"{kind} held"] += held
            count[f"{kind} returned"] += taken and schema is not None and schema.check(test["data"]).ok
            right = right and taken == test["valid"]
        count["right"] += right
        count["exact or right"] += right or verdict.level == "exact"
        count["exact and wrong"] += verdict.level == "exact" and not right
    return {
        "engine": engine, "count": count, "levels": levels, "errors": errors, "compile": compile_ms, "mask": mask_us
    }  # fmt: skip


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "| engine | schemas | compiles | valid taken | invalid taken by the mask | right on all | compile ms p50/p99 "
        "| mask us p50/p99 | levels |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        count, n = result["count"], result["count"]["schemas"]
        levels = ", ".join(f"{level} {k}" for level, k in sorted(result["levels"].items()) if level)
        lines.append(
            f"| {result['engine']} | {n} | {count['compiles'] / n:.1%} "
            f"| {count['valid taken']} of {count['valid']} | {count['invalid taken']} of {count['invalid']} "
            f"| {count['right'] / n:.1%} "
            f"| {percentile(result['compile'], 0.5):.1f} / {percentile(result['compile'], 0.99):.0f} "
            f"| {percentile(result['mask'], 0.5):.0f} / {percentile(result['mask'], 0.99):.0f} | {levels} |"
        )
    return lines


def pydantic_table(tokenizer: str) -> list[str]:
    """What each engine gets wrong on the types of `pydantic_models`."""
    from structout.grammar import compile as compile_schema

    workers = {engine: Worker(engine, tokenizer) for engine in ENGINES}
    wrong: dict[str, list[str]] = {engine: [] for engine in ENGINES}
    lines = ["| type | level | " + " | ".join(ENGINES) + " |", "|---|---|" + "---|" * len(ENGINES)]
    for case in CASES:
        schema = Schema.of(case.type)
        cells = []
        for engine, worker in workers.items():
            if schema.language is not None:
                cells.append("-")
                continue
            named = {"case": case.name} if engine.startswith("structout") else schema.json_schema
            verdict = worker.judge(named, [*case.valid, *case.invalid])
            faults = [verdict.error.split("\n")[0][:40]] if verdict.error else []
            if not verdict.error:
                taken = verdict.taken
                faults += [f"refuses {json.dumps(d)[:40]}" for d, t in zip(case.valid, taken, strict=False) if not t]
                rest = zip(case.invalid, taken[len(case.valid) :], strict=True)
                faults += [f"takes {json.dumps(d)[:40]}" for d, t in rest if t]
            if faults:
                wrong[engine].append(case.name)
            cells.append("; ".join(faults).replace("|", "\\|") or "right")
        lines.append(f"| {case.name} | {compile_schema(schema).level} | " + " | ".join(cells) + " |")
    for worker in workers.values():
        worker.close()
    head = [f"- {engine}: right on {len(CASES) - len(names)} of {len(CASES)}" for engine, names in wrong.items()]
    return [*head, "", *lines]


def field_section(tokenizer: str) -> list[str]:
    """What structout and the engines make of the schemas in `field_schemas`."""
    from transformers import AutoTokenizer

    from structout.grammar import Vocabulary

    found, faults = field_schemas.measure(Vocabulary.of(AutoTokenizer.from_pretrained(tokenizer)))
    lines = [
        "| engine, by the mask alone | compiles | valid documents taken | invalid documents taken |",
        "|---|---|---|---|",
    ]
    for engine in ENGINES[2:]:
        worker, count = Worker(engine, tokenizer), Counter[str]()
        for case in field_schemas.field_schemas():
            try:
                schema = Schema.of(case.source)
            except SchemaError:
                continue
            verdict = worker.judge(schema.json_schema, [json.loads(text) for text in (*case.valid, *case.invalid)])
            count["schemas"] += 1
            count["compiles"] += not verdict.error
            count["valid"] += len(case.valid)
            count["invalid"] += len(case.invalid)
            count["taken"] += sum(verdict.taken[: len(case.valid)])
            count["wrong"] += sum(verdict.taken[len(case.valid) :])
        worker.close()
        lines.append(
            f"| {engine} | {count['compiles']} of {count['schemas']} | {count['taken']} of {count['valid']} "
            f"| {count['wrong']} of {count['invalid']} |"
        )
    return field_schemas.section(found, faults, lines)


def budget_section(count: Counter[str]) -> list[str]:
    """What the budget of tokens refuses of the documents that the mask takes."""
    masked = count["valid taken"] + count["valid held"]
    return [
        "# Valid documents under a budget of tokens",
        "",
        f"{count['compiles']} of {count['schemas']} schemas have a grammar, {count['valid']} of their documents are "
        f"valid, and the mask takes {masked} of these in the order of keys that was found. Within a budget of twice "
        f"the tokens of the document and of the shortest one, and {SPARE} more, decoding can write "
        f"**{count['valid taken']} of {masked}**; the budget refuses {count['valid held']}.",
    ]


def model_section(rows: Sequence[dict[str, Any]], n: int, log: Path, max_tokens: int = 256) -> list[str]:
    """`Constrained` with the embedded model on `n` stratified schemas; goes on where `log` ends."""
    from structout.completion import Sampling
    from structout.grammar import compile as compile_schema
    from structout.models.load import load_model
    from structout.models.local import LocalModel
    from structout.result import Task
    from structout.strategies import Constrained

    families: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    each = math.ceil(n / len(families))
    picked = [group[len(group) * i // each] for i in range(each) for group in families.values() if len(group) > i][:n]
    done = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    picked = picked[len(done) :]
    model = load_model("embedded")
    assert isinstance(model, LocalModel)
    while picked:
        began = time.perf_counter()
        batch, picked = picked[:_BATCH], picked[_BATCH:]
        tasks: list[Any] = []
        for row in batch:
            try:
                schema = Schema.of(row["schema"])
                compile_schema(schema)
            except SchemaError:
                tasks.append(None)
                continue
            shortest = len(compile_schema(schema).shortest(model.vocabulary) or ())
            limit = max_tokens if shortest <= max_tokens else 2 * shortest
            tasks.append(Task("Write a short example.", schema, sampling=Sampling(max_tokens=limit)))
        # The schema is not shown, so that nothing but the mask is measured, and long schemas fit into the prompt.
        results = iter(Constrained(show="none").run([task for task in tasks if task], model))
        for row, task in zip(batch, tasks, strict=True):
            line: dict[str, Any] = {"id": row["id"], "status": "not accepted"}
            if task:
                result = next(results)
                completion = result.attempts[-1].completion
                line |= {
                    "status": result.status, "level": compile_schema(task.schema).level,
                    "limit": task.sampling.max_tokens, "tokens": completion.usage.output_tokens,
                    "grades": sorted({edit.grade for edit in result.edits}),
                    "refused by another validator": result.ok and not _fits(row["schema"], result.value),
                    "issues": [str(issue)[:120] for issue in result.issues[:2]],
                }  # fmt: skip
            done.append(line | {"seconds": (time.perf_counter() - began) / len(batch)})
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(json.dumps(line) + "\n" for line in done), encoding="utf-8")
    return _model_lines(done, len(families), max_tokens)


def _fits(json_schema: Any, document: Any) -> bool:
    """Whether a document complies, by a validator that structout does not use."""
    from jsonschema.validators import Draft202012Validator, validator_for

    return bool(validator_for(json_schema, default=Draft202012Validator)(json_schema).is_valid(document))


def _model_lines(done: Sequence[dict[str, Any]], families: int, max_tokens: int) -> list[str]:
    accepted = [line for line in done if "level" in line]
    valid = [line for line in accepted if line["status"] == "valid"]
    tokens, seconds = sum(line["tokens"] for line in accepted), sum(line["seconds"] for line in done)
    share = len(valid) / max(len(accepted), 1)
    longer = [line for line in accepted if line["limit"] > max_tokens]
    return [
        f"{len(done)} schemas of {families} families, not shown to the model; {len(accepted)} accepted; max_tokens "
        f"{max_tokens}, and twice the shortest document where that is longer; {tokens} tokens in {seconds:.0f} s.",
        "",
        f"- compliant: {len(valid)} of {len(accepted)} ({share:.1%})",
        f"- statuses: {dict(Counter(line['status'] for line in done))}; "
        f"levels: {dict(Counter(line['level'] for line in accepted))}",
        f"- with more than {max_tokens} tokens, since no shorter document was found: {len(longer)}, of which "
        f"{len([x for x in longer if x in valid])} compliant",
        f"- invalid values returned: {sum(x['refused by another validator'] for x in accepted)} (judged by the package "
        "jsonschema, which had no part in making them)",
        f"- steered by the budget: {sum(bool(x['grades']) for x in accepted)} of {len(accepted)}, of which "
        f"{sum('invented' in x['grades'] for x in accepted)} with something invented, the others only cut short",
        f"- given up: {len(accepted) - len(valid)} of {len(accepted)}",
        *[f"  - {x['id']} ({x['level']}): {x['status']}: {x['issues']}" for x in accepted if x["status"] != "valid"],
    ]


def draw(results: Sequence[dict[str, Any]]) -> None:
    with styled():
        _draw(results)


def _draw(results: Sequence[dict[str, Any]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.subplots()
    names = [result["engine"] for result in results]
    places = range(len(names))
    for offset, key, label in ((-0.27, "compiles", "compiles"), (0.0, "right", "right on every document, by the mask")):
        axes.barh([p + offset for p in places], [100 * r["count"][key] / r["count"]["schemas"] for r in results], 0.25,
                  label=label)  # fmt: skip
    leaks = [100 * r["count"]["invalid taken"] / max(r["count"]["invalid"], 1) for r in results]
    axes.barh([p + 0.27 for p in places], leaks, 0.25, label="invalid documents let through")
    axes.set_yticks(list(places), names)
    axes.invert_yaxis()
    axes.set_xlabel("%")
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(_RESULTS / "coverage.png", dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=_DATA)
    parser.add_argument("--sample", type=int, default=512, help="schemas for the engines, all alike; 0 for all")
    parser.add_argument("--engines", default=",".join(ENGINES), help="by default all")
    parser.add_argument("--model", type=int, default=60, help="schemas for the embedded model; 0 to leave it out")
    parser.add_argument("--tokenizer", default="", help="a tokenizer's folder; by default the embedded model's")
    parser.add_argument("--logs", type=Path, default=Path(".structout/coverage"), help="a folder")
    parser.add_argument("--parts", default="budget,engines,pydantic,field,model")
    options = parser.parse_args()
    from structout.models.embedded import embedded_folder

    tokenizer = options.tokenizer or str(embedded_folder())
    rows = read(options.data)
    # The rows stand by family, so that every n-th of them is a stratified sample.
    some = rows[:: max(1, round(len(rows) / options.sample))] if options.sample else rows
    _RESULTS.mkdir(parents=True, exist_ok=True)
    parts = {}
    if "budget" in options.parts:
        count = run("structout", rows, tokenizer, options.logs / "budget.jsonl")["count"]
        parts["budget"] = budget_section(count)
    if "engines" in options.parts:
        results = []
        for name in options.engines.split(","):
            results.append(run(name, some, tokenizer, options.logs / f"{name.replace(' ', '_')}.jsonl"))
            print(table(results)[-1], flush=True)
        if len(results) == len(ENGINES):
            draw(results)
        parts["engines"] = ["# Grammar engines on JSONSchemaBench", "", *table(results)]
        own = results[0]["count"]
        stopped = [f"{r['engine']} {r['errors']['too long']} / {r['errors']['crashed']}" for r in results]
        parts["engines"] += [
            "",
            f"structout: accepted {own['compiles'] / own['schemas']:.2%}; at `exact`, or right on all documents by the "
            f"mask alone, {own['exact or right'] / own['schemas']:.2%}; at `exact` with a document wrong "
            f"{own['exact and wrong']}. Mask and verification together let {own['invalid returned']} of "
            f"{own['invalid']} invalid documents through, and {own['valid returned']} of {own['valid']} valid ones.",
            "",
            f"Stopped after {LIMIT} s of CPU time / crashed or out of memory (8 GiB): {', '.join(stopped)}.",
            "",
            "Whether a mask takes a document is tried with several orders of its keys: up to 2,000 steps of trying for "
            "structout and llguidance; as it is and in the schema's order for the others. So a refusal may be of an "
            "order only. Times are CPU times, in a process of its own for each schema.",
        ]
    if "pydantic" in options.parts:
        parts["pydantic"] = ["# Pydantic types, by the mask alone", "", *pydantic_table(tokenizer)]
    if "field" in options.parts:
        parts["field"] = field_section(tokenizer)
    if "model" in options.parts and options.model:
        parts["model"] = [
            "# The embedded model, constrained",
            "",
            *model_section(rows, options.model, options.logs / "model.jsonl"),
        ]
    for name, lines in parts.items():
        if name == "engines" and options.engines != ",".join(ENGINES):
            continue
        (_RESULTS / f"coverage_{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print("\n".join(lines))


if __name__ == "__main__":
    main()
