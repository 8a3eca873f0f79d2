"""The Typer application with all commands."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from structout.cli import (
    audit,
    bench,
    certify,
    doctor,
    extract,
    finetune,
    forget,
    init,
    label,
    model,
    preview,
    recommend,
    repair,
    run,
    status,
    validate,
    view,
)
from structout.cli.codes import INTERRUPTED, MEANING, PASSED
from structout.cli.console import put, say, silence
from structout.cli.options import add, example
from structout.errors import SpecError
from structout.surfaces import line

_LOG = "the answers are kept in the log; the same command resumes the run"
_AGAIN = "some files may still hold the rows; the same command goes on"
_KEPT = {"run": "the same command goes on", "recommend": _LOG, "certify": _LOG, "forget": _AGAIN}


class _Commands(TyperGroup):
    """Turns an interrupt or a closed pipe into an exit with a message. Typer itself would exit silently.

    A usage error repeats the caller's words, which may be file names that a shell filled in, so it is escaped.
    """

    def make_context(self, *args: Any, **more: Any) -> Any:
        with _shown():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        try:
            with _shown():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted: " + _KEPT.get(ctx.invoked_subcommand, "nothing is kept except the output so far"))
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of our output has closed the pipe
            silence(sys.stdout)
            raise typer.Exit(PASSED) from None


@contextmanager
def _shown() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if refused := _refused(error):
            raise refused from None
        if hasattr(error, "format_message"):  # a Click error; Typer may bring its own copy of Click
            error.message = line(error.message)  # type: ignore[attr-defined]
        raise


def _refused(error: Exception) -> SpecError | None:
    """The error that Typer's validation of an option stands for; None for any other error."""
    names, cause = getattr(getattr(error, "param", None), "opts", ()), error.__cause__
    errors = getattr(cause, "errors", None)
    said = getattr(error, "message", "")
    if names and errors is None and said.startswith("got "):  # of our `share_named`
        return SpecError(f"invalid {names[0]}: {said}")
    if not names or errors is None:
        return None
    found = errors()[0]
    value, bounds = found["input"], found.get("ctx", {})
    choices = re.findall("'([^']*)'", found["msg"].partition(" is not one of ")[2])
    hints = {
        "int_parsing": "give a whole number",
        "float_parsing": "give a number",
        "greater_than_equal": f"give {bounds.get('ge')} or more",
        "less_than_equal": f"give {bounds.get('le')} or less",
        "value_error": f"give {' or '.join(choices)}" if choices else "",
    }
    hint = hints.get(found["type"])
    shown = value if found["type"].endswith("_equal") else repr(value)
    return SpecError(f"invalid {names[0]}: got {shown}", hint=hint) if hint else None


app = typer.Typer(
    name="structout",
    cls=_Commands,
    help="Language-model output that programs can rely on.\n\n" + MEANING,
    epilog=example("structout init parts --sample rows.csv", "structout COMMAND --help"),
    no_args_is_help=True,
    rich_markup_mode=None,  # in a narrow terminal, the tables of rich cut the names of options
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        put(f"structout {version('structout')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


# Each command with an example of it, whose files are those of `structout init`.
_COMMANDS: tuple[tuple[Callable[..., None], str], ...] = (
    (init.init, "structout init parts --sample rows.csv --model embedded"),
    (doctor.doctor, "structout doctor --servers --model ollama:qwen3:8b"),
    (extract.extract, 'structout extract --schema schema.py --text "hex bolt, 6 mm" --json'),
    (run.run, "structout run records.jsonl --schema schema.py --output out.jsonl"),
    (status.status, "structout status out.jsonl.journal"),
    (bench.bench, "structout bench records.jsonl --schema schema.py --model embedded"),
    (
        recommend.recommend,
        'structout recommend records.jsonl --schema schema.py -t "compliance>=0.9"',
    ),
    (certify.certify, "structout certify records.jsonl --schema schema.py --max-error 0.05"),
    (preview.preview, 'structout preview --schema schema.py --text "hex bolt, 6 mm"'),
    (validate.validate, "structout validate out.jsonl --schema schema.py --min-valid 0.98"),
    (view.view, "structout view .structout"),
    (repair.repair, "structout repair answer.txt --schema schema.py --edits"),
    (audit.audit, "structout audit schema.py --for openai"),
    (finetune.finetune, "structout finetune records.jsonl --schema schema.py --output tuned"),
    (label.label, "structout label texts.jsonl --schema schema.py --output labels.jsonl"),
    (forget.forget, "structout forget out.jsonl.journal --key 4711 --dry-run"),
)
for _command, _example in _COMMANDS:
    add(app, _command, _example)
app.add_typer(model.app, name="model")
