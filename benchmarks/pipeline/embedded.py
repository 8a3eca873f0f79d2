"""(b) and (c) The embedded model: through the pipeline, by a plain loop over outlines, and behind a server."""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks.pipeline.scale import write_parts
from structout import Constrained, Model, Sampling, Schema, load_model, preview
from structout.models.embedded import embedded_folder
from structout.models.openai.client import OpenAIModel
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.run import local, process
from structout.tables.rows import read_rows

SAMPLING = Sampling(max_tokens=288)  # the longest right answer has 285
STRATEGY = Constrained()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        texts = _texts(Path(folder), options.rows)
        rows = [_pipeline("structout run", load_model("embedded"), texts, Path(folder))]
        rows.append(_outlines(texts[: max(1, options.rows // 10)]))
    ratio = float(rows[0]["rows/s"]) / float(rows[1]["rows/s"])
    note = (
        f"The same prompts, greedy, at most {SAMPLING.max_tokens} tokens, one thread; the pipeline answers 32 rows "
        f"at a time and keeps a journal, the loop asks one by one, on a tenth of the rows. Ratio: {ratio:.1f}."
    )
    return {"title": "The embedded model on this machine", "rows": rows, "note": note}


def measure_server(options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    for slots in (1, 4):
        command = [sys.executable, "-m", "benchmarks.pipeline.llama_server", str(slots)]
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            model = OpenAIModel("m", server.stdout.readline().strip() + "/v1", in_flight=2 * slots)
            with tempfile.TemporaryDirectory() as folder:
                texts = _texts(Path(folder), options.rows)
                row = _pipeline(f"llama.cpp, {slots} slots", model, texts, Path(folder))
            rows.append({**row, "most in flight": model.limiter.peak, "dialect": model.dialect})
        finally:
            server.stdin.close()
            server.wait(60)
    note = (
        f"xllamacpp's server with the 4-bit embedded model, one thread, at most {SAMPLING.max_tokens} tokens. A server "
        "holds an answer to the schema, but does not see to it that it ends in time: what is cut off is `truncated`."
    )
    return {"title": "The embedded model behind an OpenAI-compatible server", "rows": rows, "note": note}


def _texts(folder: Path, count: int) -> list[str]:
    write_parts(folder / "parts.jsonl", count)
    return [row.text for row in read_rows(str(folder / "parts.jsonl"))]


def _pipeline(name: str, model: Model, texts: list[str], folder: Path) -> dict[str, Any]:
    (folder / "in.txt").write_text("\n".join(texts), encoding="utf-8")
    job = Job(Schema.of("schemas/parts"), model, STRATEGY, sampling=SAMPLING)
    list(job.results(texts[:1]))  # what is done once is not counted
    with Journal(folder / "journal", job.identity()) as journal:
        began = time.perf_counter()
        tally = process(read_rows(str(folder / "in.txt")), job, journal, local())
        seconds = time.perf_counter() - began
    cut = f"{100 * tally.counts['truncated'] / len(texts):.0f} %"
    return _row(name, len(texts), seconds, tally.accepted) | {"cut off": cut}


def _outlines(texts: list[str]) -> dict[str, Any]:
    """What one would write by hand: a loop that asks for one record after the other."""
    import outlines
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from structout.source import import_object

    schema, part = Schema.of("schemas/parts"), import_object("schemas/parts/schema.py:Part")
    tokenizer = AutoTokenizer.from_pretrained(str(embedded_folder()))
    model = outlines.from_transformers(AutoModelForCausalLM.from_pretrained(str(embedded_folder())), tokenizer)
    generator = outlines.Generator(model, part)
    accepted, cut, began = 0, 0, 0.0
    for place, text in enumerate([texts[0], *texts]):
        if place == 1:
            began = time.perf_counter()  # the first one compiles the schema
        messages = preview(text, schema, STRATEGY).messages
        chat = [{"role": message.role, "content": message.content} for message in messages]
        prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = generator(prompt, max_new_tokens=SAMPLING.max_tokens, do_sample=False)
        if place:
            found = schema.check_text(answer)
            accepted += found.ok
            cut += any(issue.kind == "not_json" for issue in found.issues)
    row = _row("a loop over outlines", len(texts), time.perf_counter() - began, accepted)
    return row | {"cut off": f"{100 * cut / len(texts):.0f} %"}


def _row(name: str, count: int, seconds: float, accepted: int) -> dict[str, Any]:
    return {
        "": name,
        "rows": count,
        "accepted": f"{100 * accepted / count:.0f} %",
        "clock s": f"{seconds:.1f}",
        "rows/s": f"{count / seconds:.3g}",
    }
