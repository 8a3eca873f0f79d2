"""The command line. Each command has a module; results go to stdout or to files, progress and errors to stderr.

`main` imports the commands, so that it also handles an interrupt that arrives during these imports. SIGTERM, which
`timeout`, orchestrators and a shutdown send, ends a command as Ctrl-C does, with a code of its own.
"""

import os
import signal
import sys
import threading
import warnings
from io import TextIOWrapper

from structout.cli.codes import FAULT, INCOMPLETE, INTERRUPTED, TERMINATED, USAGE
from structout.cli.console import say, show_failure, show_warning, silence
from structout.errors import StructoutError, StructoutWarning
from structout.halt import THREAD


def main() -> None:
    """Run the command `structout`. An error becomes one line on stderr and an exit code."""
    if isinstance(sys.stdout, TextIOWrapper):
        # `put_json` writes JSON that needs no escapes. Lines end alike on every system.
        sys.stdout.reconfigure(errors="backslashreplace", newline="\n")
    warnings.showwarning = show_warning
    sys.excepthook = show_failure
    warnings.simplefilter("always", StructoutWarning)  # even where Python's own filters hide warnings
    code = INTERRUPTED

    def end(*_: object) -> None:
        nonlocal code
        code = TERMINATED
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
    try:
        from structout.cli.commands import app

        app()
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(code)
    except StructoutError as error:
        say(f"error: {error}")
        for note in getattr(error, "__notes__", ()):
            say(note)
        sys.exit(INCOMPLETE if error.retryable else USAGE)
    except Exception as error:  # Python's own exit code is 1, as if some data had failed
        if not (isinstance(error, OSError) and _is_stdout_full()):  # then `_flush` says so
            show_failure(type(error), error, error.__traceback__)
        sys.exit(FAULT)
    except SystemExit as ended:
        if ended.code != INTERRUPTED:
            raise
        _leave(code)
        sys.exit(code)
    finally:
        _flush()


def _leave(code: int) -> None:
    """End the process now if an interrupted thread still works: its code in C may not survive a normal exit."""
    if any(thread.name == THREAD for thread in threading.enumerate()):
        _flush()
        os._exit(code)


def _is_stdout_full() -> bool:
    """Whether stdout takes nothing any more."""
    try:
        print(end="", flush=True)
    except OSError:
        return True
    return False


def _flush() -> None:
    """Flush stdout now. A failure at the exit of the interpreter could no longer be reported."""
    try:
        print(end="", flush=True)
    except BrokenPipeError:  # the command is over, so its exit code stays
        silence(sys.stdout)
    except OSError as error:  # the same error may have ended the command
        silence(sys.stdout)
        say(f"error: stdout cannot be written: {error.strerror}")
        sys.exit(INCOMPLETE)
