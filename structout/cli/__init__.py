"""The commands, a module each. Results go to stdout or to files, progress and errors to stderr.

They are imported when `main` runs, so that whoever interrupts it at once, while they are, is understood as well.
"""

import sys
import warnings
from io import TextIOWrapper

from structout.cli.codes import INCOMPLETE, INTERRUPTED, USAGE
from structout.cli.console import say, show_failure, show_warning, silence
from structout.errors import StructoutError, StructoutWarning


def main() -> None:
    """The command `structout`: errors become one line on stderr and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # JSON never needs it: see `put_json`
    warnings.showwarning = show_warning
    sys.excepthook = show_failure
    warnings.simplefilter("always", StructoutWarning)  # a line on stderr, whatever else warnings are to be
    try:
        from structout.cli.commands import app

        app()
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(INTERRUPTED)
    except StructoutError as error:
        say(f"error: {error}")
        sys.exit(INCOMPLETE if error.retryable else USAGE)
    finally:
        _flush()


def _flush() -> None:
    """Write what stdout still holds back: when the interpreter ends, it would be too late to say that it cannot be."""
    try:
        print(end="", flush=True)
    except BrokenPipeError:  # too late to change how the command went
        silence(sys.stdout)
    except OSError as error:  # which may have ended the command as well
        silence(sys.stdout)
        say(f"error: stdout cannot be written: {error.strerror}")
        sys.exit(INCOMPLETE)
