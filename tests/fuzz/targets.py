"""All targets by name."""

import os
import signal
import time
from pathlib import Path

from tests.fuzz import expressions, journals, replies, rows, schemas, texts
from tests.fuzz.target import Case, Target

TARGETS: dict[str, Target] = {
    "repair": Target(texts.make, texts.check, 1500),
    "schemas": Target(schemas.make, schemas.check, 60),
    "journals": Target(journals.make, journals.check, 40),
    "rows": Target(rows.make, rows.check, 200),
    "expressions": Target(expressions.make, expressions.check, 800),
    "replies": Target(replies.make, replies.check, 250),
}


def _break(case: Case, folder: Path) -> str:
    """What the fuzzer must find, to try the fuzzer itself."""
    how = case["how"]
    if how == "raise":
        raise ValueError(how)
    while how == "hang":
        pass
    if how == "wait":
        time.sleep(600)
    if how == "swell":
        return str(len("x" * 2**40))
    if how == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    return "it is odd" if how == "odd" else ""


BROKEN = Target(lambda rng: {"how": rng.choice(["raise", "odd", "well"])}, _break, 0)
