"""The Typer application with all commands."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from structout.cli import (
    audit,
    bench,
    certify,
    extract,
    finetune,
    label,
    model,
    preview,
    recommend,
    repair,
    run,
    validate,
)
from structout.cli.codes import INTERRUPTED, MEANING, PASSED
from structout.cli.console import put, say, silence
from structout.surfaces import line

_LOG = "the answers are kept in the log; the same command resumes the run"
_KEPT = {"recommend": _LOG, "certify": _LOG}


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
        if hasattr(error, "format_message"):  # a Click error; Typer may bring its own copy of Click
            error.message = line(error.message)  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="structout",
    cls=_Commands,
    help="Language-model output that programs can rely on.\n\n" + MEANING,
    no_args_is_help=True,
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


app.command()(extract.extract)
app.command()(run.run)
app.command()(bench.bench)
app.command()(recommend.recommend)
app.command()(certify.certify)
app.command()(preview.preview)
app.command()(validate.validate)
app.command()(repair.repair)
app.command()(audit.audit)
app.command()(finetune.finetune)
app.command()(label.label)
app.add_typer(model.app, name="model")
