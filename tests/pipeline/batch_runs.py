"""Runs of batches in processes of their own, which a test can kill: `python -m tests.pipeline.batch_runs`.

The process imports everything once, and writes its id. Each line that it reads is the words of a command, a file for
its stderr, and changes of the environment; it forks, and writes the id of the new process and, later, its exit code.
"""

import json
import os
import signal
import sys


def serve() -> None:
    """Run commands until the input ends."""
    import anthropic  # noqa: F401
    import google.genai  # noqa: F401
    import openai  # noqa: F401
    from pydantic_ai.models import anthropic as _  # noqa: F401

    from structout.cli import commands, main, run  # noqa: F401
    from structout.models import retries
    from structout.models.providers import batch, jobs  # noqa: F401
    from structout.pipeline import file_run  # noqa: F401
    from tests.bolt import Bolt  # noqa: F401

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell hands it down as ignored
    jobs.FIRST = jobs.LONGEST = retries._LONGEST_PAUSE = 0.02
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        words, log, environment = json.loads(line)
        if not (process := os.fork()):
            os.environ.update(environment)
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            sys.argv = ["structout", *words]
            try:
                main()
            except SystemExit as end:
                os._exit(int(end.code or 0))
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(99)
            os._exit(0)
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
