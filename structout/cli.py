"""The commands. Results go to stdout or to files, progress and errors to stderr."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structout.errors import ModelError, SpecError, StructoutError

if TYPE_CHECKING:
    from structout.completion import Sampling
    from structout.repair import Policy
    from structout.result import Example, Result

PASSED, FAILED, USAGE, INCOMPLETE, NOTHING, INTERRUPTED = 0, 1, 2, 3, 4, 130
_EXIT_CODES = (
    "Exit codes: 0 all is well; 1 some data failed; 2 wrong usage, schema or input file; "
    "3 could not be completed (a model failed); 4 nothing was there to check; 130 interrupted."
)

app = typer.Typer(
    name="structout",
    help="Language-model output that programs can rely on.\n\n" + _EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
model_app = typer.Typer(help="The embedded model.", no_args_is_help=True)
app.add_typer(model_app, name="model")

SchemaOption = Annotated[
    str, typer.Option("--schema", "-s", help="A folder, a .json file, path/to/schema.py:Name or package.module:Name.")
]
ModelOption = Annotated[str, typer.Option("--model", "-m", help="embedded, hf:NAME, path:FOLDER or scripted:FILE.")]
StrategyOption = Annotated[
    str, typer.Option("--strategy", help="An expression such as 'Reask(Repair(Prompted(examples=3)), limit=2)'.")
]
ExamplesOption = Annotated[
    str | None, typer.Option("--examples", help="A data set whose train records strategies may show.")
]
MaxTokensOption = Annotated[int, typer.Option("--max-tokens", help="The most tokens an answer may have.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]

DEFAULT = "Reask(Repair(Constrained()))"
BENCH_STRATEGIES = [
    "Prompted()",
    "Prompted(examples=3)",
    "Repair(Prompted(examples=3))",
    "Reask(Repair(Prompted(examples=3)))",
    "Constrained(examples=3)",
    "Cascade(Repair(Prompted(examples=3)), Constrained(examples=3))",
]


@app.command()
def extract(
    schema: SchemaOption,
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help='JSONL with "text", a text file (a record a line), or - for stdin.')
    ] = "-",
    text: Annotated[str | None, typer.Option("--text", "-t", help="One record, instead of INPUT.")] = None,
    model: ModelOption = "embedded",
    strategy: StrategyOption = DEFAULT,
    examples: ExamplesOption = None,
    max_tokens: MaxTokensOption = 512,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write status, issues, edits and cost with each value.")
    ] = False,
) -> None:
    """Turn texts into validated records: one JSON line each, in input order; null for a record that failed."""
    from structout.pipeline import extract_many
    from structout.pipeline.formats import texts
    from structout.schema import Schema

    contract = Schema.of(schema)
    records = iter([text]) if text is not None else texts(source)
    failed = total = 0
    results = extract_many(
        records, contract, model, strategy, examples=_examples(examples, contract), sampling=_sampling(max_tokens)
    )
    with _progress("extract", None) as advance:
        for result in results:
            total += 1
            failed += not result.ok
            value = contract.dump(result.value) if result.ok else None
            print(json.dumps(_row(total, result, value) if as_json else value, ensure_ascii=not _utf8()), flush=True)
            if not result.ok and not as_json:
                _say(f"record {total}: {result.status}: {'; '.join(map(str, result.issues[:3]))}")
            advance()
    if total == 0:
        _say("nothing to extract: the input holds no records")
        raise typer.Exit(NOTHING)
    raise typer.Exit(FAILED if failed else PASSED)


@app.command()
def bench(
    dataset: Annotated[
        str | None, typer.Argument(help="A folder with a schema and records.jsonl, or a JSONL file.")
    ] = None,
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, where the folder has none.")] = None,
    strategy: Annotated[
        list[str] | None, typer.Option("--strategy", help="An expression; may be given several times.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="May be given several times.")] = None,
    split: Annotated[str, typer.Option("--split", help="train, dev, test or all.")] = "test",
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first records.")] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Runs of each record.")] = 1,
    max_tokens: MaxTokensOption = 256,
    log: Annotated[
        str | None, typer.Option("--log", help="Where every attempt is logged (default .structout/bench-NAME.jsonl).")
    ] = None,
    rescore: Annotated[str | None, typer.Option("--rescore", help="Score this log again; no model is asked.")] = None,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write the table as Markdown.")] = False,
) -> None:
    """Measure strategies on labelled records: compliance with accuracy and cost beside it."""
    from structout.evaluation import Dataset, evaluate, read_log

    if rescore is not None:
        _show(read_log(rescore), as_json=as_json, markdown=markdown)
        return
    if dataset is None:
        raise SpecError("no data set is named", hint="structout bench schemas/parts")
    whole = Dataset.load(dataset, schema)
    if split not in ("train", "dev", "test", "all"):
        raise SpecError(f"no split is called {split!r}", hint="give train, dev, test or all")
    part = whole if split == "all" else whole.split(split)  # type: ignore[arg-type]
    part = part.head(limit) if limit else part
    models, strategies = model or ["embedded"], strategy or BENCH_STRATEGIES
    path = log or f".structout/bench-{whole.name}.jsonl"
    total = len(part) * len(models) * len(strategies) * repeats
    try:
        with _progress("bench", total) as advance:
            report = evaluate(
                strategies,
                models,
                part,
                repeats=repeats,
                examples=whole,
                sampling=_sampling(max_tokens),
                log=path,
                progress=lambda outcome: advance(outcome.strategy),
            )
    except KeyboardInterrupt:
        kept = len(read_log(path).outcomes)
        _say(f"interrupted: {kept} of {total} outcomes are kept in {path}; score them with --rescore {path}")
        raise typer.Exit(INTERRUPTED) from None
    _show(report, as_json=as_json, markdown=markdown)
    _say(f"every attempt is in {path}")


@app.command()
def preview(
    schema: SchemaOption,
    text: Annotated[str, typer.Option("--text", "-t", help="The record.")] = "(the record)",
    strategy: StrategyOption = DEFAULT,
    examples: ExamplesOption = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Show it in this model's own chat template.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the first prompt exactly as it would be sent. No model is asked."""
    from structout.models import load_model
    from structout.pipeline import preview as first_prompt
    from structout.schema import Schema

    contract = Schema.of(schema)
    prompt = first_prompt(text, contract, strategy, examples=_examples(examples, contract))
    if model is not None:
        who = load_model(model)
        render, encode = getattr(who, "render", None), getattr(who, "encode", None)
        if render is None or encode is None:
            raise SpecError(f"{model} has no chat template to show", hint="leave --model out")
        tokens = encode(prompt)
        print(render(prompt))
        _say(tokens if isinstance(tokens, str) else f"{len(tokens)} tokens")
    elif as_json:
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        print(
            json.dumps({"messages": messages, "constrained": prompt.constraint is not None}, ensure_ascii=not _utf8())
        )
    else:
        for message in prompt.messages:
            print(f"[{message.role}]\n{message.content}\n")


