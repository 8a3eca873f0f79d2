"""The commands, a module each. Results go to stdout or to files, progress and errors to stderr."""

import sys

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
    validate,
)
from structout.cli.codes import INCOMPLETE, INTERRUPTED, MEANING, PASSED, USAGE
from structout.cli.console import say
from structout.errors import ModelError, StructoutError

app = typer.Typer(
    name="structout",
    help="Language-model output that programs can rely on.\n\n" + MEANING,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(extract.extract)
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
    try:
        app()
    except StructoutError as error:
        say(f"error: {error}")
        sys.exit(INCOMPLETE if isinstance(error, ModelError) else USAGE)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has seen enough
        sys.stderr.close()
        sys.exit(PASSED)
