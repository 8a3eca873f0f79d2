"""What a small model reads of long documents: `python -m benchmarks.long.model` (after benchmarks.long.learning).

The embedded model, fine-tuned on windows of other documents, reads the same documents in windows, as a whole, in pieces
that outlines is asked for in a loop, and in the chunks of langextract.
"""

import argparse
import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.long import report
from benchmarks.long.documents import Kind, document
from benchmarks.long.learning import FOLDER, LINES, lines_of
from structout import Constrained, Model, Sampling, Schema, Strategy, Task, Windowed, load_model
from structout.errors import StructoutError
from structout.prompts import compose

_SCHEMA: Final = Schema.of(LINES)
_WINDOW: Final = 160  # tokens
_CHUNK: Final = 400  # characters: about as much text as a window
_KINDS: Final[tuple[Kind, ...]] = ("order", "markdown")
_ANSWER: Final = Sampling(max_tokens=512)
Reader = Callable[[str], tuple[list[Any], str, int]]  # the rows, the status, and the tokens in and out
HEAD: Final = f"""## A small model

`python -m benchmarks.long.model`: the embedded model (135 million parameters), fine-tuned by `python -m
benchmarks.long.learning` on 480 windows of other documents, with a schema of lines (code, quantity, amount). All ways
ask the same model for the same documents ({", ".join(_KINDS)}), on one thread of a busy machine: compare seconds
roughly. A row is right if code, quantity and amount are, each as often as the document has it. "Not in the document"
counts rows that are wrong, made up or doubled.

| way | lines | documents | right | missing | not in the document | accepted | tokens a line | s a line |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


def _structout(strategy: Strategy, model: Model) -> Reader:
    def read(text: str) -> tuple[list[Any], str, int]:
        (result,) = strategy.run([Task(text, _SCHEMA, sampling=_ANSWER)], model)
        found: Any = result.document or {"lines": []}
        return found["lines"], result.status, result.usage.input_tokens + result.usage.output_tokens

    return read


def _chunks(text: str) -> list[str]:
    """Pieces of whole lines, as most programs cut a text."""
    found = [""]
    for line in text.splitlines(keepends=True):
        if found[-1] and len(found[-1]) + len(line) > _CHUNK:
            found.append("")
        found[-1] += line
    return found


def _langextract(python: str) -> Callable[[str], list[str]]:
    """The chunks that langextract makes of a text, in an environment of its own."""
    code = (
        "import sys, json; from langextract import chunking; from langextract.core import data, tokenizer\n"
        "text = sys.stdin.read()\n"
        f"made = chunking.ChunkIterator(text, max_char_buffer={_CHUNK}, tokenizer_impl=tokenizer.RegexTokenizer(), "
        "document=data.Document(text=text))\n"
        "print(json.dumps([chunk.chunk_text for chunk in made]))"
    )

    def chunks(text: str) -> list[str]:
        done = subprocess.run([python, "-c", code], input=text, capture_output=True, encoding="utf-8", check=True)
        made: list[str] = json.loads(done.stdout)
        return made

    return chunks


def _in_chunks(cut: Callable[[str], list[str]], model: Model) -> Reader:
    """A loop over chunks, whose rows are put together."""

    def read(text: str) -> tuple[list[Any], str, int]:
        tasks = [Task(one, _SCHEMA, sampling=_ANSWER) for one in cut(text)]
        results = Constrained().run(tasks, model)
        rows = [row for one in results if isinstance(one.document, dict) for row in one.document["lines"]]  # type: ignore[union-attr]
        usage = sum(one.usage.input_tokens + one.usage.output_tokens for one in results)
        return rows, "valid" if all(one.ok for one in results) else "invalid", usage

    return read


def _outlines(model: Any) -> Reader:
    """Outlines with a JSON Schema, asked for one chunk after the other, with the prompts that the model learned."""
    import outlines

    wrapped = outlines.from_transformers(model.network, model.tokenizer)
    ask = outlines.Generator(wrapped, outlines.json_schema(json.dumps(LINES)))

    def read(text: str) -> tuple[list[Any], str, int]:
        rows, used, status = [], 0, "valid"
        for chunk in _chunks(text):
            messages = compose(Task(chunk, _SCHEMA), show="brief")
            prompt = model.tokenizer.apply_chat_template(
                [{"role": one.role, "content": one.content} for one in messages],
                tokenize=False,
                add_generation_prompt=True,
            )
            answer = ask(prompt, max_new_tokens=_ANSWER.max_tokens, do_sample=False)
            used += len(model.tokenizer(prompt + answer).input_ids)
            try:
                rows += json.loads(answer)["lines"]
            except ValueError:
                status = "truncated"
        return rows, status, used

    return read


def _ways(model: Any, langextract: str | None) -> Iterator[tuple[str, Reader, tuple[int, ...]]]:
    windows = f"Windowed(Constrained(), window={_WINDOW}, overlap=0)"
    shared = f"Windowed(Constrained(), window={_WINDOW}, overlap=40)"
    whole = Constrained(max_tokens=4096)
    in_windows = _structout(Windowed(Constrained(), _WINDOW, 0), model)
    yield windows, in_windows, (27, 100, 500)
    yield shared, _structout(Windowed(Constrained(), _WINDOW, 40), model), (27,)
    yield "one prompt, Constrained(max_tokens=4096)", _structout(whole, model), (27,)
    if langextract:
        yield "chunks of langextract, in a loop", _in_chunks(_langextract(langextract), model), (27,)
    yield "outlines in a loop over chunks", _outlines(model), (27,)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long.model", description=__doc__)
    parser.add_argument("--model", type=Path, default=FOLDER)
    parser.add_argument("--langextract", help="the Python of an environment with langextract")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(f"path:{options.model}")
    table: list[str] = []
    for way, read, sizes in _ways(model, options.langextract):
        for lines in sizes:
            right = missing = extra = accepted = used = 0
            began = time.perf_counter()
            kinds = _KINDS if lines < 500 else _KINDS[:1]  # a document of 500 lines takes minutes
            for kind in kinds:
                made = document(kind, lines, 7)
                try:
                    rows, status, tokens = read(made.text)
                except StructoutError as error:
                    rows, status, tokens = [], str(error), 0
                wanted = Counter(map(json.dumps, lines_of(made.text)["lines"]))
                got = Counter(map(json.dumps, rows))
                right += sum((wanted & got).values())
                missing += sum((wanted - got).values())
                extra += sum((got - wanted).values())
                accepted += status in ("valid", "repaired")
                used += tokens
            count, seconds = lines * len(kinds), time.perf_counter() - began
            table.append(
                f"| {way} | {lines} | {len(kinds)} | {right / count:.1%} | {missing} | {extra} | {accepted} "
                f"| {used / count:.0f} | {seconds / count:.2f} |"
            )
            print(table[-1], flush=True)
            report.write("model", HEAD + "\n".join(table))


if __name__ == "__main__":
    main()
