"""The commands, a module each. Results go to stdout or to files, progress and errors to stderr."""

import sys
import warnings
from typing import Any

import typer

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
from structout.cli.console import say
from structout.errors import BudgetError, JournalError, ModelError, OutputError, StructoutError, StructoutWarning

app = typer.Typer(
    name="structout",
    help="Language-model output that programs can rely on.\n\n" + MEANING,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_EARLY = (BudgetError, JournalError, ModelError, OutputError)  # the work stopped, and can go on

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
        sys.exit(INCOMPLETE if isinstance(error, _EARLY) else USAGE)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stderr.close()
        sys.exit(PASSED)