@app.command()
def validate(
    schema: SchemaOption,
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="A .json document, JSONL (a document a line), or - for JSONL on stdin."),
    ] = "-",
    min_valid: Annotated[
        float, typer.Option("--min-valid", min=0, max=1, help="The least share that must pass.")
    ] = 1.0,
    repair: Annotated[
        str | None, typer.Option("--repair", help="Mend what fails first, by this policy: lossless, lossy or any.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge documents that others produced, strictly. Exit 0: enough are valid; 1: too few; 4: none were there."""
    from structout.pipeline.formats import documents
    from structout.repair import repair as mend
    from structout.schema import Schema

    contract, policy = Schema.of(schema), _policy(repair) if repair is not None else None
    total = valid = repaired = 0
    for number, text in documents(source):
        total += 1
        checked = contract.check_text(text)
        status, issues, edits = "valid" if checked.ok else "invalid", checked.issues, 0
        if not checked.ok and policy is not None:
            mended = mend(text, contract, policy)
            issues, edits = mended.issues, len(mended.edits)
            status = "repaired" if mended.ok else "invalid"
        valid += status == "valid"
        repaired += status == "repaired"
        if as_json:
            found = [{"pointer": issue.pointer, "kind": issue.kind, "message": issue.message} for issue in issues]
            print(json.dumps({"line": number, "status": status, "issues": found, "edits": edits}))
        elif status == "invalid":
            print(f"{source}:{number}: {'; '.join(map(str, issues))}")
    if total == 0:
        _say("nothing to check: the input holds no documents")
        raise typer.Exit(NOTHING)
    _say(f"{valid} of {total} documents are valid{f', {repaired} more after repair' if policy else ''}")
    raise typer.Exit(PASSED if (valid + repaired) / total >= min_valid else FAILED)


@app.command()
def repair(
    schema: SchemaOption,
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A file with one answer of a model, or - for stdin.")
    ] = "-",
    policy: Annotated[
        str, typer.Option("--policy", help="The edits that are accepted: lossless, lossy or any.")
    ] = "lossless",
    decimal: Annotated[
        str | None,
        typer.Option("--decimal", help="The decimal sign of numbers in text: . or , (else 1,200 is ambiguous)."),
    ] = None,
    edits: Annotated[bool, typer.Option("--edits", help="Show on stderr what was changed where.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write value, issues and edits as JSON.")] = False,
) -> None:
    """Mend one answer, in JSON or YAML, and write the document. Exit 0: it could be mended; 1: it could not."""
    from dataclasses import asdict

    from structout.pipeline.formats import lines
    from structout.repair import repair as mend
    from structout.repair import view
    from structout.schema import Schema

    if decimal not in (None, ".", ","):
        raise SpecError(f"no decimal sign is {decimal!r}", hint="give . or ,")
    contract, text = Schema.of(schema), "".join(lines(source))
    mended = mend(text, contract, _policy(policy), decimal=decimal)  # type: ignore[arg-type]
    value = contract.dump(mended.value) if mended.ok else None
    if as_json:
        issues, changes = [asdict(issue) for issue in mended.issues], [edit._asdict() for edit in mended.edits]
        print(json.dumps({"ok": mended.ok, "value": value, "issues": issues, "edits": changes}))
    elif mended.ok:
        print(json.dumps(value, ensure_ascii=not _utf8()))
    if edits:
        print(view(text, mended), file=sys.stderr)
    elif not mended.ok:
        _say("; ".join(map(str, mended.issues[:3])))
    raise typer.Exit(PASSED if mended.ok else FAILED)


@app.command()
def audit(
    schema: Annotated[
        str, typer.Argument(help="A folder, a .json file, path/to/schema.py:Name or package.module:Name.")
    ],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Count the shortest document in this model's tokens.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a schema before money is spent: what a constraint will enforce, and what is only checked afterwards."""
    from rich.console import Console

    from structout.grammar.audit import audit as judge
    from structout.models import load_model
    from structout.schema import Schema

    vocabulary = getattr(load_model(model), "vocabulary", None) if model is not None else None
    if model is not None and vocabulary is None:
        raise SpecError(f"{model} does not show its tokens", hint="give a local model, or leave --model out")
    found = judge(Schema.of(schema), vocabulary)
    if as_json:
        print(json.dumps(found.to_json()))
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(found)


@model_app.command("fetch")
def model_fetch() -> None:
    """Fetch and convert the embedded model now, and say where it is."""
    from structout.models.embedded import embedded_folder

    print(embedded_folder())


def main() -> None:
    """The command `structout`: errors become one line on stderr and an exit code."""
    try:
        app()
    except StructoutError as error:
        _say(f"error: {error}")
        sys.exit(INCOMPLETE if isinstance(error, ModelError) else USAGE)
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stderr.close()
        sys.exit(PASSED)


def _say(message: str) -> None:
    print(f"structout: {message}" if not message.startswith("error") else message, file=sys.stderr)


def _sampling(max_tokens: int) -> "Sampling":
    from structout.completion import Sampling

    return Sampling(max_tokens=max_tokens)


def _policy(name: str) -> "Policy":
    if name not in ("lossless", "lossy", "any"):
        raise SpecError(f"no repair policy is called {name!r}", hint="give lossless, lossy or any")
    return name  # type: ignore[return-value]


def _examples(place: str | None, schema: Any) -> "tuple[Example, ...]":
    from structout.evaluation import Dataset

    return Dataset.load(place, schema).examples if place else ()


def _row(number: int, result: "Result[Any]", value: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "record": number,
        "status": result.status,
        "value": value,
        "issues": [asdict(issue) for issue in result.issues],
        "edits": [edit._asdict() for edit in result.edits],
        "usage": asdict(result.usage),
    }


def _show(report: Any, *, as_json: bool, markdown: bool) -> None:
    if as_json:
        print(json.dumps(report.to_json()))
    elif markdown:
        print(report.markdown())
    else:
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 120)
        console.print(report.table(console.width))


@contextmanager
def _progress(task: str, total: int | None) -> Iterator[Any]:
    """A progress line on stderr, if a person is there to see it; the yielded function moves it on by one."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        row = progress.add_task(task, total=total)

        def advance(now: str | None = None) -> None:
            progress.update(row, advance=1, description=now or task)

        yield advance


def _utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
