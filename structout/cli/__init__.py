"""The commands, a module each. Results go to stdout or to files, progress and errors to stderr."""

import sys
import warnings
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
from structout.cli.codes import INCOMPLETE, INTERRUPTED, MEANING, PASSED, USAGE
from structout.cli.console import say, silence
from structout.errors import StructoutError, StructoutWarning

_LOG = "what was answered is kept in the log; the same command goes on"
_KEPT = {"recommend": _LOG, "certify": _LOG}


class _Commands(TyperGroup):
    """What ends a command from outside becomes an exit here: further out Typer makes one of it, without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted: " + _KEPT.get(ctx.invoked_subcommand, "nothing is kept but what was written"))
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # whoever read our output has seen enough
            silence(sys.stdout)
            raise typer.Exit(PASSED) from None
        finally:
            try:
                print(end="", flush=True)
            except BrokenPipeError:  # too late to change how the command went
                silence(sys.stdout)


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

        print(f"structout {version('structout')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
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


def main() -> None:
    """The command `structout`: errors become one line on stderr and an exit code."""
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, StructoutWarning):
            say(str(message))
        else:
            shown(message, category, *where, **more)

    warnings.showwarning = show
    try:
        app()
    except StructoutError as error:
        say(f"error: {error}")
        sys.exit(INCOMPLETE if error.retryable else USAGE)
